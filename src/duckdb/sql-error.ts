/**
 * An error of a query, in the form that JDBC clients expect: a state of five characters, and the engine's message with
 * the place.
 */
import { ServiceError } from '../service-error.ts'

export type SqlState =
  | '42000' // syntax, or a statement that is not allowed
  | '42S02' // no such table
  | '42S22' // no such column
  | '22000' // the data
  | '53000' // memory, disk
  | '53200' // memory of the whole process: any running query may be the cause
  | '57014' // cancelled
  | 'HY000' // anything else

/** An error of the engine or of the checks before it. */
export class SqlError extends Error {
  override readonly name = 'SqlError'
  readonly sqlState: SqlState

  constructor(sqlState: SqlState, message: string, options?: ErrorOptions) {
    super(message, options)
    this.sqlState = sqlState
  }

  /** The form in which CDAP refuses a submission. */
  asRefusal(): ServiceError {
    return new ServiceError('invalid_query', `[SQLState ${this.sqlState}] ${this.message}`, { cause: this })
  }
}

/** DuckDB's messages begin with the kind of the error. */
const STATES: readonly (readonly [begins: string, state: SqlState])[] = [
  ['Parser Error', '42000'],
  ['Binder Error: Referenced column', '42S22'],
  ['Binder Error', '42000'],
  ['Catalog Error: Table', '42S02'],
  ['Catalog Error', '42000'],
  ['Permission Error', '42000'],
  ['Not implemented Error', '42000'],
  ['INTERRUPT Error', '57014'],
  ['Conversion Error', '22000'],
  ['Invalid Input Error', '22000'],
  ['Out of Range Error', '22000'],
  ['Out of Memory Error', '53000'],
]

const MESSAGE_CHARS_MAX = 2_000

export function sqlErrorOf(error: unknown): SqlError {
  if (error instanceof SqlError) return error
  const message = error instanceof Error ? error.message : String(error)
  const state = STATES.find(([begins]) => message.startsWith(begins))?.[1] ?? 'HY000'
  return new SqlError(state, shortened(message), { cause: error })
}

/** Whether the engine reports the query, and not this service, as the cause. */
export function isEngineError(error: unknown): boolean {
  return error instanceof SqlError || (error instanceof Error && /^[A-Za-z ]+ Error: /.test(error.message))
}

function shortened(message: string): string {
  return message.length > MESSAGE_CHARS_MAX ? `${message.slice(0, MESSAGE_CHARS_MAX)}…` : message
}
