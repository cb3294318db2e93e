/**
 * Reads entries in key order, a few hundred KiB at a time, each time with a new iterator.
 *
 * An open LevelDB iterator pins files and a snapshot. A reader may be a client that takes one byte a second, so no
 * iterator stays open between two rounds. While the caller is fast, rounds are large, and the next round is fetched
 * while the caller works on this one. For slow callers this is not done: many of them together would hold much memory
 * for no benefit.
 *
 * Indexes with `!` are in range: the loop bound, or an earlier check of the length, ensures it.
 */
import type { AbstractGetOptions, AbstractIterator, AbstractIteratorOptions } from 'abstract-level'
import { freeMemory } from '../free-memory.ts'
import type { Level } from './level.ts'
import { storageErrorOf } from './level-error.ts'

export type Entry = [key: Buffer, value: Buffer]

/** Large enough that the cost of opening the iterator is negligible. */
const ROUND_BYTES = 512 * 1024
/**
 * A caller that consumes fewer bytes per millisecond than this gets small rounds: it does not notice the wait for one.
 * Averaged over the whole scan, because a slow network also takes megabytes at once and then nothing for seconds.
 */
const SLOW_BYTES_PER_MS = 10 * 1024
const SLOW_ROUND_BYTES = 96 * 1024
/** A round has at most this many entries, and at most ROUND_GROWTH times the entries of the last round. */
const ROUND_ENTRIES = 4096
const ROUND_GROWTH = 4

/**
 * Entries with `gte <= key < lt`, in order. `take` returns the fetched ones without waiting:
 *
 *   for (let entry = scan.take(); entry !== undefined || (await scan.fetch()); entry = scan.take()) …
 *
 * Most reads need only the first entries and know the first key. So the first round is the entry of `gte`, if it
 * exists, the second is one more entry, and only later rounds are large and prefetched.
 */
export class EntryScan {
  readonly #db: Level
  readonly #lt: Buffer
  /** The key at which the next round begins. */
  #gte: Buffer
  /** Keys that are looked up before the scan begins. */
  #known: Buffer[]
  #round: readonly Entry[] = []
  #at = 0
  /** Maximum number of entries in the next round. */
  #entries = 1
  #ahead: Promise<Entry[]> | undefined
  /** Bytes of the rounds fetched since `#sinceMs`, the time of the first round. */
  #bytes = 0
  #sinceMs = 0

  /** `second` is the first key above `gte`, if it is known. Then both entries are one round. */
  constructor(db: Level, gte: Buffer, lt: Buffer, second?: Buffer) {
    this.#db = db
    this.#gte = gte
    this.#lt = lt
    this.#known = second === undefined ? [gte] : [gte, second]
  }

  /** The next fetched entry; undefined if all of them have been taken. */
  take(): Entry | undefined {
    return this.#at < this.#round.length ? this.#round[this.#at++] : undefined
  }

  /** Fetches more entries; false if there are none. */
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

  /** Frees the memory of the fetched values, taken or not. Large values are empty after that. */
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
      this.#ahead.catch(() => {}) // `await` throws the error; a caller that stops early does not need it
    }
    return round
  }

  #beginRound(bytesMax: number): Promise<Entry[]> {
    return fetchRound(this.#db, this.#gte, this.#lt, this.#entries, bytesMax)
  }
}

/** False for the engine in memory, which returns the buffers that it stores. */
function handsOutCopies(db: Level): boolean {
  return db.supports.permanence
}

/** A long read must not evict blocks from the cache that point reads need. */
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
    // Until it is garbage-collected, classic-level's iterator keeps a copy of the entries that it has read last. So its
    // last read is empty. Otherwise the rounds of a long read accumulate in memory.
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
    // Not db.keys(): it creates two objects for each read, and both stay in memory until a major garbage collection.
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
