/**
 * Memory for the events of parts, used again when a part was sent. Without it each part became garbage outside V8's heap, and V8 marked
 * its whole heap again every few parts.
 */

/** A part is about 1 MiB and the events of one change. */
const BUFFER_BYTES = 1024 * 1024 + 256 * 1024
const BUFFERS_MAX = 4

const free: ArrayBuffer[] = []

export function eventBuffer(length: number): Uint8Array {
  if (length > BUFFER_BYTES || length < BUFFER_BYTES / 4) return new Uint8Array(length)
  return new Uint8Array(free.pop() ?? new ArrayBuffer(BUFFER_BYTES), 0, length)
}

/** Of `eventBuffer`. It must not be used any more. */
export function giveBack({ buffer }: Uint8Array): void {
  if (buffer.byteLength === BUFFER_BYTES && free.length < BUFFERS_MAX) free.push(buffer as ArrayBuffer)
}
