/**
 * The messages between the service and the worker process of jobs.
 *
 *   service -> worker   IPC    open · call (start, cancel) · notify (grown) · reply
 *   worker -> service   IPC    answer, refusal · request (recorded, stage, append, tail, watch) · report · ticking · out-of-memory ·
 *                              engine-failed, and the requests for events of worker/event-pipe.ts
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
  readonly checkpoint:
    | {
        readonly id: number
        readonly startedMs: number
        readonly durationMs: number
        /** Bytes that the commit wrote, and those of the state file. */
        readonly bytes: number
        readonly stateBytes: number
      }
    | undefined
  readonly sources: readonly SourceFigures[]
  readonly inserts: readonly InsertFigures[]
  /** Time spent in ticks, and waiting for a sink, in this attempt. */
  readonly busyMs: number
  readonly backpressuredMs: number
  readonly idleMs: number
  /** In the order of the plan's vertices. */
  readonly vertices?: readonly VertexFigures[]
}

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
  readonly pendingRecords: number | undefined
}

export interface SourceFigures {
  readonly recordsIn: number
  readonly bytesIn: number
  /** Events that could not be read. */
  readonly recordsBad: number
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
}

export type JobReport =
  /** The state is open, the protocol of the last emission is done, connectors are open. */
  | { readonly kind: 'running' }
  | { readonly kind: 'progress'; readonly figures: JobFigures }
  | { readonly kind: 'bad-record'; readonly record: BadRecord }
  /** All sources have ended and everything is emitted. */
  | { readonly kind: 'finished' }
  | { readonly kind: 'failed'; readonly failure: JobFailure }

export interface JobFailure {
  /** 'passing': it may pass. 'conversion': an error of the query over the data. 'lasting': it cannot pass. */
  readonly kind: 'passing' | 'conversion' | 'lasting'
  readonly message: string
  readonly place?: Place
  /** The event that made the query fail, if it was found. */
  readonly record?: BadRecord
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
  } | null>
  /** Asks for a `grown` message when the log has this sequence. A later request for the same source replaces it. */
  watch(jid: JobId, source: number, log: number, sequence: number): Promise<void>
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

export type ToJobWorker =
  | { readonly kind: 'open'; readonly options: WorkerOptions }
  | { readonly kind: 'call'; readonly call: number; readonly method: 'start'; readonly start: JobStart }
  | { readonly kind: 'call'; readonly call: number; readonly method: 'cancel'; readonly jid: JobId }
  | { readonly kind: 'grown'; readonly jid: JobId; readonly source: number }
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
  | EventRequest
  /** With the job whose statement was interrupted before; null: none. */
  | { readonly kind: 'out-of-memory'; readonly jid: JobId | null }
  /** A statement of the job cannot be interrupted: the process has to be ended. */
  | { readonly kind: 'stuck'; readonly jid: JobId }
  /** The engine runs no statement any more, of no job: the process has to be ended. */
  | { readonly kind: 'engine-failed'; readonly message: string }
