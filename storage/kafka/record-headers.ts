/**
 * Headers of an event as headers of a Kafka record, and back.
 *
 *   record headers := count varint | (nameLength varint | name | valueLength varint | value) x count   (zigzag varints)
 *
 * Names and values are UTF-8. Names that begin with `millrace.` are marks of the engine, which readers of events do not see. A
 * header of an event with such a name is written with `millrace.header.` before it.
 *
 * A record of another program may have a key without a header `key`, and no value without a header `tombstone`: then the
 * event gets these headers. A repeated name counts once, in its first place, with the last value. Bytes that are not UTF-8 become U+FFFD.
 */
import type { EventHeaders } from '../log.ts'
import { varintSize, writeVarint } from './record-varint.ts'

export const MARK_PREFIX = 'millrace.'
const EVENT_HEADER_PREFIX = 'millrace.header.'
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

const NONE: EncodedHeaders = { bytes: Buffer.from([0]), key: null, isTombstone: false }

/** `marks`: further headers, whose names have the prefix. */
export function encodeRecordHeaders(headers: EventHeaders, marks: EventHeaders = []): EncodedHeaders {
  if (headers.length + marks.length === 0) return NONE
  const named = headers.map(
    ([name, value]) => [name.startsWith(MARK_PREFIX) ? EVENT_HEADER_PREFIX + name : name, value] as const,
  )
  const key = headers.find(([name]) => name === KEY_HEADER)?.[1]
  const tombstone = headers.find(([name]) => name === TOMBSTONE_HEADER)?.[1]
  return {
    bytes: encodeAsTheyAre([...named, ...marks]),
    key: key === undefined ? null : Buffer.from(key),
    isTombstone: tombstone === 'true',
  }
}

export function encodeAsTheyAre(headers: EventHeaders): Buffer {
  const lengths = headers.map((header) => header.map((text) => Buffer.byteLength(text)) as [number, number])
  let length = varintSize(headers.length)
  for (const [name, value] of lengths) length += varintSize(name) + name + varintSize(value) + value
  const bytes = Buffer.allocUnsafe(length)
  let at = writeVarint(bytes, 0, headers.length)
  for (const [i, header] of headers.entries()) {
    for (const j of [0, 1] as const) {
      at = writeVarint(bytes, at, lengths[i]![j])
      at += bytes.write(header[j], at)
    }
  }
  return bytes
}

/** The headers of an event. `read`: those of its record, as they are. */
export function eventHeadersOf(read: EventHeaders, key: Buffer | null, hasValue: boolean): EventHeaders {
  if (hasValue && read.length < FEW && areThoseOfEvent(read, key !== null)) return read
  const headers = new Map<string, string>()
  for (const [name, value] of read) {
    if (!name.startsWith(MARK_PREFIX)) headers.set(name, value)
    else if (name.startsWith(EVENT_HEADER_PREFIX)) headers.set(name.slice(EVENT_HEADER_PREFIX.length), value)
  }
  if (key !== null && !headers.has(KEY_HEADER)) headers.set(KEY_HEADER, key.toString())
  if (!hasValue && !headers.has(TOMBSTONE_HEADER)) headers.set(TOMBSTONE_HEADER, 'true')
  return [...headers]
}

/** Up to here comparing all names is faster than a map of them. */
const FEW = 8

/** Nothing is hidden, repeated or missing: so it is for every record that the engine wrote itself. */
function areThoseOfEvent(read: EventHeaders, hasKey: boolean): boolean {
  let needsKey = hasKey
  for (let i = 0; i < read.length; i++) {
    const name = read[i]![0]
    if (name.startsWith(MARK_PREFIX)) return false
    if (name === KEY_HEADER) needsKey = false
    for (let j = 0; j < i; j++) if (read[j]![0] === name) return false
  }
  return !needsKey
}
