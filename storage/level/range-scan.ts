/**
 * Walks keys in order, a few hundred KiB at a time, each time with a fresh iterator.
 *
 * An open LevelDB iterator pins files and a snapshot. A reader may be a client that takes one byte a second, so nothing
 * is held between two rounds; the next round is fetched while the caller works on this one.
 */
import type { AbstractKeyIterator } from 'abstract-level'
import type { Level } from './level.ts'
import { storageErrorOf } from './level-error.ts'

export type Entry = [key: Buffer, value: Buffer]

/** Enough that opening the iterator does not count. */
const ROUND_BYTES = 512 * 1024
const ROUND_ENTRIES = 4096
/** Most reads want only the beginning: the first round is small, and nothing is fetched ahead of need. */
const FIRST_ROUND_ENTRIES = 4

/** Entries with `gte <= key < lt`, in rounds; no round is empty. */
export async function* scanRounds(
  db: Level,
  gte: Buffer,
  lt: Buffer,
): AsyncGenerator<Entry[], void, undefined> {
  try {
    let round = await fetchRound(db, gte, lt, FIRST_ROUND_ENTRIES)
    if (round.length === 0) return
    yield round
    let next = fetchRound(db, keyAfterLast(round), lt, ROUND_ENTRIES)
    for (;;) {
      round = await next
      if (round.length === 0) return
      next = fetchRound(db, keyAfterLast(round), lt, ROUND_ENTRIES)
      next.catch(() => {}) // told when it is awaited; a caller that stops early does not care
      yield round
    }
  } catch (error) {
    throw storageErrorOf(error)
  }
}

async function fetchRound(db: Level, gte: Buffer, lt: Buffer, entries: number): Promise<Entry[]> {
  // Without fillCache a long read would not push out what point reads need.
  const options = { gte, lt, fillCache: false, highWaterMarkBytes: ROUND_BYTES }
  const iterator = db.iterator(options)
  try {
    return (await iterator.nextv(entries)) as Entry[]
  } finally {
    await iterator.close()
  }
}

/** The last key that is `>= gte` and `<= lte`, or undefined. */
export async function lastKeyNotAfter(db: Level, gte: Buffer, lte: Buffer): Promise<Buffer | undefined> {
  return onlyKey(db.keys({ gte, lte, reverse: true, limit: 1 }))
}

/** The first key that is `>= gte` and `< lt`, or undefined. */
export async function firstKey(db: Level, gte: Buffer, lt: Buffer): Promise<Buffer | undefined> {
  return onlyKey(db.keys({ gte, lt, limit: 1 }))
}

async function onlyKey(iterator: AbstractKeyIterator<Level, Buffer>): Promise<Buffer | undefined> {
  try {
    return await iterator.next()
  } catch (error) {
    throw storageErrorOf(error)
  } finally {
    await iterator.close()
  }
}

/** The smallest key above this one. */
export function keyAfter(key: Buffer): Buffer {
  const after = Buffer.alloc(key.length + 1)
  key.copy(after)
  return after
}

function keyAfterLast(round: readonly Entry[]): Buffer {
  return keyAfter(round[round.length - 1][0])
}
