/**
 * Tests whether a disk that failed accepts writes again. The test writes files beside the store, because the store
 * itself can only be tested by closing and opening it.
 */
import { existsSync, statfsSync } from 'node:fs'
import { open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageError } from '../storage-error.ts'
import { canSyncFolders, syncFolder } from './format-stamp.ts'
import { storageErrorOf } from './level-error.ts'
import { removeUncommittedTables, uncommittedTables } from './uncommitted-tables.ts'

/** For a manifest, and the first writes. */
const SPARE_BYTES = 256 * 1024
/**
 * The number of files that opening a store creates: a table, a manifest, the new file for CURRENT, a log. A file system
 * may limit the number of files.
 */
const FILES = 4
const CHUNK = Buffer.alloc(256 * 1024, 'probe')

/**
 * LevelDB compacts as soon as it is open, which may take this much more disk space at first. With less free disk space
 * the store may fail again.
 */
const COMPACTION_BYTES = 32 * 1024 * 1024
/** If free disk space has grown by this much since the failure, another attempt to open the store is worth it. */
const GROWN_BYTES = 256 * 1024
/** An attempt closes the connections of readers. If nothing has changed, the next attempt is delayed by this time. */
const UNCHANGED_MS = 30_000

export interface Failure {
  /** Free disk space when the write failed, if it is known. */
  readonly freeBytes: number | undefined
  /** A request that will free disk space is waiting. */
  readonly urgent: boolean
}

/** Decides whether the store should be opened again. It is asked every few seconds after a failure. */
export class DiskProbe {
  readonly #folder: string
  /** Time of the first check since the last attempt. */
  #sinceMs: number | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Rejects with StorageError while an attempt would fail, or is not worth it. */
  async ready({ freeBytes: freeAtFailure, urgent }: Failure): Promise<void> {
    this.#sinceMs ??= performance.now()
    await probeDisk(this.#folder)
    const free = freeBytesNow(this.#folder)
    const isAmple = free >= COMPACTION_BYTES + (await bytesToOpen(join(this.#folder, 'store')))
    const hasGrown = free >= (freeAtFailure ?? 0) + GROWN_BYTES
    const isDue = performance.now() - this.#sinceMs >= UNCHANGED_MS
    if (!isAmple && !hasGrown && !urgent && !isDue) {
      throw new StorageError(
        'full',
        `the disk has ${free} bytes free, as when the write failed; free disk space, or truncate or delete streams`,
      )
    }
    this.#sinceMs = undefined
  }
}

/**
 * Writes as many bytes and as many files into the data folder as opening the store will, syncs them and deletes them.
 * Opening writes the content of LevelDB's logs again. The additional disk space for compaction is not tested: on a disk
 * that never has so much free, the store would never be opened, and then no truncation could free disk space. Disk
 * space that opening will free counts as free. Rejects with StorageError.
 */
export async function probeDisk(folder: string): Promise<void> {
  try {
    const store = join(folder, 'store')
    const bytes = await bytesToOpen(store)
    try {
      await tryWriting(folder, bytes)
    } catch (error) {
      const free = freeBytesNow(folder)
      const lacksBytes = storageErrorOf(error).code === 'full' && free < bytes // bytes are missing, not files or a quota
      if (!lacksBytes || free + uncommittedTables(store).bytes < bytes) throw error
    }
  } catch (error) {
    throw storageErrorOf(error)
  }
}

/**
 * Called before a store is opened. If there is too little disk space to open it, deletes files that LevelDB would
 * delete too late.
 */
export async function freeDiskSpace(folder: string): Promise<void> {
  const store = join(folder, 'store')
  if (!existsSync(store) || freeBytesNow(folder) >= (await bytesToOpen(store))) return
  await removeUncommittedTables(store)
}

/** 0 if the file system does not report it. */
export function freeBytesNow(folder: string): number {
  try {
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize
  } catch {
    return 0
  }
}

async function tryWriting(folder: string, bytes: number): Promise<void> {
  const paths = Array.from({ length: FILES }, (_, i) => join(folder, i === 0 ? 'PROBE' : `PROBE.${i}`))
  try {
    for (const [i, path] of paths.entries()) await write(path, i === 0 ? bytes : 1)
    if (canSyncFolders()) syncFolder(folder)
  } finally {
    for (const path of paths) await rm(path, { force: true })
  }
}

async function write(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w')
  try {
    for (let left = bytes; left > 0; left -= CHUNK.length)
      await file.writeFile(left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function bytesToOpen(store: string): Promise<number> {
  const names = await readdir(store)
  const logs = names.filter((name) => name.endsWith('.log'))
  const sizes = await Promise.all(logs.map(async (name) => (await stat(join(store, name))).size))
  return sizes.reduce((sum, size) => sum + size, SPARE_BYTES)
}
