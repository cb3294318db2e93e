/** Varints of our blocks: LEB128, unsigned. Readers have their own loops, which keep their place in a field or a local. */

export const VARINT_BYTES_MAX = 5

/** Returns the offset behind it. */
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
