/**
 * Tables that LevelDB began and its manifest has never named: what a compaction or a flush leaves that failed, on a full disk
 * above all. LevelDB deletes them when it opens the store, but only after it has written what is in its logs into a new
 * table; where they use the last disk space, that fails, and the store could never be opened again.
 *
 * A manifest that is whole tells which they are: it begins with all tables that there were, and names every one that came or
 * went since, synced or not. What it has not named holds nothing that is not elsewhere.
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

/** None where the manifest cannot be read whole. Throws node's error. */
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

/** No process has the store open. Rejects with StorageError 'locked' or 'unavailable', or node's error. */
export async function removeUncommittedTables(store: string): Promise<void> {
  if (uncommittedTables(store).names.length === 0) return
  const lock = await StoreLock.take(store)
  try {
    // Once more: while this process holds the lock no other commits one.
    for (const name of uncommittedTables(store).names) rmSync(join(store, name), { force: true })
  } finally {
    await lock.release()
  }
}
