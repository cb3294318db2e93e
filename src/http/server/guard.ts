/**
 * Access control, where tokens are required. The guard is called before every handler, and before the answer to unknown
 * paths. It decides from the token and the names in the path alone, before anything is looked up.
 */
import type { IncomingMessage } from 'node:http'
import type { Client, Tokens } from '../../auth/tokens.ts'
import type { StreamId } from '../../streams/names.ts'
import type { Access } from './access.ts'
import { bearerOf } from './authorization.ts'
import type { Handler, HttpContext } from './bindings.ts'
import { namedNamespace } from './path-names.ts'
import type { Problem } from './problem.ts'
import { type PublicAddress, type Unauthenticated, unauthorized } from './unauthorized.ts'

/** Answers a request that is not let in, in the shape of its API. */
export type Refuse = (c: HttpContext, problem: Problem) => Response

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

  /** `handle` for clients that have the access; `refuse` answers the others. */
  around(access: Access, handle: Handler, refuse: Refuse): Handler {
    return (c) => {
      const client = this.clientOf(c.env.incoming)
      if (typeof client === 'string') {
        c.set('client', null)
        return access === 'anybody' ? handle(c) : refuse(c, unauthorized(client, this.#addressFor(c)))
      }
      c.set('client', client)
      c.set('access', access)
      if (!mayPass(client, access, c)) return refuse(c, forbidden(client, access))
      const waitMs = access === 'write' ? this.#waitMs(client) : 0
      return waitMs > 0 ? refuse(c, tooFast(client, waitMs)) : handle(c)
    }
  }

  #addressFor(c: HttpContext): string {
    return this.#address(c.env.incoming.socket)
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

  /** Whether a valid token besides the one of this name may create jobs in some namespace. */
  othersMayCreateJobs(name: string): boolean {
    for (const { name: other, grants } of this.#tokens.valid(this.#nowMs()))
      if (other !== name && grants.allowJobsSomewhere()) return true
    return false
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
  const namespace = namedNamespace(c) ?? ''
  if (access === 'in-namespace') return grants.includePartOf(namespace)
  if (access === 'namespace') return grants.allowNamespace(namespace)
  if (access === 'jobs') return grants.allowJobs(namespace)
  const stream = c.req.param('stream') ?? c.req.param('dataset') ?? ''
  if (access === 'stream') return grants.includeStream(namespace, stream)
  return grants.allow(access, namespace, stream)
}

/** The same whether or not there is such a stream or namespace. */
function forbidden({ name }: Client, access: Access): Problem {
  return { status: 403, code: 'forbidden', text: `token '${name}' ${missingGrant(access)}` }
}

function missingGrant(access: Access): string {
  if (access === 'in-namespace') return 'has no grant in this namespace'
  if (access === 'namespace') return 'is not admin of all of this namespace'
  if (access === 'jobs') return 'has no jobs grant for this namespace'
  if (access === 'stream') return 'has no grant for this stream'
  return `has no ${access} grant for this stream`
}

function tooFast({ name }: Client, waitMs: number): Problem {
  const seconds = Math.ceil(waitMs / 1000)
  return {
    status: 429,
    code: 'too_many_requests',
    text: `token '${name}' has sent more than its rate; come back in ${seconds} s`,
    headers: { 'Retry-After': `${seconds}` },
  }
}
