/**
 * Node's HTTP server as we want it: requests of one connection in their turn, connections that stay open for pools, and
 * a stop that loses no answer.
 */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo, Server as NetServer } from 'node:net'

/** Clients keep connections in pools for about a minute: we must not be the one who closes first. */
const KEEP_ALIVE_MS = 75_000
/** A connection that moves no byte for so long is given up; an upload may otherwise take as long as it takes. */
const IDLE_MS = 300_000
/** While stopping: how often connections without a request are closed. A busy client sends its next one before that. */
const IDLE_LOOK_MS = 200

export interface Address {
  readonly host: string
  readonly port: number
}

/** `mayContinue` false: a body that waits for a 100 is not asked for, and the refusal is all that is sent. */
export function newServer(
  listener: RequestListener,
  mayContinue: (incoming: IncomingMessage) => boolean = () => true,
): Server {
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, inTurn(listener))
  server.timeout = IDLE_MS
  server.on('checkContinue', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (mayContinue(incoming)) outgoing.writeContinue()
    server.emit('request', incoming, outgoing)
  })
  return server
}

/** Rejects with node's error if the address cannot be had. */
export function listen(server: NetServer, { host, port }: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/**
 * An address that cannot be had is told before anything is done to the data folder. Resolves with what the host's name
 * stands for.
 */
export async function tryAddress(address: Address): Promise<string> {
  const server = new NetServer()
  await listen(server, address)
  const { address: found } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return found
}

/** Whether only this machine can connect to this address. */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./i.test(address)
}

/**
 * Connections close after their next answer, or when they have none to wait for, all of them when the grace has passed.
 * The `close` of node's HTTP server would cut those between two requests, the second of which may be on its way.
 */
export async function stopServing(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()))
  server.prependListener('request', (_, response) => {
    response.shouldKeepAlive = false
  })
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MS)
  const deadline = setTimeout(() => server.closeAllConnections(), graceMs)
  await closed
  clearInterval(idle)
  clearTimeout(deadline)
}

/** Everything that reaches a route is answered by the app; this is for what has no path to route by. */
export function answerUnreadable(error: unknown): Response {
  const reason = error instanceof Error ? error.message : String(error)
  const headers = { 'Content-Type': 'text/plain; charset=utf-8' }
  return new Response(`the request cannot be read: ${reason}`, { status: 400, headers })
}

/**
 * Requests that a client pipelines on one connection are handled one after the other: its events stay in order, and a
 * read behind a write sees it. Node hands them out at once; the answer of one whose turn has not come has no socket yet.
 */
function inTurn(listener: RequestListener): RequestListener {
  return (incoming, outgoing) => {
    if (outgoing.socket !== null) listener(incoming, outgoing)
    else outgoing.once('socket', () => listener(incoming, outgoing))
  }
}
