/**
 * Checks before LevelDB opens a store, for damage that LevelDB does not report: it skips records of its write-ahead
 * logs that do not match, and deletes the log; it creates a new store if CURRENT is missing; and it reads its tables
 * without verifying their checksums.
 *
 *   manifest, write-ahead logs    all of them: they contain the newest writes
 *   tables                        the blocks with documents, tails and marks, which define the content of the store
 *   STOPPED                       whether the files of the last clean stop are unchanged (stop-record.ts)
 *
 * Events are checked when they are read, by checksums of our own. These checks before opening take a few milliseconds.
 *
 * LevelDB may also end the process by an assertion when it reads a damaged block. So after an unclean stop all blocks
 * of the newest tables are checked too, which takes a second or two. The next start then reports the damage instead of
 * ending the same way.
 */
import { join } from 'node:path'
import type { FileDamage } from '../level-files/file-damage.ts'
import { storeFileNames } from '../level-files/file-names.ts'
import { StoreFiles } from '../level-files/store-files.ts'
import { StorageError } from '../storage-error.ts'
import { describeKey } from './key-description.ts'
import { BLOCKS, markKey, NO_LOG, PIECES } from './keys.ts'
import { ALTERED_STOP_RECORD, changedSince, readStopRecord } from './stop-record.ts'
import { StoreLock } from './store-lock.ts'

/** Bytes of tables to check, at 200 MB a second or more. */
const CHECKED_BYTES_MAX = 512 * 1024 * 1024

/** The ranges of all keys that are not events. */
const SMALL_KEYS: readonly (readonly [gte: Buffer | undefined, lt: Buffer | undefined])[] = [
  [undefined, BLOCKS.gte],
  [BLOCKS.lt, PIECES.gte],
  [PIECES.lt, undefined],
]

/**
 * Resolves with remarks for the operator about a store that can be opened. Rejects with StorageError 'corrupt' if
 * opening it would hide damage, and 'locked' if another process has it open.
 */
export async function checkBeforeOpen(folder: string): Promise<string[]> {
  const store = join(folder, 'store')
  const found = await lookOrUndefined(folder)
  if (found?.damage.length === 0) return found.remarks
  // Another process may be changing the files that were just read. So take its lock, and check once more.
  const lock = await StoreLock.take(store)
  try {
    const { damage, remarks } = await look(folder)
    if (damage.length > 0) throw damaged(folder, damage)
    return remarks
  } finally {
    await lock.release()
  }
}

interface Findings {
  readonly damage: readonly FileDamage[]
  readonly remarks: string[]
}

async function lookOrUndefined(folder: string): Promise<Findings | undefined> {
  try {
    return await look(folder)
  } catch {
    return undefined
  }
}

async function look(folder: string): Promise<Findings> {
  const store = join(folder, 'store')
  const damage: FileDamage[] = []
  const record = readStopRecord(folder)
  const remarks = record === 'altered' ? [ALTERED_STOP_RECORD] : []
  const { hasCurrent, tables, logs } = storeFileNames(store)
  // A crash during the creation of a store leaves it without CURRENT, and without any data.
  if (!hasCurrent && tables.size + logs.size === 0 && typeof record !== 'object') return { damage, remarks }
  const files = new StoreFiles(store, (one) => {
    if (!one.harmless) damage.push(one)
  })
  if (damage.length === 0 && typeof record === 'object') {
    for (const one of changedSince(record, store, files)) {
      if (one.harmless) remarks.push(remarkOnTable(one))
      else damage.push(one)
    }
  }
  if (damage.length > 0) return { damage, remarks: [] }
  for (const [gte, lt] of SMALL_KEYS) for (const _ of files.entries(gte, lt));
  if (damage.length > 0 || wasClosed(files)) return { damage, remarks: [...remarks, ...remarksOn(files)] }
  // Between two tables a service that opens its store again handles other requests.
  for (const _ of files.checkTables(CHECKED_BYTES_MAX)) await new Promise((resolve) => setImmediate(resolve))
  return {
    damage: damage.filter(({ fatal }) => fatal),
    remarks: [...remarks, ...remarksOn(files), ...damage.map(remarkOnTable)],
  }
}

/** Whether the last write is the one without content that ends a clean stop (level-log.ts). */
function wasClosed({ lastWrite, end }: StoreFiles): boolean {
  const [entry] = lastWrite
  if (end.kind !== 'whole' || lastWrite.length !== 1 || entry === undefined) return false
  return entry.deleted && entry.key.equals(markKey(NO_LOG))
}

function remarksOn({ end }: StoreFiles): string[] {
  return end.kind === 'doubtful' ? [remarkOn(end.damage)] : []
}

function remarkOnTable({ file, offset, reason, keys }: FileDamage): string {
  const place = keys === undefined ? '' : `; reading it may fail, up to ${describeKey(keys.upTo)}`
  return `store/${file} is damaged at byte ${offset}: ${reason}${place}`
}

function damaged(folder: string, damage: readonly FileDamage[]): StorageError {
  const { file, offset, reason } = damage[0]!
  const others = damage.length > 1 ? `, and ${damage.length - 1} more` : ''
  return new StorageError(
    'corrupt',
    `data folder ${folder} is damaged: store/${file} at byte ${offset}: ${reason}${others}. Nothing was changed. ` +
      `'millrace verify --data ${folder}' lists what is damaged, 'millrace repair' saves the rest into a new folder`,
  )
}

function remarkOn({ file, offset, reason }: FileDamage): string {
  return (
    `the last write in store/${file}, at byte ${offset}, is not whole (${reason}) and was left out. After a power cut this is ` +
    'normal: it had not been answered. Otherwise the file was damaged, and what was written last is missing'
  )
}
