/** Large batches: in memory, in a file, as one record batch or by a transaction; and the limits of files. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { JOINT_BYTES_MORE } from '../../../storage/kafka/join-batches.ts'
import { CONTIGUOUS_BYTES_MAX } from '../../../storage/kafka/kafka-storage.ts'
import { RecordBatchBuilder } from '../../../storage/kafka/record-batch.ts'
import { encodeRecordHeaders } from '../../../storage/kafka/record-headers.ts'
import { Spool } from '../../../storage/kafka/spool.ts'
import { KafkaStagedBatch } from '../../../storage/kafka/staged-batch.ts'
import { StagingArea } from '../../../storage/kafka/staging-area.ts'
import type { EventHeaders } from '../../../storage/log.ts'
import { headedEventsOf } from '../../../storage/slices.ts'
import { StorageError } from '../../../storage/storage-error.ts'
import { event, lines, promisedBytes } from '../../contract/event-log.ts'
import { writersOn } from '../../support/kafka-writers.ts'
import { ScriptedCluster } from '../../support/scripted-cluster.ts'

const TOPIC = 'p.log.1'
const MIB = 1024 * 1024
/** Long lines: what a batch costs is its bytes, and what a check of it costs is its lines. */
const PART_LINES = 5
/** About 300 kB. */
const PART = Array.from({ length: PART_LINES }, (_, i) => `line ${i} `.padEnd(60_000, '.')).join('\n')

let cluster: ScriptedCluster
let folder: string
let spool: Spool
let parts: ReturnType<typeof writersOn>

beforeEach(async () => {
  cluster = new ScriptedCluster()
  folder = mkdtempSync(join(tmpdir(), 'millrace-spool-'))
  spool = await Spool.open({ folder, bytesMax: 100 * MIB })
  parts = writersOn({ requests: cluster, prefix: 'p' })
})
afterEach(() => rmSync(folder, { recursive: true }))

const area = (memoryBytesMax = 0) => new StagingArea({ writers: parts.writers, spool, memoryBytesMax })

async function filled(batch: KafkaStagedBatch, count: number): Promise<KafkaStagedBatch> {
  for (let i = 0; i < count; i++) await batch.add(lines(PART), [['part', `${i % 2}`]])
  return batch
}

const expected = (count: number) => Array.from({ length: count }, () => PART.split('\n')).flat()

const sizes = [
  { name: 'a small one, in memory', count: 2, memory: 0, spooled: false, batches: 1 },
  { name: 'one in memory as far as there is some', count: 30, memory: 64 * MIB, spooled: false, batches: 1 },
  { name: 'one in a file, as one record batch', count: 30, memory: 0, spooled: true, batches: 1 },
  { name: 'one of more than a record batch', count: 70, memory: 64 * MIB, spooled: true, batches: 7 },
  { name: 'the same, in a file from the beginning', count: 70, memory: 0, spooled: true, batches: 24 },
]
test.each(sizes)('$name', async ({ count, memory, spooled, batches }) => {
  const batch = await filled(new KafkaStagedBatch(area(memory), 1), count)
  expect([spool.bytes > 0, cluster.topics.size]).toEqual([spooled, 0])
  expect(await batch.commit()).toEqual({ sequence: PART_LINES * count - 1, timestampMs: 5_000 })
  expect(cluster.bodies(TOPIC)).toEqual(expected(count))
  expect(Math.abs(cluster.batchesOf(TOPIC) - batches)).toBeLessThanOrEqual(batches > 1 ? 3 : 0)
  expect([spool.bytes, readdirSync(folder)]).toEqual([0, []])
  await expect(batch.commit()).rejects.toMatchObject({ code: 'closed' })
  await batch.discard()
})

test.each([
  { name: 'a small one', spills: false },
  { name: 'one in a file', spills: true },
])('$name keeps its place among appends', async ({ spills }) => {
  const batch = new KafkaStagedBatch(area(), 1)
  await batch.add(lines('b'), [])
  if (spills) await batch.spill()
  await batch.add(lines('c'), [])
  await Promise.all([
    parts.writers.append(1, [event('a')]),
    batch.commit(),
    parts.writers.append(1, [event('d')]),
  ])
  expect(cluster.bodies(TOPIC)).toEqual(['a', 'b', 'c', 'd'])
})

test('many in files, of one log, are stored in the order of their commits', async () => {
  const staged = Array.from({ length: 10 }, () => new KafkaStagedBatch(area(), 1))
  for (const [i, batch] of staged.entries()) {
    await batch.add(lines(`a${i}\nb${i}`), [])
    await batch.spill()
  }
  const order = [5, 3, 9, 0, 1, 8, 2, 7, 6, 4]
  await Promise.all(order.map((i) => staged[i]!.commit()))
  expect(cluster.bodies(TOPIC)).toEqual(order.flatMap((i) => [`a${i}`, `b${i}`]))
})

test('one in a file that cannot be read is refused alone', async () => {
  const batch = new KafkaStagedBatch(area(), 1)
  await batch.add(lines('lost'), [])
  await batch.spill()
  batch.complete = () => Promise.reject(new StorageError('corrupt', 'damaged'))
  const results = await Promise.allSettled([
    parts.writers.append(1, [event('a')]),
    batch.commit(),
    parts.writers.append(1, [event('b')]),
  ])
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect([cluster.bodies(TOPIC), spool.bytes]).toEqual([['a', 'b'], 0])
})

test('as much as is promised to be contiguous is one record batch, also in parts', async () => {
  const headers: EventHeaders = [['key', 'k'.repeat(20_000)]]
  const bodyLength = 60_000
  const count = Math.floor(CONTIGUOUS_BYTES_MAX / promisedBytes(headers, bodyLength))
  const batch = new KafkaStagedBatch(area(), 1)
  for (let i = 0; i < count; i++) {
    await batch.add(lines('x'.repeat(bodyLength)), headers)
    await batch.spill()
  }
  expect(await batch.commit()).toMatchObject({ sequence: count - 1 })
  expect(cluster.batchesOf(TOPIC)).toBe(1)
})

const promised: readonly { name: string; headers: EventHeaders; bodyLength: number }[] = [
  { name: 'no bodies', headers: [], bodyLength: 0 },
  { name: 'short bodies', headers: [], bodyLength: 7 },
  { name: 'bodies', headers: [], bodyLength: 70_000 },
  { name: 'short headers', headers: Array.from({ length: 50 }, (_, i) => [`h${i}`, '']), bodyLength: 1 },
  { name: 'long headers', headers: [['h', 'ü'.repeat(20_000)]], bodyLength: 10 },
  { name: 'keys', headers: [['key', 'k'.repeat(20_000)]], bodyLength: 1 },
  { name: 'names of marks', headers: [['millrace.x', '1']], bodyLength: 1 },
]
test.each(promised)('an event takes no more than the promise counts: $name', ({ headers, bodyLength }) => {
  const builder = new RecordBatchBuilder()
  const encoded = encodeRecordHeaders(headers)
  for (let i = 0; i < 100; i++) {
    const before = builder.bytes
    builder.addEvent(encoded, Buffer.alloc(bodyLength), 0, bodyLength)
    const more = builder.bytes - before + JOINT_BYTES_MORE
    expect(more).toBeLessThanOrEqual(promisedBytes(headers, bodyLength))
  }
})

test('an empty one has no position', async () => {
  expect(await new KafkaStagedBatch(area(), 1).commit()).toBeUndefined()
  expect(cluster.topics.size).toBe(0)
})

test('spilled parts become one record batch, with their headers', async () => {
  const batch = new KafkaStagedBatch(area(), 1)
  const headers = [
    ['key', 'k'],
    ['é', ''],
  ] as const
  await batch.add(lines('a\nb'), headers)
  await batch.spill()
  await batch.addHeaded(headedEventsOf([event('c', headers), event('d'), event('')]))
  await batch.spill()
  await batch.spill()
  await batch.add(lines('e'), headers)
  await batch.commit()
  expect([cluster.bodies(TOPIC), cluster.batchesOf(TOPIC)]).toEqual([['a', 'b', 'c', 'd', '', 'e'], 1])
})

test('memory is shared: batches that find none use a file', async () => {
  const shared = area(3 * MIB)
  const all = await Promise.all([1, 2, 3].map((log) => filled(new KafkaStagedBatch(shared, log), 6)))
  expect(spool.bytes).toBeGreaterThan(0)
  await Promise.all(all.map((batch) => batch.discard()))
  expect([spool.bytes, shared.isFull]).toEqual([0, false])
})

describe('a batch whose log is dropped', () => {
  test.each([2, 70])('can be moved and committed again (%i parts)', async (count) => {
    const batch = await filled(new KafkaStagedBatch(area(), 1), count)
    await parts.writers.drop(1)
    await expect(batch.commit()).rejects.toMatchObject({ code: 'dropped' })
    batch.moveTo(2)
    await batch.commit()
    expect([cluster.bodies(TOPIC), cluster.bodies('p.log.2')]).toEqual([[], expected(count)])
    expect(spool.bytes).toBe(0)
  })

  test('during its transaction is not stored', async () => {
    let isUnused = false
    parts = writersOn({ requests: cluster, prefix: 'p', isUnused: (log) => log === 1 && isUnused })
    const batch = await filled(new KafkaStagedBatch(area(), 1), 70)
    const produce = cluster.produce.bind(cluster)
    cluster.produce = (node, request) => {
      isUnused = true
      return produce(node, request)
    }
    await expect(batch.commit()).rejects.toMatchObject({ code: 'dropped' })
    batch.moveTo(2)
    await batch.commit()
    expect([cluster.bodies(TOPIC), cluster.bodies('p.log.2').length]).toEqual([[], 70 * PART_LINES])
  })
})

test('a batch that failed frees its file', async () => {
  const batch = await filled(new KafkaStagedBatch(area(), 1), 70)
  cluster.fateOfAll = 10
  await expect(batch.commit()).rejects.toMatchObject({ code: 'unavailable' })
  expect([spool.bytes, cluster.bodies(TOPIC)]).toEqual([0, []])
})

test('appends that are called before a large batch are in front of it', async () => {
  const batch = await filled(new KafkaStagedBatch(area(), 1), 70)
  const before = parts.writers.append(1, [event('before')])
  await Promise.all([before, batch.commit(), parts.writers.append(1, [event('beside')])])
  const bodies = cluster.bodies(TOPIC)
  expect([bodies[0], bodies.length]).toEqual(['before', 70 * PART_LINES + 2])
})

test('what a write over several logs needs: the batches, also twice', async () => {
  const batch = await filled(new KafkaStagedBatch(area(), 1), 70)
  await batch.complete()
  const counts = async () => {
    let count = 0
    for await (const one of batch.batches()) count += one.count
    return count
  }
  const wanted = 70 * PART_LINES
  expect([await counts(), await counts(), batch.count]).toEqual([wanted, wanted, wanted])
  expect(batch.bytes).toBeGreaterThan(70 * PART.length)
  await batch.end()
  expect(spool.bytes).toBe(0)
})

describe('files', () => {
  const full = { code: 'full' }

  test('of a crash are removed at the start', async () => {
    writeFileSync(join(folder, 'batch-7'), 'x')
    await Spool.open({ folder, bytesMax: MIB })
    expect(readdirSync(folder)).toEqual([])
  })

  test('are bounded, all together', async () => {
    spool = await Spool.open({ folder, bytesMax: 5 * MIB })
    const [first, second] = [new KafkaStagedBatch(area(), 1), new KafkaStagedBatch(area(), 1)]
    await filled(first, 10)
    await expect(filled(second, 20)).rejects.toMatchObject({
      ...full,
      message: expect.stringMatching(/have \d+ bytes on this node, of at most 5242880; try again later$/),
    })
    await expect(second.add(lines('a'), [])).rejects.toMatchObject(full)
    await expect(second.commit()).rejects.toMatchObject(full)
    await first.commit()
    expect([spool.bytes, cluster.bodies(TOPIC).length]).toEqual([0, 10 * PART_LINES])
  })

  test('leave disk space free', async () => {
    let freeBytes = 100 * MIB
    const options = { folder, bytesMax: 100 * MIB, freeBytesMin: 90 * MIB, freeBytes: async () => freeBytes }
    spool = await Spool.open(options)
    const batch = await filled(new KafkaStagedBatch(area(), 1), 10)
    freeBytes = 80 * MIB
    await expect(filled(batch, 80)).rejects.toMatchObject({
      ...full,
      message: expect.stringMatching(/bytes free; 94371840 have to stay free$/),
    })
    await batch.discard()
    expect(spool.bytes).toBe(0)
  })

  test('have the bytes that were written, or are damaged', async () => {
    const builder = new RecordBatchBuilder()
    builder.addRecord({ value: Buffer.from('one') })
    const one = builder.finish()
    const file = await spool.create()
    await file.append(one)
    await file.append(one)
    for (let i = 0; i < 2; i++) {
      const read: Buffer[] = []
      for await (const { bytes } of file.batches()) read.push(Buffer.from(bytes))
      expect(read).toEqual([Buffer.from(one.bytes), Buffer.from(one.bytes)])
    }
    await file.close()
    await file.close()
    expect(spool.bytes).toBe(0)
  })
})
