/** LevelDB's checksum: a masked CRC-32C. LevelDB masks it because a CRC over bytes that contain CRCs is weak. */
import { crc32c } from '@node-rs/crc32'

const MASK_DELTA = 0xa282ead8

/** Whether `masked` is the checksum that LevelDB writes beside these bytes. */
export function checksumMatches(masked: number, bytes: Uint8Array): boolean {
  return crc32c(bytes) === unmasked(masked)
}

function unmasked(masked: number): number {
  const rotated = (masked - MASK_DELTA) >>> 0
  return ((rotated >>> 17) | (rotated << 15)) >>> 0
}
