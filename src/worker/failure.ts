/** Errors as messages between processes: an error of the engine keeps its state. */
import { isEngineError, SqlError, type SqlState, sqlErrorOf } from '../duckdb/sql-error.ts'

/** An error in a message. */
export interface Failure {
  readonly sqlState: SqlState | undefined
  readonly message: string
}

export function failureOf(error: unknown): Failure {
  if (isEngineError(error)) {
    const { sqlState, message } = sqlErrorOf(error)
    return { sqlState, message }
  }
  return { sqlState: undefined, message: error instanceof Error ? error.message : String(error) }
}

export function errorOf({ sqlState, message }: Failure): Error {
  return sqlState === undefined ? new Error(message) : new SqlError(sqlState, message)
}
