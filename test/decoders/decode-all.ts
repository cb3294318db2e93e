/**
 * Runs a whole body through a decoder, cut into chunks at will. Events come back as latin1 text, which keeps every byte.
 */
import fc from 'fast-check'
import type { BatchDecoder } from '../../src/decoders/decoder.ts'
import { ServiceError } from '../../src/service-error.ts'
import type { EventSlices } from '../../storage/log.ts'

export const MIB = 1024 * 1024
export const ROOMY = { eventBytesMax: 16 * MIB }

export function decodeAll(decoder: BatchDecoder, chunks: readonly Uint8Array[]): string[] {
  const events: string[] = []
  const emit = ({ bytes, starts, ends, count }: EventSlices) => {
    for (let i = 0; i < count; i++) {
      events.push(Buffer.from(bytes.subarray(starts[i], ends[i])).toString('latin1'))
    }
  }
  for (const chunk of chunks) {
    let more = decoder.decode(chunk, emit)
    while (more) more = decoder.decodeMore(emit)
  }
  decoder.end(emit)
  return events
}

/** The events, or the refusal as plain data: two chunkings of one body must agree on either. */
export function outcome(decoder: BatchDecoder, chunks: readonly Uint8Array[]): unknown {
  try {
    return decodeAll(decoder, chunks)
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    return { code: error.code, message: error.message }
  }
}

/** The body in one piece, byte by byte, cut once at every place, and with empty chunks in between. */
export function chunkings(body: Buffer): Buffer[][] {
  const byByte = Array.from(body, (byte) => Buffer.from([byte]))
  const nothing = Buffer.alloc(0)
  const all = [[body], byByte, byByte.flatMap((chunk) => [nothing, chunk, nothing])]
  for (let at = 0; at <= body.length; at++) all.push([body.subarray(0, at), body.subarray(at)])
  return all
}

export function cutEvery(body: Buffer, bytes: number): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < body.length; at += bytes) chunks.push(body.subarray(at, at + bytes))
  return chunks
}

/** `body` cut at any places, for use with `fc.array(fc.nat())`. */
export function cutAt(body: Buffer, places: readonly number[]): Buffer[] {
  const sorted = places.map((place) => place % (body.length + 1)).sort((a, b) => a - b)
  return [0, ...sorted].map((from, i) => body.subarray(from, sorted[i] ?? body.length))
}

export const anyPlaces = fc.array(fc.nat(), { maxLength: 12 })

/** Bodies made of few different pieces, so that the interesting bytes meet each other often. */
export function bodyOf(...pieces: string[]): fc.Arbitrary<Buffer> {
  return fc
    .array(fc.constantFrom(...pieces), { maxLength: 60 })
    .map((parts) => Buffer.from(parts.join(''), 'latin1'))
}
