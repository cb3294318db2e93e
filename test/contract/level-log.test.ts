import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryLevel } from 'memory-level'
import type { Level } from '../../storage/level/level.ts'
import { openStorage, openStorageOn } from '../../storage/level/open.ts'
import { describeEventLog } from './event-log.ts'

describeEventLog('LevelDB', () => {
  let folder = ''
  const open = (nowMs: () => number) => openStorage(folder, { nowMs, sync: true })
  return {
    async open(nowMs) {
      folder = await mkdtemp(join(tmpdir(), 'millrace-log-'))
      return open(nowMs)
    },
    reopen: open,
    remove: () => rm(folder, { recursive: true }),
  }
})

describeEventLog('LevelDB in memory', () => {
  const db = new MemoryLevel<Buffer, Buffer>({
    storeEncoding: 'buffer',
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  async function open(nowMs: () => number) {
    await db.open()
    return openStorageOn(db as unknown as Level, { nowMs, sync: true })
  }
  return { open, reopen: open, remove: async () => {} }
})
