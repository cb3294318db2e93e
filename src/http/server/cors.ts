/**
 * Cross-origin requests: which web pages a browser lets use the API. Off unless the operator names origins. Then answers to
 * these origins have the headers that allow it, and preflight requests are answered here, before any route.
 *
 * Clients choose the names of event headers, so a page may send any header it asks for. Credentials of the browser (cookies)
 * are never allowed: there are none.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HeaderRecord } from './answer-class.ts'

/** Headers of an answer that a page may read, beside those that browsers always show. */
const EXPOSED = 'Allow, ETag, Link, Location, Retry-After, WWW-Authenticate'
const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE'
/** How long a browser may cache the answer to a preflight request. */
const REMEMBERED_SECONDS = 600

/** Caches need this header on every answer. */
const OTHERS: HeaderRecord = { Vary: 'Origin' }

export class CorsRules {
  readonly #headers: ReadonlyMap<string, HeaderRecord>
  readonly #any: boolean

  /** As in Config: origins as browsers write them, or `*`. At least one. */
  constructor(origins: readonly string[]) {
    this.#any = origins.includes('*')
    this.#headers = new Map(origins.map((origin) => [origin, headersOf(origin)]))
  }

  /** Headers of every answer to a request of this origin. */
  headersFor(origin: string | undefined): HeaderRecord {
    if (origin === undefined) return OTHERS
    return this.#headers.get(this.#any ? '*' : origin) ?? OTHERS
  }

  allows(origin: string): boolean {
    return this.#any || this.#headers.has(origin)
  }
}

function headersOf(origin: string): HeaderRecord {
  return { ...OTHERS, 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': EXPOSED }
}

/** Answers the preflight request of a browser, and returns true if this is one from an allowed origin. */
export function answersPreflight(
  rules: CorsRules,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): boolean {
  if (!isPreflight(incoming) || !rules.allows(incoming.headers.origin!)) return false
  const asked = incoming.headers['access-control-request-headers']
  outgoing.writeHead(204, {
    'Access-Control-Allow-Methods': METHODS,
    'Access-Control-Max-Age': `${REMEMBERED_SECONDS}`,
    ...(asked !== undefined && { 'Access-Control-Allow-Headers': asked }),
  })
  outgoing.end()
  return true
}

function isPreflight({ method, headers }: IncomingMessage): boolean {
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  )
}
