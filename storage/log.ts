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
 * body is `bytes.subarray(starts[i], ends[i])`. Only what the range asked for is covered by the runs.
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
  /** Trim point: sequence of the first event that may still exist. */
  readonly firstSequence: number
}

/**
 * A batch on its way in: `add` as often as needed, then `commit` or `discard`, once. Until commit nothing is visible;
 * after it all of it is, contiguous and under one timestamp. `add` resolves when more may be added, which bounds memory.
 */
export interface StagedBatch {
  add(slices: EventSlices, headers: EventHeaders): Promise<void>
  /** Resolves once durable, with the position of the last event, or undefined if the batch was empty. */
  commit(log: LogId): Promise<Position | undefined>
  discard(): Promise<void>
}
