/** LevelDB begins new write-ahead logs unasked: each is noticed with the first write that stands in it. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Level } from 'level'
import { expect, onTestFinished, test } from 'vitest'
import type { Compactable } from '../../storage/level/level.ts'
import { LEVEL_OPTIONS } from '../../storage/level/open.ts'
import { WalName } from '../../storage/level/wal-name.ts'
import { temporaryFolder } from '../support/service-process.ts'

const KIB = 1024

async function openStore() {
  const folder = join(await temporaryFolder(), 'store')
  const db = new Level<Buffer, Buffer>(folder, LEVEL_OPTIONS)
  await db.open()
  const name = new WalName(folder)
  onTestFinished(async () => {
    name.close()
    await db.close()
  })
  let count = 0
  const write = async (bytes: number) => {
    const options = { sync: true } as object
    await db
      .batch()
      .put(Buffer.from(`key ${count++}`), Buffer.alloc(bytes, count))
      .write(options)
  }
  return { folder, db, name, write }
}

function latestLog(folder: string): string | undefined {
  const logs = readdirSync(folder).filter((name) => name.endsWith('.log'))
  return logs.sort().at(-1)
}

const sizes = [
  { name: 'small writes', bytes: 10 * KIB, times: 1_000 },
  { name: 'writes of half a log', bytes: 1024 * KIB, times: 30 },
  { name: 'writes larger than a log', bytes: 5 * 1024 * KIB, times: 8 },
]
test.each(sizes)('$name', { timeout: 120_000 }, async ({ bytes, times }) => {
  const { folder, name, write } = await openStore()
  let latest = latestLog(folder)
  let changes = 0
  for (let i = 0; i < times; i++) {
    await write(bytes)
    const now = latestLog(folder)
    const moved = name.moved()
    expect(moved || now === latest, `write ${i}`).toBe(true)
    if (now !== latest) changes++
    else expect(moved, `write ${i}`).toBe(false)
    latest = now
    if (moved) await name.settle()
  }
  expect(changes).toBeGreaterThan(2)
})

test('a write beside the groups that is not settled is noticed with the next one', async () => {
  const { folder, name, write } = await openStore()
  const before = latestLog(folder)
  while (latestLog(folder) === before) {
    await write(256 * KIB)
    name.moved() // as GroupCommit.write does
  }
  await write(10)
  expect(name.moved()).toBe(true)
  await name.settle()
  await write(10)
  expect(name.moved()).toBe(false)
})

test('a compaction begins a new log, too', async () => {
  const { db, name, write } = await openStore()
  await write(10)
  expect(name.moved()).toBe(false)
  await (db as unknown as Compactable).compactRange(Buffer.from('a'), Buffer.from('z'))
  await write(10)
  expect(name.moved()).toBe(true)
})
