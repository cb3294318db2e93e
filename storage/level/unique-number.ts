/**
 * Numbers that no other store, and no other opening of this one, has: made from place and time, as UUIDs of version 1
 * are. They are no secrets, so they need no source of randomness.
 *
 * A file that was just made tells them apart across machines and restarts (device, inode and times in nanoseconds), and a
 * clock that only counts forward does within one process.
 */
import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { hostname } from 'node:os'

/** 1 to 2^32-1. `path` is a file that was made a moment ago; undefined for an engine in memory. */
export function uniqueNumber(purpose: string, path: string | undefined): number {
  const file = path === undefined ? undefined : statSync(path, { bigint: true })
  const facts = [
    purpose,
    hostname(),
    process.pid,
    process.hrtime.bigint(),
    file && [file.dev, file.ino, file.ctimeNs, file.birthtimeNs],
  ]
  return createHash('sha256').update(facts.flat().join()).digest().readUInt32BE(0) || 1
}
