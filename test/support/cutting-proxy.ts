/** A TCP proxy that cuts a connection at a chosen message of the client: before or after the server has received it. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class CuttingProxy {
  readonly #server: Server
  readonly #targetPort: number
  readonly #sockets = new Set<Socket>()
  #left = Number.POSITIVE_INFINITY
  #afterForwarding = false
  cuts = 0

  private constructor(server: Server, targetPort: number) {
    this.#server = server
    this.#targetPort = targetPort
  }

  static async start(targetPort: number): Promise<CuttingProxy> {
    const server = createServer()
    const proxy = new CuttingProxy(server, targetPort)
    server.on('connection', (client) => proxy.#serve(client))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Cuts all connections at the client's message number `messages` from now on, counted from 0; once. */
  cutAt(messages: number, afterForwarding: boolean): void {
    this.#left = messages
    this.#afterForwarding = afterForwarding
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #serve(client: Socket): void {
    const target = connect(this.#targetPort, '127.0.0.1')
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        other.destroy()
      })
    }
    target.on('data', (data) => client.write(data))
    client.on('data', (data) => {
      const isCut = this.#left-- === 0
      if (!isCut) {
        target.write(data)
        return
      }
      this.cuts++
      this.#left = Number.POSITIVE_INFINITY
      client.destroy()
      if (this.#afterForwarding) target.end(data)
      else target.destroy()
    })
  }
}
