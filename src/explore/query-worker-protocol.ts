import type { EventRequest } from '../worker/event-pipe.ts'
import type { Failure } from '../worker/failure.ts'
import type { BadEvents } from './bad-events.ts'
import type { BoundTable } from './bound-tables.ts'
import type { EngineOptions } from './engine.ts'
import type { HiveCommand } from './hive-commands.ts'
import type { ResultColumn } from './hive-types.ts'
import type { Row } from './result.ts'
import type { NamedTable, StatementKind } from './statement.ts'
import type { TableRequest } from './stream-table.ts'

/** Identifies a query within one worker. The service assigns consecutive numbers. */
export type QueryKey = number

/** The properties of a statement that follow from its text alone. */
export interface Outline {
  readonly kind: StatementKind
  readonly isExplain: boolean
  readonly tables: readonly NamedTable[]
  /** Set for Hive's statements about tables and namespaces. */
  readonly command?: HiveCommand
}

/** A table that a query names, and the part of it that the query may see. */
export interface NamedTableRequest extends TableRequest {
  readonly name: string
  /** Events before this time are not visible. */
  readonly earliestMs: number
}

export interface RunOutcome {
  readonly badEvents: BadEvents
  readonly rowCount: number
}

/** The outcome of a strict query that read bad events. */
export interface StrictFailure {
  readonly badEvents: BadEvents
  readonly rowCount: undefined
}

/** The worker's methods. They reject with SqlError if the query is the cause. */
export interface QueryWorker {
  /** Parses and checks a statement. The worker keeps the query until `drop`. */
  read(key: QueryKey, text: string): Promise<Outline>
  /** Returns the columns of the answer over these tables. */
  bind(key: QueryKey, tables: readonly BoundTable[]): Promise<readonly ResultColumn[]>
  /** Resolves when all rows exist; with `strict` also when a bad event was read, then without rows. */
  run(
    key: QueryKey,
    tables: readonly NamedTableRequest[],
    strict: boolean,
  ): Promise<RunOutcome | StrictFailure>
  /** Returns fewer than `count` rows if they are large, and no rows after the last one. */
  page(key: QueryKey, from: number, count: number): Promise<readonly Row[]>
  /** Cancels a running query; `run` rejects soon. */
  stop(key: QueryKey): void
  drop(key: QueryKey): void
  close(): Promise<void>
}

export type CalledMethod = 'read' | 'bind' | 'run' | 'page'

export type ToWorker =
  | { readonly kind: 'open'; readonly options: EngineOptions }
  | {
      readonly kind: 'call'
      readonly call: number
      readonly method: CalledMethod
      readonly args: readonly unknown[]
    }
  | { readonly kind: 'notify'; readonly method: 'stop' | 'drop'; readonly key: QueryKey }

export type FromWorker =
  | { readonly kind: 'answer'; readonly call: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly call: number; readonly failure: Failure }
  | EventRequest
  /** The worker is above its memory limit and cannot interrupt its queries: end the process. */
  | { readonly kind: 'out-of-memory' }
