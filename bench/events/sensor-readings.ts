/**
 * Readings of sensors as JSON, about 100 bytes each, one a line: what the tables of the suite `jobs` declare. The time of a
 * reading grows by one millisecond, so that a window of 30 s has 30,000 of them.
 */

const HOSTS = 50
const CPUS = 8
const FIRST_MS = 1_633_956_780_000

/** Readings `from` to `from + count - 1`. The same numbers give the same bytes. */
export function readings(from: number, count: number): Buffer {
  const lines: string[] = []
  for (let n = from; n < from + count; n++) lines.push(reading(n), '\n')
  return Buffer.from(lines.join(''))
}

export function reading(n: number): string {
  return `{"hostname":"${hostName(mixed(n) % HOSTS)}","cpu":"cpu${(mixed(n) >>> 8) % CPUS}","usage":${usageOf(n)},"occurred_at":${FIRST_MS + n}}`
}

/** Between 0 and 100, with two digits behind the point. */
export function usageOf(n: number): number {
  return (mixed(n + 7) % 10_000) / 100
}

export function hosts(): readonly string[] {
  return Array.from({ length: HOSTS }, (_, at) => hostName(at))
}

/** The host of a reading. */
export function hostOf(n: number): number {
  return mixed(n) % HOSTS
}

function hostName(at: number): string {
  return `host-${String(at).padStart(4, '0')}.example.org`
}

/** Spreads numbers: SplitMix's last step, 32 bits. */
function mixed(n: number): number {
  let x = Math.imul(n + 1, 0x9e3779b9)
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}
