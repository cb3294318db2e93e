/**
 * Requests that a client pipelines on one connection are handled one after the other: its events stay in order, and a
 * read behind a write sees it. Node hands them out at once; the answer of one whose turn has not come has no socket yet.
 *
 * Those that wait are in memory, and a client may send them faster than they can be done: there are only so many places,
 * for all connections together. For one more a connection is cut, as HTTP allows with pipelining: what has no answer may be
 * sent again. It is one of the address with most places, or the one that asks.
 */

import type { IncomingMessage, RequestListener } from 'node:http'
import type { ClientKey } from '../../fair-share.ts'
import { CountedResource } from '../../shared-resource.ts'
import { addressOf } from './connections.ts'
import { comesTooLate } from './unreadable.ts'

export class PipelinedRequests extends CountedResource {
  readonly #waiting = new Map<IncomingMessage, ClientKey>()

  constructor(placesMax: number) {
    super('pipelined', placesMax)
  }

  inTurn(listener: RequestListener): RequestListener {
    return (incoming, outgoing) => {
      if (incoming.socket.writableEnded) return // the last answer on this connection is out
      if (outgoing.socket !== null) return listener(incoming, outgoing)
      if (comesTooLate(incoming, outgoing)) return
      const address = addressOf(incoming.socket)
      if (!this.share.fits(1) && !this.#cutOneOfHeaviest(address)) {
        this.refused++
        incoming.socket.destroy()
        return
      }
      this.share.take(address, 1)
      this.#waiting.set(incoming, address)
      incoming.once('close', () => this.#leave(incoming)) // of a connection that ends before
      outgoing.once('socket', () => {
        this.#leave(incoming)
        listener(incoming, outgoing)
      })
    }
  }

  #leave(incoming: IncomingMessage): void {
    const address = this.#waiting.get(incoming)
    if (address === undefined) return
    this.#waiting.delete(incoming)
    this.share.give(address, 1)
  }

  /** Cuts the connection of the oldest request that waits, and gives up all that wait on it. */
  #cutOneOfHeaviest(address: ClientKey): boolean {
    const heaviest = this.share.heaviest(address)
    if (heaviest === undefined || this.share.held(heaviest) <= this.share.held(address) + 1) return false
    const [oldest] = [...this.#waiting].find(([, client]) => client === heaviest)!
    const { socket } = oldest
    for (const incoming of this.#waiting.keys()) if (incoming.socket === socket) this.#leave(incoming)
    this.cut++
    socket.destroy()
    return true
  }
}
