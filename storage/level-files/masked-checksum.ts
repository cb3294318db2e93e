/** LevelDB's checksum: CRC-32C, masked, because a sum of bytes that hold such sums themselves is a weak one. */
import { crc32c } from '@node-rs/crc32'

const MASK_DELTA = 0xa282ead8

/** Whether `masked` is what LevelDB has written beside these bytes. */
export function checksumMatches(masked: number, bytes: Uint8Array): boolean {
  return crc32c(bytes) === unmasked(masked)
}

function unmasked(masked: number): number {
  const rotated = (masked - MASK_DELTA) >>> 0
  return ((rotated >>> 17) | (rotated << 15)) >>> 0
}
