/**
 * A TCP proxy in front of one Kafka broker of this machine. It knows where requests and answers begin, swallows or cuts answers,
 * and holds requests until they are released. It puts its own port in the place of the broker's in what clients learn.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export const API = { produce: 0, metadata: 3, findCoordinator: 10, endTxn: 26 } as const

/**
 * What becomes of a request: it passes; its answer is dropped; its answer is replaced by the end of the connection; it is held until
 * `release`; it reaches the broker late, also if its client has gone meanwhile; its answer is late.
 */
export type Treatment =
  | 'pass'
  | 'swallow answer'
  | 'cut answer'
  | 'hold'
  | 'drop'
  | { readonly requestMs: number }
  | { readonly answerMs: number }

const HOST = Buffer.concat([Buffer.of(10), Buffer.from('127.0.0.1')])

export class KafkaProxy {
  readonly #server: Server
  readonly #targetPort: number
  /** The ports that clients learn, by those of their brokers. */
  #ports: ReadonlyMap<number, number>
  readonly #sockets = new Set<Socket>()
  #held: (() => void)[] = []
  /** Called for each request, with the number of its kind. */
  treat: (api: number) => Treatment = () => 'pass'
  /** Requests that did not pass. */
  treated = 0

  private constructor(server: Server, targetPort: number) {
    this.#server = server
    this.#targetPort = targetPort
    this.#ports = new Map([[targetPort, this.port]])
  }

  static async start(targetPort: number): Promise<KafkaProxy> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const proxy = new KafkaProxy(server, targetPort)
    server.on('connection', (client) => proxy.#serve(client))
    return proxy
  }

  /** A proxy in front of each broker of a cluster. Clients learn of no other ports. */
  static async startAll(targetPorts: readonly number[]): Promise<KafkaProxy[]> {
    const proxies = await Promise.all(targetPorts.map((port) => KafkaProxy.start(port)))
    const ports = new Map(proxies.map((proxy, i) => [targetPorts[i]!, proxy.port]))
    for (const proxy of proxies) proxy.#ports = ports
    return proxies
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Sends the held requests to the broker, although their clients may be gone. */
  release(): void {
    for (const send of this.#held.splice(0)) send()
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #serve(client: Socket): void {
    const target = connect(this.#targetPort, '127.0.0.1')
    const requests = new Map<number, { api: number; treatment: Treatment }>()
    let isHolding = false
    // Requests and answers stay in order.
    let [sending, answering] = [Promise.resolve(), Promise.resolve()]
    for (const socket of [client, target]) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => this.#sockets.delete(socket))
    }
    client.on('close', () => {
      if (!isHolding) target.destroy()
    })
    target.on('close', () => client.destroy())
    onFrames(client, (frame) => {
      const api = frame.readInt16BE(4)
      const treatment = this.treat(api)
      if (treatment !== 'pass') this.treated++
      requests.set(frame.readInt32BE(8), { api, treatment })
      if (treatment === 'drop') return
      if (treatment === 'hold') {
        isHolding = true
        this.#held.push(() => target.write(frame))
        return
      }
      const delayMs = typeof treatment === 'object' && 'requestMs' in treatment ? treatment.requestMs : 0
      if (delayMs > 0) isHolding = true
      sending = after(sending, delayMs, () => target.write(frame))
    })
    onFrames(target, (frame) => {
      const id = frame.readInt32BE(4)
      const { api, treatment } = requests.get(id) ?? { api: -1, treatment: 'pass' as const }
      requests.delete(id)
      if (treatment === 'swallow answer') return
      if (treatment === 'cut answer') return void client.destroy()
      if (api === API.metadata || api === API.findCoordinator) this.#putOwnPorts(frame)
      const delayMs = typeof treatment === 'object' && 'answerMs' in treatment ? treatment.answerMs : 0
      answering = after(answering, delayMs, () => client.write(frame))
    })
  }

  #putOwnPorts(frame: Buffer): void {
    for (let at = frame.indexOf(HOST); at >= 0; at = frame.indexOf(HOST, at + HOST.length)) {
      const portAt = at + HOST.length
      const own = this.#ports.get(frame.readInt32BE(portAt))
      if (own !== undefined) frame.writeInt32BE(own, portAt)
    }
  }
}

async function after(before: Promise<void>, delayMs: number, work: () => void): Promise<void> {
  await before
  if (delayMs > 0) await sleep(delayMs)
  work()
}

/** Calls `take` with each whole frame, its length included. */
function onFrames(socket: Socket, take: (frame: Buffer) => void): void {
  let pending: Buffer = Buffer.alloc(0)
  socket.on('data', (data: Buffer) => {
    pending = pending.length === 0 ? data : Buffer.concat([pending, data])
    while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
      const end = 4 + pending.readInt32BE(0)
      take(pending.subarray(0, end))
      pending = pending.subarray(end)
    }
  })
}
