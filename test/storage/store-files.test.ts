/** LevelDB's files, read without LevelDB: the same keys and values as it has, and its damage told. */
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Level as ClassicLevel } from 'level'
import { describe, expect, test } from 'vitest'
import { isCompactable } from '../../storage/level/level.ts'
import type { FileDamage } from '../../storage/level-files/file-damage.ts'
import { type LogPiece, readRecordLog } from '../../storage/level-files/record-log.ts'
import { StoreFiles } from '../../storage/level-files/store-files.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { temporaryFolder } from '../support/service-process.ts'

type Pairs = [key: string, value: string][]

interface Reading {
  readonly pairs: Pairs
  readonly damage: FileDamage[]
  readonly files: StoreFiles
}

function read(store: string, gte?: Buffer, lt?: Buffer): Reading {
  const damage: FileDamage[] = []
  const files = new StoreFiles(store, (one) => damage.push(one))
  const pairs: Pairs = []
  for (const { key, value } of files.entries(gte, lt))
    pairs.push([key.toString('latin1'), value.toString('latin1')])
  return { pairs, damage, files }
}

function openLevel(store: string): Promise<ClassicLevel<Buffer, Buffer>> {
  const db = new ClassicLevel<Buffer, Buffer>(store, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    writeBufferSize: 64 * 1024, // several tables and levels out of little
    maxFileSize: 1024 * 1024,
  })
  return db.open().then(() => db)
}

/** What LevelDB itself has, asked of a copy, since opening changes the files. */
async function asLevelDb(store: string): Promise<Pairs> {
  const copy = await temporaryFolder()
  await cp(store, copy, { recursive: true })
  const db = await openLevel(copy)
  const entries = await db.iterator().all()
  await db.close()
  return entries.map(([key, value]) => [key.toString('latin1'), value.toString('latin1')])
}

/** Puts, overwrites and deletes in several lives of one store, some compacted in between. */
async function busyStore(seed: number): Promise<string> {
  const random = seededRandom(seed)
  const store = await temporaryFolder()
  for (let life = 0; life < 4; life++) {
    const db = await openLevel(store)
    for (let i = 0; i < 40; i++) {
      const batch = db.batch()
      for (let j = 0; j < random.whole(1, 60); j++) {
        const key = Buffer.from(`key ${random.whole(0, 700)}`)
        const kind = random.next()
        if (kind < 0.25) batch.del(key)
        else batch.put(key, Buffer.alloc(kind > 0.98 ? 40_000 : random.whole(0, 300), random.whole(0, 255)))
      }
      await batch.write()
    }
    if (life === 1 && isCompactable(db)) await db.compactRange(Buffer.from('key 0'), Buffer.from('key 5'))
    await db.close()
  }
  return store
}

test.each([1, 2, 3, 4, 5])('a store made of random %i reads as LevelDB reads it', async (seed) => {
  const store = await busyStore(seed)
  const before = await readdir(store)
  const wanted = await asLevelDb(store)
  const { pairs, damage, files } = read(store)
  expect(pairs).toEqual(wanted)
  expect(damage).toEqual([])
  expect(files.end).toEqual({ kind: 'whole' })
  expect(files.fileCount).toBeGreaterThan(1) // how many depends on how far LevelDB came with compacting
  const within = wanted.filter(([key]) => key >= 'key 3' && key < 'key 44')
  expect(read(store, Buffer.from('key 3'), Buffer.from('key 44')).pairs).toEqual(within)
  expect(await readdir(store)).toEqual(before)
})

test('a store without a manifest reads the same from its tables and logs', async () => {
  const store = await busyStore(6)
  const wanted = await asLevelDb(store)
  // A compaction that a close broke off leaves part of a table, which without a manifest looks like the rest.
  const live = read(store).files.liveFiles
  for (const name of await readdir(store))
    if (name.endsWith('.ldb') && !live.includes(name)) await rm(join(store, name))
  await writeFile(join(store, 'CURRENT'), 'MANIFEST-999999\n')
  const { pairs, damage } = read(store)
  expect(pairs).toEqual(wanted)
  expect(damage).toHaveLength(1)
})

test('a flipped byte in any table is reported, wherever it is', async () => {
  const store = await busyStore(7)
  // Not those that LevelDB has replaced and had no time to delete: they are not read.
  const names = read(store).files.liveFiles.filter((name) => name.endsWith('.ldb'))
  for (const name of names) {
    const path = join(store, name)
    const original = await readFile(path)
    for (let offset = 0; offset < original.length; offset += 1 + Math.floor(original.length / 12)) {
      const bytes = Buffer.from(original)
      bytes[offset]! ^= 1 << (offset % 8)
      await writeFile(path, bytes)
      expect(read(store).damage, `${name} at ${offset}`).not.toEqual([])
    }
    await writeFile(path, original)
  }
})

describe('a write-ahead log', () => {
  /** Records of 100 bytes and of more than two blocks; the whole log is one file. */
  async function logFile(): Promise<{ path: string; bytes: Buffer }> {
    const store = await temporaryFolder()
    const db = new ClassicLevel<string, string>(store, { writeBufferSize: 16 * 1024 * 1024 })
    for (let i = 0; i < 20; i++) await db.put(`key ${i}`, `${i}`.repeat(i === 9 ? 80_000 : 100))
    await db.close()
    const name = (await readdir(store)).find((file) => file.endsWith('.log'))!
    const path = join(store, name)
    return { path, bytes: await readFile(path) }
  }

  const kinds = (path: string) => Array.from(readRecordLog(path), ({ kind }) => kind)
  const RECORDS = Array.from({ length: 20 }, (): LogPiece['kind'] => 'record')

  test('is whole as it is, and torn wherever it is cut off', async () => {
    const { path, bytes } = await logFile()
    const starts = Array.from(readRecordLog(path), ({ offset }) => offset)
    expect(kinds(path)).toEqual(RECORDS)
    for (let end = bytes.length - 1; end > 0; end -= 1 + Math.floor(end / 97)) {
      await writeFile(path, bytes.subarray(0, end))
      const whole = starts.filter((_, i) => (starts[i + 1] ?? bytes.length) <= end).length
      const isCut =
        !starts.includes(end) && !(bytes.subarray(end).length === bytes.length - end && starts[whole] === end)
      const found = kinds(path)
      expect(found.filter((kind) => kind === 'record').length, `cut at ${end}`).toBe(whole)
      expect(found.slice(whole), `cut at ${end}`).toEqual(isCut ? ['torn'] : [])
    }
  })

  test('whose end is zeros is torn', async () => {
    const { path, bytes } = await logFile()
    await writeFile(path, Buffer.concat([bytes, Buffer.alloc(10_000)]))
    expect(kinds(path)).toEqual([...RECORDS, 'torn'])
  })

  test('with any one byte flipped before its last record is damaged', async () => {
    const { path, bytes } = await logFile()
    const last = Array.from(readRecordLog(path), ({ offset }) => offset).at(-1)!
    for (let offset = 0; offset < last; offset += 1 + Math.floor(offset / 61)) {
      const flipped = Buffer.from(bytes)
      flipped[offset]! ^= 1 << (offset % 8)
      await writeFile(path, flipped)
      const found = kinds(path)
      expect(found.filter((kind) => kind === 'damage').length, `${offset}`).toBe(1)
      expect(found.filter((kind) => kind === 'record').length, `${offset}`).toBe(19)
    }
  })

  test('with a byte flipped in its last record says that this one is doubtful, or knows that it was altered', async () => {
    const { path, bytes } = await logFile()
    const last = Array.from(readRecordLog(path), ({ offset }) => offset).at(-1)!
    for (let offset = last; offset < bytes.length; offset++) {
      const flipped = Buffer.from(bytes)
      flipped[offset]! ^= 0x41
      await writeFile(path, flipped)
      expect(['doubtful', 'damage'], `${offset}`).toContain(kinds(path).at(-1))
    }
  })
})
