/**
 * The open connections, shared by network addresses. At the limit one connection is closed for a new one, in this order:
 *
 *   1. half-open: no request header is complete yet, nor perhaps the TLS handshake. The oldest of the address with most of
 *      them, if it has been half-open for HALF_OPEN_GRACE_MS, or if many are
 *   2. with a request whose body has been slower than the minimum rate for STALLED_SWEEPS seconds
 *   3. of the address with most connections: idle between two requests, for longest; or with a request whose body is not
 *      complete, if the address of the new one has fewer connections
 *   4. idle, of the address of the new one or one with more connections
 *   5. half-open for less, of the same addresses: where many connect at a time, each has a moment to send its request
 *   6. with an upload or a reader below its minimum rate
 *
 * If there is none, the new connection is surplus: its requests are refused, except health checks.
 * docs/decisions/0024-fair-shares.md has the reasons.
 *
 * Once a second a sweep closes connections on which nothing moves.
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type ClientKey, FairShare } from '../../fair-share.ts'
import { CountedResource } from '../../shared-resource.ts'
import { addressKey } from './client-key.ts'
import { asksForHealth } from './health-checks.ts'
import { alwaysPlainText, type ShapeOf } from './problem.ts'
import { Refusal } from './refusals.ts'

/** Connections above the limit, whose requests are refused, or are health checks. */
const SURPLUS = 64
/** Seconds are counted in these steps. */
const SWEEP_MS = 1_000
/** From this part of the limit on, the sweep measures uploads. */
const SCARCE_SHARE = 3 / 4
const STALLED_SWEEPS = 5
/** By then a client that means to send a request has sent it, unless it is far away. */
const HALF_OPEN_GRACE_MS = 500
/** If more than this part of the limit is half-open, and more than the least number, half-open ones have no grace. */
const MANY_HALF_OPEN_SHARE = 1 / 4
const MANY_HALF_OPEN_LEAST = 64

/** The state of one connection. It is kept at the socket, where a request finds it without a search. */
interface Connection {
  /** The TCP socket, also under TLS. */
  readonly socket: Socket
  readonly address: ClientKey
  readonly openedMs: number
  /** The socket of HTTP: under TLS undefined until the handshake is done. */
  http: HttpSocket | undefined
  /** Number of its last request among all; undefined until the header of the first is complete. */
  lastRequest: number | undefined
  isSurplus: boolean
  /** Bytes read at the last sweep, and for how many sweeps they were fewer than an upload has to bring. */
  bytesRead: number
  stalledSweeps: number
  /** For how many sweeps nothing has moved, and the last request and the bytes moved at the sweep before. */
  quietSweeps: number
  sweptRequest: number | undefined
  sweptBytes: number
}

const CONNECTION = Symbol('connection')

/** Node's server keeps the answer under way at its socket. */
type HttpSocket = Socket & {
  [CONNECTION]?: Connection
  readonly _httpMessage?: ServerResponse | null
  readonly _handle?: { readonly writeQueueSize?: number } | null
}

export interface ConnectionsOptions {
  readonly max: number
  readonly minUploadBytesPerSecond: number
  /** How long nothing may move on a connection that has a request, or has had none yet. */
  readonly idleSeconds: number
  /** How long a connection stays open between two requests. */
  readonly keepAliveSeconds: number
  /** Cuts a transfer below its minimum rate; false if there is none. */
  readonly cutSlowTransfer: () => boolean
  readonly shapeOf?: ShapeOf
}

export class Connections extends CountedResource {
  readonly #options: ConnectionsOptions
  readonly #refusal: Refusal
  readonly #open = new Set<Connection>()
  /** The half-open ones of each address, oldest first. */
  readonly #halfOpenOf = new Map<ClientKey, Set<Connection>>()
  readonly #halfOpen: FairShare
  #surplus = 0
  #requests = 0
  #sweeping: NodeJS.Timeout | undefined

  constructor(options: ConnectionsOptions) {
    super('connections', options.max)
    this.#options = options
    this.#halfOpen = new FairShare(options.max)
    this.#refusal = new Refusal(
      `${options.max} connections are open, and no more are taken; close some, or try again later`,
    )
  }

  /** Connections that have not sent a whole request header yet. */
  get halfOpen(): number {
    return this.#halfOpen.total
  }

  watch(server: Server, tls: boolean): void {
    const handshakes = new Map<string, Connection>()
    server.prependListener('connection', (socket: Socket) => {
      const connection = this.#add(socket)
      if (!tls) {
        bind(connection, socket)
        return
      }
      const peer = peerOf(socket)
      handshakes.set(peer, connection)
      socket.once('close', () => handshakes.delete(peer))
    })
    if (!tls) return
    server.prependListener('secureConnection', (socket: Socket) => {
      const connection = handshakes.get(peerOf(socket))
      if (connection !== undefined) bind(connection, socket)
      handshakes.delete(peerOf(socket))
    })
  }

  /** Takes note of a request. If there are too many connections, it is refused, and its connection closed. */
  refuses(incoming: IncomingMessage, outgoing: ServerResponse): boolean {
    const connection = (incoming.socket as HttpSocket)[CONNECTION]
    if (connection === undefined) return false
    if (connection.lastRequest === undefined) this.#leaveHalfOpen(connection)
    connection.lastRequest = ++this.#requests
    connection.stalledSweeps = 0
    if (!connection.isSurplus || !this.#staysSurplus(connection)) return false
    outgoing.shouldKeepAlive = false
    if (asksForHealth(incoming)) return false
    this.refused++
    this.#refusal.answer(incoming, outgoing, this.#options.shapeOf ?? alwaysPlainText)
    return true
  }

  /** Closes connections that have not sent a byte of a request yet. */
  closeSilent(): void {
    for (const { socket, http } of this.#open) {
      if (http === undefined ? socket.bytesRead === 0 : http.bytesRead === 0) socket.destroy()
    }
  }

  closeAll(): void {
    for (const { socket } of this.#open) socket.destroy()
  }

  #add(socket: Socket): Connection {
    const address = addressKey(socket.remoteAddress)
    const connection: Connection = {
      ...{ socket, address, openedMs: performance.now(), http: undefined, lastRequest: undefined },
      ...{ isSurplus: false, bytesRead: 0, stalledSweeps: 0 },
      ...{ quietSweeps: 0, sweptRequest: undefined, sweptBytes: -1 }, // the first sweep sees that it is new
    }
    this.#evict(address)
    if (!this.share.fits(1)) {
      connection.isSurplus = true
      this.#surplus++
      if (this.#surplus > SURPLUS) socket.destroy()
    }
    this.#open.add(connection)
    this.share.take(address, 1)
    this.#halfOpen.take(address, 1)
    const ofAddress = this.#halfOpenOf.get(address)
    if (ofAddress === undefined) this.#halfOpenOf.set(address, new Set([connection]))
    else ofAddress.add(connection)
    socket.once('close', () => this.#remove(connection))
    this.#sweeping ??= setInterval(() => this.#sweep(), SWEEP_MS).unref()
    return connection
  }

  /** Does nothing if it was closed for another one, because it is removed already. */
  #remove(connection: Connection): void {
    if (!this.#open.delete(connection)) return
    this.share.give(connection.address, 1)
    if (connection.lastRequest === undefined) this.#leaveHalfOpen(connection)
    if (connection.isSurplus) this.#surplus--
  }

  #leaveHalfOpen(connection: Connection): void {
    const { address } = connection
    const ofAddress = this.#halfOpenOf.get(address)!
    ofAddress.delete(connection)
    if (ofAddress.size === 0) this.#halfOpenOf.delete(address)
    this.#halfOpen.give(address, 1)
  }

  /** If the limit is reached, closes one connection for one more of `address`, if there is one that may be closed. */
  #evict(address: ClientKey): void {
    if (this.share.fits(1)) return
    const held = this.share.held(address)
    const heaviest = this.share.heaviest()!
    const isHeavier = this.share.held(heaviest) > held + 1
    const mayLose = (one: Connection) => one.address === address || this.share.held(one.address) > held + 1
    const victim =
      this.#oldestHalfOpen(this.#manyAreHalfOpen ? 0 : HALF_OPEN_GRACE_MS) ??
      this.#withoutBody(({ stalledSweeps }) => stalledSweeps >= STALLED_SWEEPS) ??
      this.#longestIdle((one) => one.address === heaviest) ??
      (isHeavier ? this.#withoutBody((one) => one.address === heaviest) : undefined) ??
      this.#longestIdle(mayLose) ??
      this.#oldestHalfOpen(0, mayLose)
    if (victim === undefined) {
      if (this.#options.cutSlowTransfer()) this.cut++
      return
    }
    this.cut++
    this.#remove(victim)
    victim.socket.destroy()
  }

  get #manyAreHalfOpen(): boolean {
    const many = Math.max(MANY_HALF_OPEN_LEAST, this.share.capacity * MANY_HALF_OPEN_SHARE)
    return this.#halfOpen.total > many
  }

  #oldestHalfOpen(leastMs: number, among?: (connection: Connection) => boolean): Connection | undefined {
    const heaviest = this.#halfOpen.heaviest()
    if (heaviest === undefined) return undefined
    const [oldest] = this.#halfOpenOf.get(heaviest)!
    const isOldEnough = performance.now() - oldest!.openedMs >= leastMs
    return isOldEnough && among?.(oldest!) !== false ? oldest : undefined
  }

  #longestIdle(among: (connection: Connection) => boolean): Connection | undefined {
    let longest: Connection | undefined
    for (const connection of this.#open) {
      const { http, lastRequest } = connection
      if (http === undefined || lastRequest === undefined || answerUnderWay(http) !== undefined) continue
      if (longest !== undefined && lastRequest >= longest.lastRequest!) continue
      if (among(connection)) longest = connection
    }
    return longest
  }

  /** Of connections whose request waits for its body: the one that has not moved for longest. */
  #withoutBody(among: (connection: Connection) => boolean): Connection | undefined {
    let slowest: Connection | undefined
    for (const connection of this.#open) {
      const { http, stalledSweeps } = connection
      if (slowest !== undefined && stalledSweeps <= slowest.stalledSweeps) continue
      if (http === undefined || !among(connection)) continue
      if (answerUnderWay(http)?.req.complete === false) slowest = connection
    }
    return slowest
  }

  /** Once a second: measures uploads, and closes quiet connections. */
  #sweep(): void {
    const isScarce = this.#isScarce
    for (const connection of this.#open) {
      if (isScarce) this.#measureUpload(connection)
      if (this.#isQuietTooLong(connection)) connection.http?.destroy()
    }
    if (this.#open.size > 0) return
    clearInterval(this.#sweeping)
    this.#sweeping = undefined
  }

  #measureUpload(connection: Connection): void {
    const bytesRead = connection.http?.bytesRead ?? 0
    const moved = bytesRead - connection.bytesRead
    connection.bytesRead = bytesRead
    if (moved < this.#options.minUploadBytesPerSecond * (SWEEP_MS / 1000)) connection.stalledSweeps++
    else connection.stalledSweeps = 0
  }

  /** Node's own two time limits would start and end a timer with every request. */
  #isQuietTooLong(connection: Connection): boolean {
    const { http, lastRequest } = connection
    if (http === undefined) return false // node limits the time of the TLS handshake
    const isIdle = lastRequest !== undefined && answerUnderWay(http) === undefined
    const bytes = bytesMoved(http) // also while idle: what an answer has moved begins the time between two requests
    if (lastRequest !== connection.sweptRequest || bytes !== connection.sweptBytes) {
      connection.quietSweeps = 0
      connection.sweptRequest = lastRequest
      connection.sweptBytes = bytes
      return false
    }
    const { idleSeconds, keepAliveSeconds } = this.#options
    return ++connection.quietSweeps >= (isIdle ? keepAliveSeconds : idleSeconds)
  }

  get #isScarce(): boolean {
    return this.share.total >= this.share.capacity * SCARCE_SHARE
  }

  /** A surplus connection may stay if others have closed. */
  #staysSurplus(connection: Connection): boolean {
    if (this.share.total > this.share.capacity) return true
    connection.isSurplus = false
    this.#surplus--
    return false
  }
}

/** The client of a connection, if no token is known. */
export function addressOf(socket: Socket): ClientKey {
  return (socket as HttpSocket)[CONNECTION]?.address ?? addressKey(socket.remoteAddress)
}

function bind(connection: Connection, socket: HttpSocket): void {
  connection.http = socket
  socket[CONNECTION] = connection
  socket.setTimeout = withoutTimer
}

/** Node calls this before and after every request; `sweep` closes quiet connections instead. */
function withoutTimer(this: Socket): Socket {
  return this
}

/** Bytes received, and those sent that have left the process. */
function bytesMoved(socket: HttpSocket): number {
  const waiting = socket._handle?.writeQueueSize ?? socket.writableLength
  return socket.bytesRead + socket.bytesWritten - waiting
}

function peerOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`
}

function answerUnderWay(socket: HttpSocket): ServerResponse | undefined {
  return socket._httpMessage ?? undefined
}
