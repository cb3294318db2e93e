import { levelInMemory, levelOnDisk } from '../support/level-engines.ts'
import { describeCatalog } from './catalog.ts'
import { describeEventLog } from './event-log.ts'
import { describeStorageWrite } from './storage-write.ts'

for (const describeContract of [describeEventLog, describeCatalog, describeStorageWrite]) {
  describeContract('LevelDB', levelOnDisk)
  describeContract('LevelDB in memory', levelInMemory)
}
