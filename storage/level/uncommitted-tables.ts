/**
 * Tables that LevelDB started to write and its manifest has never named: the result of a failed compaction or flush,
 * mostly on a full disk. LevelDB deletes them when it opens the store, but only after it has written the content of its
 * logs into a new table. If these tables use the last disk space, that write fails, and the store could never be opened
 * again.
 *
 * A whole manifest shows which tables these are. It begins with all tables that existed when it was created, and names
 * every table that was added or removed since, synced or not. A table that it does not name contains only data that is
 * also stored elsewhere.
 */
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { storeFileNames } from '../level-files/file-names.ts'
import { readVersion } from '../level-files/manifest.ts'
import { StoreLock } from './store-lock.ts'

export interface UncommittedTables {
  readonly names: readonly string[]
  readonly bytes: number
}

const NONE: UncommittedTables = { names: [], bytes: 0 }

/** None if the manifest cannot be read as a whole. Throws node's error. */
export function uncommittedTables(store: string): UncommittedTables {
  let damaged = false
  const version = readVersion(store, () => {
    damaged = true
  })
  if (version === undefined || damaged || !version.whole) return NONE
  const names = [...storeFileNames(store).tables]
    .filter(([number]) => !version.named.has(number))
    .map(([, name]) => name)
  return { names, bytes: names.reduce((sum, name) => sum + statSync(join(store, name)).size, 0) }
}

/**
 * Deletes these tables; no process may have the store open. Rejects with StorageError 'locked' or 'unavailable', or
 * node's error.
 */
export async function removeUncommittedTables(store: string): Promise<void> {
  if (uncommittedTables(store).names.length === 0) return
  const lock = await StoreLock.take(store)
  try {
    // Listed once more: while this process holds the lock, no other process commits one of them.
    for (const name of uncommittedTables(store).names) rmSync(join(store, name), { force: true })
  } finally {
    await lock.release()
  }
}
