/**
 * Limits of what a server may send before it is used. The client of PostgreSQL keeps a message until its end has arrived, and the rows of
 * a statement until the statement has ended, so a server could fill the memory of the process, which all connections share. Messages of
 * a COPY have a limit each, and none together: they are taken as they arrive.
 */
import { CaptureProblem } from './capture-problem.ts'

const MIB = 1024 * 1024
/** A row before and after a change, of which events of 16 MiB are made. Bytes are sent as hexadecimal digits. */
const MESSAGE_BYTES_MAX = 32 * MIB
/** Rows of one statement: the columns of more than 100,000 tables. */
const ROWS_BYTES_MAX = 32 * MIB

/** Descriptions of rows, rows, ends of statements: those that the client keeps until the server is ready. */
const KEPT = new Set([...'TDC'].map((type) => type.charCodeAt(0)))
const READY = 'Z'.charCodeAt(0)

export class MessageLimits {
  #keptBytes = 0

  /** Checks a message that begins: `bytes` is the length that it says. Throws CaptureProblem. */
  check(type: number, bytes: number): void {
    if (bytes < 4) throw noMessage(new RangeError(`its length is ${bytes}`))
    if (bytes > MESSAGE_BYTES_MAX)
      throw refused(`the database sends a row or message of ${bytes} bytes; at most ${MESSAGE_BYTES_MAX} fit`)
    if (type === READY) this.#keptBytes = 0
    else if (KEPT.has(type)) this.#keptBytes += bytes
    if (this.#keptBytes > ROWS_BYTES_MAX)
      throw refused(`the database answers a statement with more than ${ROWS_BYTES_MAX} bytes`)
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
