/**
 * Limits of what a server may send before it is used. The client of PostgreSQL keeps a message until its end has arrived, and the rows of
 * a statement until the statement has ended, so a server could fill the memory of the process, which all connections share. Messages of
 * a COPY have a limit each, and none together: they are taken as they arrive.
 *
 *   message:  type u8 | length u32, with itself and without the type | content
 */
import { CaptureProblem } from './capture-problem.ts'

const MIB = 1024 * 1024
/** A row before and after a change, of which events of 16 MiB are made. Bytes are sent as hexadecimal digits. */
const MESSAGE_BYTES_MAX = 32 * MIB
/** Rows of one statement: the columns of more than 100,000 tables. */
const ROWS_BYTES_MAX = 32 * MIB

const HEADER_BYTES = 5
/** Descriptions of rows, rows, ends of statements: those that the client keeps until the server is ready. */
const KEPT = new Set([...'TDC'].map((type) => type.charCodeAt(0)))
const READY = 'Z'.charCodeAt(0)

export class MessageLimits {
  readonly #header = Buffer.alloc(HEADER_BYTES)
  #headerBytes = 0
  /** Of the present message, not arrived yet. */
  #rest = 0
  #keptBytes = 0

  /** Takes the next bytes that have arrived. Throws CaptureProblem. */
  take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#rest > 0) {
        const skipped = Math.min(this.#rest, chunk.length - at)
        this.#rest -= skipped
        at += skipped
        continue
      }
      const copied = chunk.copy(this.#header, this.#headerBytes, at, at + HEADER_BYTES - this.#headerBytes)
      at += copied
      this.#headerBytes += copied
      if (this.#headerBytes < HEADER_BYTES) return
      this.#headerBytes = 0
      this.#begin(this.#header[0]!, this.#header.readUInt32BE(1))
    }
  }

  #begin(type: number, bytes: number): void {
    if (bytes < 4) throw noMessage(new RangeError(`its length is ${bytes}`))
    if (bytes > MESSAGE_BYTES_MAX)
      throw refused(`the database sends a row or message of ${bytes} bytes; at most ${MESSAGE_BYTES_MAX} fit`)
    if (type === READY) this.#keptBytes = 0
    else if (KEPT.has(type)) this.#keptBytes += bytes
    if (this.#keptBytes > ROWS_BYTES_MAX)
      throw refused(`the database answers a statement with more than ${ROWS_BYTES_MAX} bytes`)
    this.#rest = bytes - 4
  }
}

function refused(message: string): CaptureProblem {
  return new CaptureProblem('database_rejected', message, false)
}

export function noMessage(error: unknown): CaptureProblem {
  const reason = error instanceof Error ? error.message : String(error)
  return new CaptureProblem(
    'database_unreachable',
    `the database has sent what is no message of PostgreSQL: ${reason}`,
    true,
  )
}
