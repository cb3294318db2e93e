/** An error that ends an attempt of a job. Its kind decides whether the job restarts. */
import { isEngineError, sqlErrorOf } from '../../duckdb/sql-error.ts'
import { decodedName } from '../../sql/encoded-name.ts'
import { ConnectorError } from '../connectors/connector.ts'
import type { BadRecord, JobFailure } from './job-worker-protocol.ts'

export class JobError extends Error {
  override readonly name = 'JobError'
  readonly kind: JobFailure['kind']
  readonly record: BadRecord | undefined

  constructor(message: string, kind: JobFailure['kind'], record?: BadRecord, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
    this.record = record
  }
}

/** States of SQL for errors of the data: division by zero, a conversion, a number out of range. */
const DATA_ERROR = '22000'

/** Whether the engine reports that a value, and not a statement or a resource, is the cause. */
export function isDataError(error: unknown): boolean {
  return isEngineError(error) && sqlErrorOf(error).sqlState === DATA_ERROR
}

/** States of SQL for statements that need too much. */
const EXHAUSTED: Readonly<Record<string, JobFailure['exhausted']>> = {
  '53000': 'memory',
  '53200': 'memory',
  '57014': 'time',
}

export function failureOf(error: unknown): JobFailure {
  if (error instanceof JobError) {
    const { kind, message, record } = error
    return { kind, message, ...(record && { record }) }
  }
  if (error instanceof ConnectorError) {
    const { passing, message, unreachable } = error
    return {
      kind: passing ? 'passing' : 'lasting',
      message,
      ...(unreachable !== undefined && { unreachable }),
    }
  }
  if (isDataError(error)) return { kind: 'conversion', message: dataReason(error) }
  if (isEngineError(error)) {
    const { sqlState, message } = sqlErrorOf(error)
    // The statements of a plan were bound when it was made, so an error of binding cannot pass.
    if (sqlState.startsWith('42')) return { kind: 'lasting', message }
    const exhausted = EXHAUSTED[sqlState]
    // The engine's hints after the first line are about its settings.
    return { kind: 'passing', message: message.split('\n')[0]!, ...(exhausted && { exhausted }) }
  }
  return { kind: 'passing', message: error instanceof Error ? error.message : String(error) }
}

/** The message of a data error with the user's name of a column, and without the text of the plan. */
export function dataReason(error: unknown): string {
  return sqlErrorOf(error)
    .message.replace(/\n\nLINE \d+: [\s\S]*$/, '')
    .replace(/( when casting from source column )(.+)$/, (_, before, name) => before + decodedName(name))
}
