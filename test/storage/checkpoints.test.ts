/** A crash while tails on disk are behind: the folder is copied as it is, without a stop, and opened elsewhere. */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level as ClassicLevel } from 'level'
import { describe, expect, onTestFinished, test } from 'vitest'
import { blockKey, MARKS, markKey, TAILS, tailKey } from '../../storage/level/keys.ts'
import type { LevelLog } from '../../storage/level/level-log.ts'
import type { LevelStorage } from '../../storage/level/level-storage.ts'
import { openStorage } from '../../storage/level/open.ts'
import { event, lines, readAll } from '../contract/event-log.ts'

const LOG = 1

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-checkpoints-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
}

async function open(folder: string, nowMs = 5_000): Promise<LevelStorage> {
  const storage = await openStorage(join(folder, 'data'), { nowMs: () => nowMs, sync: true })
  onTestFinished(() => storage.close())
  return storage
}

/** What another process would find if this one were killed now. */
async function crashImage(folder: string): Promise<string> {
  const image = await temporaryFolder()
  await cp(join(folder, 'data'), join(image, 'data'), { recursive: true })
  return image
}

async function withStore<T>(
  folder: string,
  use: (db: ClassicLevel<Buffer, Buffer>) => Promise<T>,
): Promise<T> {
  const db = new ClassicLevel<Buffer, Buffer>(join(folder, 'data', 'store'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  await db.open()
  try {
    return await use(db)
  } finally {
    await db.close()
  }
}

function keysOf(folder: string): Promise<{ marks: number; tails: number }> {
  return withStore(folder, async (db) => ({
    marks: (await db.keys(MARKS).all()).length,
    tails: (await db.keys(TAILS).all()).length,
  }))
}

async function stage(log: LevelLog, text: string): Promise<void> {
  const batch = log.stage(LOG)
  await batch.add(lines(text), [])
  await batch.commit()
}

const lives: { name: string; live: (log: LevelLog) => Promise<unknown> }[] = [
  { name: 'its first events', live: (log) => log.append(LOG, [event('a'), event('bc')]) },
  {
    name: 'several groups',
    async live(log) {
      for (let i = 0; i < 20; i++) await log.append(LOG, [event(`event ${i}`, [['n', `${i}`]])])
    },
  },
  { name: 'a small batch', live: (log) => stage(log, 'one\ntwo\nthree') },
  {
    name: 'a large batch and events around it',
    async live(log) {
      await log.append(LOG, [event('before')])
      await stage(log, 'x'.repeat(99).concat('\n').repeat(15_000))
      await log.append(LOG, [event('after')])
    },
  },
  {
    name: 'a trim of all there was',
    async live(log) {
      await log.append(LOG, [event('old')])
      await log.trim(LOG, 6_000, 100)
      await log.append(LOG, [event('new')])
    },
  },
  {
    name: 'a merge',
    async live(log) {
      for (let i = 0; i < 600; i++) await log.append(LOG, [event('y'.repeat(100))])
      await log.merge(LOG, 6_000, 10_000)
      await log.append(LOG, [event('z')])
    },
  },
]

describe.each(lives)('a crash after $name', ({ live }) => {
  test('loses nothing of the tail, and the log goes on', async () => {
    const folder = await temporaryFolder()
    const { log } = await open(folder)
    await live(log)
    const image = await crashImage(folder)
    const after = await open(image)
    expect(await after.log.tail(LOG)).toEqual(await log.tail(LOG))
    expect(await after.log.totals(LOG)).toEqual(await log.totals(LOG))
    expect(await readAll(after.log, LOG)).toEqual(await readAll(log, LOG))
    const { nextSequence } = (await log.tail(LOG))!
    expect(await after.log.append(LOG, [event('more')])).toEqual({
      sequence: nextSequence,
      timestampMs: 5_000,
    })
  })

  test('and another one before the tail has caught up', async () => {
    const folder = await temporaryFolder()
    const { log } = await open(folder)
    await live(log)
    const second = await open(
      await crashImage(folder).then(async (image) => {
        const { log: recovered } = await open(image)
        await recovered.append(LOG, [event('between')])
        return crashImage(image)
      }),
    )
    expect((await second.log.tail(LOG))!.nextSequence).toBe((await log.tail(LOG))!.nextSequence + 1)
  })
})

test('a stop leaves no mark', async () => {
  const folder = await temporaryFolder()
  const storage = await openStorage(join(folder, 'data'), { nowMs: () => 5_000, sync: true })
  const { log } = storage
  for (const id of [1, 2, 3]) await log.append(id, [event('a')])
  void log.append(4, [event('linger')], { linger: true })
  await storage.close()
  expect(await keysOf(folder)).toEqual({ marks: 0, tails: 4 })
})

test('a stop leaves no mark where thousands of logs are behind', async () => {
  const folder = await temporaryFolder()
  const storage = await openStorage(join(folder, 'data'), { nowMs: () => 5_000, sync: true })
  const { log } = storage
  const ids = Array.from({ length: 2000 }, (_, i) => i + 1)
  await Promise.all(ids.map((id) => log.append(id, [event('a')])))
  await storage.close()
  expect(await keysOf(folder)).toEqual({ marks: 0, tails: 2000 })
})

test('tails catch up a moment after the events', async () => {
  const folder = await temporaryFolder()
  const { log } = await open(folder)
  await log.append(1, [event('a')])
  expect(await keysOf(await crashImage(folder))).toEqual({ marks: 1, tails: 0 })
  await expect
    .poll(async () => keysOf(await crashImage(folder)), { timeout: 20_000, interval: 200 })
    .toEqual({ marks: 0, tails: 1 })
})

test('a log that is dropped leaves neither tail nor mark', async () => {
  const folder = await temporaryFolder()
  const { log } = await open(folder)
  await log.append(LOG, [event('a')])
  while ((await log.drop(LOG, 100)).more);
  await new Promise((resolve) => setTimeout(resolve, 1_200)) // a checkpoint has passed
  await log.append(2, [event('b')])
  const image = await crashImage(folder)
  await withStore(image, async (db) => {
    expect(await db.get(tailKey(LOG))).toBeUndefined()
    expect(await db.get(markKey(LOG))).toBeUndefined()
  })
  expect(await (await open(image)).log.logs()).toEqual([2])
})

test('a block beyond the tail that is altered is reported when the store is opened', async () => {
  const folder = await temporaryFolder()
  const { log } = await open(folder)
  await log.append(LOG, [event('a')])
  const image = await crashImage(folder)
  await withStore(image, async (db) => {
    const key = blockKey(LOG, 5_000, 0)
    const block = (await db.get(key))!
    block[block.length - 1]! ^= 1
    await db.put(key, block)
  })
  await expect(open(image)).rejects.toMatchObject({
    code: 'corrupt',
    message: expect.stringMatching(/log 1, sequence 0: .*checksum/),
  })
})
