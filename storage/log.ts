/**
 * EventLog: the contract between a log engine and the modules above it, and the values that cross it.
 *
 * A log is an ordered sequence of events, named by a LogId that is never reused. The engine knows no stream names, no TTL
 * and no HTTP. What differs between engines is stated in `EnginePromises` (storage.ts): callers read it there and assume
 * nothing else. Every engine passes test/contract/event-log.ts.
 */
import type { StorageError } from './storage-error.ts'

/** Names one log, a whole number from 1 to 2^32-1. Never reused, so an old one can only mean what it meant. */
export type LogId = number

/** Name and value, in the order the client sent them. Names are unique within one event. */
export type EventHeaders = readonly (readonly [name: string, value: string])[]

export interface EventData {
  readonly headers: EventHeaders
  readonly body: Uint8Array
}

/** Events cut out of one buffer: the body of event i is `bytes.subarray(starts[i], ends[i])`, for i < count. */
export interface EventSlices {
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
  readonly ends: Uint32Array
  readonly count: number
}

/**
 * Where an event is in its log. Sequences ascend and may have holes, so a caller never adds a count to one; an engine
 * without holes says so (`gaplessSequences`). Timestamps never go back.
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
 * Neighbouring events as read: `runs` cover the ones that the range asked for, in order. Inside one block sequences have no
 * holes: event i has sequence `firstSequence + i` and the body `bytes.subarray(starts[i], ends[i])`. The bytes are valid
 * until the next block is requested or the read ends; the engine may reuse their memory then.
 */
export interface EventBlock {
  readonly firstSequence: number
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
  readonly ends: Uint32Array
  readonly runs: readonly EventRun[]
}

/** Which events to read. `[startMs, endMs)` in time, events after the position `after`, at most `limit` of them. */
export interface ReadRange {
  readonly startMs: number
  readonly endMs: number
  /** Continue after this position. */
  readonly after?: Position
  readonly limit: number
}

/** Bounds of a log as of its last durable write. */
export interface LogTail {
  /** Every event has a lower sequence, every later one this or a higher one. A position, not a count of events. */
  readonly nextSequence: number
  /** Timestamp of the last event, 0 if there was none. */
  readonly lastTimestampMs: number
  /** Trim point: every event that still exists has this sequence or a higher one; `nextSequence` if none exists. */
  readonly firstSequence: number
  /** No event that still exists is older than this. */
  readonly firstTimestampMs: number
}

/** What was written to a log since it was created, removed events included. An engine may report it late. */
export interface LogTotals {
  readonly events: number
  /** Bytes of bodies. */
  readonly bytes: number
}

/** The answer to a read that matches at least one event. */
export interface LogRead {
  /** The matching blocks in order, at least one; the engine has read the first already. End it early with `return`. */
  readonly blocks: AsyncIterableIterator<EventBlock, void, undefined>
  /** Position of the last event of `blocks`, if `limit` cut off further events of the range; known before the rest is read. */
  readonly next?: Position
}

export interface AppendOptions {
  /** The caller is in no hurry: the engine may hold the events back for a few milliseconds, to write them with others. */
  readonly linger?: boolean
}

/**
 * Consecutive events of a log that one opening of the store wrote: from `firstSequence` to the next stretch. Of two copies
 * of a store that have both been written to since, no two stretches have the same epoch.
 */
export interface Stretch {
  readonly firstSequence: number
  /** The opening's number, 1 to 2^32-1. */
  readonly epoch: number
  /** The events come from a backup. */
  readonly restored: boolean
}

/**
 * A large batch for one log: call `add` as often as needed, then `commit` or `discard`, once. Nothing of it is visible
 * before the commit, all of it after. Up to `contiguousBatchBytesMax` body bytes it is contiguous and has one timestamp; a
 * larger one is in order, and may be interleaved with other events and have several. `add` resolves when the engine can
 * take more, which bounds memory.
 *
 * Slices ascend in their buffer, which may be reused as soon as `add` has returned.
 */
export interface StagedBatch {
  add(slices: EventSlices, headers: EventHeaders): Promise<void>
  /** Names another log for the batch, before `commit`, or after one that was 'dropped'. Nothing that was added is lost. */
  moveTo(log: LogId): void
  /**
   * Resolves once durable, with the position of the last event; undefined if the batch was empty. Rejects with StorageError
   * 'dropped' if the log is being dropped: nothing is stored then, and the batch can be moved and committed again.
   */
  commit(): Promise<Position | undefined>
  /** Gives the batch up; without effect after `commit`, except one that was 'dropped'. */
  discard(): Promise<void>
}

/**
 * Events on their way into a log that has never been written to, with the times they had: `add` as often as needed, then
 * `finish`. No other module may use the log yet: what has been added is in it before `finish`, and if that is never called, the
 * log is one to be dropped.
 */
export interface LogRestore {
  /**
   * Adds events that share headers and time, which never goes back. Resolves when more may be added. Slices stand in
   * ascending order in their buffer, which may be reused as soon as `add` has been called.
   */
  add(slices: EventSlices, headers: EventHeaders, timestampMs: number): Promise<void>
  /** Resolves once all of it is durable. */
  finish(): Promise<void>
}

/** What maintenance may remove or rewrite, as the caller decides it. */
export interface MaintenancePlan {
  /** Logs in use. Their events older than `expiredBeforeMs` are invisible, so the engine may remove them. */
  readonly logs: readonly { readonly log: LogId; readonly expiredBeforeMs: number }[]
  /** Logs that will never be used again: the engine removes them completely. */
  readonly dropped: readonly LogId[]
  /** Whether the engine may rewrite events so that they are read faster. That takes disk space before it frees some. */
  readonly mayRewrite: boolean
  /** A log that cannot be maintained, because it is damaged, does not keep the others from it. */
  readonly onError: (log: LogId, error: unknown) => void
}

export interface MaintenanceResult {
  /** Pieces of storage that were removed, in the engine's own unit: only 0 and growth mean something to a caller. */
  readonly removed: number
  /** Whether another step has work to do now. */
  readonly more: boolean
}

/**
 * Called after every group of changes has become durable: how many changes share the write, their bytes, and milliseconds
 * of the write and since the first of them arrived. Errors it throws are dropped.
 */
export type GroupWatcher = (changes: number, bytes: number, writeMs: number, waitMs: number) => void

/**
 * All methods may be called at any time, `maintain` once at a time. Every method that returns a promise rejects with
 * StorageError: 'unavailable' or 'full' (certainly not done), 'unknown' (a write that may or may not be stored), 'closed',
 * 'corrupt' for bytes that are not what was written.
 */
export interface EventLog {
  /**
   * Appends `events` in order; resolves with the position of the last one. Needs at least one event.
   *
   * All are stored or none, with neighbouring sequences and one timestamp. Once resolved they are as durable as the engine
   * promises. Timestamps come from the engine's clock and never go back. A log is created by its first event.
   *
   * Rejects with 'dropped' while the log is being dropped. After 'unknown' the events may appear later, also after a restart:
   * a caller that retries may write them twice.
   */
  append(log: LogId, events: readonly EventData[], options?: AppendOptions): Promise<Position>

  /** Starts a large batch for this log. */
  stage(log: LogId): StagedBatch

  /** Fills a log from a backup. The log must never have been written to. */
  restore(log: LogId): LogRestore

  /**
   * The events in range, in order, up to the tail at the time of the call; undefined if there are none. The blocks reject
   * with 'corrupt' where bytes are not what was written; everything before is right.
   */
  read(log: LogId, range: ReadRange): Promise<LogRead | undefined>

  /** Position of the event with this sequence; undefined if no event has it, or it was removed. */
  locate(log: LogId, sequence: number): Promise<Position | undefined>

  /** Bounds of the log; undefined for one that was never written to. */
  tail(log: LogId): Promise<LogTail | undefined>

  totals(log: LogId): Promise<LogTotals>

  /** Every log that was written to and not dropped. */
  logs(): Promise<readonly LogId[]>

  /**
   * Resolves when the log may have an event with this sequence or a higher one, however it was written, or when `signal` is
   * aborted. It may resolve too early, so the caller reads again; it never fails to resolve.
   */
  growth(log: LogId, sequence: number, signal: AbortSignal): Promise<void>

  /** Number of the store, 1 to 2^32-1, which a copy of it that is put into service does not have; 0 in memory. */
  readonly identity: number

  /** Which openings wrote the events of a log, ascending; the epoch of events before the first stretch is unknown. */
  stretches(log: LogId): Promise<readonly Stretch[]>

  /** The clock that gives events their times, in milliseconds since 1970. */
  nowMs(): number

  /**
   * One bounded step of removing expired events and dropped logs, of cleaning up after abandoned batches, and of rewriting
   * events for faster reads. Readers see no difference. Every log of the plan gets its share over repeated steps.
   */
  maintain(plan: MaintenancePlan): Promise<MaintenanceResult>

  /** `watcher` replaces the one before. An engine without groups never calls it. */
  watchGroups(watcher: GroupWatcher): void

  /** Why writes are refused now; undefined while they are accepted. Whether it ends by itself: `failureHeals`. */
  failure(): StorageError | undefined
}
