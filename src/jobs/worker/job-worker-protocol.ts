/**
 * The messages between the service and the worker process of jobs.
 *
 *   service -> worker   IPC    open · call (start, cancel, order) · notify (grown) · reply · look · dump
 *   worker -> service   IPC    answer, refusal · request (recorded, stage, append, tail, watch, boundary, publish) · report · ticking · heartbeat ·
 *                              dumped · out-of-memory · engine-failed, and the requests for events of worker/event-pipe.ts
 *   service -> worker   pipe   events
 *
 * A call of the service has a number and one answer; a request of the worker likewise, in the other direction.
 */
import type { Place } from '../../sql/sql-problem.ts'
import type { StreamId } from '../../streams/names.ts'
import type { Access, Connector, TypedColumn } from '../../tables/table.ts'
import type { EventRequest } from '../../worker/event-pipe.ts'
import type { Failure } from '../../worker/failure.ts'
import type { JobPlan } from '../plan/job-plan.ts'
import type { QueryBoundary, QueryJobResult, ResultUpdate } from '../query-result.ts'
import type { JobOrder, OrderOutcome } from '../savepoints/savepoint.ts'

/** 32 lower-case hexadecimal digits. */
export type JobId = string

/** A table of a plan with everything that its connector needs, secrets included. */
export interface ConnectedTable {
  readonly id: string
  readonly name: string
  readonly connector: Connector
  readonly access: Access
  /** All columns of the table that are in the body or the key of an event, or in the database table. */
  readonly physical: readonly TypedColumn[]
  readonly primaryKey: readonly string[]
  /** The stream of a topic of the built-in integration. */
  readonly stream: StreamId | undefined
  /** For messages of connectors. */
  readonly integrationId?: string
  /** The stream of a table of PostgreSQL that the service captures. */
  readonly isCaptured?: boolean
}

export interface JobStart {
  readonly jid: JobId
  readonly plan: JobPlan
  /** Holds `state.duckdb`. Created if it is missing. */
  readonly stateFolder: string
  /** Tables of sources, lookups, fixed tables and sinks, by id. */
  readonly tables: readonly ConnectedTable[]
  /** The state file may grow to this size. */
  readonly stateBytesMax: number
  /** Largest tick. */
  readonly tickEventsMax: number
  readonly tickBytesMax: number
  /** Done before the first tick. */
  readonly order?: JobOrder
  /** The least time between two ticks. */
  readonly pauseMs?: number
  /** The first tick lets those of other jobs go first that begin somewhat later. */
  readonly yields?: boolean
  /** The job of a cached query. */
  readonly query?: QueryJobResult
}

export interface WorkerOptions {
  /** For tables and running statements of all jobs together. */
  readonly memoryBytes: number
  /** For the whole process. */
  readonly processBytes: number
  readonly diskBytes: number
  readonly spillFolder: string
  /** Contains the state folders of all jobs: the only folder that the engine may use besides the spill folder. */
  readonly jobsFolder: string
}

/** What a job has done since it was created. Counters survive restarts: they are part of the state. */
export interface JobFigures {
  /** Number of commits of the state: the id of the last checkpoint. */
  readonly epoch: number
  readonly checkpoint: CheckpointFigures | undefined
  readonly sources: readonly SourceFigures[]
  readonly inserts: readonly InsertFigures[]
  /** Time spent in ticks, and waiting for a sink, in this attempt. */
  readonly busyMs: number
  readonly backpressuredMs: number
  readonly idleMs: number
  /**
   * In the order of the plan's vertices. Counters survive restarts. Empty for a job that has ended in a version without these
   * figures.
   */
  readonly vertices: readonly VertexFigures[]
}

/** A commit of the state. */
export interface CheckpointFigures {
  readonly id: number
  readonly startedMs: number
  /** From the begin of the transaction to its end, and the part of it that made the commit durable. */
  readonly durationMs: number
  /** Missing in documents of older versions. */
  readonly syncMs?: number
  /** Bytes that the commit wrote, and those of the state file. */
  readonly bytes: number
  readonly stateBytes: number
}

/** The commits since the last report. */
export interface CheckpointReport {
  /** Oldest first; of many the last ones. The ids of commits have no gaps, so their number is known. */
  readonly completed: readonly CheckpointFigures[]
  readonly failed?: {
    readonly id: number
    readonly startedMs: number
    readonly durationMs: number
    readonly message: string
  }
}

/** One operator: counts since the job was created, times of this attempt, which add up to its duration. */
export interface VertexFigures {
  readonly recordsIn: number
  readonly recordsOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly busyMs: number
  readonly backpressuredMs: number
  readonly idleMs: number
  readonly recordsLate: number
  readonly recordsBad: number
  readonly watermarkMs: number | undefined
  /** Events that wait for a source, where it is known. */
  readonly pendingRecords: number | undefined
}

export interface SourceFigures {
  readonly recordsIn: number
  readonly bytesIn: number
  /** Events that could not be read, and events without a time that a window needs. */
  readonly recordsBad: number
  /** The second part of `recordsBad`; undefined: none. */
  readonly recordsUntimed?: number
  /** undefined where it is not known. */
  readonly lagRecords: number | undefined
  readonly lagMs: number | undefined
  /** Milliseconds; undefined before the first. */
  readonly watermarkMs: number | undefined
}

export interface InsertFigures {
  readonly recordsOut: number
  readonly bytesOut: number
  /** Rows that came after their window was closed. */
  readonly recordsLate: number
}

/** An event that was skipped or that failed a job. */
export interface BadRecord {
  readonly tableName: string
  readonly partition: number
  readonly sequence: number
  readonly timestampMs: number
  readonly reason: string
  /** When the event was skipped. Only the service sets it; missing in documents of older versions. */
  readonly skippedMs?: number
}

export type JobReport =
  /** The state is open, the protocol of the last emission is done, connectors are open. `epoch`: of a state that had commits. */
  | { readonly kind: 'running'; readonly epoch?: number }
  | { readonly kind: 'progress'; readonly figures: JobFigures; readonly checkpoints?: CheckpointReport }
  | { readonly kind: 'bad-record'; readonly record: BadRecord }
  | { readonly kind: 'order'; readonly id: string; readonly outcome: OrderOutcome }
  /** All sources have ended and everything is emitted. */
  | { readonly kind: 'finished' }
  | { readonly kind: 'failed'; readonly failure: JobFailure }

export interface JobFailure {
  /** 'passing': it may pass. 'conversion': an error of the query over the data. 'lasting': it cannot pass. */
  readonly kind: 'passing' | 'conversion' | 'lasting'
  readonly message: string
  readonly place?: Place
  /** Where it arose, as an index into the vertices of the plan; undefined where it is not known. */
  readonly vertex?: number
  /** The event that made the query fail, if it was found. */
  readonly record?: BadRecord
  /** The integration whose system gave no connection, or whose connection was lost. */
  readonly unreachable?: string
  /** The running statement was interrupted, because the process needed too much memory, or because it ran too long. */
  readonly exhausted?: 'memory' | 'time'
  /**
   * The process of all jobs has ended, and a tick of this job was the cause, or not; undefined also where that is not known.
   * Only the service sets it.
   */
  readonly processEnd?: 'own' | 'foreign'
}

/** What the service does for the worker. */
export interface ServiceRequests {
  /** The epoch that a stream sink has recorded; null: none. */
  recorded(jid: JobId, sink: number): Promise<number | null>
  /**
   * Adds events that `append` of the same epoch writes, before those that it brings itself, so that no message is larger than
   * about 1 MiB. Events of an epoch that is never appended are forgotten.
   */
  stage(jid: JobId, sink: number, epoch: number, tableId: string, events: SinkEvents): Promise<void>
  /**
   * Appends events and records the epoch in one write. Resolves without a second write if the epoch is recorded already. `parts` are written in order; each part is one append or one staged
   * batch, and all become durable together.
   */
  append(jid: JobId, sink: number, epoch: number, tableId: string, events: SinkEvents): Promise<void>
  /** Tail of a stream: sequence and time after the last event, and the first one that can be read. */
  tail(
    jid: JobId,
    tableId: string,
  ): Promise<{
    readonly log: number
    readonly nextSequence: number
    readonly lastTimestampMs: number
    readonly firstSequence: number
    readonly firstTimestampMs: number
    /** The time of the log's clock: no later event is older. */
    readonly nowMs: number
    /** The engine of the store leaves holes between sequences. */
    readonly hasHoles?: boolean
  } | null>
  /** Asks for a `grown` message when the log has this sequence. A later request for the same source replaces it. */
  watch(jid: JobId, source: number, log: number, sequence: number): Promise<void>
  /** Up to where the sources of the job of a cached query may be read; null: a snapshot is not complete. */
  boundary(jid: JobId): Promise<QueryBoundary | null>
  /** Passes changes of a result on, or a part of it. They are durable. */
  publish(jid: JobId, update: ResultUpdate): Promise<void>
}

/** Events of a stream sink: bodies as slices, headers by run. */
export interface SinkEvents {
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
  readonly ends: Uint32Array
  /** Runs of events with the same headers, in order; the last ends at the number of events. */
  readonly runs: readonly {
    readonly end: number
    readonly headers: readonly (readonly [name: string, value: string])[]
  }[]
}

/** What the process measures of itself. */
export interface Heartbeat {
  readonly pid: number
  readonly heap: { readonly used: number; readonly total: number; readonly limit: number }
  readonly externalBytes: number
  readonly arrayBufferBytes: number
  readonly residentBytes: number
  /** Memory of DuckDB; undefined before it was measured. */
  readonly engineBytes: number | undefined
  readonly cpuMs: number
  /** Share of one processor since the last heartbeat; undefined in the first one. */
  readonly cpuLoad: number | undefined
  readonly threads: number | undefined
  readonly gc: readonly { readonly name: string; readonly count: number; readonly ms: number }[]
  /** What sinks have printed since the last heartbeat, the newest part of it. */
  readonly printed: string
}

export interface JobActivityNow {
  readonly jid: JobId
  /** Part of its step, and for how many milliseconds it has lasted. */
  readonly part: string
  readonly ms: number
}

export type ToJobWorker =
  | { readonly kind: 'open'; readonly options: WorkerOptions }
  | { readonly kind: 'call'; readonly call: number; readonly method: 'start'; readonly start: JobStart }
  | { readonly kind: 'call'; readonly call: number; readonly method: 'cancel'; readonly jid: JobId }
  /** Answered when the job has taken the order; the outcome is a report. */
  | {
      readonly kind: 'call'
      readonly call: number
      readonly method: 'order'
      readonly jid: JobId
      readonly order: JobOrder
    }
  | { readonly kind: 'grown'; readonly jid: JobId; readonly source: number }
  /** Asks for a heartbeat now. */
  | { readonly kind: 'look' }
  /** Asks what the worker is doing. */
  | { readonly kind: 'dump'; readonly asked: number }
  | {
      readonly kind: 'reply'
      readonly request: number
      readonly value?: unknown
      readonly failure?: Failure & { readonly passing: boolean }
    }

export type FromJobWorker =
  | { readonly kind: 'answer'; readonly call: number; readonly value: unknown }
  | { readonly kind: 'refusal'; readonly call: number; readonly failure: Failure }
  | {
      readonly kind: 'request'
      readonly requested: number
      readonly method: keyof ServiceRequests
      readonly args: readonly unknown[]
    }
  | { readonly kind: 'report'; readonly jid: JobId; readonly report: JobReport }
  /** The job whose tick begins; null: no tick runs. If the process ends during a tick, that job is the cause. */
  | { readonly kind: 'ticking'; readonly jid: JobId | null }
  | { readonly kind: 'heartbeat'; readonly heartbeat: Heartbeat }
  /** What each job is doing. */
  | {
      readonly kind: 'dumped'
      readonly asked: number
      readonly jobs: readonly JobActivityNow[]
      readonly stack: string
    }
  | EventRequest
  /** With the job whose statement was interrupted before; null: none. */
  | { readonly kind: 'out-of-memory'; readonly jid: JobId | null }
  /** A statement of the job cannot be interrupted: the process has to be ended. */
  | { readonly kind: 'stuck'; readonly jid: JobId }
  /** The engine runs no statement any more, of no job: the process has to be ended. */
  | { readonly kind: 'engine-failed'; readonly message: string }
