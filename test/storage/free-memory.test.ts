import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryLevel } from 'memory-level'
import { expect, onTestFinished, test } from 'vitest'
import { freeMemory } from '../../storage/free-memory.ts'
import type { Level } from '../../storage/level/level.ts'
import { openStorage, openStorageOn } from '../../storage/level/open.ts'
import type { EventBlock } from '../../storage/log.ts'
import type { Storage } from '../../storage/storage.ts'
import { readAll, readBlocks } from '../contract/event-log.ts'

const LOG = 1
const BLOCKS = 60
const BODY = Buffer.alloc(50_000, 'x')

async function onDisk(): Promise<Storage> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-free-'))
  const storage = await openStorage(folder, { nowMs: () => 1, sync: true })
  onTestFinished(async () => {
    await storage.close()
    await rm(folder, { recursive: true })
  })
  return storage
}

function memoryLevel(): Level {
  const db = new MemoryLevel({ storeEncoding: 'buffer', keyEncoding: 'buffer', valueEncoding: 'buffer' })
  return db as unknown as Level
}

/** Reads all blocks; what is left of each in the end. */
async function lengthsAfterwards({ log }: Storage): Promise<number[]> {
  const blocks: EventBlock[] = []
  for await (const block of readBlocks(log, LOG)) {
    expect(BODY.equals(block.bytes.subarray(block.starts[0], block.ends[0]))).toBe(true)
    blocks.push(block)
  }
  return blocks.map(({ bytes }) => bytes.length)
}

test('a long read on disk gives back the memory of its blocks as it goes', async () => {
  const storage = await onDisk()
  for (let i = 0; i < BLOCKS; i++) await storage.log.append(LOG, [{ headers: [], body: BODY }])
  const lengths = await lengthsAfterwards(storage)
  expect(lengths).toHaveLength(BLOCKS)
  expect(new Set(lengths.slice(0, BLOCKS / 2))).toEqual(new Set([0]))
  expect(await readAll(storage.log, LOG)).toHaveLength(BLOCKS)
})

test('a store in memory keeps what it handed out', async () => {
  const db = memoryLevel()
  await db.open()
  const storage = await openStorageOn(db, { nowMs: () => 1, sync: true })
  for (let i = 0; i < BLOCKS; i++) await storage.log.append(LOG, [{ headers: [], body: BODY }])
  expect((await lengthsAfterwards(storage)).every((length) => length > BODY.length)).toBe(true)
  expect(await readAll(storage.log, LOG)).toHaveLength(BLOCKS)
})

test('only large buffers that have their memory to themselves are emptied', () => {
  const own = Buffer.alloc(BODY.length)
  const small = Buffer.alloc(100)
  const shared = Buffer.alloc(2 * BODY.length)
  const part = shared.subarray(0, BODY.length)
  freeMemory([own, small, part])
  expect([own, small, part, shared].map(({ length }) => length)).toEqual([
    0,
    100,
    BODY.length,
    2 * BODY.length,
  ])
})
