/**
 * A broker for tests of the connection: it speaks the frames of Kafka, and answers each request as the test says. Without a
 * script it has the versions that the engine needs, is the only broker of its cluster, and knows no topic.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { APIS, type ApiName } from '../../storage/kafka/request.ts'
import { metadataAnswer, versionsAnswer } from './kafka-answers.ts'

export interface ScriptedRequest {
  readonly api: ApiName
  readonly correlation: number
  readonly body: Buffer
}

/** The body of the answer; or nothing; or the end of the connection; or bytes that are sent as they are, without a frame. */
export type ScriptedAnswer = Buffer | 'silence' | 'cut' | { readonly raw: Buffer }

export class ScriptedBroker {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #answers = new Map<ApiName, (request: ScriptedRequest) => ScriptedAnswer>()
  readonly requests: ScriptedRequest[] = []
  connections = 0

  private constructor(server: Server) {
    this.#server = server
  }

  static async start(): Promise<ScriptedBroker> {
    const server = createServer()
    const broker = new ScriptedBroker(server)
    server.on('connection', (socket) => broker.#serve(socket))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    broker.on('ApiVersions', () => versionsAnswer())
    broker.on('Metadata', () => metadataAnswer([broker.self]))
    return broker
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get self() {
    return { node: 1, host: '127.0.0.1', port: this.port }
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size
  }

  on(api: ApiName, answer: (request: ScriptedRequest) => ScriptedAnswer): void {
    this.#answers.set(api, answer)
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #serve(socket: Socket): void {
    this.connections++
    this.#sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => this.#sockets.delete(socket))
    let bytes = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk])
      while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
        const frame = bytes.subarray(4, 4 + bytes.readInt32BE(0))
        bytes = bytes.subarray(4 + frame.length)
        this.#answer(socket, frame)
      }
    })
  }

  #answer(socket: Socket, frame: Buffer): void {
    const [api] = Object.entries(APIS).find(([, { key }]) => key === frame.readInt16BE(0)) as [
      ApiName,
      unknown,
    ]
    const correlation = frame.readInt32BE(4)
    const tagsLength = api === 'SaslHandshake' ? 0 : 1
    const body = frame.subarray(10 + frame.readInt16BE(8) + tagsLength)
    const request = { api, correlation, body }
    this.requests.push(request)
    const answer = this.#answers.get(api)?.(request) ?? 'silence'
    if (answer === 'silence') return
    if (answer === 'cut') socket.destroy()
    else socket.write(Buffer.isBuffer(answer) ? answerFrame(api, correlation, answer) : answer.raw)
  }
}

export function answerFrame(api: ApiName, correlation: number, body: Buffer): Buffer {
  const head = Buffer.alloc(api === 'ApiVersions' || api === 'SaslHandshake' ? 8 : 9)
  head.writeInt32BE(head.length - 4 + body.length, 0)
  head.writeInt32BE(correlation, 4)
  return Buffer.concat([head, body])
}
