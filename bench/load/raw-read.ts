/** One GET over a bare socket into one buffer: bytes are counted and forgotten. */
import { connect } from 'node:net'

export interface RawRead {
  readonly status: number
  /** Whether the answer ended as a chunked answer ends. */
  readonly whole: boolean
  /** With the headers of the answer and the lengths of its chunks. */
  readonly bytes: number
}

const BUFFER_BYTES = 256 * 1024
const LAST_CHUNK = '\r\n0\r\n\r\n'

/** Rejects if the connection breaks. */
export function rawRead(address: string, accept: string): Promise<RawRead> {
  const url = new URL(address)
  const request = `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nAccept: ${accept}\r\nConnection: close\r\n\r\n`
  let bytes = 0
  let start = ''
  let end = ''
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: url.hostname,
      port: Number(url.port),
      onread: {
        buffer: Buffer.allocUnsafe(BUFFER_BYTES),
        callback(length, buffer) {
          const piece = buffer as Buffer
          if (bytes === 0) start = piece.toString('latin1', 0, Math.min(length, 12)) // HTTP/1.1 200
          const last = piece.toString('latin1', Math.max(0, length - LAST_CHUNK.length), length)
          end = (end + last).slice(-LAST_CHUNK.length)
          bytes += length
          return true
        },
      },
    })
    socket.once('error', reject)
    socket.once('close', () => resolve({ status: Number(start.slice(9)), whole: end === LAST_CHUNK, bytes }))
    socket.write(request)
  })
}
