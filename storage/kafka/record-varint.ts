/**
 * Varints inside records: zigzag, then 7 bits a byte, the lowest first. Whole numbers within ±2^53. The reader of batches has
 * a loop of its own, which keeps the offset in a local variable.
 */

export function varintSize(value: number): number {
  let rest = value < 0 ? -2 * value - 1 : 2 * value
  let size = 1
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80)
    size++
  }
  return size
}

/** Returns the offset after the varint. */
export function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start
  if (value >= 0 && value < 0x3fff_ffff) {
    let rest = value << 1
    while (rest >= 0x80) {
      bytes[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    bytes[at++] = rest
    return at
  }
  // Beyond 2^53 the doubled value is still exact, because it is even or one less.
  let rest = value < 0 ? -2 * value - 1 : 2 * value
  while (rest >= 0x80) {
    bytes[at++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  bytes[at++] = rest
  return at
}
