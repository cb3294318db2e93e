/**
 * Reads Avro's long: zigzag, then 7 bits a byte, least significant first, at most 10 bytes.
 *
 * Values up to 2^53 are exact. Larger values are rounded to a double. That is enough for lengths and counts, because
 * every limit that they are compared with is far below 2^53.
 *
 * Indexes are asserted with `!`: the loop bounds keep the index inside.
 */
import { AvroProblem } from '../schemas/avro-problem.ts'

export const LONG_BYTES_MAX = 10

/** The reader returns no object per long: the end of the last long that it read is in `next`. */
export class LongReader {
  /** Where the last long that was read ends. */
  next = 0

  /** Undefined if the long does not end before `end`. */
  read(bytes: Uint8Array, start: number, end: number): number | undefined {
    // Most longs take one byte.
    if (start < end && bytes[start]! < 0x80) {
      this.next = start + 1
      return (bytes[start]! >>> 1) ^ -(bytes[start]! & 1)
    }
    let half = 0
    let scale = 1
    for (let at = start; at < end; at++) {
      if (at - start === LONG_BYTES_MAX)
        throw new AvroProblem(`a number takes more than ${LONG_BYTES_MAX} bytes`)
      const bits = bytes[at]! & 0x7f
      // The lowest bit of the first byte is the sign. The other bits are the value, or its complement if it is
      // negative.
      half += at === start ? bits >>> 1 : bits * scale
      scale *= at === start ? 64 : 128
      if (bytes[at]! < 0x80) {
        this.next = at + 1
        return bytes[start]! & 1 ? -half - 1 : half
      }
    }
    return undefined
  }
}
