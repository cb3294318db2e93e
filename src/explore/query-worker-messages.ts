/**
 * What goes between the workshop and the process that has the streams. Each side calls methods of the other: a call has a
 * number, and is answered with it. Calls without an answer have none.
 *
 * Blocks of a read are sent on, each as soon as one of those before it has been taken, so that few are on their way.
 */
import type { EventBlock, LogId } from '../../storage/log.ts'
import type { StreamId } from '../streams/names.ts'
import type { EventQuery } from '../streams/streams.ts'
import type { EngineOptions } from './engine.ts'
import { isEngineError, SqlError, type SqlState, sqlErrorOf } from './sql-error.ts'

export type ToWorkshop =
  | { readonly kind: 'open'; readonly options: EngineOptions }
  | {
      readonly kind: 'call'
      readonly call: number
      readonly method: CalledMethod
      readonly args: readonly unknown[]
    }
  | { readonly kind: 'tell'; readonly method: 'stop' | 'drop'; readonly key: number }

/** Answers of `ask`; they stay in their order, and have a way of their own: event-pipe.ts. */
export type SourceMessage =
  /** `null` for a stream that is gone. */
  | { readonly kind: 'logs'; readonly ask: number; readonly logs: readonly (LogId | null)[] }
  | {
      readonly kind: 'reading'
      readonly ask: number
      readonly log: LogId
      readonly startMs: number
    }
  | { readonly kind: 'block'; readonly ask: number; readonly block: EventBlock }
  | { readonly kind: 'read-end'; readonly ask: number; readonly failure: Failure | undefined }

export type CalledMethod = 'read' | 'bind' | 'run' | 'page'

export type FromWorkshop =
  | { readonly kind: 'answer'; readonly call: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly call: number; readonly failure: Failure }
  | { readonly kind: 'ask-logs'; readonly ask: number; readonly ids: readonly StreamId[] }
  | { readonly kind: 'ask-read'; readonly ask: number; readonly id: StreamId; readonly query: EventQuery }
  | { readonly kind: 'taken'; readonly ask: number }
  | { readonly kind: 'enough'; readonly ask: number }
  /** Nothing that runs can be interrupted: end the process. */
  | { readonly kind: 'out-of-memory' }

/** Blocks on their way or waiting. */
export const BLOCKS_AHEAD = 4

/** An error on its way between processes. */
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
