/**
 * What every EventLog engine must do, as one suite. An engine's test file calls `describeEventLog` with its opener. Where
 * engines differ, a test asks `storage.promises`.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type {
  EventBlock,
  EventData,
  EventHeaders,
  EventLog,
  EventSlices,
  LogId,
  MaintenancePlan,
  Position,
  ReadRange,
  StagedBatch,
} from '../../storage/log.ts'
import { headedEventsOf } from '../../storage/slices.ts'
import type { Storage } from '../../storage/storage.ts'

/** One event as a reader sees it. */
export interface ReadEvent {
  readonly sequence: number
  readonly timestampMs: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

/** Opens the engine; `reopen` opens the same data again after `close`. */
export interface StorageEngine<S extends Storage = Storage> {
  open(nowMs: () => number): Promise<S>
  reopen(nowMs: () => number): Promise<S>
  remove(): Promise<void>
}

export const EVERYTHING: ReadRange = {
  startMs: 0,
  endMs: Number.MAX_SAFE_INTEGER,
  limit: Number.MAX_SAFE_INTEGER,
}

export function event(body: string, headers: EventData['headers'] = []): EventData {
  return { headers, body: Buffer.from(body, 'latin1') }
}

/** Lines of a text as slices of it, the way a decoder hands them over. */
export function lines(text: string): EventSlices {
  const bytes = Buffer.from(text, 'latin1')
  const starts: number[] = []
  const ends: number[] = []
  for (const match of text.matchAll(/[^\r\n]+/g)) {
    starts.push(match.index)
    ends.push(match.index + match[0].length)
  }
  return { bytes, starts: Uint32Array.from(starts), ends: Uint32Array.from(ends), count: starts.length }
}

/** The whole text as one slice. */
export function whole(body: string): EventSlices {
  const bytes = Buffer.from(body, 'latin1')
  return { bytes, starts: Uint32Array.of(0), ends: Uint32Array.of(bytes.length), count: 1 }
}

export function eventsOf({ firstSequence, bytes, starts, ends, runs }: EventBlock): ReadEvent[] {
  const events: ReadEvent[] = []
  for (const { begin, end, timestampMs, headers } of runs) {
    for (let i = begin; i < end; i++) {
      const body = Buffer.from(bytes.subarray(starts[i], ends[i])).toString('latin1')
      events.push({ sequence: firstSequence + i, timestampMs, headers, body })
    }
  }
  return events
}

/** The blocks of a range; none if no event is in it. */
export async function* readBlocks(log: EventLog, id: LogId, range: Partial<ReadRange> = {}) {
  const read = await log.read(id, { ...EVERYTHING, ...range })
  if (read !== undefined) yield* read.blocks
}

export async function readAll(
  log: EventLog,
  id: LogId,
  range: Partial<ReadRange> = {},
): Promise<ReadEvent[]> {
  const events: ReadEvent[] = []
  for await (const block of readBlocks(log, id, range)) events.push(...eventsOf(block))
  return events
}

export async function bodies(log: EventLog, id: LogId, range: Partial<ReadRange> = {}): Promise<string[]> {
  return (await readAll(log, id, range)).map(({ body }) => body)
}

export function positionOf({ sequence, timestampMs }: ReadEvent): Position {
  return { sequence, timestampMs }
}

/** Bytes of an event as `contiguousBatchBytesMax` counts them. */
export function promisedBytes(headers: EventHeaders, bodyLength: number): number {
  const ofHeaders = headers.flat().reduce((sum, text) => sum + 2 * Buffer.byteLength(text), 0)
  return bodyLength + ofHeaders + 32 * (1 + headers.length)
}

/** About 3.6 MB in 20 parts of lines. */
export const LARGE_BATCH = Array.from({ length: 20 }, (_, part) =>
  Array.from({ length: 2_000 }, (_, i) => `part ${part} line ${i} `.padEnd(60 + (i % 90), '.')).join('\n'),
)
export const LARGE_BATCH_EVENTS = LARGE_BATCH.flatMap((part) => part.split('\n'))

const A = 1
const B = 2

export function describeEventLog(name: string, newEngine: () => StorageEngine): void {
  describe(`event log on ${name}`, () => {
    let engine: StorageEngine
    let storage: Storage
    let log: EventLog
    let nowMs = 1_000

    beforeEach(async () => {
      nowMs = 1_000
      engine = newEngine()
      storage = await engine.open(() => nowMs)
      log = storage.log
    })
    afterEach(async () => {
      await storage.close()
      await engine.remove()
    })

    async function reopen(): Promise<void> {
      await storage.close()
      storage = await engine.reopen(() => nowMs)
      log = storage.log
    }

    /** Sets the clock; an engine with a clock of its own gives later times by itself, if one waits a little. */
    async function at(timeMs: number): Promise<void> {
      nowMs = timeMs
      if (storage.promises.ownClock) await sleep(3)
    }

    async function appendAt(timeMs: number, ...texts: string[]): Promise<Position> {
      await at(timeMs)
      return log.append(
        A,
        texts.map((text) => event(text)),
      )
    }

    async function filled(batch: StagedBatch, parts: readonly EventSlices[]): Promise<StagedBatch> {
      for (const part of parts) await batch.add(part, [])
      return batch
    }

    async function commitBatch(parts: readonly EventSlices[], id: LogId = A): Promise<Position | undefined> {
      return (await filled(log.stage(id), parts)).commit()
    }

    function plan(change: Partial<MaintenancePlan> = {}): MaintenancePlan {
      return {
        logs: [],
        dropped: [],
        mayRewrite: true,
        onError: (_, error) => {
          throw error
        },
        ...change,
      }
    }

    /** Repeats a plan until nothing is left to do. */
    async function maintain(change: Partial<MaintenancePlan>): Promise<number> {
      let removed = 0
      for (let steps = 0; steps < 1_000; steps++) {
        const result = await log.maintain(plan(change))
        removed += result.removed
        if (!result.more) return removed
      }
      throw new Error('maintenance does not end')
    }

    function expectAscending(events: readonly ReadEvent[]): void {
      const isGapless = storage.promises.gaplessSequences
      const wrong = events.filter(({ sequence, timestampMs }, i) => {
        if (isGapless && sequence !== events[0]!.sequence + i) return true
        const before = events[i - 1]
        return before !== undefined && (sequence <= before.sequence || timestampMs < before.timestampMs)
      })
      expect(wrong.map(positionOf)).toEqual([])
    }

    test('says what it promises, and has a clock', () => {
      expect(storage.promises.eventBytesMax).toBeGreaterThanOrEqual(1024 * 1024)
      expect(storage.promises.contiguousBatchBytesMax).toBeGreaterThan(0)
      expect(Number.isSafeInteger(Math.floor(log.nowMs()))).toBe(true)
      if (!storage.promises.ownClock) expect(log.nowMs()).toBe(nowMs)
      expect(log.failure()).toBeUndefined()
    })

    describe('appending', () => {
      test('answers with the position of the last event', async () => {
        const first = await appendAt(5_000, 'a', 'b', 'c')
        const second = await appendAt(5_001, 'd')
        const events = await readAll(log, A)
        expect(events.map(({ body }) => body)).toEqual(['a', 'b', 'c', 'd'])
        expect([first, second]).toEqual([events[2]!, events[3]!].map(positionOf))
        if (storage.promises.ownClock) return
        expect([first.timestampMs, second.timestampMs]).toEqual([5_000, 5_001])
      })

      test('gives its events neighbouring sequences and one timestamp, without holes where the engine says so', async () => {
        await appendAt(1_000, 'a', 'b', 'c')
        await appendAt(2_000, 'd')
        const events = await readAll(log, A)
        const [first] = events
        expect(events.slice(0, 3).map(positionOf)).toEqual(
          [0, 1, 2].map((i) => ({ ...positionOf(first!), sequence: first!.sequence + i })),
        )
        if (storage.promises.gaplessSequences) {
          expect(events.map(({ sequence }) => sequence)).toEqual([0, 1, 2, 3])
        }
      })

      test('keeps order, headers and bodies', async () => {
        await log.append(A, [event('a', [['k', 'v']]), event('b', [['k', 'v']]), event('')])
        const headers: EventData['headers'] = [
          ['K', ''],
          ['é', 'ü'],
        ]
        await log.append(A, [event('c', headers)])
        const events = await readAll(log, A)
        expectAscending(events)
        expect(events.map(({ headers, body }) => ({ headers, body }))).toEqual([
          { headers: [['k', 'v']], body: 'a' },
          { headers: [['k', 'v']], body: 'b' },
          { headers: [], body: '' },
          { headers, body: 'c' },
        ])
      })

      test('keeps every byte', async () => {
        const all = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i))
        await appendAt(1_000, all)
        expect(await bodies(log, A)).toEqual([all])
      })

      test('keeps large events', async () => {
        const large = 'x'.repeat(300_000)
        await appendAt(1_000, 'a', large, 'b')
        await commitBatch([lines(`c\n${large}\nd`)])
        expect(await bodies(log, A)).toEqual(['a', large, 'b', 'c', large, 'd'])
      })

      test('keeps logs apart', async () => {
        await Promise.all([
          log.append(A, [event('a')]),
          log.append(B, [event('b')]),
          log.append(A, [event('c')]),
        ])
        expect([await bodies(log, A), await bodies(log, B)]).toEqual([['a', 'c'], ['b']])
        expect([...(await log.logs())].sort()).toEqual([A, B])
      })

      test('keeps the order in which it was called', async () => {
        const calls = Array.from({ length: 500 }, (_, i) => log.append(A, [event(`e${i}`)]))
        const positions = await Promise.all(calls)
        const events = await readAll(log, A)
        expectAscending(events)
        expect(events.map(({ body }) => body)).toEqual(calls.map((_, i) => `e${i}`))
        expect(positions).toEqual(events.map(positionOf))
      })

      test('with linger keeps the order, too', async () => {
        const calls = Array.from({ length: 20 }, (_, i) =>
          i % 2 === 0 ? log.append(A, [event(`e${i}`)], { linger: true }) : log.append(A, [event(`e${i}`)]),
        )
        await Promise.all(calls)
        expect(await bodies(log, A)).toEqual(calls.map((_, i) => `e${i}`))
      })

      test('never gives a timestamp below the last one', async () => {
        const first = await appendAt(9_000, 'a')
        await appendAt(4_000, 'b')
        await reopen()
        const last = await appendAt(4_000, 'c')
        expectAscending(await readAll(log, A))
        if (!storage.promises.ownClock) expect(last.timestampMs).toBe(first.timestampMs)
      })

      test('much by one writer does not keep others waiting', async () => {
        let writing = true
        const large = { headers: [], body: Buffer.alloc(1_000_000, 1) }
        const many = Array.from({ length: 3 }, async () => {
          while (writing) await log.append(A, [large])
        })
        await log.append(A, [large])
        for (let i = 0; i < 5; i++) await log.append(B, [event('small')])
        writing = false
        await Promise.all(many)
        expect(await bodies(log, B)).toHaveLength(5)
      })
    })

    describe('bounds', () => {
      test('everything is there after reopening, and the sequence goes on', async () => {
        await appendAt(1_000, 'a', 'b')
        await commitBatch([lines('c\nd\n')])
        await reopen()
        const before = await log.tail(A)
        const last = await appendAt(3_000, 'e')
        const events = await readAll(log, A)
        expect(events.map(({ body }) => body)).toEqual(['a', 'b', 'c', 'd', 'e'])
        expectAscending(events)
        expect(last.sequence).toBeGreaterThanOrEqual(before!.nextSequence)
        const tail = (await log.tail(A))!
        expect(tail.nextSequence).toBeGreaterThan(last.sequence)
        expect(tail.lastTimestampMs).toBe(last.timestampMs)
        expect(tail.firstSequence).toBeLessThanOrEqual(events[0]!.sequence)
        expect(tail.firstTimestampMs).toBeLessThanOrEqual(events[0]!.timestampMs)
        expect(await log.totals(A)).toEqual({ events: 5, bytes: 5 })
        if (storage.promises.gaplessSequences) {
          expect(tail).toMatchObject({ nextSequence: 5, firstSequence: 0 })
        }
      })

      test('a log that was never written to is empty', async () => {
        expect(await log.read(77, EVERYTHING)).toBeUndefined()
        expect([await log.tail(77), await log.locate(77, 0)]).toEqual([undefined, undefined])
        expect([await log.totals(77), await log.logs()]).toEqual([{ events: 0, bytes: 0 }, []])
      })

      test('locate finds every event and nothing else', async () => {
        for (let i = 0; i < 40; i++)
          await appendAt(1_000 + (i % 3) + i * i, ...Array.from({ length: 1 + (i % 4) }, () => 'x'))
        await commitBatch([lines('f\ng\nh\n')])
        const events = await readAll(log, A)
        const bySequence = new Map(events.map((one) => [one.sequence, positionOf(one)]))
        const { nextSequence } = (await log.tail(A))!
        for (let sequence = 0; sequence <= nextSequence; sequence++) {
          expect(await log.locate(A, sequence)).toEqual(bySequence.get(sequence))
        }
      })

      test('stretches cover the events of each opening', async () => {
        await appendAt(1_000, 'a')
        const before = await log.stretches(A)
        await reopen()
        await appendAt(2_000, 'b')
        const after = await log.stretches(A)
        expect(after.map(({ firstSequence }) => firstSequence)).toEqual(
          [...after.map(({ firstSequence }) => firstSequence)].sort((a, b) => a - b),
        )
        expect(after.slice(0, before.length)).toEqual(before)
        expect(await log.stretches(77)).toEqual([])
      })
    })

    describe('reading', () => {
      test('a time range gives the events in it', async () => {
        const first = (await appendAt(1_000, 'a', 'b')).timestampMs
        const second = (await appendAt(2_000, 'c')).timestampMs
        const third = (await appendAt(3_000, 'd', 'e')).timestampMs
        const ranges: [startMs: number, endMs: number, expected: string[]][] = [
          [0, first, []],
          [0, first + 1, ['a', 'b']],
          [first, second, ['a', 'b']],
          [first + 1, third, ['c']],
          [second, second, []],
          [second, third + 1, ['c', 'd', 'e']],
          [third + 1, third + 9_999, []],
        ]
        for (const [startMs, endMs, expected] of ranges) {
          expect(await bodies(log, A, { startMs, endMs })).toEqual(expected)
        }
      })

      test('a limit gives the first so many, and says where it cuts', async () => {
        await appendAt(1_000, 'a', 'b')
        await appendAt(2_000, 'c', 'd', 'e')
        const all = await readAll(log, A)
        for (let limit = 1; limit <= 6; limit++) {
          const read = (await log.read(A, { ...EVERYTHING, limit }))!
          const events: ReadEvent[] = []
          for await (const block of read.blocks) events.push(...eventsOf(block))
          expect(events).toEqual(all.slice(0, limit))
          expect(read.next).toEqual(limit < 5 ? positionOf(events.at(-1)!) : undefined)
          if (read.next === undefined) continue
          expect(await readAll(log, A, { after: read.next })).toEqual(all.slice(limit))
        }
      })

      test('a limit that cuts nothing of the time range gives no position to go on from', async () => {
        const { timestampMs: endMs } = await appendAt(1_000, 'a', 'b')
        await appendAt(2_000, 'c')
        const read = (await log.read(A, { ...EVERYTHING, endMs: endMs + 1, limit: 2 }))!
        expect(read.next).toBeUndefined()
        await read.blocks.return?.()
      })

      test('goes on after any position', async () => {
        await appendAt(1_000, 'a', 'b')
        await appendAt(1_000, 'c')
        await appendAt(2_000, 'd', 'e')
        await commitBatch([lines('f\ng\nh\n')])
        const all = await readAll(log, A)
        expect(all).toHaveLength(8)
        for (const [i, one] of all.entries()) {
          expect(await readAll(log, A, { after: positionOf(one) })).toEqual(all.slice(i + 1))
        }
      })

      test('ends at the tail it found, however fast others write', async () => {
        await appendAt(1_000, 'a')
        const seen: string[] = []
        for await (const block of readBlocks(log, A)) {
          seen.push(...eventsOf(block).map(({ body }) => body))
          await appendAt(1_000, 'more')
        }
        expect(seen).toEqual(['a'])
      })

      test('can be ended early', async () => {
        for (let i = 0; i < 5; i++) await appendAt(1_000 + i, 'x'.repeat(100_000))
        const read = (await log.read(A, EVERYTHING))!
        expect((await read.blocks.next()).done).toBe(false)
        await read.blocks.return?.()
        expect((await read.blocks.next()).done).toBe(true)
      })
    })

    describe('a batch', () => {
      test('is contiguous, in order, under one timestamp, and invisible until committed', async () => {
        const batch = log.stage(A)
        await batch.add(lines('a\nb\n\n\r\nc'), [['k', 'v']])
        await batch.add(lines('d\r\ne'), [['k', 'v']])
        expect(await readAll(log, A)).toEqual([])
        await at(7_000)
        const position = await batch.commit()
        const events = await readAll(log, A)
        const [first] = events
        expect(events).toEqual(
          ['a', 'b', 'c', 'd', 'e'].map((body, i) => ({
            sequence: first!.sequence + i,
            timestampMs: first!.timestampMs,
            headers: [['k', 'v']],
            body,
          })),
        )
        expect(position).toEqual(positionOf(events.at(-1)!))
        if (!storage.promises.ownClock) expect(first!.timestampMs).toBe(7_000)
      })

      test('takes a copy of what is added', async () => {
        const batch = log.stage(A)
        const slices = lines('a\nb')
        const added = batch.add(slices, [])
        slices.bytes.fill(0)
        await added
        await batch.commit()
        expect(await bodies(log, A)).toEqual(['a', 'b'])
      })

      test('takes events that have headers of their own', async () => {
        const events = [
          { headers: [['k', '1']], body: Buffer.from('a') },
          { headers: [['k', '1']], body: Buffer.from('') },
          { headers: [], body: Buffer.from('b') },
          {
            headers: [
              ['k', 'ü'.repeat(200)],
              ['t', 'true'],
            ],
            body: Buffer.from('c'.repeat(70_000)),
          },
          { headers: [['k', '2']], body: Buffer.from('d') },
        ] as const
        const batch = log.stage(A)
        const { bytes, bounds } = headedEventsOf(events)
        const added = batch.addHeaded({ bytes, bounds: bounds.subarray(0, 5) })
        await added
        await batch.add(lines('s'), [['k', '1']])
        const last = batch.addHeaded({ bytes, bounds: bounds.subarray(4) })
        bytes.fill(0)
        await last
        await batch.commit()
        const shared = { headers: [['k', '1']], body: Buffer.from('s') }
        expect((await readAll(log, A)).map(({ headers, body }) => [headers, body])).toEqual(
          [...events.slice(0, 2), shared, ...events.slice(2)].map(({ headers, body }) => [
            headers,
            body.toString(),
          ]),
        )
      })

      test('that was spilled is as any other, also when it is moved', async () => {
        const batch = log.stage(A)
        await batch.spill()
        await batch.add(lines('a\nb'), [['k', 'v']])
        await batch.spill()
        expect(await readAll(log, A)).toEqual([])
        await batch.add(lines('c'), [])
        batch.moveTo(B)
        await batch.commit()
        expect([await readAll(log, A), await bodies(log, B)]).toEqual([[], ['a', 'b', 'c']])
        const left = log.stage(A)
        await left.add(lines('d'), [])
        await left.spill()
        await left.discard()
        expect(await readAll(log, A)).toEqual([])
      })

      test('that is empty stores nothing', async () => {
        expect(await log.stage(A).commit()).toBeUndefined()
        expect(await log.tail(A)).toBeUndefined()
      })

      test('that is discarded leaves nothing', async () => {
        const batch = await filled(log.stage(A), [lines('a\nb')])
        await batch.discard()
        const large = await filled(log.stage(A), LARGE_BATCH.map(lines))
        await large.discard()
        await maintain({})
        await reopen()
        await maintain({})
        expect(await readAll(log, A)).toEqual([])
      })

      test('is not lost by discard after commit', async () => {
        const batch = await filled(log.stage(A), [lines('a\nb')])
        await batch.commit()
        await batch.discard()
        expect(await bodies(log, A)).toEqual(['a', 'b'])
      })

      test.each([
        { name: 'small', parts: ['a\nb', 'c'] },
        { name: 'large', parts: LARGE_BATCH },
      ])('that is $name can be moved to another log', async ({ parts }) => {
        const batch = await filled(log.stage(A), parts.map(lines))
        batch.moveTo(B)
        await batch.commit()
        expect(await readAll(log, A)).toEqual([])
        expect(await bodies(log, B)).toEqual(parts.flatMap((part) => part.split('\n')))
      })

      test('that is large is all there or not at all, and contiguous where the engine says so', async () => {
        await appendAt(1_000, 'before')
        const batch = log.stage(A)
        for (const part of LARGE_BATCH) await batch.add(lines(part), [['content.type', 'text/plain']])
        await appendAt(2_000, 'meanwhile')
        expect(await bodies(log, A)).toEqual(['before', 'meanwhile'])
        await at(3_000)
        const position = await batch.commit()
        await appendAt(4_000, 'after')
        const events = await readAll(log, A)
        expectAscending(events)
        const own = events.filter(({ headers }) => headers.length > 0)
        expect(own.map(({ body }) => body)).toEqual(LARGE_BATCH_EVENTS)
        expect(position).toEqual(positionOf(own.at(-1)!))
        const bytes = own.reduce((sum, { headers, body }) => sum + promisedBytes(headers, body.length), 0)
        if (bytes <= storage.promises.contiguousBatchBytesMax) {
          const expected = ['before', 'meanwhile', ...LARGE_BATCH_EVENTS, 'after']
          expect(events.map(({ body }) => body)).toEqual(expected)
          expect(new Set(own.map(({ timestampMs }) => timestampMs)).size).toBe(1)
          expect(own.at(-1)!.sequence - own[0]!.sequence).toBe(own.length - 1)
        }
        await reopen()
        expect(await readAll(log, A)).toEqual(events)
      })

      test('that is large can be entered and left anywhere', async () => {
        await appendAt(1_000, 'before')
        await at(2_000)
        await commitBatch(LARGE_BATCH.map(lines))
        await appendAt(3_000, 'after')
        const all = await readAll(log, A)
        for (const i of [0, 1, 2, 1_999, 2_000, 17_345, 39_999, 40_000]) {
          const after = positionOf(all[i]!)
          expect(await readAll(log, A, { after, limit: 3 })).toEqual(all.slice(i + 1, i + 4))
          expect(await log.locate(A, after.sequence)).toEqual(after)
        }
        const [first] = all
        const last = all.at(-1)!
        expect((await bodies(log, A, { startMs: last.timestampMs })).at(-1)).toBe('after')
        expect((await bodies(log, A, { endMs: first!.timestampMs + 1 }))[0]).toBe('before')
      })
    })

    describe('maintenance', () => {
      const expired = (expiredBeforeMs: number, id: LogId = A) => ({ logs: [{ log: id, expiredBeforeMs }] })

      test('removes no event that is not expired, and what it removed stays away', async () => {
        const cuts: number[] = []
        for (let i = 0; i < 10; i++) cuts.push((await appendAt(1_000 + i * 100_000, `e${i}`)).timestampMs)
        const all = await readAll(log, A)
        for (const cut of [cuts[0]!, cuts[5]!, cuts[5]!, cuts[9]! + 1]) {
          const before = (await log.tail(A))!
          await maintain(expired(cut))
          const tail = (await log.tail(A))!
          expect(tail.firstSequence).toBeGreaterThanOrEqual(before.firstSequence)
          const left = await readAll(log, A)
          expect(left).toEqual(all.filter(({ sequence }) => sequence >= tail.firstSequence))
          expect(left.filter(({ timestampMs }) => timestampMs >= cut)).toEqual(
            all.filter(({ timestampMs }) => timestampMs >= cut),
          )
          expect(left.every(({ timestampMs }) => timestampMs >= tail.firstTimestampMs)).toBe(true)
          for (const { sequence, ...rest } of all) {
            const gone = sequence < tail.firstSequence
            const position = { sequence, timestampMs: rest.timestampMs }
            expect(await log.locate(A, sequence)).toEqual(gone ? undefined : position)
          }
        }
        await reopen()
        const { firstSequence } = (await log.tail(A))!
        expect(await readAll(log, A)).toEqual(all.filter(({ sequence }) => sequence >= firstSequence))
        const next = await appendAt(2_000_000, 'next')
        expect((await bodies(log, A)).at(-1)).toBe('next')
        expect(next.sequence).toBeGreaterThan(all.at(-1)!.sequence)
        expect((await log.totals(A)).events).toBe(11)
      })

      test('has nothing to do once it is done', async () => {
        for (let i = 0; i < 50; i++) await appendAt(1_000 + i, `e${i}`)
        await at(9_000_000)
        await maintain(expired(1_020))
        expect(await log.maintain(plan(expired(1_020)))).toEqual({ removed: 0, more: false })
      })

      test('lets a reader continue behind what was removed', async () => {
        for (let i = 0; i < 10; i++) await appendAt(1_000 + i * 100, `e${i}`)
        const all = await readAll(log, A)
        await maintain(expired(all[5]!.timestampMs))
        const left = await readAll(log, A)
        expect(await readAll(log, A, { after: positionOf(all[0]!) })).toEqual(left)
        expect(left.map(({ body }) => body).slice(-5)).toEqual(['e5', 'e6', 'e7', 'e8', 'e9'])
      })

      test('of everything leaves what is appended beside it', async () => {
        for (let id = 1; id <= 60; id++) {
          await at(1_000)
          await log.append(id, [event('old')])
          await at(100_000)
          const appended = log.append(id, [event('new')])
          for (let turns = 0; turns < id % 6; turns++) await new Promise((resolve) => setImmediate(resolve))
          await log.maintain(plan(expired(storage.promises.ownClock ? 0 : 50_000, id)))
          await appended
          expect((await bodies(log, id)).at(-1)).toBe('new')
        }
      })

      test('shares its steps among the logs of a plan', async () => {
        for (let id = 1; id <= 3; id++) {
          await at(1_000)
          for (let i = 0; i < 200; i++) await log.append(id, [event('old')])
        }
        await at(9_000)
        const logs = [1, 2, 3].map((id) => ({ log: id, expiredBeforeMs: log.nowMs() }))
        await maintain({ logs })
        for (let id = 1; id <= 3; id++) {
          const tail = (await log.tail(id))!
          if (tail.firstSequence === tail.nextSequence) expect(await readAll(log, id)).toEqual([])
        }
      })

      test('that may rewrite changes nothing that a reader sees', async () => {
        for (let i = 0; i < 400; i++) {
          await log.append(A, [event(`e${i} `.padEnd(250, '.'), i % 7 === 0 ? [['n', `${i}`]] : [])])
          nowMs += 100
        }
        await commitBatch([lines('f\ng\nh\n')])
        const before = await readAll(log, A)
        await at(nowMs + 10_000_000)
        const reading = (await log.read(A, EVERYTHING))!
        const seen = eventsOf((await reading.blocks.next()).value!)
        await maintain(expired(0))
        for await (const block of reading.blocks) seen.push(...eventsOf(block))
        expect(seen).toEqual(before)
        expect(await readAll(log, A)).toEqual(before)
        await reopen()
        expect(await readAll(log, A)).toEqual(before)
        for (const [i, one] of before.entries()) {
          if (i % 97 !== 0) continue
          expect(await log.locate(A, one.sequence)).toEqual(positionOf(one))
          expect(await readAll(log, A, { after: positionOf(one), limit: 2 })).toEqual(
            before.slice(i + 1, i + 3),
          )
        }
      })

      test('side by side with readers and writers loses nothing', async () => {
        for (let i = 0; i < 300; i++) {
          await log.append(A, [event(`e${i}`.padEnd(120, '.'))])
          nowMs += 100
        }
        nowMs += 10_000_000
        let stop = false
        const maintaining = (async () => {
          while (!stop) {
            await log.maintain(plan(expired(0)))
            await new Promise((resolve) => setImmediate(resolve))
          }
        })()
        const writing = (async () => {
          for (let i = 0; i < 300; i++) await log.append(A, [event(`w${i}`.padEnd(120, '.'))])
        })()
        for (let round = 0; round < 15; round++) {
          const events = await readAll(log, A)
          expectAscending(events)
          expect(events.length).toBeGreaterThanOrEqual(300)
        }
        await writing
        stop = true
        await maintaining
        expect(await readAll(log, A)).toHaveLength(600)
      })

      test('removes dropped logs completely, and leaves the others', async () => {
        await log.append(B, [event('stays')])
        for (let i = 0; i < 6; i++) await appendAt(1_000 + i, `e${i}`)
        await commitBatch(LARGE_BATCH.map(lines))
        expect(await maintain({ dropped: [A] })).toBeGreaterThan(0)
        expect([await readAll(log, A), await log.tail(A), await log.logs()]).toEqual([[], undefined, [B]])
        await reopen()
        await maintain({})
        expect([await log.logs(), await bodies(log, B)]).toEqual([[B], ['stays']])
      })

      test('drops what was accepted before', async () => {
        const accepted = log.append(A, [event('a')])
        await Promise.all([accepted, log.maintain(plan({ dropped: [A] }))])
        await maintain({ dropped: [A] })
        expect(await log.logs()).toEqual([])
      })
    })

    describe('restoring', () => {
      /** Events as a backup has them: at the times given, with headers that change now and then. */
      function backup(times: readonly number[], size = 20): Omit<ReadEvent, 'sequence'>[] {
        return times.map((timestampMs, i) => ({
          timestampMs,
          headers: i % 5 === 0 ? [['n', `${i}`]] : [],
          body: `restored ${i} `.padEnd(size, '.'),
        }))
      }

      async function restored(events: readonly Omit<ReadEvent, 'sequence'>[], id = A): Promise<void> {
        const restore = log.restore(id)
        for (const { timestampMs, headers, body } of events)
          await restore.add(whole(body), headers, timestampMs)
        await restore.finish()
      }

      const withoutSequences = (events: readonly ReadEvent[]) =>
        events.map(({ timestampMs, headers, body }) => ({ timestampMs, headers, body }))

      const times: { name: string; times: number[]; size?: number }[] = [
        { name: 'one event', times: [5] },
        { name: 'all at one time', times: Array.from({ length: 3_000 }, () => 700) },
        { name: 'one a millisecond', times: Array.from({ length: 3_000 }, (_, i) => i) },
        {
          name: 'a few at a time, with hours in between',
          times: Array.from({ length: 60 }, (_, i) => Math.floor(i / 4) * 5e6),
        },
        { name: 'later than the clock', times: [9e12, 9e12, 9e12 + 1] },
        { name: 'large events', times: Array.from({ length: 40 }, (_, i) => i * 10), size: 40_000 },
        { name: 'very large events', times: [1, 1, 2, 2, 3], size: 200_000 },
      ]
      test.each(times)('$name come back with their times', async ({ times, size }) => {
        const events = backup(times, size)
        await restored(events)
        const read = await readAll(log, A)
        expectAscending(read)
        expect(withoutSequences(read)).toEqual(events)
        await reopen()
        expect(await readAll(log, A)).toEqual(read)
        expect(await log.tail(A)).toMatchObject({ lastTimestampMs: events.at(-1)!.timestampMs })
        expect(await log.totals(A)).toEqual({
          events: events.length,
          bytes: events.reduce((sum, { body }) => sum + body.length, 0),
        })
        for (const { sequence, timestampMs } of read.filter((_, i) => i % 311 === 0)) {
          expect(await log.locate(A, sequence)).toEqual({ sequence, timestampMs })
          expect((await readAll(log, A, { startMs: timestampMs, limit: 1 }))[0]?.timestampMs).toBe(
            timestampMs,
          )
        }
      })

      test('slices of several events come back in order', async () => {
        const restore = log.restore(A)
        const text = Array.from({ length: 9_000 }, (_, i) => `line ${i}`.padEnd(30, '.')).join('\n')
        await restore.add(lines('a\nb\n'), [], 10)
        await restore.add(lines(text), [['k', 'v']], 20)
        await restore.add(lines('y\n\nz'), [], 20)
        await restore.finish()
        expect(await bodies(log, A)).toEqual(['a', 'b', ...text.split('\n'), 'y', 'z'])
      })

      test('the log goes on behind what was restored, and is maintained like any other', async () => {
        await restored(backup(Array.from({ length: 100 }, (_, i) => 1_000 + i * 600_000)))
        const late = await appendAt(5_000, 'late')
        expect(late.timestampMs).toBeGreaterThanOrEqual(1_000 + 99 * 600_000)
        await maintain({ logs: [{ log: A, expiredBeforeMs: 30_000_000 }] })
        const left = await readAll(log, A)
        expect(left.filter(({ timestampMs }) => timestampMs >= 30_000_000)).toHaveLength(51)
        expect(left.at(-1)!.body).toBe('late')
      })

      test('what was given up half-way is a log to be dropped', async () => {
        const restore = log.restore(A)
        for (let i = 0; i < 40; i++) await restore.add(whole('x'.repeat(60_000)), [], i)
        await reopen()
        await maintain({ dropped: await log.logs() })
        expect([await log.logs(), await readAll(log, A)]).toEqual([[], []])
      })
    })

    describe('growth', () => {
      const never = () => new AbortController().signal

      test('is there at once for an event that exists', async () => {
        const { sequence } = await appendAt(1_000, 'a')
        await log.growth(A, sequence, never())
      })

      const writers: { name: string; write: () => Promise<unknown> }[] = [
        { name: 'an append', write: () => log.append(A, [event('b')]) },
        { name: 'a small batch', write: () => commitBatch([lines('b\nc')]) },
        { name: 'a large batch', write: () => commitBatch(LARGE_BATCH.map(lines)) },
        {
          name: 'a write over several logs',
          write: () => storage.write({ appends: [B, A].map((id) => ({ log: id, events: [event('b')] })) }),
        },
      ]
      test.each(writers)('comes with $name', async ({ write }) => {
        await appendAt(1_000, 'a')
        const { nextSequence } = (await log.tail(A))!
        const waiting = Array.from({ length: 3 }, () => log.growth(A, nextSequence, never()))
        await write()
        await Promise.all(waiting)
        expect((await log.tail(A))!.nextSequence).toBeGreaterThan(nextSequence)
      })

      test('comes with the first event of a log', async () => {
        const waiting = log.growth(A, 0, never())
        await log.append(A, [event('a')])
        await waiting
      })

      test('ends when its signal is aborted, before or after', async () => {
        await log.growth(A, 0, AbortSignal.abort())
        const controller = new AbortController()
        const waiting = log.growth(A, 0, controller.signal)
        controller.abort()
        await waiting
        await log.append(A, [event('a')])
      })
    })

    test('a closed log refuses everything', async () => {
      await appendAt(1_000, 'a')
      await storage.close()
      const closed = { code: 'closed' }
      await expect(log.append(A, [event('late')])).rejects.toMatchObject(closed)
      await expect(readAll(log, A)).rejects.toMatchObject(closed)
      await expect(log.growth(A, 99, new AbortController().signal)).rejects.toMatchObject(closed)
      await expect(storage.write({ appends: [{ log: A, events: [event('late')] }] })).rejects.toMatchObject(
        closed,
      )
      await expect(storage.catalog.commit([{ collection: 'c', id: 'a', document: 1 }])).rejects.toMatchObject(
        closed,
      )
      storage = await engine.reopen(() => nowMs)
      expect(await bodies(storage.log, A)).toEqual(['a'])
    })
  })
}
