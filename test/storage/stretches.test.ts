/** Which opening wrote the events of a log: noted with the first of them, kept in bounds, and gone with the log. */
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { Level as ClassicLevel } from 'level'
import { expect, test } from 'vitest'
import { documentKey } from '../../storage/level/keys.ts'
import type { LevelLog } from '../../storage/level/level-log.ts'
import type { LevelStorage } from '../../storage/level/level-storage.ts'
import { openStorage } from '../../storage/level/open.ts'
import type { LogId } from '../../storage/log.ts'
import { event, lines } from '../contract/event-log.ts'
import { listed } from '../support/listed.ts'
import { temporaryFolder } from '../support/service-process.ts'

async function withStorage<T>(folder: string, use: (storage: LevelStorage) => Promise<T>): Promise<T> {
  const storage = await openStorage(folder, { nowMs: () => 1_000, sync: true })
  try {
    return await use(storage)
  } finally {
    await storage.close()
  }
}

async function newFolder(): Promise<string> {
  return join(await temporaryFolder(), 'data')
}

/** One event more. */
async function grow(log: LevelLog, ...ids: LogId[]): Promise<void> {
  for (const id of ids) await log.append(id, [event('e')])
}

const firsts = async (log: LevelLog, id: LogId) =>
  (await log.stretches(id)).map(({ firstSequence }) => firstSequence)

const documents = async ({ catalog }: LevelStorage) =>
  (await listed(catalog, 'stretches')).map(({ id }) => id)

test('each opening that writes to a log begins a stretch, with an epoch of its own', async () => {
  const folder = await newFolder()
  const epochs: number[] = []
  for (let opening = 0; opening < 4; opening++) {
    await withStorage(folder, async ({ log }) => {
      expect(await firsts(log, 1)).toEqual([0, 2, 4].slice(0, opening))
      await grow(log, 1, 1)
      if (opening === 2) await grow(log, 12)
      const stretches = await log.stretches(1)
      epochs.push(stretches.at(-1)!.epoch)
      expect(stretches).toEqual(epochs.map((epoch, i) => ({ firstSequence: 2 * i, epoch, restored: false })))
    })
  }
  expect(new Set(epochs).size).toBe(4)
  expect(epochs.every((epoch) => epoch > 0 && epoch < 2 ** 32)).toBe(true)
  await withStorage(folder, async ({ log }) => {
    expect(await firsts(log, 1)).toEqual([0, 2, 4, 6])
    expect(await firsts(log, 12)).toEqual([0])
    expect(await firsts(log, 2)).toEqual([])
  })
})

test.each([
  ['single events', (log: LevelLog) => grow(log, 1)],
  ['a small batch', (log: LevelLog) => staged(log, 'a\nb')],
  ['a large batch', (log: LevelLog) => staged(log, `${'x'.repeat(99)}\n`.repeat(20_000))],
])('%s are noted in the write that makes them visible', async (_, write) => {
  const folder = await newFolder()
  await withStorage(folder, ({ log }) => grow(log, 1))
  const killed = `${folder}-killed`
  await withStorage(folder, async ({ log }) => {
    await write(log)
    await cp(folder, killed, { recursive: true }) // as kill -9 leaves it
    const stretches = await log.stretches(1)
    await withStorage(killed, async (again) => {
      expect(await again.log.stretches(1)).toEqual(stretches)
      expect(stretches.map(({ firstSequence }) => firstSequence)).toEqual([0, 1])
    })
  })
})

async function staged(log: LevelLog, text: string): Promise<void> {
  const batch = log.stage(1)
  await batch.add(lines(text), [])
  await batch.commit()
}

test('what comes from a backup says so', async () => {
  await withStorage(await newFolder(), async ({ log }) => {
    const restore = log.restore(1)
    await restore.add(lines('a\nb'), [], 500)
    await restore.finish()
    await grow(log, 2)
    expect(await log.stretches(1)).toEqual([{ firstSequence: 0, epoch: expect.any(Number), restored: true }])
    expect(await log.stretches(2)).toMatchObject([{ restored: false }])
  })
})

test('of a log that many openings have written to the newest stretches are kept', async () => {
  const folder = await newFolder()
  for (let opening = 0; opening < 19; opening++) {
    await withStorage(folder, async ({ log }) => {
      await grow(log, 1)
      if (opening % 9 === 0) await grow(log, 2, 11)
      await log.sweep(100)
    })
  }
  await withStorage(folder, async (storage) => {
    const { log } = storage
    await log.sweep(100)
    expect(await firsts(log, 1)).toEqual(Array.from({ length: 16 }, (_, i) => i + 3))
    expect(await firsts(log, 2)).toEqual([0, 1, 2])
    expect(await firsts(log, 11)).toEqual([0, 1, 2])
    expect((await documents(storage)).length).toBe(22)
  })
})

test('a log that is dropped takes its stretches with it, and a crash in between leaves them to the next opening', async () => {
  const folder = await newFolder()
  await withStorage(folder, ({ log }) => grow(log, 1, 2, 3))
  await withStorage(folder, async (storage) => {
    const { log } = storage
    await grow(log, 1)
    await log.sweep(100)
    await log.drop(1, 100)
    expect((await documents(storage)).length).toBe(4)
    await log.sweep(100)
    expect(await documents(storage)).toEqual(['2:0', '3:0'])
    await log.drop(2, 100)
  })
  await withStorage(folder, async (storage) => {
    await storage.log.sweep(100)
    expect(await documents(storage)).toEqual(['3:0'])
  })
})

test('a damaged one is an error with a name', async () => {
  const folder = await newFolder()
  await withStorage(folder, ({ log }) => grow(log, 1))
  const db = new ClassicLevel<Buffer, Buffer>(join(folder, 'store'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  await db.open()
  const key = documentKey('stretches', '1:0')
  const value = (await db.get(key))!
  value[10]! ^= 1
  await db.put(key, value)
  await db.close()
  await withStorage(folder, async ({ log }) => {
    await expect(log.stretches(1)).rejects.toMatchObject({
      code: 'corrupt',
      message: 'log 1, sequence 0: the document of its stretch does not match its checksum',
    })
  })
})
