/** Whether a disk that failed takes writes again: found out beside the store, which can only be tried by closing it. */
import { open, readdir, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageError } from '../storage-error.ts'
import { storageErrorOf } from './level-error.ts'

/** A manifest, the beginning of a log, and the first writes. */
const SPARE_BYTES = 4 * 1024 * 1024
/** What LevelDB has put off while it could not write is compacted at once, and frees room only when it is done. */
const COMPACTION_BYTES = 32 * 1024 * 1024
const CHUNK = Buffer.alloc(1024 * 1024, 'probe')

/**
 * Writes as much into the data folder as opening the store will, which writes anew what is in LevelDB's logs; syncs it and
 * takes it away. Rejects with StorageError.
 */
export async function probeDisk(folder: string): Promise<void> {
  try {
    const bytes = SPARE_BYTES + (await bytesToRecover(join(folder, 'store')))
    const { bavail, bsize } = await statfs(folder)
    const wanted = bytes + COMPACTION_BYTES
    if (bavail * bsize < wanted) {
      throw new StorageError(
        'full',
        `the disk has ${bavail * bsize} bytes free; opening the store takes ${wanted}`,
      )
    }
    await tryWriting(join(folder, 'PROBE'), bytes)
  } catch (error) {
    throw storageErrorOf(error)
  }
}

async function tryWriting(path: string, bytes: number): Promise<void> {
  try {
    const file = await open(path, 'w')
    try {
      for (let written = 0; written < bytes; written += CHUNK.length) await file.writeFile(CHUNK)
      await file.sync()
    } finally {
      await file.close()
    }
  } finally {
    await rm(path, { force: true })
  }
}

async function bytesToRecover(store: string): Promise<number> {
  const names = await readdir(store)
  const logs = names.filter((name) => name.endsWith('.log'))
  const sizes = await Promise.all(logs.map(async (name) => (await stat(join(store, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}
