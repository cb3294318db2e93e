/** Whether a disk that failed takes writes again: found out beside the store, which can only be tried by closing it. */
import { existsSync, statfsSync } from 'node:fs'
import { open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageError } from '../storage-error.ts'
import { canSyncFolders, syncFolder } from './format-stamp.ts'
import { storageErrorOf } from './level-error.ts'
import { removeUncommittedTables, uncommittedTables } from './uncommitted-tables.ts'

/** A manifest, and the first writes. */
const SPARE_BYTES = 256 * 1024
/** What opening makes: a table, a manifest, its name in CURRENT, a log. Each takes a place in a file system that counts them. */
const FILES = 4
const CHUNK = Buffer.alloc(256 * 1024, 'probe')

/** What LevelDB compacts as soon as it is open may take so much more at first. Where it is not there the store may fail again. */
const COMPACTION_BYTES = 32 * 1024 * 1024
/** With so much more free disk space than at the failure, another try is worth it. */
const GROWN_BYTES = 256 * 1024
/** A try costs readers their connections: where nothing has changed the next one is put off so long. */
const UNCHANGED_MS = 30_000

export interface Failure {
  /** Free disk space when the write failed, if it is known. */
  readonly freeBytes: number | undefined
  /** A request waits that will free disk space. */
  readonly urgent: boolean
}

/** Whether the store should be opened again: asked every few seconds since it has failed. */
export class DiskProbe {
  readonly #folder: string
  /** Of the first look since the last try. */
  #sinceMs: number | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Rejects with StorageError while it would be in vain, or is not worth it. */
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
 * Writes into the data folder as much as opening the store will, which writes anew what is in LevelDB's logs, and as many
 * files; syncs them and takes them away. What more LevelDB may want, for compaction, is not asked for: a disk that has
 * never so much free disk space would keep the store from being opened, and so keep a truncation from freeing it.
 * Disk space that opening will free counts as free. Rejects with StorageError.
 */
export async function probeDisk(folder: string): Promise<void> {
  try {
    const store = join(folder, 'store')
    const bytes = await bytesToOpen(store)
    try {
      await tryWriting(folder, bytes)
    } catch (error) {
      const free = freeBytesNow(folder)
      const lacksBytes = storageErrorOf(error).code === 'full' && free < bytes // and not places for files, or a quota
      if (!lacksBytes || free + uncommittedTables(store).bytes < bytes) throw error
    }
  } catch (error) {
    throw storageErrorOf(error)
  }
}

/** Before a store is opened: deletes files that LevelDB would delete too late, if there is too little disk space to open it. */
export async function freeDiskSpace(folder: string): Promise<void> {
  const store = join(folder, 'store')
  if (!existsSync(store) || freeBytesNow(folder) >= (await bytesToOpen(store))) return
  await removeUncommittedTables(store)
}

/** None if the disk cannot be asked. */
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
