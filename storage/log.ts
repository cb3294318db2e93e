/**
 * EventLog: what a log engine promises to the rooms above it, and the values that cross that border.
 *
 * A log is an ordered sequence of events on disk, named by a LogId that is never reused. The engine knows no stream
 * names, no TTL and no HTTP. Every engine passes test/contract/event-log.ts.
 */

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

/** Where an event stands: sequence counts 0, 1, 2 … per log without gaps; timestamps never go back. */
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
 * A stretch of events as read from disk: `runs` cover it in order, event i has sequence `firstSequence + i` and its
 * body is `bytes.subarray(starts[i], ends[i])`. Only what the range asked for is covered by the runs. Bodies are good until
 * the next block is asked for, or the read is given up: then their memory may be used for something else.
 */
export interface EventBlock {
  readonly firstSequence: number
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
  readonly ends: Uint32Array
  readonly runs: readonly EventRun[]
}

/** Which events to read. `[startMs, endMs)` in time, sequences above `afterSequence`, at most `limit` of them. */
export interface ReadRange {
  readonly startMs: number
  readonly endMs: number
  /** Continue after this position. */
  readonly after?: Position
  readonly limit: number
}

/** State of a log as of its last durable write. */
export interface LogTail {
  /** Sequence the next event will get: also the number of events ever written. */
  readonly nextSequence: number
  /** Timestamp of the last event, 0 if there was none. */
  readonly lastTimestampMs: number
  /** Body bytes ever written. */
  readonly bytesWritten: number
  /** Trim point: sequence of the first event that still exists, nextSequence if none does. */
  readonly firstSequence: number
  /** No event that still exists is older than this. */
  readonly firstTimestampMs: number
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
 * A batch on its way in: `add` as often as needed, then `commit` or `discard`, once. Until commit nothing is visible;
 * after it all of it is, contiguous and under one timestamp. `add` resolves when more may be added, which bounds memory.
 *
 * Slices stand in ascending order in their buffer, which may be reused as soon as `add` has been called.
 */
export interface StagedBatch {
  add(slices: EventSlices, headers: EventHeaders): Promise<void>
  /**
   * Resolves once durable, with the position of the last event, or undefined if the batch was empty. `target` is asked
   * at the last moment, for a large batch takes a while; if it throws, so does commit, and nothing is stored.
   */
  commit(target: () => LogId): Promise<Position | undefined>
  /** Gives the batch up; after `commit` has succeeded it does nothing. */
  discard(): Promise<void>
}

/**
 * Events on their way into a log that has never been written to, with the times they had: `add` as often as needed, then
 * `finish`. Nobody may know of the log yet: what has been added is in it before `finish`, and if that is never called, the
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

/** Work done, and whether there is more of the same to do. */
export interface Progress {
  readonly removed: number
  readonly more: boolean
}

/**
 * How many changes share the write, their bytes, and milliseconds: of the write, and since the first of them arrived. What
 * it throws reaches nobody.
 */
export type GroupWatcher = (changes: number, bytes: number, writeMs: number, waitMs: number) => void

/** `trim`, `merge` and `drop` of one log are called one after the other; everything else may be called at any time. */
export interface EventLog {
  /**
   * Appends `events` in order; resolves with the position of the last one. Needs at least one.
   *
   * All are stored or none. Once resolved they survive a crash of the process and of the machine. Timestamps come from
   * the log's clock and never go back. A log comes into being with its first event.
   *
   * Rejects with StorageError 'unavailable' or 'full' if the engine cannot write: after a failed write the events may
   * still appear when it is opened again, so a caller that retries may write them twice. 'dropped' while the log is
   * being dropped; once it is gone its id is not used any more.
   *
   * With `linger` the caller is in no hurry: the engine may hold the events back for a few milliseconds, to write them
   * together with others. They are no less durable once it resolves.
   */
  append(log: LogId, events: readonly EventData[], linger?: boolean): Promise<Position>

  stage(): StagedBatch

  /** Fills a log from a backup. The log must never have been written to. */
  restore(log: LogId): LogRestore

  /**
   * The events in range, in order, up to the tail as it was at the call. Throws StorageError 'corrupt' where bytes on
   * disk are not what was written; what was handed out before is right.
   */
  read(log: LogId, range: ReadRange): AsyncIterable<EventBlock>

  /**
   * Position of the event with this sequence; undefined if it is gone or not yet there. `near` is an event before it:
   * the closer, the fewer seeks.
   */
  locate(log: LogId, sequence: number, near?: Position): Promise<Position | undefined>

  /** Number of the store, which a copy of it that is put into service does not have, 1 to 2^32-1; 0 in memory. */
  readonly identity: number

  /**
   * What is known of who wrote the events of a log, ascending; events before the first stretch are of no known epoch.
   * At once where they are at hand. Rejects with StorageError.
   */
  stretches(log: LogId): readonly Stretch[] | Promise<readonly Stretch[]>

  /** Undefined for a log that has never been written to. */
  tail(log: LogId): LogTail | undefined

  /** Every log that has a tail. */
  logs(): LogId[]

  /** Removes up to `limit` blocks all of whose events are older than `beforeMs`, oldest first. */
  trim(log: LogId, beforeMs: number, limit: number): Promise<Progress>

  /**
   * Joins small neighbouring blocks of events older than `beforeMs`, looking at up to `limit` blocks: events that arrived
   * one by one are then read as fast as a batch. Nothing a reader sees changes. `removed` counts blocks that went.
   */
  merge(log: LogId, beforeMs: number, limit: number): Promise<Progress>

  /** Removes up to `limit` blocks of a log that will never be used again, and the log itself with the last. */
  drop(log: LogId, limit: number): Promise<Progress>

  /** Removes up to `limit` blocks of segments that belong to no log: abandoned uploads, trimmed and dropped ones. */
  sweep(limit: number): Promise<Progress>

  /** Called after every durable append with the log that grew. */
  onAppend(listener: (log: LogId) => void): () => void

  /** `watcher` is told of every group of changes that has become durable, instead of the one before it. */
  watchGroups(watcher: GroupWatcher): void

  /** Why writes are refused since a write failed; undefined while all is well. */
  failure(): Error | undefined
}
