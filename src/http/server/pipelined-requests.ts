/**
 * Requests that a client pipelines on one connection are handled one after the other: its events stay in order, and a
 * read behind a write sees it. Node emits all of them at once; the answer of a request that has to wait has no socket yet.
 *
 * Waiting requests take memory, and a client may send them faster than they can be handled. Their number is limited, for all
 * connections together. When one more arrives, a connection is cut, which HTTP allows with pipelining: the client may send
 * unanswered requests again. The cut connection belongs to the address with most waiting requests, or to the new request.
 */

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { ClientKey } from '../../fair-share.ts'
import { CountedResource } from '../../shared-resource.ts'
import { addressOf } from './connections.ts'
import { comesTooLate } from './unreadable.ts'

export class PipelinedRequests extends CountedResource {
  readonly #waiting = new Map<IncomingMessage, ClientKey>()

  constructor(waitingMax: number) {
    super('pipelined', waitingMax)
  }

  /** Whether this request must not be handled now. `handle` gets it when the answers before it are out, if it may wait. */
  defers(incoming: IncomingMessage, outgoing: ServerResponse, handle: RequestListener): boolean {
    if (incoming.socket.writableEnded) return true // the last answer on this connection is out
    if (outgoing.socket !== null) return false
    if (comesTooLate(incoming, outgoing)) return true
    const address = addressOf(incoming.socket)
    if (!this.share.fits(1) && !this.#cutOneOfHeaviest(address)) {
      this.refused++
      incoming.socket.destroy()
      return true
    }
    this.share.take(address, 1)
    this.#waiting.set(incoming, address)
    incoming.once('close', () => this.#leave(incoming)) // the connection ended first
    outgoing.once('socket', () => {
      this.#leave(incoming)
      handle(incoming, outgoing)
    })
    return true
  }

  #leave(incoming: IncomingMessage): void {
    const address = this.#waiting.get(incoming)
    if (address === undefined) return
    this.#waiting.delete(incoming)
    this.share.give(address, 1)
  }

  /** Cuts the connection of the oldest waiting request of the heaviest address, with all requests that wait on it. */
  #cutOneOfHeaviest(address: ClientKey): boolean {
    const heaviest = this.share.heaviest(address)
    if (heaviest === undefined || this.share.held(heaviest) <= this.share.held(address) + 1) return false
    const oldest = this.#oldestOf(heaviest)
    if (oldest === undefined) return false
    const { socket } = oldest
    for (const incoming of this.#waiting.keys()) if (incoming.socket === socket) this.#leave(incoming)
    this.cut++
    socket.destroy()
    return true
  }

  #oldestOf(client: ClientKey): IncomingMessage | undefined {
    for (const [incoming, address] of this.#waiting) if (address === client) return incoming
    return undefined
  }
}
