/**
 * Who is connected: no more than are allowed, and nobody who keeps a stop waiting without ever having said a word.
 *
 * A few more than the limit get in, to be told so when they ask for something; beyond those the system's door is shut
 * (`maxConnections` of node's server closes them unheard).
 */
import type { RequestListener, Server } from 'node:http'
import type { Socket } from 'node:net'
import { Refusal } from './refusals.ts'

/** Room for those who are told that there is none. */
const SURPLUS = 64

export class Connections {
  readonly #max: number
  readonly #refusal: Refusal
  readonly #open = new Set<Socket>()
  /** Of those, under TLS, the ones that have greeted: what was read of them is what they asked. */
  readonly #secure = new Set<Socket>()
  readonly #surplus = new Set<Socket>()

  constructor(max: number) {
    this.#max = max
    this.#refusal = new Refusal(
      `${max} connections are open, and no more are taken; close some, or try again later`,
    )
  }

  watch(server: Server, tls: boolean): void {
    server.maxConnections = this.#max + SURPLUS
    // Under TLS these are the sockets below: a client that never greets is one of them, too.
    server.prependListener('connection', (socket) => {
      keep(this.#open, socket)
      if (!tls && this.#isFull) keep(this.#surplus, socket)
    })
    if (!tls) return
    server.prependListener('secureConnection', (socket: Socket) => {
      keep(this.#secure, socket)
      if (this.#isFull) keep(this.#surplus, socket)
    })
  }

  /** Requests of connections that are too many are refused, and their connections closed. */
  guard(listener: RequestListener): RequestListener {
    return (incoming, outgoing) => {
      if (this.#surplus.size > 0 && this.#isSurplus(incoming.socket)) {
        outgoing.shouldKeepAlive = false
        this.#refusal.answer(incoming, outgoing)
      } else {
        listener(incoming, outgoing)
      }
    }
  }

  /** Closes those who have not sent a byte yet. */
  closeSilent(): void {
    for (const sockets of [this.#open, this.#secure]) {
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
    }
  }

  closeAll(): void {
    for (const socket of this.#open) socket.destroy()
  }

  get #isFull(): boolean {
    return this.#open.size > this.#max
  }

  /** Whoever has been here longest may stay, once others have gone. */
  #isSurplus(socket: Socket): boolean {
    if (!this.#surplus.has(socket)) return false
    if (this.#isFull) return true
    this.#surplus.delete(socket)
    return false
  }
}

function keep(sockets: Set<Socket>, socket: Socket): void {
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
}
