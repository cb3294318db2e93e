/**
 * The contract between a running job and the systems that it reads and writes. Connectors run in the worker process, so
 * that a failure ends at most that process and the job goes on from its state. Streams of this service are read and
 * written by the service on request, because it checks the grants.
 */
import type { EventBlock } from '../../../storage/log.ts'
import type { Value } from '../../formats/record-reader.ts'
import type { DecodedColumn } from '../plan/job-plan.ts'

/** A place in a source, as JSON. Each connector has its own form. */
export type SourcePosition = Readonly<Record<string, unknown>>

/** Events of one partition with consecutive offsets. `EventBlock.firstSequence` is the offset of the first. */
export interface SourceBlock {
  readonly block: EventBlock
  readonly partition: number
  /** Keys of the events, for systems that keep keys beside the body; undefined where a key is a header of the event. */
  readonly keys?: readonly (Uint8Array | null)[]
  /** Times of the events as their system keeps them, where those of the runs are others. For the metadata `timestamp`. */
  readonly timestampsMs?: readonly number[]
}

export interface ReadLimits {
  readonly eventsMax: number
  readonly bytesMax: number
  /** Events from this sequence on are not read, and do not count as waiting. Streams of this service alone have it. */
  readonly beforeSequence?: number
}

export interface SourceBatch {
  /** In order. A block is valid until the next one is requested. */
  readonly blocks: AsyncIterable<SourceBlock>
  /** The position after the last event of `blocks`; right once `blocks` has ended. */
  position(): SourcePosition
  /** Whether more events may be waiting; right once `blocks` has ended. */
  hasMore(): boolean
  /** No event that was not in `blocks` has an earlier time, if nothing more is waiting. Undefined: not known. */
  readonly closedBeforeMs?: number
  /**
   * The position after this event of `blocks`; undefined: before the first. A job with several sources may leave later
   * events of a batch for its next tick. Without this method it takes all events of the batch.
   */
  positionAfter?(event: EventPlace | undefined): SourcePosition
  /** Called instead of reading `blocks` if the tick has failed before. */
  abandon?(): Promise<void>
}

/** The place of an event in its source. */
export interface EventPlace {
  readonly partition: number
  readonly sequence: number
  readonly timestampMs: number
}

/** A source of events. Rejects with ConnectorError. */
export interface Source {
  /** Where a job begins that has no position yet. */
  start(): Promise<SourcePosition>
  /** The events after `position`; undefined if there are none now. */
  read(position: SourcePosition, limits: ReadLimits): Promise<SourceBatch | undefined>
  /** Resolves when `read` may return something, or `signal` is aborted. May resolve too early, never too late. */
  grown(position: SourcePosition, signal: AbortSignal): Promise<void>
  /** Events that have not been read yet, and the age of the oldest in ms; undefined where that is not known. */
  lag(position: SourcePosition): Promise<{ readonly events: number; readonly ms: number } | undefined>
  /** A source with an end has been read to its end: the job is finished after it. */
  readonly isBounded: boolean
  close(): Promise<void>
}

/** A source that makes rows itself. */
export interface RowSource {
  rows(
    position: SourcePosition,
    limits: ReadLimits,
  ): { readonly rows: Value[][]; readonly position: SourcePosition }
}

/** Database rows for keys. */
export interface Lookup {
  /** Rows whose key columns equal one of `keys`; keys have no NULL and no duplicates. In no particular order. */
  fetch(keys: readonly (readonly Value[])[]): Promise<readonly (readonly Value[])[]>
  close(): Promise<void>
}

/** All rows of a database table, in pieces. */
export interface Scan {
  rows(): AsyncIterable<readonly (readonly Value[])[]>
  close(): Promise<void>
}

/** 'c' insert, 'b' row before an update, 'u' row after an update, 'd' delete. */
export type RowOp = 'c' | 'b' | 'u' | 'd'

/** Rows of an outbox: `columns[i][row]`. */
export interface RowChunk {
  readonly ops: readonly RowOp[]
  readonly columns: readonly (readonly Value[])[]
  readonly rowCount: number
}

export interface Outbox {
  readonly rowCount: number
  readonly columns: readonly DecodedColumn[]
  chunks(): AsyncIterable<RowChunk>
}

/** The last emission that a sink has durably recorded. 'unknowable': the sink keeps no record. */
export type RecordedEpoch = number | 'none' | 'unknowable'

/** What a sink has written for an outbox: events or rows of the other system, and bytes of their bodies. */
export interface Emitted {
  readonly records: number
  readonly bytes: number
}

/**
 * A sink. `emit` writes all rows and the epoch durably together or not at all, if the sink can; then `recorded` returns
 * this epoch. After an error that leaves the outcome open, the caller reads `recorded` again.
 */
export interface Sink {
  recorded(): Promise<RecordedEpoch>
  /**
   * Records the epoch of a state that was restored from a savepoint, before anything is emitted. A sink without this method has
   * the record from elsewhere, or keeps none.
   */
  restored?(epoch: number): Promise<void>
  emit(epoch: number, outbox: Outbox): Promise<Emitted>
  /** What `emit` gives for these rows, without writing. Sinks that keep a record of the epoch have it. */
  sizeOf?(outbox: Outbox): Promise<Emitted>
  close(): Promise<void>
}

/** `passing`: it may work later, so the job restarts; otherwise the job fails. */
export class ConnectorError extends Error {
  override readonly name = 'ConnectorError'
  readonly passing: boolean
  /** The integration whose system gave no connection, or whose connection was lost; undefined: another error. */
  readonly unreachable: string | undefined

  constructor(
    message: string,
    passing: boolean,
    options?: ErrorOptions & { readonly unreachable?: string | undefined },
  ) {
    super(message, options)
    this.passing = passing
    this.unreachable = options?.unreachable
  }
}
