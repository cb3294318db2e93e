/** How much a scan has in memory for callers who are quick, and for those who are not. */
import { join } from 'node:path'
import { Level as ClassicLevel } from 'level'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import type { Level } from '../../storage/level/level.ts'
import { EntryScan } from '../../storage/level/range-scan.ts'
import { temporaryFolder } from '../support/service-process.ts'

const VALUE = Buffer.alloc(64 * 1024)
const ENTRIES = 400

afterEach(() => {
  vi.restoreAllMocks()
})

const callers: { name: string; msOf: (entry: number) => number; mostKb: number }[] = [
  { name: 'quick', msOf: () => 0.1, mostKb: 512 },
  { name: 'slow', msOf: () => 100, mostKb: 96 },
  // As a network's window opens: a few megabytes at once, then nothing for seconds.
  { name: 'slow by fits and starts', msOf: (entry) => (entry % 40 === 0 ? 5_000 : 0.1), mostKb: 96 },
]

test.each(callers)('a caller who is $name has rounds of $mostKb KiB', async ({ msOf, mostKb }) => {
  let nowMs = 1_000
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
  // Not the engine in memory, which does not count the bytes of a round.
  const db = new ClassicLevel<Buffer, Buffer>(join(await temporaryFolder(), 'store'), {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
  })
  onTestFinished(() => db.close())
  for (let i = 0; i < ENTRIES; i++) await db.put(keyOf(i), VALUE)
  const asked: number[] = []
  const iterator = db.iterator.bind(db) as (options: { highWaterMarkBytes: number }) => unknown
  Object.assign(db, {
    iterator(options: { highWaterMarkBytes: number }) {
      asked.push(options.highWaterMarkBytes / 1024)
      return iterator(options)
    },
  })

  const scan = new EntryScan(db as unknown as Level, keyOf(0), keyOf(ENTRIES))
  let taken = 0
  for (let entry = scan.take(); entry !== undefined || (await scan.fetch()); entry = scan.take()) {
    if (entry === undefined) continue
    expect(entry[0]).toEqual(keyOf(taken))
    nowMs += msOf(taken++)
  }
  expect(taken).toBe(ENTRIES)
  expect(asked.slice(-3)).toEqual([mostKb, mostKb, mostKb])
})

function keyOf(number: number): Buffer {
  const key = Buffer.alloc(4)
  key.writeUInt32BE(number)
  return key
}
