/** What a client asks of a savepoint, what the worker is ordered to do, and how far an operation is. */

/** CANONICAL: one or more Parquet files for each table of the state. NATIVE: a copy of the state file. */
export type SavepointFormat = 'CANONICAL' | 'NATIVE'

export interface SavepointRequest {
  /** A path or `file:` URI inside of the savepoint directories. Undefined: the default directory. */
  readonly directory: string | undefined
  /** The job is cancelled after it. If the savepoint fails, the job goes on. */
  readonly cancels: boolean
  readonly format: SavepointFormat
  /** 32 hexadecimal digits. Undefined: a new one. */
  readonly triggerId: string | undefined
}

export interface StopRequest {
  readonly directory: string | undefined
  /** All windows close first, as if the sources had ended. */
  readonly drains: boolean
  readonly format: SavepointFormat
  readonly triggerId: string | undefined
}

export type Operation =
  | { readonly state: 'in-progress' }
  | { readonly state: 'completed'; readonly location?: string; readonly checkpointId?: number }
  | { readonly state: 'failed'; readonly message: string }

/** What the worker does between two ticks of a job. `id` is the trigger id. */
export type JobOrder =
  | { readonly kind: 'checkpoint'; readonly id: string }
  | ({ readonly kind: 'savepoint'; readonly id: string } & SavepointOrder)

export interface SavepointOrder {
  /** The folder to be made: an absolute path. Its parent exists. */
  readonly location: string
  readonly format: SavepointFormat
  readonly drains: boolean
  /** The job ends after the savepoint, before another tick. */
  readonly ends: boolean
  /** An earlier attempt may have left this savepoint behind: it is replaced. */
  readonly replaces: boolean
  readonly about: SavepointSubject
}

/** What `_metadata` says of the job. */
export interface SavepointSubject {
  readonly namespace: string
  readonly name: string
  readonly statement: string
  /** Definitions of the tables of the statement by their names. */
  readonly schemas: Readonly<Record<string, string>>
  /** Version of the service. */
  readonly version: string
}

export type OrderOutcome =
  | { readonly kind: 'done'; readonly epoch: number; readonly savepoint?: SavepointFigures }
  /** `attempt`: the worker has tried. */
  | {
      readonly kind: 'failed'
      readonly message: string
      readonly attempt?: { readonly epoch: number; readonly startedMs: number; readonly durationMs: number }
    }

/** Measured by the worker. */
export interface SavepointFigures {
  readonly startedMs: number
  readonly durationMs: number
  /** Time in which the job could not run a tick of another job: the engine was in use. */
  readonly syncMs: number
  /** Bytes of all files, and those of the state. */
  readonly bytes: number
  readonly stateBytes: number
}

/** A stop that has been accepted. It is part of the job's document, so it goes on after a restart of the service. */
export interface StopIntent {
  readonly triggerId: string
  readonly location: string
  readonly format: SavepointFormat
  readonly drains: boolean
  /** The job becomes CANCELED, not FINISHED. */
  readonly cancels: boolean
}
