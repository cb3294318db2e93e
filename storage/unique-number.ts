/**
 * Numbers that no other store, and no other opening of this one, has. They are made from place and time, like UUIDs of
 * version 1. They are not secret, so they need no source of randomness.
 *
 * The data of a file that was just created (device, inode and times in nanoseconds) differs across machines and
 * restarts. A clock that never goes back differs within one process.
 */
import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { hostname } from 'node:os'

/** 1 to 2^32-1. `path` is a file that was created a moment ago; undefined for an engine in memory. */
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
