/** What every engine must do with a write over several logs and documents. An engine's test file calls `describeStorageWrite`. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EventLog, LogId } from '../../storage/log.ts'
import type { Storage } from '../../storage/storage.ts'
import { asIs, documents, put } from './catalog.ts'
import {
  bodies,
  event,
  LARGE_BATCH,
  LARGE_BATCH_EVENTS,
  lines,
  positionOf,
  readAll,
  type StorageEngine,
} from './event-log.ts'

const A = 1
const B = 2

export function describeStorageWrite(name: string, newEngine: () => StorageEngine): void {
  describe(`one write over logs and documents on ${name}`, () => {
    let engine: StorageEngine
    let storage: Storage
    let log: EventLog

    beforeEach(async () => {
      engine = newEngine()
      storage = await engine.open(() => 1_000)
      log = storage.log
    })
    afterEach(async () => {
      await storage.close()
      await engine.remove()
    })

    const append = (id: LogId, ...texts: string[]) => ({ log: id, events: texts.map((text) => event(text)) })
    const contents = async () => [
      await bodies(storage.log, A),
      await bodies(storage.log, B),
      await documents(storage.catalog),
    ]

    test('stores events and documents, and answers with positions in the order asked', async () => {
      await log.append(A, [event('before')])
      const result = await storage.write({
        appends: [append(B, 'x', 'y'), append(A, 'a'), append(B, 'z')],
        changes: [put('k', 1), put('l', 2)],
      })
      const [inA, inB] = [await readAll(log, A), await readAll(log, B)]
      expect(result).toEqual({ outcome: 'done', positions: [inB[1]!, inA[1]!, inB[2]!].map(positionOf) })
      const wanted = [
        ['before', 'a'],
        ['x', 'y', 'z'],
        [
          ['k', 1],
          ['l', 2],
        ],
      ]
      expect(await contents()).toEqual(wanted)
      await storage.close()
      storage = await engine.reopen(() => 1_000)
      expect(await contents()).toEqual(wanted)
      expect(await storage.log.totals(B)).toEqual({ events: 3, bytes: 3 })
    })

    test('of nothing is done', async () => {
      expect(await storage.write({})).toEqual({ outcome: 'done', positions: [] })
    })

    test('of batches stores them in place of their commit', async () => {
      const small = log.stage(A)
      await small.add(lines('a\nb'), [])
      const large = log.stage(B)
      for (const part of LARGE_BATCH) await large.add(lines(part), [])
      const empty = log.stage(A)
      expect(await contents()).toEqual([[], [], []])
      const { outcome, positions } = await storage.write({
        appends: [append(A, 'first')],
        batches: [small, large, empty],
        changes: [put('k', 1)],
      })
      expect(await contents()).toEqual([['first', 'a', 'b'], LARGE_BATCH_EVENTS, [['k', 1]]])
      const [inA, inB] = [await readAll(log, A), await readAll(log, B)]
      expect([outcome, positions]).toEqual([
        'done',
        [positionOf(inA[0]!), positionOf(inA[2]!), positionOf(inB.at(-1)!), undefined],
      ])
      await storage.close()
      storage = await engine.reopen(() => 1_000)
      expect(await contents()).toEqual([['first', 'a', 'b'], LARGE_BATCH_EVENTS, [['k', 1]]])
    })

    test('whose conditions do not hold is a conflict and stores nothing', async () => {
      await storage.catalog.commit([put('k', 1)])
      const condition = await asIs(storage.catalog, 'k')
      await storage.catalog.commit([put('k', 2)])
      const batch = log.stage(B)
      await batch.add(lines('x\ny'), [])
      const write = { appends: [append(A, 'a')], batches: [batch], changes: [put('l', 1)] }
      expect(await storage.write({ ...write, conditions: [condition] })).toEqual({
        outcome: 'conflict',
        positions: [],
      })
      expect(await contents()).toEqual([[], [], [['k', 2]]])
      expect([await log.tail(A), await log.logs()]).toEqual([undefined, []])
      const now = await asIs(storage.catalog, 'k')
      expect((await storage.write({ ...write, conditions: [now] })).outcome).toBe('done')
      expect(await contents()).toEqual([
        ['a'],
        ['x', 'y'],
        [
          ['k', 2],
          ['l', 1],
        ],
      ])
    })

    test.each(['small', 'large'])(
      'gives a %s batch back after a conflict: it can be discarded',
      async (size) => {
        const batch = log.stage(A)
        for (const part of size === 'small' ? ['a\nb'] : LARGE_BATCH) await batch.add(lines(part), [])
        const condition = { collection: 'c', id: 'k', version: 'never' }
        expect((await storage.write({ batches: [batch], conditions: [condition] })).outcome).toBe('conflict')
        await batch.discard()
        const done = { logs: [], dropped: [], mayRewrite: true, onError() {} }
        for (let steps = 0; steps < 100 && (await log.maintain(done)).more; steps++);
        expect(await contents()).toEqual([[], [], []])
      },
    )

    test('is in the order of the appends and commits around it', async () => {
      const writes: Promise<unknown>[] = []
      const wanted: string[] = []
      for (let i = 0; i < 80; i++) {
        wanted.push(`${i}`)
        if (i % 4 === 0) {
          writes.push(
            storage.write({ appends: [append(A, `${i}`), append(B, `${i}`)], changes: [put('k', i)] }),
          )
        } else {
          writes.push(log.append(A, [event(`${i}`)], { linger: i % 3 === 0 }))
          writes.push(log.append(B, [event(`${i}`)]))
          if (i % 5 === 0) writes.push(storage.catalog.commit([put('k', i)]))
        }
        if (i % 11 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await Promise.all(writes)
      expect(await contents()).toEqual([wanted, wanted, [['k', 76]]])
    })

    test('by many at once is all or nothing for each, and exactly one wins a document', async () => {
      for (let round = 0; round < 8; round++) {
        const condition = await asIs(storage.catalog, 'k')
        const before = await bodies(log, A)
        const outcomes = await Promise.all(
          Array.from({ length: 12 }, async (_, i) => {
            const text = `${round}.${i}`
            const appends = [append(A, text), append(B, text)]
            const write = { appends, changes: [put('k', text)], conditions: [condition] }
            const [{ outcome }] = await Promise.all([storage.write(write), log.append(3, [event(text)])])
            return outcome
          }),
        )
        const winners = outcomes.flatMap((outcome, i) => (outcome === 'done' ? [`${round}.${i}`] : []))
        expect(winners).toHaveLength(1)
        expect(await contents()).toEqual([
          [...before, ...winners],
          [...before, ...winners],
          [['k', winners[0]]],
        ])
      }
      expect(await bodies(log, 3)).toHaveLength(96)
    })
  })
}
