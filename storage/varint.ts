/**
 * Varints of our blocks: unsigned LEB128. The decoders have their own loops, which keep the offset in a field or a
 * local variable.
 */

export const VARINT_BYTES_MAX = 5

/** Returns the offset after the varint. */
export function writeVarint(bytes: Buffer, start: number, value: number): number {
  let at = start
  let rest = value
  while (rest >= 0x80) {
    bytes[at++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  bytes[at++] = rest
  return at
}
