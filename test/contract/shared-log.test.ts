import { openSharedStorage } from '../support/shared-engine/shared-storage.ts'
import { SharedStore } from '../support/shared-engine/shared-store.ts'
import { describeCatalog } from './catalog.ts'
import { describeEventLog } from './event-log.ts'
import { describeStorageWrite } from './storage-write.ts'

/** One of two nodes; the other one is open all the time. */
function sharedEngine() {
  const store = new SharedStore()
  const open = async (nowMs: () => number) => {
    if (!store.nodes.has('other')) await openSharedStorage(store, { id: 'other', nowMs })
    return openSharedStorage(store, { id: 'node', nowMs })
  }
  return { open, reopen: open, remove: async () => {} }
}

for (const describeContract of [describeEventLog, describeCatalog, describeStorageWrite]) {
  describeContract('the shared engine', sharedEngine)
}
