/** Functions over events stored as slices of one buffer, which several modules need. */
import { decodeHeaders, encodeHeaders } from './header-set.ts'
import type { EventBlock, EventData, EventRun, EventSlices, HeadedEvents } from './log.ts'

// Indexes are below `count`, and the arrays have at least `count` elements.

/** Body bytes of the first `count` slices. */
export function bodyBytes({ starts, ends, count }: Omit<EventSlices, 'bytes'>): number {
  let bytes = 0
  for (let i = 0; i < count; i++) bytes += ends[i]! - starts[i]!
  return bytes
}

/** Number of the events. */
export function headedCount({ bounds }: Pick<HeadedEvents, 'bounds'>): number {
  return (bounds.length - 1) / 2
}

/** Body bytes of the events. */
export function headedBodyBytes({ bounds }: Pick<HeadedEvents, 'bounds'>): number {
  let bytes = 0
  for (let i = 2; i < bounds.length; i += 2) bytes += bounds[i]! - bounds[i - 1]!
  return bytes
}

/** The events of one run of a block. They share the memory of the block. */
export function slicesOfRun({ bytes, starts, ends }: EventBlock, { begin, end }: EventRun): EventSlices {
  return {
    bytes,
    starts: starts.subarray(begin, end),
    ends: ends.subarray(begin, end),
    count: end - begin,
  }
}

/** Copies the bodies into one buffer, without gaps. */
export function slicesOfBodies(bodies: readonly Uint8Array[]): EventSlices {
  const starts = new Uint32Array(bodies.length)
  const ends = new Uint32Array(bodies.length)
  let at = 0
  for (const [i, { length }] of bodies.entries()) {
    starts[i] = at
    at += length
    ends[i] = at
  }
  return { bytes: Buffer.concat(bodies), starts, ends, count: bodies.length }
}

/** Events with their headers in one buffer. */
export function headedEventsOf(events: readonly EventData[]): HeadedEvents {
  const parts: Uint8Array[] = []
  const bounds = new Uint32Array(2 * events.length + 1)
  let at = 0
  for (const [i, { headers, body }] of events.entries()) {
    const encoded = encodeHeaders(headers)
    parts.push(encoded, body)
    at += encoded.length
    bounds[2 * i + 1] = at
    at += body.length
    bounds[2 * i + 2] = at
  }
  return { bytes: Buffer.concat(parts), bounds }
}

/** The events, which share the memory of the buffer. */
export function eventsOfHeaded({ bytes, bounds }: HeadedEvents): EventData[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const events: EventData[] = []
  for (let i = 2; i < bounds.length; i += 2)
    events.push({
      headers: decodeHeaders(buffer.subarray(bounds[i - 2], bounds[i - 1])),
      body: buffer.subarray(bounds[i - 1], bounds[i]),
    })
  return events
}
