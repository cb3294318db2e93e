/**
 * HTTP as bytes on a socket, for requests that node's client would not send: broken, cut off, pipelined.
 *
 * Answers are read by Content-Length, by chunks, or to the end of the connection.
 */
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

export interface RawResponse {
  readonly status: number
  /** Names in lower case; of a name that stands there twice the last one. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly text: string
}

/** Sends `request` on a connection of its own and answers what comes back first. */
export async function rawRequest(port: number, request: string | Uint8Array): Promise<RawResponse> {
  const connection = await RawConnection.open(port)
  connection.write(request)
  try {
    return await connection.response()
  } finally {
    connection.destroy()
  }
}

/** All that comes back until the connection is closed: for requests that say `Connection: close`, HEAD among them. */
export async function rawText(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const received: Buffer[] = []
  socket.on('data', (chunk) => received.push(chunk))
  socket.on('error', () => {}) // a reset is an end like any other
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.write(Buffer.from(request, 'latin1'))
  await closed
  return Buffer.concat(received).toString('latin1')
}

/** The status of what comes back first, or undefined if the connection is closed instead. */
export async function rawStatus(port: number, request: string | Uint8Array): Promise<number | undefined> {
  const connection = await RawConnection.open(port)
  connection.write(request)
  const status = await Promise.race([connection.status(), connection.closed])
  connection.destroy()
  return status ?? undefined
}

export class RawConnection {
  readonly #socket: Socket
  /** What came and was not taken; it lies in a larger buffer, so that pieces can be added at little cost. */
  #received: Buffer = Buffer.allocUnsafeSlow(0)
  #ended = false
  #wake: () => void = () => {}
  /** Resolves when either side has closed the connection. */
  readonly closed: Promise<void>

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => {
      this.#add(chunk)
      this.#wake()
    })
    socket.on('error', () => {}) // a reset is an end like any other: `closed` tells of both
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#ended = true
        this.#wake()
        resolve()
      })
    })
  }

  static open(port: number): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new RawConnection(socket))
      })
    })
  }

  /** Over TLS; the server's certificate is taken as it is. Rejects if they do not agree. */
  static openTls(port: number, options: ConnectionOptions = {}): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
      socket.once('error', reject)
      socket.once('secureConnect', () => {
        socket.off('error', reject)
        resolve(new RawConnection(socket))
      })
    })
  }

  /** Text goes out as latin-1, one byte per character. */
  write(bytes: string | Uint8Array): void {
    this.#socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  }

  /** Writes; resolves when the system has taken all of it, or the connection is closed. */
  async flushed(bytes: Uint8Array): Promise<void> {
    await Promise.race([new Promise((resolve) => this.#socket.write(bytes, resolve)), this.closed])
  }

  /** Ends our side; the server may still answer. */
  end(): void {
    this.#socket.end()
  }

  /** Gives the connection up at once. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** Stops reading, so the server cannot send. */
  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Resolves when at least so many bytes have come that `response` did not take. */
  async received(count: number): Promise<void> {
    while (this.#received.length < count) await this.#more()
  }

  /** The status of the next answer, as soon as it is there. Rejects if the connection ends before it. */
  async status(): Promise<number> {
    await this.received('HTTP/1.1 200'.length)
    return Number(this.#received.toString('latin1', 9, 12))
  }

  /** The next answer on this connection. Rejects if the connection ends before it. */
  async response(): Promise<RawResponse> {
    for (;;) {
      const parsed = parse(this.#received, this.#ended)
      if (parsed !== undefined) {
        this.#received = this.#received.subarray(parsed.length)
        return parsed.response
      }
      await this.#more()
    }
  }

  #add(chunk: Buffer): void {
    const { length, byteOffset, buffer } = this.#received
    const free = buffer.byteLength - byteOffset - length
    const grown = chunk.length <= free ? this.#received : Buffer.allocUnsafeSlow(2 * (length + chunk.length))
    if (grown !== this.#received) this.#received.copy(grown)
    this.#received = Buffer.from(grown.buffer, grown.byteOffset, length + chunk.length)
    chunk.copy(this.#received, length)
  }

  #more(): Promise<void> {
    if (this.#ended) {
      throw new Error(`the connection ended after ${JSON.stringify(this.#received.toString('latin1'))}`)
    }
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

function parse(bytes: Buffer, ended: boolean): { response: RawResponse; length: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
  }
  const status = Number(statusLine.split(' ')[1])
  const content = contentOf(bytes, headEnd + 4, status, headers, ended)
  if (content === undefined) return undefined
  const { body, length } = content
  return { response: { status, headers, body, text: body.toString('utf8') }, length }
}

function contentOf(
  bytes: Buffer,
  start: number,
  status: number,
  headers: Record<string, string>,
  ended: boolean,
): { body: Buffer; length: number } | undefined {
  if (status < 200 || status === 204 || status === 304) return { body: Buffer.alloc(0), length: start }
  if (headers['transfer-encoding'] === 'chunked') return chunkedContent(bytes, start)
  const declared = headers['content-length']
  if (declared === undefined) return ended ? { body: bytes.subarray(start), length: bytes.length } : undefined
  const end = start + Number(declared)
  return end > bytes.length ? undefined : { body: bytes.subarray(start, end), length: end }
}

function chunkedContent(bytes: Buffer, start: number): { body: Buffer; length: number } | undefined {
  const chunks: Buffer[] = []
  let at = start
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    const end = lineEnd + 2 + size
    if (end + 2 > bytes.length) return undefined
    chunks.push(bytes.subarray(lineEnd + 2, end))
    at = end + 2
    if (size === 0) return { body: Buffer.concat(chunks), length: at }
  }
}
