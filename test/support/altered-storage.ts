/** A store in memory whose batches of writes are not quite what they should be. */
import { AbstractChainedBatch } from 'abstract-level'
import { MemoryLevel } from 'memory-level'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import type { Storage } from '../../storage/storage.ts'

export type WriteBatch = AbstractChainedBatch<MemoryLevel<Buffer, Buffer>, Buffer, Buffer>

/** What `alter` returns takes the place of the batch's own methods; it is asked anew for each batch. */
export async function alteredStorage(
  nowMs: () => number,
  alter: (own: Pick<WriteBatch, 'put' | 'write'>) => object,
): Promise<Storage> {
  const db = new MemoryLevel<Buffer, Buffer>({
    storeEncoding: 'buffer',
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  await db.open()
  const batchOf = db.batch.bind(db) as (...all: never[]) => unknown
  Object.assign(db, {
    batch(...all: never[]) {
      const batch = batchOf(...all)
      if (batch instanceof AbstractChainedBatch) {
        Object.assign(batch, alter({ put: batch.put.bind(batch), write: batch.write.bind(batch) }))
      }
      return batch
    },
  })
  return openStorageOn(db as unknown as Level, { nowMs, sync: true })
}
