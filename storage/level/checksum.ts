/**
 * The checksum of all values on disk that are not empty: CRC-32C of the key, then of the value from `from` on. A value
 * that was altered, or is stored under another key, does not match.
 *
 * The library is fast for long values. For the few bytes of a key, a call of native code would cost more than the
 * computation, so their checksum is computed here.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import { crc32c } from '@node-rs/crc32'

export function checksum(key: Uint8Array, value: Buffer, from: number): number {
  return crc32c(value.subarray(from), crc32cOfFew(key))
}

function crc32cOfFew(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (let i = 0; i < bytes.length; i++) crc = TABLE[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}

/** Contribution of each byte value, for the polynomial 0x1EDC6F41 in reversed bit order. */
const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})
