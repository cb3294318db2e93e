/**
 * Properties of a stream: their values, defaults and limits, and the rules of merging a change. All values must have
 * been checked: src/http/cdap/properties-json.ts parses them, and src/formats checks formats.
 *
 * Ten thousand streams with default properties share one frozen object.
 */
import type { FormatSpecification } from '../formats/format-specification.ts'

export interface StreamProperties {
  /** Seconds after ingestion during which an event is visible: 0 to TTL_SECONDS_MAX, which means forever. */
  readonly ttlSeconds: bigint
  readonly format: FormatSpecification
  /** After this many mebibytes of new events the stream sends the next size notification: 1 to 2^31-1. */
  readonly notificationThresholdMb: number
  readonly description?: string
  /** Kerberos principal that owns the stream. It cannot be changed once the stream exists. */
  readonly principal?: string
}

/** The properties that one request sets. The others do not change. */
export type PropertiesChange = Partial<StreamProperties>

/** 2^63-1 milliseconds in whole seconds. A number does not hold it exactly, so it is a bigint. */
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

/** `current` with every property of `change` replaced as a whole; `current` itself if `change` is empty. */
export function mergeProperties(current: StreamProperties, change: PropertiesChange): StreamProperties {
  return Object.keys(change).length === 0 ? current : Object.freeze({ ...current, ...change })
}

/** The TTL as the service stores it: values above the maximum mean forever, like the maximum. */
export function saturateTtl(seconds: bigint): bigint {
  return seconds > TTL_SECONDS_MAX ? TTL_SECONDS_MAX : seconds
}

/**
 * The oldest timestamp that is still visible at `nowMs`: an event is visible if and only if `timestampMs >=
 * earliestVisibleMs(…)`. 0 if no event can have expired yet. With a TTL of 0 the result is above every timestamp, so
 * that no event is readable, not even one written in this millisecond.
 */
export function earliestVisibleMs(nowMs: number, ttlSeconds: bigint): number {
  if (ttlSeconds === 0n) return Number.MAX_SAFE_INTEGER
  // A TTL that reaches back before 1970 hides no event. A smaller one, in milliseconds, is well within a number.
  return ttlSeconds > BigInt(Math.floor(nowMs / 1000)) ? 0 : nowMs - Number(ttlSeconds) * 1000
}
