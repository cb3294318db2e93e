import { newWeakData, openWeakStorage } from '../support/weak-engine/weak-storage.ts'
import { describeCatalog } from './catalog.ts'
import { describeEventLog } from './event-log.ts'
import { describeStorageWrite } from './storage-write.ts'

function weakEngine() {
  const data = newWeakData()
  const open = async (nowMs: () => number) => openWeakStorage(data, nowMs)
  return { open, reopen: open, remove: async () => {} }
}

for (const describeContract of [describeEventLog, describeCatalog, describeStorageWrite]) {
  describeContract('the weak engine', weakEngine)
}
