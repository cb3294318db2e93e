/** A store in memory whose writes wait for as long as a test wants: what a slow disk looks like from above. */
import type { Storage } from '../../storage/storage.ts'
import { alteredStorage, type WriteBatch } from './altered-storage.ts'

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
  return {
    open: (nowMs) =>
      alteredStorage(nowMs, ({ write }) => ({
        async write(options: Parameters<WriteBatch['write']>[0]) {
          await stalled
          return write(options)
        },
      })),
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
}
