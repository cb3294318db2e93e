/**
 * Answers and uploads that last: followers of notifications, long reads, exports, downloads, and bodies that do not arrive at
 * once. They are cut when their token is revoked, expires, or loses the grant: each is checked every quarter of a second.
 */
import type { IncomingMessage } from 'node:http'
import type { Client } from '../../auth/tokens.ts'
import type { HttpContext } from './bindings.ts'
import type { Guard } from './guard.ts'

const POLL_INTERVAL_MS = 250

/** For access that depends on more than the route, such as the streams of a query. */
export type MayGoOn = (client: Client) => boolean

interface Open {
  readonly mayGoOn: () => boolean
  readonly cut: () => void
}

async function afterwards<T>(unwatch: () => void, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } finally {
    unwatch()
  }
}

export class OpenAnswers {
  readonly #guard: Guard | undefined
  readonly #open = new Set<Open>()
  #timer: NodeJS.Timeout | undefined

  /** Without a guard tokens are not required, and nothing is cut. */
  constructor(guard: Guard | undefined) {
    this.#guard = guard
  }

  /**
   * Calls `cut`, once, when the client of this request has no access any more, or `mayGoOn` returns false for its rights now.
   * Returns a function to be called when the request is over.
   */
  watch(c: HttpContext, cut: () => void, mayGoOn: MayGoOn = () => true): () => void {
    const guard = this.#guard
    const access = c.get('access')
    if (guard === undefined || access === undefined) return () => {}
    const stillMay = () => {
      const now = guard.clientNow(c, access)
      return now !== undefined && (now === null || mayGoOn(now))
    }
    return this.watchWhile(stillMay, cut)
  }

  /** As `watch`, for a request that does not pass through the routes. */
  watchWhile(mayGoOn: () => boolean, cut: () => void): () => void {
    const open: Open = { mayGoOn, cut }
    this.#open.add(open)
    this.#timer ??= setInterval(() => this.poll(), POLL_INTERVAL_MS).unref()
    return () => this.#forget(open)
  }

  /** Reads a body by `read`. Closes the connection if the client loses its access meanwhile. */
  whileArriving<T>(c: HttpContext, read: () => Promise<T>): Promise<T> {
    const { incoming } = c.env
    return afterwards(
      this.watch(c, () => incoming.destroy()),
      read,
    )
  }

  /** As `whileArriving`, for a request that does not pass through the routes. */
  whilePermitted<T>(incoming: IncomingMessage, mayGoOn: () => boolean, read: () => Promise<T>): Promise<T> {
    if (this.#guard === undefined) return read()
    return afterwards(
      this.watchWhile(mayGoOn, () => incoming.destroy()),
      read,
    )
  }

  poll(): void {
    for (const open of this.#open) {
      if (open.mayGoOn()) continue
      this.#forget(open)
      open.cut()
    }
  }

  #forget(open: Open): void {
    if (!this.#open.delete(open) || this.#open.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
