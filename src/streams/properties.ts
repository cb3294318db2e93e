/**
 * Properties of a stream: their values, defaults and limits, and how a change is merged. All values are checked already:
 * src/http/cdap/properties-json.ts parses them, and src/formats checks formats.
 *
 * Ten thousand streams with default properties share one frozen object.
 */
import type { FormatSpecification } from '../formats/format-specification.ts'

export interface StreamProperties {
  /** Seconds after ingestion during which an event is visible, 0 to TTL_SECONDS_MAX, which means for ever. */
  readonly ttlSeconds: bigint
  readonly format: FormatSpecification
  /** Mebibytes a stream takes in between two size notifications, 1 to 2^31-1. */
  readonly notificationThresholdMb: number
  readonly description?: string
  /** Kerberos principal that owns the stream; fixed once the stream exists. */
  readonly principal?: string
}

/** The properties that one request sets; others stay as they are. */
export type PropertiesChange = Partial<StreamProperties>

/** 2^63-1 milliseconds in whole seconds: more than a number holds exactly, hence bigint. */
export const TTL_SECONDS_MAX = 9_223_372_036_854_775n

const DEFAULT_FORMAT: FormatSpecification = Object.freeze({
  name: 'text',
  schema: '{"type":"record","name":"stringBody","fields":[{"name":"body","type":"string"}]}',
  settings: new Map<string, string>(),
})

export const DEFAULT_PROPERTIES: StreamProperties = Object.freeze({
  ttlSeconds: TTL_SECONDS_MAX,
  format: DEFAULT_FORMAT,
  notificationThresholdMb: 1024,
})

/** `current` with every property that `change` names replaced as a whole; `current` itself if it names none. */
export function mergeProperties(current: StreamProperties, change: PropertiesChange): StreamProperties {
  return Object.keys(change).length === 0 ? current : Object.freeze({ ...current, ...change })
}

/** Seconds as the service keeps them: what is above the maximum means for ever, like the maximum. */
export function saturateTtl(seconds: bigint): bigint {
  return seconds > TTL_SECONDS_MAX ? TTL_SECONDS_MAX : seconds
}

/**
 * The oldest timestamp that is still visible at `nowMs`: an event is iff `timestampMs >= earliestVisibleMs(…)`.
 * 0 when nothing can have expired yet; past every timestamp for a ttl of 0, with which nothing is readable, not even
 * what was written in this very millisecond.
 */
export function earliestVisibleMs(nowMs: number, ttlSeconds: bigint): number {
  if (ttlSeconds === 0n) return Number.MAX_SAFE_INTEGER
  // A ttl that reaches back before 1970 hides nothing; a smaller one, in milliseconds, is well within a number.
  return ttlSeconds > BigInt(Math.floor(nowMs / 1000)) ? 0 : nowMs - Number(ttlSeconds) * 1000
}
