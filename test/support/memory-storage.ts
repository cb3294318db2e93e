/** LevelDB's engine on a store in memory. */
import { MemoryLevel } from 'memory-level'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import type { Storage } from '../../storage/storage.ts'

export async function memoryStorage(nowMs: () => number): Promise<Storage> {
  const db = new MemoryLevel<Buffer, Buffer>({
    storeEncoding: 'buffer',
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  await db.open()
  return openStorageOn(db as unknown as Level, { nowMs, sync: true })
}
