/** Functions over events stored as slices of one buffer, which several modules need. */
import type { EventBlock, EventRun, EventSlices } from './log.ts'

// Indexes are below `count`, and the arrays have at least `count` elements.

/** Body bytes of the first `count` slices. */
export function bodyBytes({ starts, ends, count }: Omit<EventSlices, 'bytes'>): number {
  let bytes = 0
  for (let i = 0; i < count; i++) bytes += ends[i]! - starts[i]!
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
