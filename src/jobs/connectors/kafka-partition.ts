/** The partition of a key as Kafka's Java clients choose it: murmur2 over its bytes. */

const SEED = 0x9747b28c
const MULTIPLIER = 0x5bd1e995

export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

export function murmur2(data: Uint8Array): number {
  const { length } = data
  let hash = SEED ^ length
  const whole = length & ~3
  for (let at = 0; at < whole; at += 4) {
    let part = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)
    part = Math.imul(part, MULTIPLIER)
    part ^= part >>> 24
    hash = Math.imul(hash, MULTIPLIER) ^ Math.imul(part, MULTIPLIER)
  }
  const rest = length & 3
  if (rest === 3) hash ^= data[whole + 2]! << 16
  if (rest >= 2) hash ^= data[whole + 1]! << 8
  if (rest >= 1) hash = Math.imul(hash ^ data[whole]!, MULTIPLIER)
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER)
  return hash ^ (hash >>> 15)
}
