/**
 * Requests that give room back, while the store refuses writes: they wait for it to be opened again, and are the first that
 * it takes. On a disk that is nearly full the store may fail again in a moment, for LevelDB compacts as soon as it is open;
 * a client that merely tries again now and then would hardly ever meet that moment, and the disk would stay full.
 */
import type { IncomingMessage, RequestListener } from 'node:http'

/** Others are answered 503 at once. */
const WAITING_MAX = 16
const WAITS_MS = 10_000

export interface FreeingOptions {
  /** Now: that of a store opened again is another one. */
  readonly listener: () => RequestListener
  readonly isFailed: () => boolean
  /** Resolves when the store has been opened again, or after so long. */
  readonly reopened: (withinMs: number) => Promise<void>
  /** Whether this client may do anything here. */
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

/** A stream or namespace is truncated or deleted. */
function isFreeing({ method, url = '' }: IncomingMessage): boolean {
  return method === 'DELETE' || (method === 'POST' && /^[^?]*\/truncate\/?(?:\?|$)/.test(url))
}
