/**
 * One connection to a broker: TCP or TLS, the check of versions, authentication, then requests. A broker answers in the
 * order of the requests.
 *
 * The connection is closed at a request that is not answered in time or that its caller gives up, and at an answer that
 * does not fit: the next answer could be taken for the late one.
 */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ClusterLimits, KafkaAccess, KafkaAddress } from './access.ts'
import { AnswerFrames } from './answer-frames.ts'
import { checkVersions } from './api-versions.ts'
import { KafkaRequestError } from './error-codes.ts'
import { ANSWER_BYTES_MAX, APIS, type KafkaRequest } from './request.ts'
import { authenticate } from './sasl.ts'
import { MalformedAnswer, WireReader } from './wire-reader.ts'
import { WireWriter } from './wire-writer.ts'

const CLIENT_ID = 'millrace'
/** Brokers close a connection after 10 minutes without a request, by default. */
const IDLE_MS_MAX = 240_000
const KEEP_ALIVE_MS = 30_000
/** A session of SASL is replaced after this part of its life. */
const SESSION_PART = 0.8
/** After that, before a connection is used again. */
const CORRELATION_MAX = 0x7fff_ffff

interface Waiting {
  readonly correlation: number
  readonly request: KafkaRequest<unknown>
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: KafkaRequestError) => void
  readonly cleanUp: () => void
}

export class KafkaConnection {
  /** `host:port`, for messages. */
  readonly name: string
  readonly #socket: Socket
  readonly #waiting: Waiting[] = []
  readonly #frames: AnswerFrames
  #correlation = 0
  #isOpen = true
  #usedAtMs = performance.now()
  #retireAtMs = Number.POSITIVE_INFINITY

  private constructor(name: string, socket: Socket) {
    this.name = name
    this.#socket = socket
    this.#frames = new AnswerFrames(
      () => this.#waiting[0]?.request.answerBytesMax ?? ANSWER_BYTES_MAX,
      (frame) => this.#take(frame),
    )
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('error', (error) => this.#end('lost', `the connection to ${name} broke`, error))
    socket.on('close', () => this.#end('lost', `broker ${name} closed the connection`))
  }

  /** Rejects with 'not-sent'. */
  static async open(
    address: KafkaAddress,
    access: KafkaAccess,
    limits: ClusterLimits,
  ): Promise<KafkaConnection> {
    const name = `${address.host}:${address.port}`
    const endMs = performance.now() + limits.connectMs
    const socket = await openSocket(address, name, access, limits.connectMs)
    const connection = new KafkaConnection(name, socket)
    try {
      const send = <R>(request: KafkaRequest<R>) =>
        connection.send(request, Math.max(1, endMs - performance.now()))
      await checkVersions(name, send)
      if (access.sasl !== undefined) {
        const sessionMs = await authenticate(name, access.sasl, send)
        if (sessionMs > 0) connection.#retireAtMs = performance.now() + sessionMs * SESSION_PART
      }
      return connection
    } catch (error) {
      connection.close()
      if (!(error instanceof KafkaRequestError)) throw error
      const { message, isLasting } = error
      throw new KafkaRequestError('not-sent', message, { cause: error, isLasting })
    }
  }

  /** Whether a new request may be sent here. If not, those that are under way are still answered. */
  get isUsable(): boolean {
    if (!this.#isOpen || this.#correlation >= CORRELATION_MAX) return false
    const nowMs = performance.now()
    if (nowMs >= this.#retireAtMs) return false
    return this.#waiting.length > 0 || nowMs - this.#usedAtMs < IDLE_MS_MAX
  }

  send<R>(request: KafkaRequest<R>, timeoutMs: number, signal?: AbortSignal): Promise<R> {
    const { api } = request
    if (!this.#isOpen || signal?.aborted)
      return Promise.reject(new KafkaRequestError('not-sent', `the connection to ${this.name} is closed`))
    const correlation = ++this.#correlation
    const writer = headOf(api, correlation)
    request.write(writer)
    return new Promise<R>((resolve, reject) => {
      const giveUp = () =>
        this.#end('lost', `the caller of ${api} gave up; the connection to ${this.name} is closed`)
      const timer = setTimeout(
        () =>
          this.#end('lost', `broker ${this.name} did not answer ${api} within ${Math.round(timeoutMs)} ms`),
        timeoutMs,
      )
      signal?.addEventListener('abort', giveUp)
      this.#waiting.push({
        correlation,
        request,
        resolve: resolve as (answer: unknown) => void,
        reject,
        cleanUp: () => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', giveUp)
        },
      })
      this.#usedAtMs = performance.now()
      const pieces = writer.finishFrame()
      if (pieces.length > 1) this.#socket.cork()
      for (const piece of pieces) this.#socket.write(piece)
      if (pieces.length > 1) this.#socket.uncork()
    })
  }

  /** Requests that are under way are lost. */
  close(): void {
    this.#end('lost', `the connection to ${this.name} was closed`)
  }

  /** Closes the connection when the requests under way have been answered. */
  retire(): void {
    this.#retireAtMs = 0
    if (this.#waiting.length === 0) this.close()
  }

  #receive(chunk: Buffer): void {
    if (!this.#isOpen) return
    try {
      this.#frames.add(chunk)
    } catch (error) {
      if (!(error instanceof MalformedAnswer)) throw error
      this.#malformed(error)
    }
  }

  #take(frame: Buffer): void {
    const [next] = this.#waiting
    if (!this.#isOpen) return
    if (next === undefined) throw new MalformedAnswer('an answer without a request')
    const { api } = next.request
    const reader = new WireReader(frame)
    const correlation = reader.int32()
    if (correlation !== next.correlation)
      throw new MalformedAnswer(`the answer to request ${correlation} came instead of ${next.correlation}`)
    if (api !== 'ApiVersions' && api !== 'SaslHandshake') reader.tags()
    const answer = next.request.read(reader)
    if (reader.left > 0) throw new MalformedAnswer(`${reader.left} bytes are left over`)
    this.#waiting.shift()
    next.cleanUp()
    this.#usedAtMs = performance.now()
    next.resolve(answer)
    if (this.#retireAtMs === 0 && this.#waiting.length === 0) this.close()
  }

  #malformed(error: MalformedAnswer): void {
    const api = this.#waiting[0]?.request.api ?? 'no request'
    this.#end(
      'malformed',
      `the answer of broker ${this.name} to ${api} is malformed: ${error.message}`,
      error,
    )
  }

  /** `outcome` holds for the oldest request; later ones have no answer. */
  #end(outcome: 'lost' | 'malformed', message: string, cause?: Error): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#socket.destroy()
    const text = cause === undefined || outcome === 'malformed' ? message : `${message}: ${cause.message}`
    for (const [i, { cleanUp, reject }] of this.#waiting.splice(0).entries()) {
      cleanUp()
      reject(new KafkaRequestError(i === 0 ? outcome : 'lost', text, { cause }))
    }
  }
}

/** The begin of a request, with the place of its length. */
function headOf(api: keyof typeof APIS, correlation: number): WireWriter {
  const { key, version } = APIS[api]
  const writer = new WireWriter().int32(0).int16(key).int16(version).int32(correlation).shortString(CLIENT_ID)
  return api === 'SaslHandshake' ? writer : writer.tags()
}

function openSocket(
  { host, port }: KafkaAddress,
  name: string,
  { tls }: KafkaAccess,
  connectMs: number,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    let socket: Socket
    try {
      socket =
        tls === undefined
          ? connectTcp({ host, port, noDelay: true })
          : connectTls({ host, port, ...tls, ...(isIP(host) === 0 && { servername: host }) })
    } catch (error) {
      // The library of TLS throws at once for a certificate or a key that it cannot read.
      const { message } = error as Error
      reject(
        new KafkaRequestError('not-sent', `no connection to ${name}: ${message}`, {
          cause: error,
          isLasting: true,
        }),
      )
      return
    }
    const fail = (text: string, cause?: Error & { code?: string }) => {
      clearTimeout(timer)
      socket.destroy()
      const isLasting = tls !== undefined && cause?.code !== undefined && IS_CERTIFICATE.test(cause.code)
      reject(new KafkaRequestError('not-sent', `no connection to ${name}: ${text}`, { cause, isLasting }))
    }
    const timer = setTimeout(() => fail(`not within ${connectMs} ms`), connectMs)
    const onError = (error: Error) => fail(error.message, error)
    const onClose = () => fail('the broker closed it')
    socket.on('error', onError)
    socket.on('close', onClose)
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer)
      socket.off('error', onError)
      socket.off('close', onClose)
      socket.setNoDelay(true)
      socket.setKeepAlive(true, KEEP_ALIVE_MS)
      resolve(socket)
    })
  })
}

/** Codes of TLS for a certificate that is not accepted. Repeating the attempt does not change it. */
const IS_CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME|ERR_TLS|SSL_ALERT/
