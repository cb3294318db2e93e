/**
 * Reads Avro's long: zigzag, then 7 bits a byte, least significant first, at most 10 bytes.
 *
 * Exact up to 2^53; beyond, a double that is about right, which serves as well for lengths and counts, because every
 * limit they are compared with is far below.
 *
 * Indexes are asserted with `!`: the loop bounds keep the index inside.
 */
import { AvroProblem } from '../schemas/avro-problem.ts'

export const LONG_BYTES_MAX = 10

/** One reader gives no object to each long: the end of the last one read stays here. */
export class LongReader {
  /** Where the long that was read last ends. */
  next = 0

  /** Undefined if `bytes` ends, at `end`, before the long does. */
  read(bytes: Uint8Array, start: number, end: number): number | undefined {
    // Most take one byte.
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
      // The lowest bit of the first byte is the sign; the others make the value, or for a negative one its complement.
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
