/**
 * A storage engine for tests that promises as little as the contract allows, and keeps no more than it promises. What is
 * green on it does not depend on anything that only LevelDB has.
 */
import type { EnginePromises, Storage, StorageWrite, WriteResult } from '../../../storage/storage.ts'
import type { StorageError } from '../../../storage/storage-error.ts'
import { Pace } from './pace.ts'
import { prepare, WeakCatalog } from './weak-catalog.ts'
import { WeakData } from './weak-data.ts'
import { CONTIGUOUS_BYTES_MAX, copiesOf, type WeakBatch, WeakLog } from './weak-log.ts'
import { WriteQueue } from './write-queue.ts'

export const WEAK_PROMISES: EnginePromises = {
  durability: 'memory',
  gaplessSequences: false,
  contiguousBatchBytesMax: CONTIGUOUS_BYTES_MAX,
  eventBytesMax: 64 * 1024 * 1024,
  ownClock: false,
  failureHeals: true,
  shared: true,
}

export interface WeakStorage extends Storage {
  /** Refuses writes until `heal`, with this error as the reason. */
  fail(error: StorageError): void
  heal(): void
}

/** No number that a test would make up. */
const FIRST_IDENTITY = 0x5eed_0000
let stores = 0

/** The content of a new store, for `openWeakStorage`. */
export function newWeakData(): WeakData {
  return new WeakData(FIRST_IDENTITY + stores++)
}

export function openWeakStorage(data: WeakData, nowMs: () => number): WeakStorage {
  data.epoch++
  const pace = new Pace(data.identity * 31 + data.epoch)
  const queue = new WriteQueue(pace)
  const log = new WeakLog(data, queue, pace, nowMs)
  const catalog = new WeakCatalog(data, queue, pace)
  function write({
    appends = [],
    batches = [],
    changes = [],
    conditions = [],
  }: StorageWrite): Promise<WriteResult> {
    const events = appends.map((append) => ({ log: append.log, events: copiesOf(append.events) }))
    const prepared = prepare(changes)
    return queue.run(() => {
      if (!catalog.holds(conditions)) return { outcome: 'conflict', positions: [] }
      for (const one of events) log.assertNotDropped(one.log)
      for (const batch of batches) log.assertNotDropped((batch as WeakBatch).log)
      const positions = [
        ...events.map((one) => log.appendNow(one.log, one.events)),
        ...batches.map((batch) => (batch as WeakBatch).commitNow(false)),
      ]
      catalog.applyNow(prepared)
      return { outcome: 'done', positions }
    })
  }
  return {
    log,
    catalog,
    promises: WEAK_PROMISES,
    remarks: [],
    write,
    fail: (error) => queue.fail(error),
    heal: () => queue.heal(),
    async close() {
      await queue.close()
      log.closed()
    },
  }
}
