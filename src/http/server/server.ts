/**
 * Configures node's HTTP server: requests of one connection are handled in order, connections stay open for pools, there are
 * limits on what a client may send and how long it may take, and a stop loses no answer.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { type AddressInfo, Server as NetServer } from 'node:net'
import type { TlsFiles } from '../../config.ts'
import type { Limits } from '../../limits.ts'
import { admission } from './admission.ts'
import { type AnswerCounts, answerClass, securityHeaders } from './answer-class.ts'
import { Connections } from './connections.ts'
import { CorsRules } from './cors.ts'
import type { Gate } from './gate.ts'
import { PipelinedRequests } from './pipelined-requests.ts'
import { alwaysPlainText, type ShapeOf } from './problem.ts'
import { headProblem } from './request-head.ts'
import { ServiceRequest } from './service-request.ts'
import { readIdentity, tlsOptions } from './tls.ts'
import { closeTunnel, refuseUnreadable } from './unreadable.ts'

/** How often node looks for connections whose headers take too long. */
const HEADER_CHECK_INTERVAL_MS = 1_000
/** While stopping: how often connections without a request are closed. A busy client sends its next request before that. */
const IDLE_POLL_INTERVAL_MS = 200

export interface Address {
  readonly host: string
  readonly port: number
}

export interface ServerOptions {
  readonly limits: Limits
  readonly gate: Gate
  readonly answers: AnswerCounts
  readonly corsOrigins: readonly string[]
  readonly tokensRequired?: boolean
  /** False: a client that waits for a 100 gets only the refusal, and does not send its body. */
  readonly mayContinue?: ((incoming: IncomingMessage) => boolean) | undefined
  /** Whether the listener itself answers `100 Continue` to the request, or asks for no body. */
  readonly continuesLater?: (incoming: IncomingMessage) => boolean
  /** Ends an upload or a reader that is slower than it may be, for its connection; false if there is none. */
  readonly cutSlowTransfer?: () => boolean
  /** HTTPS, with this identity. */
  readonly tls?: TlsFiles
  /** Of refusals before any route. */
  readonly shapeOf?: ShapeOf
}

export interface HttpServer {
  readonly server: Server
  readonly connections: Connections
  readonly pipelined: PipelinedRequests
  /** Reads certificate and key again. Throws TlsError, and keeps the old ones then. Does nothing without TLS. */
  reloadTls(): void
}

/**
 * `beside`: a server whose connections and waiting requests count together with those of the new one. Throws TlsError if the files
 * of the certificate cannot be used.
 */
export function newServer(
  listener: RequestListener,
  {
    limits,
    gate,
    answers,
    corsOrigins,
    tokensRequired = false,
    mayContinue,
    continuesLater,
    cutSlowTransfer,
    tls,
    shapeOf = alwaysPlainText,
  }: ServerOptions,
  beside?: HttpServer,
): HttpServer {
  const always = securityHeaders(tls !== undefined)
  const cors = corsOrigins.length > 0 ? new CorsRules(corsOrigins) : undefined
  const connections =
    beside?.connections ??
    new Connections({
      max: limits.maxConnections,
      minUploadBytesPerSecond: limits.minUploadBytesPerSecond,
      idleSeconds: limits.idleSeconds,
      keepAliveSeconds: limits.keepAliveSeconds,
      cutSlowTransfer: cutSlowTransfer ?? (() => false),
      shapeOf,
    })
  const pipelined = beside?.pipelined ?? new PipelinedRequests(limits.maxPipelined)
  const options = {
    IncomingMessage: ServiceRequest,
    ServerResponse: answerClass(always, cors, answers),
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headerSeconds * 1000,
    requireHostHeader: false, // request-head.ts refuses with a sentence
    requestTimeout: 0, // an upload may take any time
    connectionsCheckingInterval: HEADER_CHECK_INTERVAL_MS,
    keepAliveTimeout: limits.keepAliveSeconds * 1000, // only announced to clients: connections.ts closes idle ones
  }
  const handle = admission({ pipelined, connections, gate, cors, tokensRequired, shapeOf }, listener)
  const server =
    tls === undefined
      ? createServer(options, handle)
      : createTlsServer({ ...options, ...tlsOptions(tls) }, handle)
  server.maxHeadersCount = 0 // their bytes are limited; with a number node would drop further ones
  // A client may close its side after its last request, and still gets the answers.
  ;(server as { httpAllowHalfOpen?: boolean }).httpAllowHalfOpen = true
  server.on('clientError', refuseUnreadable(limits, always, shapeOf))
  server.on('connect', closeTunnel)
  server.on('checkContinue', (incoming, outgoing) => {
    if (gate.refusesBeforeBody(incoming, outgoing)) return
    const may =
      headProblem(incoming, tokensRequired) === undefined &&
      (mayContinue === undefined || mayContinue(incoming)) &&
      continuesLater?.(incoming) !== true
    if (may) outgoing.writeContinue()
    server.emit('request', incoming, outgoing)
  })
  connections.watch(server, tls !== undefined)
  return {
    server,
    connections,
    pipelined,
    reloadTls() {
      if (tls !== undefined) (server as TlsServer).setSecureContext(readIdentity(tls))
    },
  }
}

/** Rejects with node's error if the address is not available. */
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
 * Finds out whether an address is available, before anything is done to the data folder. Resolves with the address that the
 * host's name stands for.
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
 * Connections close after their next answer, or when they wait for none; all of them close when `graceMs` has passed.
 * The `close` of node's HTTP server would cut connections between two requests, the second of which may be on its way.
 */
export async function stopServing({ server, connections }: HttpServer, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()))
  server.prependListener('request', (_, response) => {
    response.shouldKeepAlive = false
  })
  const idle = setInterval(() => {
    server.closeIdleConnections()
    connections.closeSilent()
  }, IDLE_POLL_INTERVAL_MS)
  const deadline = setTimeout(() => connections.closeAll(), graceMs)
  await closed
  clearInterval(idle)
  clearTimeout(deadline)
}
