/**
 * Walks keys in order, a few hundred KiB at a time, each time with a fresh iterator.
 *
 * An open LevelDB iterator pins files and a snapshot. A reader may be a client that takes one byte a second, so none is
 * held between two rounds. The next round is fetched while the caller works on this one, and rounds are large, as long as
 * the caller is quick: many slow readers together would hold much memory for nothing.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import type { AbstractGetOptions, AbstractIterator, AbstractIteratorOptions } from 'abstract-level'
import { freeMemory } from '../free-memory.ts'
import type { Level } from './level.ts'
import { storageErrorOf } from './level-error.ts'

export type Entry = [key: Buffer, value: Buffer]

/** Enough that opening the iterator does not count. */
const ROUND_BYTES = 512 * 1024
/**
 * For a caller who takes less than this in a millisecond, rounds are small: to wait for one is nothing to him. On the
 * average of the whole scan, for a slow network takes megabytes at a time, too, and then nothing for seconds.
 */
const SLOW_BYTES_PER_MS = 10 * 1024
const SLOW_ROUND_BYTES = 96 * 1024
/** A round has at most so many entries, and no more than a few times those of the last round. */
const ROUND_ENTRIES = 4096
const ROUND_GROWTH = 4

/**
 * Entries with `gte <= key < lt`, in order. Those that have been fetched are taken without waiting:
 *
 *   for (let entry = scan.take(); entry !== undefined || (await scan.fetch()); entry = scan.take()) …
 *
 * Most reads want only the beginning, and know its key: so the first round is the entry of `gte` alone, if there is one,
 * the second is one entry, for what is wanted may begin right behind, and only then are rounds large and fetched ahead.
 */
export class EntryScan {
  readonly #db: Level
  readonly #lt: Buffer
  /** Where the next round begins. */
  #gte: Buffer
  /** Keys that are looked up before anything is scanned. */
  #known: Buffer[]
  #round: readonly Entry[] = []
  #at = 0
  /** How many entries the next round may have. */
  #entries = 1
  #ahead: Promise<Entry[]> | undefined
  /** Handed out since `#sinceMs`, which is when the first round was. */
  #bytes = 0
  #sinceMs = 0

  /** `second` is the first key above `gte`, where it is known: both entries are then one round. */
  constructor(db: Level, gte: Buffer, lt: Buffer, second?: Buffer) {
    this.#db = db
    this.#gte = gte
    this.#lt = lt
    this.#known = second === undefined ? [gte] : [gte, second]
  }

  /** The next of the entries that have been fetched. */
  take(): Entry | undefined {
    return this.#at < this.#round.length ? this.#round[this.#at++] : undefined
  }

  /** Fetches more; false if there are none. */
  async fetch(): Promise<boolean> {
    this.#at = 0
    try {
      if (this.#known.length > 0) this.#round = await this.#fetchKnown()
      else this.#round = []
      if (this.#round.length === 0) this.#round = await this.#fetchNext()
    } catch (error) {
      this.#round = []
      throw storageErrorOf(error)
    }
    return this.#round.length > 0
  }

  /** The values that have been fetched are used no more, taken or not: large ones are empty from now on. */
  release(): void {
    if (this.#round.length === 0) return
    if (handsOutCopies(this.#db)) freeMemory(this.#round.map(([, value]) => value))
    this.#round = []
  }

  async #fetchKnown(): Promise<Entry[]> {
    const keys = this.#known
    this.#known = []
    const values =
      keys.length === 1
        ? [await this.#db.get(keys[0]!, NOT_CACHED)]
        : await this.#db.getMany(keys, NOT_CACHED)
    const found: Entry[] = []
    for (let i = 0; i < keys.length; i++) {
      const value = values[i]
      if (value !== undefined) found.push([keys[i]!, value])
    }
    if (found.length > 0) this.#gte = keyAfter(found[found.length - 1]![0])
    return found
  }

  async #fetchNext(): Promise<Entry[]> {
    const isFirst = this.#entries === 1
    const isSlow = !isFirst && this.#bytes < (performance.now() - this.#sinceMs) * SLOW_BYTES_PER_MS
    const bytesMax = isSlow ? SLOW_ROUND_BYTES : ROUND_BYTES
    const round = await (this.#ahead ?? this.#beginRound(bytesMax))
    this.#ahead = undefined
    if (round.length === 0) return round
    this.#gte = keyAfter(round[round.length - 1]![0])
    this.#entries = Math.min(ROUND_GROWTH * round.length, ROUND_ENTRIES)
    if (isFirst) this.#sinceMs = performance.now()
    for (const [, value] of round) this.#bytes += value.length
    if (!isFirst && !isSlow) {
      this.#ahead = this.#beginRound(bytesMax)
      this.#ahead.catch(() => {}) // told when it is awaited; a caller that stops early does not care
    }
    return round
  }

  #beginRound(bytesMax: number): Promise<Entry[]> {
    return fetchRound(this.#db, this.#gte, this.#lt, this.#entries, bytesMax)
  }
}

/** The engine in memory hands out what it keeps. */
function handsOutCopies(db: Level): boolean {
  return db.supports.permanence
}

/** A long read must not push out what point reads need. */
const NOT_CACHED = { fillCache: false } as AbstractGetOptions<Buffer, Buffer>

async function fetchRound(
  db: Level,
  gte: Buffer,
  lt: Buffer,
  entries: number,
  bytesMax: number,
): Promise<Entry[]> {
  const options = { gte, lt, ...NOT_CACHED, highWaterMarkBytes: bytesMax }
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
  return onlyKey(db, { gte, lte, reverse: true })
}

/** The first key that is `>= gte` and `< lt`, or undefined. */
export async function firstKey(db: Level, gte: Buffer, lt: Buffer): Promise<Buffer | undefined> {
  return onlyKey(db, { gte, lt })
}

async function onlyKey(
  db: Level,
  range: AbstractIteratorOptions<Buffer, Buffer>,
): Promise<Buffer | undefined> {
  let iterator: AbstractIterator<Level, Buffer, Buffer> | undefined
  try {
    // Not db.keys(), which is two objects for each read, and both outlive it until a large garbage collection.
    iterator = db.iterator({ ...range, limit: 1, values: false })
    const [entry] = await iterator.nextv(1)
    return entry?.[0]
  } catch (error) {
    throw storageErrorOf(error)
  } finally {
    await iterator?.close()
  }
}

/** The smallest key above this one. */
export function keyAfter(key: Buffer): Buffer {
  const after = Buffer.alloc(key.length + 1)
  key.copy(after)
  return after
}
