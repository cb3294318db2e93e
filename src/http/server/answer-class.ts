/**
 * What stands in the head of every answer, whoever gives it: the routes, the direct posts, node itself.
 *
 * All of them call `writeHead` of the answer's class in the end, so the class adds it, from objects that are made once.
 * Node's `setHeader` beforehand would make every `writeHead` take its slow way.
 */
import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { NO_CONTENT } from '../messages/answers.ts'

export type HeaderRecord = Readonly<Record<string, string>>

/**
 * No answer but that of `/` is a page: it is not to be guessed at, shown, framed, kept by a cache, or told to others. A year of
 * HTTPS alone is only promised where there is HTTPS.
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

/** Headers that are given again and again, as this very object: they are completed once. */
export class ConstantHeaders {
  readonly [name: string]: string

  constructor(headers: HeaderRecord) {
    Object.assign(this, headers)
  }
}

/** What answers say beside, by the origin of their request (cors.ts). */
export interface OriginHeaders {
  headersFor(origin: string | undefined): HeaderRecord
}

/** How many answers each status has had: `counts[404]`. */
export class AnswerCounts {
  readonly counts = new Float64Array(600)

  byStatus(): (readonly [status: string, total: number])[] {
    return [...this.counts].flatMap((total, status) => (total > 0 ? [[String(status), total] as const] : []))
  }
}

/** What the answers of the server can do beside what node's can. */
export interface ServiceResponse extends ServerResponse {
  /** Answers without a body. For requests that nothing else has set a header for. */
  answerEmpty(status: number): void
}

/** The class of answers for `createServer`: `always` is in each, and what `cors` says for the origin of its request. */
export function answerClass(
  always: HeaderRecord,
  cors: OriginHeaders | undefined,
  { counts }: AnswerCounts,
): typeof ServerResponse {
  /** Most answers are the first one: it costs no object. Those of refusals that are made once do not, either. */
  const noContent = { ...NO_CONTENT, ...always }
  const ready = new WeakMap<object, OutgoingHttpHeaders>()

  function complete(given: unknown): OutgoingHttpHeaders {
    const made = ready.get(given as object)
    if (made !== undefined) return made
    const all = withAlways(given, always)
    if (given instanceof ConstantHeaders) ready.set(given, all)
    return all
  }

  /** Heads of answers without a body, as node has formatted them last, by their status. */
  const heads: (FormattedHead | undefined)[] = []

  class Answer<Request extends IncomingMessage = IncomingMessage> extends ServerResponse<Request> {
    /**
     * Formatting a head takes node as long as handling a short request, and those of one second are the same. So node formats
     * one a second, and others are answered with it. A head that ends the connection is always made anew.
     */
    answerEmpty(status: number): void {
      const head = heads[status]
      const second = Math.floor(Date.now() / 1000)
      const isUsual = cors === undefined && this.shouldKeepAlive && this.req.headers.expect === undefined
      if (isUsual && head?.second === second) {
        counts[status]!++
        this.statusCode = status
        ;(this as unknown as FormattedAnswer)._header = head.text
      } else {
        this.writeHead(status, NO_CONTENT)
        const text = (this as unknown as FormattedAnswer)._header
        heads[status] = isUsual && text ? { second, text } : undefined
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

interface FormattedHead {
  /** Since 1970: the head has a date. */
  readonly second: number
  readonly text: string
}

/** Where node keeps the head of an answer until it is sent; a version that does not is served as before. */
interface FormattedAnswer {
  _header?: string | null
}

/** Node gives names and values in one flat array where it answers itself. */
function withAlways(given: unknown, always: HeaderRecord): OutgoingHttpHeaders {
  if (!Array.isArray(given)) return withOwnPolicy(given as OutgoingHttpHeaders | undefined, always)
  const own: OutgoingHttpHeaders = {}
  for (let i = 0; i < given.length; i += 2) own[String(given[i])] = given[i + 1]
  return { ...own, ...always }
}

/** A page brings a policy of its own, in lower case as all headers of a Response are. */
function withOwnPolicy(given: OutgoingHttpHeaders | undefined, always: HeaderRecord): OutgoingHttpHeaders {
  const policy = given?.['content-security-policy']
  if (policy === undefined) return { ...given, ...always }
  const { 'content-security-policy': _, ...own } = given!
  return { ...own, ...always, 'Content-Security-Policy': policy }
}
