/**
 * Requests that a client pipelines on one connection are handled one after the other: its events stay in order, and a
 * read behind a write sees it. Node hands them out at once; the answer of one whose turn has not come has no socket yet.
 *
 * Those that wait are in memory, and a client may send them faster than they can be done: there are only so many places,
 * for all connections together. The connection that asks for one more is cut, as HTTP allows with pipelining: what has
 * no answer may be sent again.
 */
import type { RequestListener } from 'node:http'
import { comesTooLate } from './unreadable.ts'

export function inTurn(listener: RequestListener, placesMax: number): RequestListener {
  let taken = 0
  return (incoming, outgoing) => {
    if (incoming.socket.writableEnded) return // the last answer on this connection is out
    if (outgoing.socket !== null) return listener(incoming, outgoing)
    if (comesTooLate(incoming, outgoing)) return
    if (taken >= placesMax) return void incoming.socket.destroy()
    taken++
    let waiting = true
    const leave = () => {
      if (waiting) taken--
      waiting = false
    }
    incoming.once('close', leave) // of a connection that ends before
    outgoing.once('socket', () => {
      leave()
      listener(incoming, outgoing)
    })
  }
}
