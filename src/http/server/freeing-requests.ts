/**
 * Requests that free disk space, while the store refuses writes: they wait until the store is opened again, and are then
 * handled first. On a disk that is nearly full the store may fail again soon, because LevelDB compacts as soon as it is open.
 * A client that only retries now and then would rarely find the store open, and the disk would stay full.
 */
import type { IncomingMessage, RequestListener } from 'node:http'

/** Further requests are answered 503 at once. */
const WAITING_MAX = 16
const WAITS_MS = 10_000

export interface FreeingOptions {
  /** The listener of the store that is open now. */
  readonly listener: () => RequestListener
  readonly isFailed: () => boolean
  /** Resolves when the store has been opened again, or after `withinMs`. */
  readonly reopened: (withinMs: number) => Promise<void>
  /** Whether this client has a valid token, or needs none. */
  readonly isKnown: (incoming: IncomingMessage) => boolean
}

export function freeingFirst({ listener, isFailed, reopened, isKnown }: FreeingOptions): RequestListener {
  let waiting = 0
  return (incoming, outgoing) => {
    const waits = isFailed() && waiting < WAITING_MAX && isFreeing(incoming) && isKnown(incoming)
    if (!waits) return listener()(incoming, outgoing)
    waiting++
    void reopened(WAITS_MS).then(() => {
      waiting--
      listener()(incoming, outgoing)
    })
  }
}

/** Whether a stream or namespace is truncated or deleted. */
function isFreeing({ method, url = '' }: IncomingMessage): boolean {
  return method === 'DELETE' || (method === 'POST' && /^[^?]*\/truncate\/?(?:\?|$)/.test(url))
}
