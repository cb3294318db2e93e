/**
 * Access control, where tokens are required. The guard is called before every handler, and before the answer to unknown
 * paths. It decides from the token and the names in the path alone, before anything is looked up.
 */
import type { IncomingMessage } from 'node:http'
import type { Client, Tokens } from '../../auth/tokens.ts'
import { DEFAULT_NAMESPACE, type StreamId } from '../../streams/names.ts'
import { answerText } from '../messages/answers.ts'
import type { Handler, HttpContext } from '../messages/bindings.ts'
import type { Access } from './access.ts'
import { bearerOf } from './authorization.ts'
import { answerUnauthorized, type PublicAddress, type Unauthenticated } from './unauthorized.ts'

export class Guard {
  readonly #tokens: Tokens
  readonly #nowMs: () => number
  readonly #address: PublicAddress

  /** `address` is the public address of the service, where clients get a token. */
  constructor(tokens: Tokens, nowMs: () => number, address: PublicAddress) {
    this.#tokens = tokens
    this.#nowMs = nowMs
    this.#address = address
  }

  /** Calls `handle` for requests that have access; answers the others. */
  around(access: Access, handle: Handler): Handler {
    return (c) => {
      const client = this.clientOf(c.env.incoming)
      if (typeof client === 'string') {
        c.set('client', null)
        return access === 'anybody' ? handle(c) : answerUnauthorized(c, client, this.#address)
      }
      c.set('client', client)
      c.set('access', access)
      if (!mayPass(client, access, c)) return answerText(c, forbidden(client, access), 403)
      const waitMs = access === 'write' ? this.#waitMs(client) : 0
      return waitMs > 0 ? answerTooFast(c, client, waitMs) : handle(c)
    }
  }

  /**
   * The client of a request that had access, as it is now; undefined if it has no access any more, null if it had no token.
   * `access` is what its route requires.
   */
  clientNow(c: HttpContext, access: Access): Client | null | undefined {
    const client = c.get('client') ?? null
    const now = client === null ? null : this.#tokens.now(client, this.#nowMs())
    return now === null || now === undefined || mayPass(now, access, c) ? now : undefined
  }

  /** The token of this name, if it is valid. */
  named(name: string): Client | undefined {
    return this.#tokens.named(name, this.#nowMs())
  }

  clientOf(incoming: IncomingMessage): Client | Unauthenticated {
    const secret = bearerOf(incoming)
    return secret === undefined ? 'missing' : this.#tokens.find(secret, this.#nowMs())
  }

  /** For events that do not pass through the routes: the client, if it may write to this stream now. `around` refuses others. */
  writerTo({ namespace, stream }: StreamId, incoming: IncomingMessage): Client | undefined {
    const client = this.clientOf(incoming)
    if (typeof client === 'string' || !client.grants.allow('write', namespace, stream)) return undefined
    return this.#waitMs(client) > 0 ? undefined : client
  }

  /** Milliseconds until the rate of the token lets it send again. */
  #waitMs({ rate }: Client): number {
    return rate?.waitMs(this.#nowMs()) ?? 0
  }

  /** Whether a client that `writerTo` has returned may still write to this stream. */
  mayStillWrite(writer: Client, { namespace, stream }: StreamId): boolean {
    const now = this.#tokens.now(writer, this.#nowMs())
    return now?.grants.allow('write', namespace, stream) === true
  }

  /** Whether the secret with this hash is valid and may still read these streams. */
  mayStillRead(hash: string, streams: readonly StreamId[]): boolean {
    const now = this.#tokens.ofHash(hash, this.#nowMs())
    return (
      now !== undefined &&
      streams.every(({ namespace, stream }) => now.grants.allow('read', namespace, stream))
    )
  }
}

function mayPass({ grants }: Client, access: Access, c: HttpContext): boolean {
  if (access === 'anybody' || access === 'client') return true
  const namespace = c.req.param('namespace') ?? DEFAULT_NAMESPACE
  if (access === 'in-namespace') return grants.includePartOf(namespace)
  if (access === 'namespace') return grants.allowNamespace(namespace)
  const stream = c.req.param('stream') ?? c.req.param('dataset') ?? ''
  if (access === 'stream') return grants.includeStream(namespace, stream)
  return grants.allow(access, namespace, stream)
}

/** The same text whether or not the stream or namespace exists. */
function forbidden({ name }: Client, access: Access): string {
  if (access === 'in-namespace') return `token '${name}' has no grant in this namespace`
  if (access === 'namespace') return `token '${name}' is not admin of all of this namespace`
  if (access === 'stream') return `token '${name}' has no grant for this stream`
  return `token '${name}' has no ${access} grant for this stream`
}

function answerTooFast(c: HttpContext, { name }: Client, waitMs: number): Response {
  const seconds = Math.ceil(waitMs / 1000)
  return answerText(c, `token '${name}' has sent more than its rate; come back in ${seconds} s`, 429, {
    'Retry-After': `${seconds}`,
  })
}
