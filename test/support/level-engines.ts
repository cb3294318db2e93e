/** LevelDB on disk and in memory, as the contract suites open an engine. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryLevel } from 'memory-level'
import { afterEach, beforeEach, describe } from 'vitest'
import type { Level } from '../../storage/level/level.ts'
import type { LevelLog } from '../../storage/level/level-log.ts'
import type { LevelStorage } from '../../storage/level/level-storage.ts'
import { openStorage, openStorageOn } from '../../storage/level/open.ts'
import type { StorageEngine } from '../contract/event-log.ts'

export function levelOnDisk(): StorageEngine<LevelStorage> {
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
}

export function levelInMemory(): StorageEngine<LevelStorage> {
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
}

/** An open LevelDB and its clock. */
export interface LevelFixture {
  nowMs: number
  readonly storage: LevelStorage
  readonly log: LevelLog
  reopen(): Promise<void>
}

/** Runs the tests that `body` declares on LevelDB on disk and in memory; `level` is open during each of them. */
export function describeOnLevel(what: string, body: (level: LevelFixture) => void): void {
  describe.each([
    { name: 'LevelDB', newEngine: levelOnDisk },
    { name: 'LevelDB in memory', newEngine: levelInMemory },
  ])(`${what} on $name`, ({ newEngine }) => {
    let engine: StorageEngine<LevelStorage>
    let storage: LevelStorage
    const level: LevelFixture = {
      nowMs: 1_000,
      get storage() {
        return storage
      },
      get log() {
        return storage.log
      },
      async reopen() {
        await storage.close()
        storage = await engine.reopen(() => level.nowMs)
      },
    }
    beforeEach(async () => {
      level.nowMs = 1_000
      engine = newEngine()
      storage = await engine.open(() => level.nowMs)
    })
    afterEach(async () => {
      await storage.close()
      await engine.remove()
    })
    body(level)
  })
}
