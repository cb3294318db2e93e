/**
 * Headers that every answer has: those of the routes, of direct posts, and of node itself.
 *
 * All of them call `writeHead` of the answer's class, so the class adds the headers, from objects that are made once.
 * A call of node's `setHeader` before would make every `writeHead` slow.
 */
import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** Node would send an empty chunked body instead. */
export const NO_CONTENT = { 'Content-Length': '0' }

export type HeaderRecord = Readonly<Record<string, string>>

/**
 * Only the answer of `/` is a page. Browsers must not guess the type of the others, show them in frames, cache them, or send
 * their address on. A year of HTTPS alone is promised only by a service with HTTPS.
 */
export function securityHeaders(tls: boolean): HeaderRecord {
  return {
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    'Referrer-Policy': 'no-referrer',
    ...(tls && { 'Strict-Transport-Security': 'max-age=31536000' }),
  }
}

/** Headers of many answers, passed as the same object: they are completed once. */
export class ConstantHeaders {
  readonly [name: string]: string

  constructor(headers: HeaderRecord) {
    Object.assign(this, headers)
  }
}

/** Additional headers, by the origin of the request (cors.ts). */
export interface OriginHeaders {
  headersFor(origin: string | undefined): HeaderRecord
}

/** How many answers had each status: `counts[404]`. */
export class AnswerCounts {
  readonly counts = new Float64Array(600)

  byStatus(): (readonly [status: string, total: number])[] {
    return [...this.counts].flatMap((total, status) => (total > 0 ? [[String(status), total] as const] : []))
  }
}

/** The answers of the server, with the method that node's do not have. */
export interface ServiceResponse extends ServerResponse {
  /** Answers without a body. Only for answers on which no header was set before. */
  answerEmpty(status: number): void
}

/** The class of answers for `createServer`: each has the headers `always`, and those of `cors` for the origin of its request. */
export function answerClass(
  always: HeaderRecord,
  cors: OriginHeaders | undefined,
  { counts }: AnswerCounts,
): typeof ServerResponse {
  /** The most frequent answer needs no new object; neither do refusals made of ConstantHeaders. */
  const noContent = { ...NO_CONTENT, ...always }
  const ready = new WeakMap<object, OutgoingHttpHeaders>()

  function complete(given: unknown): OutgoingHttpHeaders {
    const made = ready.get(given as object)
    if (made !== undefined) return made
    const all = withAlways(given, always)
    if (given instanceof ConstantHeaders) ready.set(given, all)
    return all
  }

  /** The last head of an answer without a body that node has formatted, by status. */
  const heads: (FormattedHead | undefined)[] = []

  class Answer<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
    /**
     * Node formats a few heads a second for each status, and the answers in between reuse them. Formatting costs 5 % of a short
     * request. A head that ends the connection is never reused.
     */
    answerEmpty(status: number): void {
      const head = heads[status]
      const nowMs = performance.now()
      const isUsual = cors === undefined && this.shouldKeepAlive && this.req.headers.expect === undefined
      if (isUsual && head !== undefined && nowMs < head.endMs) {
        counts[status]!++
        this.statusCode = status
        ;(this as unknown as FormattedAnswer)._header = head.text
      } else {
        this.writeHead(status, NO_CONTENT)
        const text = (this as unknown as FormattedAnswer)._header
        heads[status] = isUsual && text ? { endMs: nowMs + HEAD_REUSE_MS, text } : undefined
      }
      this.end()
    }

    override writeHead(status: number, second?: unknown, third?: unknown): this {
      counts[status]!++
      const given = typeof second === 'string' ? third : second
      return super.writeHead(status, given === NO_CONTENT ? noContent : complete(given))
    }
  }
  if (cors === undefined) return Answer as unknown as typeof ServerResponse

  class AnswerForOrigin<Request extends IncomingMessage = IncomingMessage> extends Answer<Request> {
    override writeHead(status: number, second?: unknown, third?: unknown): this {
      const given = typeof second === 'string' ? third : second
      return super.writeHead(status, withAlways(given, cors!.headersFor(this.req.headers.origin)))
    }
  }
  return AnswerForOrigin as unknown as typeof ServerResponse
}

/** How long a head is reused. It has a date in whole seconds, which may be late by this. */
const HEAD_REUSE_MS = 250

interface FormattedHead {
  /** When it is too old for reuse, on the clock of `performance`. */
  readonly endMs: number
  readonly text: string
}

/** Node keeps the head of an answer here until it is sent. Without this property every head is formatted. */
interface FormattedAnswer {
  _header?: string | null
}

/** Node passes names and values in one flat array for answers of its own. */
function withAlways(given: unknown, always: HeaderRecord): OutgoingHttpHeaders {
  if (!Array.isArray(given)) return withOwnPolicy(given as OutgoingHttpHeaders | undefined, always)
  const own: OutgoingHttpHeaders = {}
  for (let i = 0; i < given.length; i += 2) own[String(given[i])] = given[i + 1]
  return { ...own, ...always }
}

/** Pages and their files have a policy and caching of their own, in lower case like all headers of a Response. */
function withOwnPolicy(given: OutgoingHttpHeaders | undefined, always: HeaderRecord): OutgoingHttpHeaders {
  const policy = given?.['content-security-policy']
  if (policy === undefined) return { ...given, ...always }
  const { 'content-security-policy': _, 'cache-control': caching, ...own } = given!
  return {
    ...own,
    ...always,
    'Content-Security-Policy': policy,
    ...(caching !== undefined && { 'Cache-Control': caching }),
  }
}
