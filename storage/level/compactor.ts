/**
 * Frees the disk space of deleted keys. LevelDB keeps deleted keys until it compacts the tables that contain them, and
 * in a store with few writes that never happens. So ranges in which all keys are deleted are compacted here when it is
 * worth the cost.
 */
import type { KeyRange } from './keys.ts'
import { type Compactable, isCompactable, type Level } from './level.ts'

/** Seeks over many new tombstones are slow until they are compacted. */
const COMPACT_AFTER_KEYS = 4096
/** A compaction also rewrites the tables at both ends of a range, of 2 MiB each. */
const COMPACT_AFTER_BYTES = 8 * 1024 * 1024
/** A smaller range does not get a compaction of its own: a later compaction by LevelDB includes it. */
const RANGE_BYTES_MIN = 128 * 1024

export class Compactor {
  /** Undefined for an engine in memory, which does not keep deleted keys. */
  readonly #db: Compactable | undefined
  #keys = 0
  #bytes = 0
  #ranges: KeyRange[] = []

  constructor(db: Level) {
    this.#db = isCompactable(db) ? db : undefined
  }

  /** Registers that this many keys of the range have been deleted. `ended`: no key in the range is in use any more. */
  async deleted(keys: number, range: KeyRange, ended: boolean): Promise<void> {
    if (this.#db === undefined) return
    this.#keys += keys
    if (ended) {
      const bytes = await this.#db.approximateSize(range.gte, range.lt)
      if (bytes >= RANGE_BYTES_MIN) {
        this.#bytes += bytes
        this.#ranges.push(range)
      }
    }
    if (this.#keys >= COMPACT_AFTER_KEYS) this.#ranges.push(range)
    else if (this.#bytes < COMPACT_AFTER_BYTES) return
    const ranges = joined(this.#ranges)
    this.#ranges = []
    this.#keys = 0
    this.#bytes = 0
    for (const { gte, lt } of ranges) await this.#db.compactRange(gte, lt)
  }
}

/** In order. Ranges that touch or overlap become one. */
function joined(ranges: readonly KeyRange[]): KeyRange[] {
  const result: KeyRange[] = []
  for (const range of [...ranges].sort((a, b) => a.gte.compare(b.gte))) {
    const last = result.at(-1)
    if (last === undefined || last.lt.compare(range.gte) < 0) result.push(range)
    else if (last.lt.compare(range.lt) < 0) result[result.length - 1] = { gte: last.gte, lt: range.lt }
  }
  return result
}
