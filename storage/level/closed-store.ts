/**
 * A data folder that no process has open, read without changing anything in it. The commands verify, repair and backup
 * use it.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { FileDamage, OnFileDamage } from '../level-files/file-damage.ts'
import { StoreFiles } from '../level-files/store-files.ts'
import { StorageError } from '../storage-error.ts'
import { hasReadableStamp, isUnstamped } from './format-stamp.ts'
import { ALTERED_STOP_RECORD, changedSince, readStopRecord } from './stop-record.ts'
import { readIdentity } from './store-identity.ts'
import { StoreLock } from './store-lock.ts'

export interface ClosedStore {
  /** LevelDB's folder. */
  readonly store: string
  readonly files: StoreFiles
  /**
   * Differences between the files now and when the store was last closed. They have been reported as damage already.
   */
  readonly changed: readonly FileDamage[]
  /** Damage outside LevelDB's files, as sentences. It loses no event. */
  readonly besides: readonly string[]
  /** Releases the lock: other processes may open the folder again. */
  close(): Promise<void>
}

/**
 * A folder whose FORMAT stamp is missing or altered is refused, or with 'assume format' is read as the current format.
 * A folder of another format is always refused. Rejects with StorageError 'format', 'locked' or 'unavailable', and with
 * 'corrupt' if there is no folder `store`. Damage of LevelDB's files is reported to `onDamage` and does not reject.
 */
export async function openClosedStore(
  folder: string,
  onDamage: OnFileDamage,
  withoutStamp: 'refuse' | 'assume format' = 'refuse',
): Promise<ClosedStore> {
  const store = join(folder, 'store')
  if (!existsSync(folder)) throw new StorageError('unavailable', `there is no folder ${folder}`)
  const assumed = withoutStamp === 'assume format' && isUnstamped(folder)
  if (!assumed && !hasReadableStamp(folder)) throw unstamped(folder, existsSync(store))
  if (!existsSync(store))
    throw new StorageError('corrupt', `${folder} has a FORMAT stamp and no folder store`)
  const lock = await StoreLock.take(store)
  try {
    const files = new StoreFiles(store, onDamage)
    const record = readStopRecord(folder)
    const changed =
      record === undefined || record === 'altered' ? [] : [...changedSince(record, store, files)]
    for (const one of changed) onDamage(one)
    const besides = [...(record === 'altered' ? [ALTERED_STOP_RECORD] : []), ...identityDamage(folder)]
    return { store, files, changed, besides, close: () => lock.release() }
  } catch (error) {
    await lock.release()
    throw error
  }
}

function* identityDamage(folder: string): Generator<string, void> {
  try {
    readIdentity(folder)
  } catch (error) {
    if (!(error instanceof StorageError)) throw error
    yield error.message
  }
}

function unstamped(folder: string, hasStore: boolean): StorageError {
  const advice = hasStore ? "; if it is one that has lost it, 'millrace repair' reads it without" : ''
  return new StorageError(
    'format',
    `${folder} has no FORMAT stamp: it is not a Millrace data folder${advice}`,
  )
}
