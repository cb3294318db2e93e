/** Many bad clients at once: idle, slow to send, slow to read, or gone in the middle of a request. */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface BadClientOptions {
  readonly port: number
  /** Where a stream is, and one whose events are more than any socket buffers. */
  readonly stream: string
  readonly largeStream: string
}

/** What the service said to them, by status; `closed` where it ended the connection without a word. */
export type Told = Record<string, number>

export class BadClients {
  readonly #options: BadClientOptions
  readonly #sockets = new Set<Socket>()
  readonly #timers: NodeJS.Timeout[] = []
  #stopped = false
  readonly told: Record<'idle' | 'slow' | 'reader' | 'aborted', Told> = {
    idle: {},
    slow: {},
    reader: {},
    aborted: {},
  }

  constructor(options: BadClientOptions) {
    this.#options = options
  }

  /** Connections that ask once whether the service is there, and then stay. */
  async idle(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const socket = this.#open('idle')
      socket.write('GET /ping HTTP/1.1\r\nHost: x\r\n\r\n')
      if (i % 50 === 49) await sleep(10)
    }
  }

  /** Clients that send a byte a second: of headers, of an event, of a batch. Those that are ended are followed by others. */
  slow(count: number): void {
    const { stream } = this.#options
    const heads = [
      'GET /ping HTTP/1.1\r\nHost: x\r\na: ',
      `POST ${stream} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n`,
      `POST ${stream}/batch HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 1000000\r\n\r\n`,
    ]
    const start = (i: number) => {
      if (this.#stopped) return
      const socket = this.#open('slow')
      socket.write(heads[i % heads.length]!)
      const timer = setInterval(() => socket.write('x'), 1_000)
      socket.once('close', () => {
        clearInterval(timer)
        this.#timers.push(setTimeout(() => start(i), 500))
      })
    }
    for (let i = 0; i < count; i++) start(i)
  }

  /** Clients that ask for everything and take a little of it ten times a second. */
  readers(count: number): void {
    const { largeStream } = this.#options
    const start = () => {
      if (this.#stopped) return
      const socket = this.#open('reader')
      socket.write(`GET ${largeStream}/events HTTP/1.1\r\nHost: x\r\n\r\n`)
      socket.on('data', () => {
        socket.pause()
        this.#timers.push(setTimeout(() => socket.resume(), 100))
      })
      socket.once('close', () => this.#timers.push(setTimeout(start, 500)))
    }
    for (let i = 0; i < count; i++) start()
  }

  /** Uploads of 10 MB that go away after a part of it, evenly over the time. */
  async aborted(count: number, seconds: number): Promise<void> {
    const { stream } = this.#options
    const part = Buffer.alloc(256 * 1024, 'a line of a text that is not going to end\n')
    for (let i = 0; i < count; i++) {
      const path = i % 2 === 0 ? `${stream}/batch` : stream
      const socket = this.#open('aborted')
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 10000000\r\n\r\n`,
      )
      socket.write(part, () => setTimeout(() => socket.destroy(), i % 50))
      setTimeout(() => socket.destroy(), 2_000).unref()
      await sleep((seconds * 1000) / count)
    }
  }

  /** All of them go. */
  stop(): void {
    this.#stopped = true
    for (const timer of this.#timers) clearTimeout(timer)
    for (const socket of this.#sockets) socket.destroy()
  }

  #open(kind: keyof BadClients['told']): Socket {
    const socket = connect({ port: this.#options.port, host: '127.0.0.1' })
    this.#sockets.add(socket)
    const told = this.told[kind]
    const count = (what: string) => {
      told[what] = (told[what] ?? 0) + 1
    }
    let heard = false
    socket.once('data', (chunk: Buffer) => {
      heard = true
      count(chunk.toString('latin1', 9, 12))
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      this.#sockets.delete(socket)
      if (!heard && !this.#stopped && kind !== 'aborted') count('closed')
    })
    return socket
  }
}
