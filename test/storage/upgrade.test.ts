/**
 * A folder that an older Millrace wrote. format-1/ was written by the last version with that format: log 1 had three
 * events one by one, the first of which was trimmed, log 2 a batch, log 4294967295 one event.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Level as ClassicLevel } from 'level'
import { expect, onTestFinished, test } from 'vitest'
import { FORMAT_VERSION } from '../../storage/level/format-stamp.ts'
import { documentKey, FORMAT_1_TAILS, TAILS } from '../../storage/level/keys.ts'
import { openStorage } from '../../storage/level/open.ts'
import type { Storage } from '../../storage/storage.ts'
import { event, readAll } from '../contract/event-log.ts'
import { listed } from '../support/listed.ts'

const FORMAT_1 = fileURLToPath(new URL('format-1/', import.meta.url))
const LAST_LOG = 0xffff_ffff

async function format1Folder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-format-1-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await cp(FORMAT_1, folder, { recursive: true })
  return folder
}

function open(folder: string): Promise<Storage> {
  return openStorage(folder, { nowMs: () => 6_000, sync: true })
}

async function closeAfter<T>(storage: Storage, use: (storage: Storage) => Promise<T>): Promise<T> {
  try {
    return await use(storage)
  } finally {
    await storage.close()
  }
}

function stampOf(folder: string): Promise<string> {
  return readFile(join(folder, 'FORMAT'), 'utf8')
}

/** The store as LevelDB sees it, beside any code of ours. */
async function openStore(folder: string): Promise<ClassicLevel<Buffer, Buffer>> {
  const db = new ClassicLevel<Buffer, Buffer>(join(folder, 'store'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  await db.open()
  return db
}

async function tailKeys(folder: string): Promise<{ old: number; new: number }> {
  const db = await openStore(folder)
  const keys = { old: await db.keys(FORMAT_1_TAILS).all(), new: await db.keys(TAILS).all() }
  await db.close()
  return { old: keys.old.length, new: keys.new.length }
}

async function everything({ log, catalog }: Storage) {
  const logs = await log.logs()
  return {
    streams: await listed(catalog, 'streams'),
    tails: await Promise.all(
      logs.map(async (id) => [id, { ...(await log.tail(id)), bytesWritten: (await log.totals(id)).bytes }]),
    ),
    events: await Promise.all(logs.map((id) => readAll(log, id))),
  }
}

const CONTENT = {
  streams: [{ id: 'default:a', document: { log: 1 } }],
  tails: [
    [1, tail({ nextSequence: 3, lastTimestampMs: 3000, bytesWritten: 21, firstSequence: 1, firstMs: 2000 })],
    [2, tail({ nextSequence: 2, lastTimestampMs: 4000, bytesWritten: 6, firstSequence: 0, firstMs: 4000 })],
    [
      LAST_LOG,
      tail({ nextSequence: 1, lastTimestampMs: 5000, bytesWritten: 8, firstSequence: 0, firstMs: 5000 }),
    ],
  ],
  events: [
    [
      { sequence: 1, timestampMs: 2000, headers: [['k', 'é']], body: 'at 2000' },
      { sequence: 2, timestampMs: 3000, headers: [['k', 'é']], body: 'at 3000' },
    ],
    [
      { sequence: 0, timestampMs: 4000, headers: [], body: 'one' },
      { sequence: 1, timestampMs: 4000, headers: [], body: 'two' },
    ],
    [{ sequence: 0, timestampMs: 5000, headers: [], body: 'last log' }],
  ],
}

function tail({ firstMs, ...others }: Record<string, number>) {
  return { ...others, firstTimestampMs: firstMs }
}

test('a folder of format 1 is read whole, and is of this format from then on', async () => {
  const folder = await format1Folder()
  expect(await tailKeys(folder)).toEqual({ old: 3, new: 0 })
  expect(await closeAfter(await open(folder), everything)).toEqual(CONTENT)
  expect(await stampOf(folder)).toBe(`millrace-data ${FORMAT_VERSION}\n`)
  expect(await tailKeys(folder)).toEqual({ old: 0, new: 3 })
  expect(await closeAfter(await open(folder), everything)).toEqual(CONTENT)
})

test('sequences go on where format 1 left them', async () => {
  const folder = await format1Folder()
  const positions = await closeAfter(await open(folder), async ({ log }) => [
    await log.append(1, [event('new')]),
    await log.append(LAST_LOG, [event('new')]),
  ])
  expect(positions).toEqual([
    { timestampMs: 6000, sequence: 3 },
    { timestampMs: 6000, sequence: 1 },
  ])
  const bodies = await closeAfter(await open(folder), ({ log }) => readAll(log, 1))
  expect(bodies.map(({ body }) => body)).toEqual(['at 2000', 'at 3000', 'new'])
})

test('a crash between the new stamp and the write that moves the tails loses nothing', async () => {
  const folder = await format1Folder()
  await writeFile(join(folder, 'FORMAT'), 'millrace-data 2\n')
  expect(await closeAfter(await open(folder), everything)).toEqual(CONTENT)
})

test('nothing is moved, and the folder is not locked, if one of the tails is damaged', async () => {
  const folder = await format1Folder()
  const db = await openStore(folder)
  const [[key, value]] = (await db.iterator({ ...FORMAT_1_TAILS, reverse: true, limit: 1 }).all()) as [
    [Buffer, Buffer],
  ]
  value[20]! ^= 1
  await db.put(key, value)
  await db.close()
  for (let attempt = 0; attempt < 2; attempt++) {
    await expect(open(folder)).rejects.toMatchObject({
      code: 'corrupt',
      message: 'tail under key 74ffffffff does not match its checksum',
    })
  }
  expect(await tailKeys(folder)).toEqual({ old: 3, new: 0 })
})

test('a folder that another process has open keeps the stamp of its format', async () => {
  const folder = await format1Folder()
  const db = await openStore(folder)
  await expect(open(folder)).rejects.toMatchObject({ code: 'locked' })
  expect(await stampOf(folder)).toBe('millrace-data 1\n')
  await db.close()
})

async function documentIn(folder: string, key: Buffer): Promise<string> {
  const db = await openStore(folder)
  const value = await db.get(key)
  await db.close()
  return value!.toString()
}

test('documents of older formats have a checksum from then on, and are read without it where a crash left them so', async () => {
  const folder = await format1Folder()
  const key = documentKey('streams', 'default:a')
  const plain = await documentIn(folder, key)
  expect(JSON.parse(plain)).toEqual({ log: 1 })
  await closeAfter(await open(folder), everything)
  expect(await documentIn(folder, key)).toMatch(/^\{"log":1\} crc=[0-9a-f]{8}$/)

  const db = await openStore(folder)
  await db.put(key, Buffer.from(plain))
  await db.close()
  expect(await closeAfter(await open(folder), everything)).toEqual(CONTENT)
  expect(await documentIn(folder, key)).toBe(plain)
})
