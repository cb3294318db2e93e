/** Writes over logs and documents on LevelDB when a write fails, and together with groups, trims and damage. */
import { describe, expect, test } from 'vitest'
import type { Level } from '../../storage/level/level.ts'
import { WRITE_BYTES_MAX } from '../../storage/level/level-storage.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import { asIs, documents, put } from '../contract/catalog.ts'
import { bodies, event, LARGE_BATCH, lines } from '../contract/event-log.ts'
import { FaultyLevel } from '../support/faulty-level.ts'

const A = 1
const B = 2

async function openFaulty() {
  const db = new FaultyLevel()
  const open = () => openStorageOn(db as unknown as Level, { nowMs: () => 1_000, sync: true })
  return { db, storage: await open(), open }
}

type Opened = Awaited<ReturnType<typeof openFaulty>>['storage']

const both = (text: string) => [A, B].map((log) => ({ log, events: [event(text)] }))
const contents = async ({ log, catalog }: Opened) => [
  await bodies(log, A),
  await bodies(log, B),
  await documents(catalog),
]

describe('one write over logs and documents', () => {
  test('is one synced write of LevelDB', async () => {
    const { db, storage } = await openFaulty()
    const batch = storage.log.stage(A)
    await batch.add(lines('x\ny'), [])
    const before = db.syncs.length
    await storage.write({ appends: both('a'), batches: [batch], changes: [put('k', 1)] })
    expect(db.syncs.slice(before)).toEqual([true])
    await storage.catalog.commit([put('k', 2)], [await asIs(storage.catalog, 'k')])
    expect(db.syncs.slice(before)).toEqual([true, true])
  })

  test.each([false, true])(
    'that fails is unknown, and there as a whole or not at all: written %s',
    async (written) => {
      const { db, storage, open } = await openFaulty()
      await storage.write({ appends: both('kept'), changes: [put('k', 1)] })
      db.failWith = new Error('IO error: 000003.log: Input/output error')
      db.writesWhatFails = written
      const failed = storage.write({ appends: both('a'), changes: [put('k', 2), put('l', 2)] })
      const conditional = storage.catalog.commit([put('m', 1)], [await asIs(storage.catalog, 'm')])
      await expect(failed).rejects.toMatchObject({ code: 'unknown' })
      await expect(conditional).rejects.toMatchObject({ code: expect.stringMatching('unknown|unavailable') })
      db.failWith = undefined
      const refused = { code: 'unavailable' }
      await expect(storage.write({ appends: both('b') })).rejects.toMatchObject(refused)
      await expect(storage.log.append(A, [event('b')])).rejects.toMatchObject(refused)
      await expect(storage.catalog.commit([put('k', 3)], [])).rejects.toMatchObject(refused)
      const old = [['kept'], ['kept'], [['k', 1]]]
      const found = await contents(await open())
      if (!written) return expect(found).toEqual(old)
      expect(found.slice(0, 2)).toEqual([
        ['kept', 'a'],
        ['kept', 'a'],
      ])
      expect(found[2]).toEqual(
        expect.arrayContaining([
          ['k', 2],
          ['l', 2],
        ]),
      )
    },
  )

  test('what waits when a write fails is refused, and nothing hangs', async () => {
    const { db, storage } = await openFaulty()
    await storage.catalog.commit([put('k', 1)])
    const condition = await asIs(storage.catalog, 'k')
    db.failWith = new Error('IO error: disk on fire')
    const writes = Array.from({ length: 60 }, async (_, i) => {
      for (let turns = 0; turns < i % 5; turns++) await new Promise((resolve) => setImmediate(resolve))
      if (i % 4 === 0) return storage.log.append(A, [event(`${i}`)])
      if (i % 4 === 1) return storage.write({ appends: both(`${i}`), conditions: [condition] })
      if (i % 4 === 2) return storage.catalog.commit([put('l', i)], [condition])
      return storage.catalog.commit([put('l', i)])
    })
    const outcomes = await Promise.allSettled(writes)
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(['rejected']))
    expect(await contents(storage)).toEqual([[], [], [['k', 1]]])
  })

  test('tails, totals and marks are right after a crash behind it', async () => {
    const { db, storage, open } = await openFaulty()
    for (let i = 0; i < 20; i++) {
      await storage.write({ appends: both(`${i}`), changes: [put('k', i)] })
      if (i % 3 === 0) await storage.log.append(A, [event('between')])
    }
    const recovered = await open() // on what is on disk now, the first one still open
    for (const id of [A, B]) {
      expect(await recovered.log.tail(id)).toEqual(await storage.log.tail(id))
      expect(await recovered.log.totals(id)).toEqual(await storage.log.totals(id))
      expect(await bodies(recovered.log, id)).toEqual(await bodies(storage.log, id))
    }
    expect(db.mostUnderWay).toBe(1)
  })

  test('that cannot be staged is refused, and so is every write after it, until the store is opened anew', async () => {
    const { db, storage, open } = await openFaulty()
    await storage.log.append(B, [event('kept')])
    db.failPutAfter = 1 // the events of the first log are staged, those of the second are not
    const failed = storage.write({ appends: both('a'), changes: [put('k', 1)] })
    const behind = storage.log.append(A, [event('behind')])
    await expect(failed).rejects.toMatchObject({ code: 'unavailable' })
    await expect(behind).rejects.toMatchObject({ code: 'unavailable' })
    await expect(storage.log.append(A, [event('b')])).rejects.toMatchObject({ code: 'unavailable' })
    const recovered = await open()
    expect(await contents(recovered)).toEqual([[], ['kept'], []])
    await recovered.log.append(A, [event('c')])
    expect(await contents(await open())).toEqual([['c'], ['kept'], []])
  })

  test('that is refused before it is written leaves its batches as they were', async () => {
    const { db, storage } = await openFaulty()
    await storage.catalog.commit([put('k', 1)])
    const conditions = [await asIs(storage.catalog, 'k')]
    const large = storage.log.stage(A)
    for (const part of LARGE_BATCH) await large.add(lines(part), [])
    const small = storage.log.stage(B)
    await small.add(lines('x\ny'), [])
    const batches = [large, small]
    const tooMuch = [{ log: A, events: [{ headers: [], body: Buffer.alloc(WRITE_BYTES_MAX) }] }]
    await expect(storage.write({ appends: tooMuch, batches })).rejects.toThrow(/at most 67108864 bytes/)
    db.failReadWith = new Error('IO error: 000005.ldb: Input/output error')
    await expect(storage.write({ batches, conditions })).rejects.toMatchObject({ code: 'unavailable' })
    db.failReadWith = undefined
    await storage.write({ batches: [small], conditions })
    await large.discard()
    expect((await storage.log.sweep(1_000)).removed).toBeGreaterThan(0)
    expect((await contents(storage)).slice(0, 2)).toEqual([[], ['x', 'y']])
  })

  test('of a dropped log stores nothing', async () => {
    const { storage } = await openFaulty()
    for (let i = 0; i < 3; i++) await storage.log.append(B, [event('x')])
    await storage.log.drop(B, 1)
    const refused = storage.write({ appends: both('a'), changes: [put('k', 1)] })
    await expect(refused).rejects.toMatchObject({ code: 'dropped' })
    expect([await storage.log.tail(A), await documents(storage.catalog)]).toEqual([undefined, []])
  })

  test('before a drop is dropped with the rest of its log, and stays in the others', async () => {
    const { storage } = await openFaulty()
    await storage.log.append(B, [event('x')])
    const [result] = await Promise.all([storage.write({ appends: both('a') }), storage.log.drop(B, 100)])
    expect([result.outcome, await storage.log.logs()]).toEqual(['done', [A]])
    expect(await bodies(storage.log, A)).toEqual(['a'])
  })

  test('may be larger than a group, and is never cut', async () => {
    const { db, storage } = await openFaulty()
    const large = 'x'.repeat(900_000)
    const waiting = Array.from({ length: 4 }, () => storage.log.append(A, [event(large)]))
    const before = db.syncs.length
    const write = storage.write({
      appends: [A, B, A].map((log) => ({ log, events: [event(large), event('last')] })),
      changes: [put('k', large)],
    })
    await Promise.all([...waiting, write])
    expect(db.syncs.length - before).toBe(5)
    expect((await bodies(storage.log, A)).map(({ length }) => length)).toEqual([
      ...Array.from({ length: 4 }, () => 900_000),
      ...[900_000, 4, 900_000, 4],
    ])
  })

  test('comes after the commits that were called before it, however large they are, and before later ones', async () => {
    const { storage } = await openFaulty()
    await storage.catalog.commit([put('k', 'first')])
    const condition = await asIs(storage.catalog, 'k')
    const large = 'x'.repeat(700_000)
    const outcomes = await Promise.all([
      ...['a', 'b', 'c'].map((id) => storage.catalog.commit([put(id, large)])),
      storage.catalog.commit([put('k', 'second')]),
      storage.catalog.commit([put('k', 'third')], [condition]),
      storage.write({ appends: both('a'), changes: [put('l', 1)] }),
      storage.catalog.commit([put('l', 2)]),
    ])
    expect(outcomes.slice(3)).toEqual([
      'done',
      'conflict',
      expect.objectContaining({ outcome: 'done' }),
      'done',
    ])
    expect((await storage.catalog.get('c', 'l'))?.document).toBe(2)
  })

  test('has a bound', async () => {
    const { storage } = await openFaulty()
    const events = [{ headers: [], body: Buffer.alloc(WRITE_BYTES_MAX / 2) }]
    const refused = storage.write({ appends: [A, B].map((log) => ({ log, events })) })
    await expect(refused).rejects.toThrow(/at most 67108864 bytes/)
    await storage.log.append(A, [event('a')])
    expect(await storage.log.logs()).toEqual([A])
  })

  test('many at once share writes', async () => {
    const { db, storage } = await openFaulty()
    const before = db.syncs.length
    await Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        storage.write({
          appends: both(`${i}`),
          changes: [put(`${i}`, 1)],
          conditions: [{ collection: 'c', id: `${i}`, version: undefined }],
        }),
      ),
    )
    expect(db.syncs.length - before).toBeLessThan(10)
    expect(await bodies(storage.log, B)).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`))
  })

  test('with a condition on a document that was altered on disk is a conflict, and reading it an error', async () => {
    const { db, storage } = await openFaulty()
    await storage.catalog.commit([put('k', { n: 1 })])
    const condition = await asIs(storage.catalog, 'k')
    const [[key, value]] = (await db.everything()).filter(([found]) => found[0] === 0x63) as [
      [Buffer, Buffer],
    ]
    const altered = Buffer.from(value)
    altered[5]! ^= 1
    await db.put(key, altered)
    expect(await storage.catalog.commit([put('k', 2)], [condition])).toBe('conflict')
    await expect(storage.catalog.get('c', 'k')).rejects.toMatchObject({ code: 'corrupt' })
  })

  test('a large batch that was written by it is not swept', async () => {
    const { storage, open } = await openFaulty()
    const batch = storage.log.stage(A)
    for (const part of LARGE_BATCH) await batch.add(lines(part), [])
    await storage.write({ batches: [batch], changes: [put('k', 1)] })
    const again = await open()
    expect(await again.log.sweep(1_000)).toEqual({ removed: 0, more: false })
    expect(await bodies(again.log, A)).toHaveLength(40_000)
  })
})
