/** The engines that the model is held against: LevelDB in a folder, and in memory, where a crash is a copy of the memory. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { MemoryLevel } from 'memory-level'
import type { Level } from '../../../storage/level/level.ts'
import type { LevelLog } from '../../../storage/level/level-log.ts'
import { openStorage, openStorageOn } from '../../../storage/level/open.ts'
import type { Storage } from '../../../storage/storage.ts'
import type { Engine, OpenEngine } from './storage-run.ts'

type Memory = MemoryLevel<Buffer, Buffer>

export const inMemory: OpenEngine = async (nowMs) => {
  let db = newMemory()
  const open = () => openStorageOn(db as unknown as Level, { nowMs, sync: true })
  let storage = await open()
  return {
    get log() {
      return storage.log
    },
    get storage() {
      return storage
    },
    async reopen() {
      await storage.close()
      await db.open()
      storage = await open()
    },
    async crash() {
      // Every batch is written at once or not at all, so any moment is one at which the process may have gone.
      const entries = await db.iterator().all()
      db = newMemory()
      await db.batch(entries.map(([key, value]) => ({ type: 'put', key, value })))
      storage = await open()
    },
    keys: () => keysOf(storage),
    close: () => storage.close(),
  } satisfies Engine
}

export const onDisk: OpenEngine = async (nowMs) => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-model-'))
  const open = () => openStorage(join(folder, 'data'), { nowMs, sync: true })
  let storage = await open()
  return {
    get log() {
      return storage.log
    },
    get storage() {
      return storage
    },
    async reopen() {
      await storage.close()
      storage = await open()
    },
    crash: undefined,
    keys: () => keysOf(storage),
    async close() {
      await storage.close()
      await rm(folder, { recursive: true })
    },
  } satisfies Engine
}

/** Writes take a few turns of the event loop, before they can be seen and after: what else is under way comes in between. */
function newMemory(): Memory {
  const db: Memory = new MemoryLevel({
    storeEncoding: 'buffer',
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  const batchOf = db.batch.bind(db) as (...given: unknown[]) => unknown
  let writes = 0
  function batch(...given: unknown[]): unknown {
    const made = batchOf(...given)
    if (given.length > 0) return made
    const chained = made as { write(): Promise<void> }
    const write = chained.write.bind(chained)
    chained.write = async () => {
      writes++
      await turns(writes % 3)
      await write()
      await turns(writes % 4)
    }
    return chained
  }
  return Object.assign(db, { batch })
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await nextTurn()
}

async function keysOf({ log }: Storage): Promise<string[]> {
  const keys = await (log as LevelLog).db.keys().all()
  return keys.map((key) => key.toString('latin1'))
}
