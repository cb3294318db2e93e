/**
 * Reads a whole range from one iterator, some entries per call of LevelDB: mostly while the store opens, when no other
 * work runs. Reads that clients wait for, or that may take long, use range-scan.ts.
 *
 * V8 enlarges the memory of young objects by the objects that are alive at a garbage collection, and the process keeps
 * that memory. So rounds are small, and callers keep little of them.
 */
import type { KeyRange } from './keys.ts'
import type { Level } from './level.ts'
import { storageErrorOf } from './level-error.ts'
import type { Entry } from './range-scan.ts'

/** Smaller rounds take longer: a call of LevelDB costs as much as reading dozens of entries. */
const ROUND_ENTRIES = 128
const ROUND_BYTES = 32 * 1024

/** Entries in order, in rounds; no round is empty. Throws StorageError if LevelDB cannot read. */
export function walk(db: Level, range: KeyRange): AsyncGenerator<Entry[], void, undefined> {
  return rounds(db, range)
}

/**
 * For ranges whose keys and values are UTF-8. Thousands of small buffers need more memory than the objects made from
 * them.
 */
export function walkText(
  db: Level,
  { gte, lt }: KeyRange,
): AsyncGenerator<[key: string, value: string][], void, undefined> {
  const text = { keyEncoding: 'utf8', valueEncoding: 'utf8' } as const
  return rounds(db, { gte: gte.toString(), lt: lt.toString(), ...text })
}

async function* rounds<T>(
  db: Level,
  range: { readonly gte: T; readonly lt: T },
): AsyncGenerator<[key: T, value: T][], void, undefined> {
  const options = { ...range, fillCache: false, highWaterMarkBytes: ROUND_BYTES }
  const iterator = db.iterator<T, T>(options)
  try {
    for (;;) {
      const round = await iterator.nextv(ROUND_ENTRIES)
      if (round.length === 0) return
      yield round
    }
  } catch (error) {
    throw storageErrorOf(error)
  } finally {
    await iterator.close()
  }
}
