/** A store in memory whose writes wait for as long as a test wants: what a slow disk looks like from above. */
import { AbstractChainedBatch } from 'abstract-level'
import { MemoryLevel } from 'memory-level'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn, type Storage } from '../../storage/level/open.ts'

export interface StallingStorage {
  readonly open: (nowMs: () => number) => Promise<Storage>
  /** From now on writes wait. */
  stall(): void
  /** Lets them go on. */
  goOn(): void
}

export function stallingStorage(): StallingStorage {
  let stalled: Promise<void> | undefined
  let release = () => {}
  const storage: StallingStorage = {
    async open(nowMs) {
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
            const write = batch.write.bind(batch)
            Object.assign(batch, {
              async write(options: object) {
                await stalled
                return write(options)
              },
            })
          }
          return batch
        },
      })
      return openStorageOn(db as unknown as Level, { nowMs, sync: true })
    },
    stall() {
      stalled = new Promise((resolve) => {
        release = resolve
      })
    },
    goOn() {
      stalled = undefined
      release()
    },
  }
  return storage
}
