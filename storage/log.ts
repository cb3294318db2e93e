/**
 * EventLog: the contract between a log engine and the modules above it, and the types of its arguments and results.
 *
 * A log is an ordered sequence of events, identified by a LogId that is never reused. The engine knows no stream names,
 * no TTL and no HTTP. `EnginePromises` (storage.ts) states the differences between engines: callers read it there and
 * assume nothing else. Every engine passes test/contract/event-log.ts.
 */
import type { StorageError } from './storage-error.ts'

/** Identifies one log: a whole number from 1 to 2^32-1. Never reused, so an old id never refers to another log. */
export type LogId = number

/** Name and value of each header, in the order in which the client sent them. Names are unique within one event. */
export type EventHeaders = readonly (readonly [name: string, value: string])[]

export interface EventData {
  readonly headers: EventHeaders
  readonly body: Uint8Array
}

/** Events as slices of one buffer: the body of event i is `bytes.subarray(starts[i], ends[i])`, for i < count. */
export interface EventSlices {
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
  readonly ends: Uint32Array
  readonly count: number
}

/**
 * Events with headers of their own in one buffer, without gaps: the header set (header-set.ts) and the body of each.
 * `bounds` are their places: event i has the headers `bytes.subarray(bounds[2 * i], bounds[2 * i + 1])`, and its body
 * ends at `bounds[2 * i + 2]`. So there are (bounds.length - 1) / 2 events.
 */
export interface HeadedEvents {
  readonly bytes: Uint8Array
  readonly bounds: Uint32Array
}

/**
 * Place of an event in its log. Sequences ascend and may have gaps, so a caller never adds a count to one. An engine
 * without gaps states that (`gaplessSequences`). Timestamps never go back.
 */
export interface Position {
  readonly timestampMs: number
  readonly sequence: number
}

/** Consecutive events of one block with the same timestamp and headers: indexes [begin, end) into the block. */
export interface EventRun {
  readonly begin: number
  readonly end: number
  readonly timestampMs: number
  readonly headers: EventHeaders
}

/**
 * Consecutive events as read. `runs` cover the events in the requested range, in order. Inside one block sequences have
 * no gaps: event i has sequence `firstSequence + i` and the body `bytes.subarray(starts[i], ends[i])`. The bytes are
 * valid until the next block is requested or the read ends; then the engine may reuse their memory.
 */
export interface EventBlock {
  readonly firstSequence: number
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
  readonly ends: Uint32Array
  readonly runs: readonly EventRun[]
}

/** Selects the events to read: timestamps in `[startMs, endMs)`, after the position `after`, at most `limit` events. */
export interface ReadRange {
  readonly startMs: number
  readonly endMs: number
  /** Only events after this position. */
  readonly after?: Position
  readonly limit: number
}

/** Bounds of a log as of its last durable write. */
export interface LogTail {
  /**
   * Every existing event has a lower sequence, every future event has this sequence or a higher one. Not a count of
   * events.
   */
  readonly nextSequence: number
  /** Timestamp of the last event, 0 if there was none. */
  readonly lastTimestampMs: number
  /** Trim point: every existing event has this sequence or a higher one; `nextSequence` if no event exists. */
  readonly firstSequence: number
  /** No existing event is older than this. */
  readonly firstTimestampMs: number
}

/**
 * Totals of all events written to a log since it was created, removed events included. An engine may report them late.
 */
export interface LogTotals {
  readonly events: number
  /** Bytes of bodies. */
  readonly bytes: number
}

/** The result of a read that matches at least one event. */
export interface LogRead {
  /** The matching blocks in order, at least one. The engine has already read the first. To end early, call `return`. */
  readonly blocks: AsyncIterableIterator<EventBlock, void, undefined>
  /**
   * Position of the last event of `blocks`, if `limit` cut off further events of the range. Known before the other
   * blocks are read.
   */
  readonly next?: Position
  /**
   * Events behind the last one of the range may be stored already, but cannot be read before a large batch in front of them has
   * been committed.
   */
  readonly isBehind?: boolean
}

export interface AppendOptions {
  /**
   * The caller accepts a delay: the engine may hold the events for a few milliseconds to write them together with
   * others.
   */
  readonly linger?: boolean
  /**
   * Beside the write, the catalog is brought up to date, as by Catalog.fresh called after the append: the append resolves when both
   * have ended, and rejects with 'unknown' if the events are stored and the catalog cannot be read.
   */
  readonly fresh?: boolean
}

/**
 * Consecutive events of a log that were written during one opening of the store: from `firstSequence` to the next
 * stretch. After a store has been copied, the stretches that the two copies write have different epochs.
 */
export interface Stretch {
  readonly firstSequence: number
  /** Number of the opening, 1 to 2^32-1. */
  readonly epoch: number
  /** The events come from a backup. */
  readonly restored: boolean
}

/**
 * A large batch for one log. Call `add` as often as needed, then `commit` or `discard` once. No event is visible before
 * the commit; all are visible after it. Up to `contiguousBatchBytesMax` bytes, as that counts them, the batch is contiguous and has
 * one timestamp. A larger batch is in order, but may be interleaved with other events and have several timestamps. `add`
 * resolves when the engine can take more events, which bounds memory.
 *
 * Slices are in ascending order in their buffer. The buffer may be reused as soon as `add` has returned.
 */
export interface StagedBatch {
  add(slices: EventSlices, headers: EventHeaders): Promise<void>
  /** As `add`. The header sets must be valid: they are not checked. */
  addHeaded(events: HeadedEvents): Promise<void>
  /**
   * Frees the memory of the events that were added, where the engine can keep them elsewhere until the commit. For a caller
   * with many batches. Rejects as `add` does.
   */
  spill(): Promise<void>
  /**
   * Changes the log of the batch: before `commit`, or after a `commit` that rejected with 'dropped'. The added events
   * are kept.
   */
  moveTo(log: LogId): void
  /**
   * Resolves once the batch is durable, with the position of its last event; undefined if the batch was empty. Rejects
   * with StorageError 'dropped' if the log is being dropped: nothing is stored, and the batch can be moved and
   * committed again.
   */
  commit(): Promise<Position | undefined>
  /** Discards the batch. Has no effect after `commit`, unless that rejected with 'dropped'. */
  discard(): Promise<void>
}

/**
 * Events with their original timestamps for a log that has never been written to: call `add` as often as needed, then
 * `finish`. No other module may use the log yet, because added events are in it before `finish`. If `finish` is never
 * called, the log must be dropped.
 */
export interface LogRestore {
  /**
   * Adds events that share headers and timestamp. The timestamp never goes back. Resolves when more events may be
   * added. Slices are in ascending order in their buffer. The buffer may be reused as soon as `add` has been called.
   */
  add(slices: EventSlices, headers: EventHeaders, timestampMs: number): Promise<void>
  /** Resolves once all events are durable. */
  finish(): Promise<void>
}

/** The caller's decision on the data that maintenance may remove or rewrite. */
export interface MaintenancePlan {
  /** Logs in use. Their events older than `expiredBeforeMs` are invisible, so the engine may remove them. */
  readonly logs: readonly { readonly log: LogId; readonly expiredBeforeMs: number }[]
  /** Logs that will never be used again. The engine removes them completely. */
  readonly dropped: readonly LogId[]
  /** Whether the engine may rewrite events so that reads are faster. This needs disk space before it frees some. */
  readonly mayRewrite: boolean
  /** Called for a log that cannot be maintained, because it is damaged. Maintenance of the other logs continues. */
  readonly onError: (log: LogId, error: unknown) => void
}

export interface MaintenanceResult {
  /**
   * Number of storage units removed. The engine defines the unit, so a caller can only test for 0 and observe growth.
   */
  readonly removed: number
  /** Whether there is work for another step now. */
  readonly more: boolean
}

/**
 * Called after every group of changes has become durable: with the number of changes in the write, their bytes, the
 * duration of the write, and the time since the first of them arrived, both in milliseconds. Errors that it throws are
 * ignored.
 */
export type GroupWatcher = (changes: number, bytes: number, writeMs: number, waitMs: number) => void

/**
 * All methods may be called at any time, but only one `maintain` at a time. Every method that returns a promise rejects
 * with StorageError: 'unavailable' or 'full' (certainly not done), 'unknown' (a write that may or may not be stored),
 * 'closed', 'corrupt' (bytes differ from those that were written).
 */
export interface EventLog {
  /**
   * Appends `events` in order; resolves with the position of the last one. Needs at least one event.
   *
   * All events are stored, or none. They have consecutive sequences and one timestamp. Once resolved they are as
   * durable as the engine promises. Timestamps come from the engine's clock and never go back. A log is created by its
   * first event.
   *
   * Rejects with 'dropped' while the log is being dropped. After 'unknown' the events may appear later, also after a
   * restart. So a caller that retries may write them twice.
   */
  append(log: LogId, events: readonly EventData[], options?: AppendOptions): Promise<Position>

  /** Starts a large batch for this log. */
  stage(log: LogId): StagedBatch

  /** Fills a log from a backup. The log must never have been written to. */
  restore(log: LogId): LogRestore

  /**
   * The events in range, in order, up to the tail at the time of the call; undefined if there are none. The blocks
   * reject with 'corrupt' at bytes that differ from those that were written. All blocks before are right.
   */
  read(log: LogId, range: ReadRange): Promise<LogRead | undefined>

  /** Position of the event with this sequence; undefined if no event has it, or it was removed. */
  locate(log: LogId, sequence: number): Promise<Position | undefined>

  /** Bounds of the log; undefined for one that was never written to. */
  tail(log: LogId): Promise<LogTail | undefined>

  totals(log: LogId): Promise<LogTotals>

  /** Every log that has been written to and has not been dropped. */
  logs(): Promise<readonly LogId[]>

  /**
   * Resolves when the log may have an event with this sequence or a higher one, however it was written, or when
   * `signal` is aborted. It may resolve too early, so the caller reads again. It never misses such an event.
   */
  growth(log: LogId, sequence: number, signal: AbortSignal): Promise<void>

  /** Number of the store, 1 to 2^32-1; 0 in memory. A copy of the store that is put into service has another number. */
  readonly identity: number

  /**
   * The stretches of a log, ascending: which opening wrote which events. The epoch of events before the first is
   * unknown.
   */
  stretches(log: LogId): Promise<readonly Stretch[]>

  /** The clock that sets the timestamps of events, in milliseconds since 1970. */
  nowMs(): number

  /**
   * One bounded step of maintenance. It removes expired events, dropped logs and the data of abandoned batches, and
   * rewrites events for faster reads. Readers see no difference. Every log of the plan gets its share over repeated
   * steps.
   */
  maintain(plan: MaintenancePlan): Promise<MaintenanceResult>

  /** `watcher` replaces the previous one. An engine without groups never calls it. */
  watchGroups(watcher: GroupWatcher): void

  /**
   * The reason why writes are refused now; undefined while they are accepted. `failureHeals`: whether it can end by
   * itself.
   */
  failure(): StorageError | undefined
}
