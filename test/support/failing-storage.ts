/** A store on a disk that is full. */
import { AbstractChainedBatch } from 'abstract-level'
import { MemoryLevel } from 'memory-level'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'

/** Every write of events fails; documents are stored. */
export async function failingStorage(nowMs: () => number) {
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
        const put = batch.put.bind(batch)
        const write = batch.write.bind(batch)
        let events = false
        Object.assign(batch, {
          put(key: Buffer, value: Buffer) {
            events ||= key[0] === 'e'.charCodeAt(0)
            return put(key, value)
          },
          write: (options: object) =>
            events
              ? Promise.reject(new Error('IO error: 000003.log: No space left on device'))
              : write(options),
        })
      }
      return batch
    },
  })
  return openStorageOn(db as unknown as Level, { nowMs, sync: true })
}
