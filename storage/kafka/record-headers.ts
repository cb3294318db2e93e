/**
 * Headers of an event as headers of a Kafka record, and back.
 *
 *   record headers := count varint | (nameLength varint | name | valueLength varint | value) x count   (zigzag varints)
 *
 * Names that begin with `millrace.` are marks of the engine, which readers of events do not see.
 */
import type { EventHeaders } from '../log.ts'

export const MARK_PREFIX = 'millrace.'
export const KEY_HEADER = 'key'
export const TOMBSTONE_HEADER = 'tombstone'

/** The headers of a run of events, encoded once. */
export interface EncodedHeaders {
  readonly bytes: Buffer
  /** The key of the record: the value of the header `key`. */
  readonly key: Buffer | null
  /** The header `tombstone` is `true`: an event without body has no value then. */
  readonly isTombstone: boolean
}

/** `marks`: further headers, by name with the prefix. */
export function encodeRecordHeaders(_headers: EventHeaders, _marks?: EventHeaders): EncodedHeaders {
  throw new Error('not built yet')
}
