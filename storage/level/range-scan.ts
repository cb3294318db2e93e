/**
 * Walks keys in order, a few hundred KiB at a time, each time with a fresh iterator.
 *
 * An open LevelDB iterator pins files and a snapshot. A reader may be a client that takes one byte a second, so nothing
 * is held between two rounds; the next round is fetched while the caller works on this one.
 */
import type { AbstractGetOptions, AbstractKeyIterator } from 'abstract-level'
import { freeMemory } from './free-memory.ts'
import type { Level } from './level.ts'
import { storageErrorOf } from './level-error.ts'

export type Entry = [key: Buffer, value: Buffer]

/** Enough that opening the iterator does not count. */
const ROUND_BYTES = 512 * 1024
/** Room for so many entries is made at once, and no more than a few times of what the last round had. */
const ROUND_ENTRIES = 4096
const ROUND_GROWTH = 4

/**
 * Entries with `gte <= key < lt`, in rounds; no round is empty. Most reads want only the beginning, and know its key:
 * so the first round is the entry of `gte` alone, if there is one, the second is one entry, for what is wanted may begin
 * right behind, and only then are rounds large and fetched ahead.
 */
export async function* scanRounds(
  db: Level,
  gte: Buffer,
  lt: Buffer,
): AsyncGenerator<Entry[], void, undefined> {
  try {
    let from = gte
    const value = await db.get(gte, NOT_CACHED)
    if (value !== undefined) {
      yield [[gte, value]]
      from = keyAfter(gte)
    }
    let entries = 1
    let ahead: Promise<Entry[]> | undefined
    for (;;) {
      const round = await (ahead ?? fetchRound(db, from, lt, entries))
      if (round.length === 0) return
      from = keyAfter(round[round.length - 1][0])
      const isFirst = entries === 1
      entries = Math.min(ROUND_GROWTH * round.length, ROUND_ENTRIES)
      if (!isFirst) {
        ahead = fetchRound(db, from, lt, entries)
        ahead.catch(() => {}) // told when it is awaited; a caller that stops early does not care
      }
      yield round
    }
  } catch (error) {
    throw storageErrorOf(error)
  }
}

/** The same for a caller who is done with a round when it asks for the next, or for none: large values are empty then. */
export async function* scanRoundsOnce(
  db: Level,
  gte: Buffer,
  lt: Buffer,
): AsyncGenerator<Entry[], void, undefined> {
  for await (const round of scanRounds(db, gte, lt)) {
    try {
      yield round
    } finally {
      freeMemory(
        db,
        round.map(([, value]) => value),
      )
    }
  }
}

/** A long read must not push out what point reads need. */
const NOT_CACHED = { fillCache: false } as AbstractGetOptions<Buffer, Buffer>

async function fetchRound(db: Level, gte: Buffer, lt: Buffer, entries: number): Promise<Entry[]> {
  const options = { gte, lt, ...NOT_CACHED, highWaterMarkBytes: ROUND_BYTES }
  const iterator = db.iterator(options)
  try {
    const round = (await iterator.nextv(entries)) as Entry[]
    // Until the garbage collector finds it, classic-level's iterator keeps a copy of what it has read last. So let that be
    // nothing, or the rounds of a long read pile up unseen.
    iterator.seek(lt)
    await iterator.nextv(1)
    return round
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
