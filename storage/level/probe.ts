/** Whether a disk that failed takes writes again: found out beside the store, which can only be tried by closing it. */
import { existsSync } from 'node:fs'
import { open, readdir, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { canSyncFolders, syncFolder } from './format-stamp.ts'
import { storageErrorOf } from './level-error.ts'
import { removeUncommittedTables, uncommittedTables } from './uncommitted-tables.ts'

/** A manifest, and the first writes. */
const SPARE_BYTES = 256 * 1024
/** What opening makes: a table, a manifest, its name in CURRENT, a log. Each takes a place in a file system that counts them. */
const FILES = 4
const CHUNK = Buffer.alloc(256 * 1024, 'probe')

/**
 * Writes into the data folder as much as opening the store will, which writes anew what is in LevelDB's logs, and as many
 * files; syncs them and takes them away. What more LevelDB may want, for compaction, is not asked for: a disk that has
 * never so much room would keep the store from being opened at all, and the truncation that makes room from being done.
 * Room that `makeRoom` will find counts as there. Rejects with StorageError.
 */
export async function probeDisk(folder: string): Promise<void> {
  try {
    const store = join(folder, 'store')
    const bytes = await bytesToOpen(store)
    try {
      await tryWriting(folder, bytes)
    } catch (error) {
      const free = await freeBytes(folder)
      const lacksBytes = storageErrorOf(error).code === 'full' && free < bytes // and not places for files, or a quota
      if (!lacksBytes || free + uncommittedTables(store).bytes < bytes) throw error
    }
  } catch (error) {
    throw storageErrorOf(error)
  }
}

/** Before a store is opened: takes away what LevelDB would take away too late, if there is too little room to open it. */
export async function makeRoom(folder: string): Promise<void> {
  const store = join(folder, 'store')
  if (!existsSync(store) || (await freeBytes(folder)) >= (await bytesToOpen(store))) return
  await removeUncommittedTables(store)
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
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
