/** What every EventLog engine must do, as one suite. An engine's test file calls `describeEventLog` with its opener. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EventData, EventLog, EventSlices, Position, ReadRange } from '../../storage/log.ts'

/** One event as a reader sees it. */
export interface ReadEvent {
  readonly sequence: number
  readonly timestampMs: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

export interface TestLog {
  readonly log: EventLog
  close(): Promise<void>
}

/** Opens the engine; `reopen` opens the same data again after `close`. */
export interface LogEngine {
  open(nowMs: () => number): Promise<TestLog>
  reopen(nowMs: () => number): Promise<TestLog>
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

export async function readAll(
  log: EventLog,
  id: number,
  range: Partial<ReadRange> = {},
): Promise<ReadEvent[]> {
  const events: ReadEvent[] = []
  for await (const block of log.read(id, { ...EVERYTHING, ...range })) {
    for (const { begin, end, timestampMs, headers } of block.runs) {
      for (let i = begin; i < end; i++) {
        const body = Buffer.from(block.bytes.subarray(block.starts[i], block.ends[i])).toString('latin1')
        events.push({ sequence: block.firstSequence + i, timestampMs, headers, body })
      }
    }
  }
  return events
}

async function bodies(log: EventLog, id: number, range: Partial<ReadRange> = {}): Promise<string[]> {
  return (await readAll(log, id, range)).map((one) => one.body)
}

const A = 1
const B = 2

export function describeEventLog(name: string, newEngine: () => LogEngine): void {
  describe(`event log on ${name}`, () => {
    let engine: LogEngine
    let opened: TestLog
    let log: EventLog
    let nowMs = 1_000

    beforeEach(async () => {
      nowMs = 1_000
      engine = newEngine()
      opened = await engine.open(() => nowMs)
      log = opened.log
    })
    afterEach(async () => {
      await opened.close()
      await engine.remove()
    })

    async function reopen(): Promise<void> {
      await opened.close()
      opened = await engine.reopen(() => nowMs)
      log = opened.log
    }

    async function appendAt(timeMs: number, ...texts: string[]): Promise<Position> {
      nowMs = timeMs
      return log.append(
        A,
        texts.map((text) => event(text)),
      )
    }

    async function commitBatch(
      parts: readonly EventSlices[],
      headers: EventData['headers'] = [],
    ): Promise<void> {
      const batch = log.stage()
      for (const part of parts) await batch.add(part, headers)
      await batch.commit(() => A)
    }

    test('an append answers with the position of its last event', async () => {
      expect(await appendAt(5_000, 'a', 'b', 'c')).toEqual({ timestampMs: 5_000, sequence: 2 })
      expect(await appendAt(5_001, 'd')).toEqual({ timestampMs: 5_001, sequence: 3 })
    })

    test('events come back in order with headers, time and sequence', async () => {
      await log.append(A, [event('a', [['k', 'v']]), event('b', [['k', 'v']]), event('')])
      nowMs = 2_000
      await log.append(A, [
        event('c', [
          ['K', ''],
          ['é', 'ü'],
        ]),
      ])
      expect(await readAll(log, A)).toEqual([
        { sequence: 0, timestampMs: 1_000, headers: [['k', 'v']], body: 'a' },
        { sequence: 1, timestampMs: 1_000, headers: [['k', 'v']], body: 'b' },
        { sequence: 2, timestampMs: 1_000, headers: [], body: '' },
        {
          sequence: 3,
          timestampMs: 2_000,
          headers: [
            ['K', ''],
            ['é', 'ü'],
          ],
          body: 'c',
        },
      ])
    })

    test('every byte survives', async () => {
      const all = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i))
      await appendAt(1_000, all)
      expect(await bodies(log, A)).toEqual([all])
    })

    test('logs do not see each other', async () => {
      await Promise.all([
        log.append(A, [event('a')]),
        log.append(B, [event('b')]),
        log.append(A, [event('c')]),
      ])
      expect([await bodies(log, A), await bodies(log, B)]).toEqual([['a', 'c'], ['b']])
    })

    test('concurrent appends keep the order in which they were called', async () => {
      const calls = Array.from({ length: 500 }, (_, i) => log.append(A, [event(`e${i}`)]))
      const positions = await Promise.all(calls)
      expect(positions.map((position) => position.sequence)).toEqual(calls.map((_, i) => i))
      expect(await bodies(log, A)).toEqual(calls.map((_, i) => `e${i}`))
    })

    test('timestamps never go back, even if the clock does', async () => {
      await appendAt(9_000, 'a')
      expect(await appendAt(4_000, 'b')).toEqual({ timestampMs: 9_000, sequence: 1 })
      await reopen()
      expect(await appendAt(4_000, 'c')).toEqual({ timestampMs: 9_000, sequence: 2 })
    })

    test('everything is there after reopening, and the sequence goes on', async () => {
      await appendAt(1_000, 'a', 'b')
      await commitBatch([lines('c\nd\n')])
      await reopen()
      await appendAt(3_000, 'e')
      expect(await bodies(log, A)).toEqual(['a', 'b', 'c', 'd', 'e'])
      expect(log.tail(A)).toMatchObject({
        nextSequence: 5,
        lastTimestampMs: 3_000,
        bytesWritten: 5,
        firstSequence: 0,
        firstTimestampMs: 1_000,
      })
    })

    test('a log that was never written to reads as empty', async () => {
      expect([await bodies(log, 77), log.tail(77), await log.locate(77, 0)]).toEqual([
        [],
        undefined,
        undefined,
      ])
    })

    const timeRanges: { startMs: number; endMs: number; expected: string[] }[] = [
      { startMs: 0, endMs: 1_000, expected: [] },
      { startMs: 0, endMs: 1_001, expected: ['a', 'b'] },
      { startMs: 1_000, endMs: 2_000, expected: ['a', 'b'] },
      { startMs: 1_001, endMs: 3_000, expected: ['c'] },
      { startMs: 2_000, endMs: 2_000, expected: [] },
      { startMs: 2_000, endMs: 9_999, expected: ['c', 'd', 'e'] },
      { startMs: 3_001, endMs: 9_999, expected: [] },
    ]
    test.each(timeRanges)(
      'time range [$startMs, $endMs) gives $expected',
      async ({ startMs, endMs, expected }) => {
        await appendAt(1_000, 'a', 'b')
        await appendAt(2_000, 'c')
        await appendAt(3_000, 'd', 'e')
        expect(await bodies(log, A, { startMs, endMs })).toEqual(expected)
      },
    )

    test.each([1, 2, 3, 4, 5, 6])('limit %i gives the first so many', async (limit) => {
      await appendAt(1_000, 'a', 'b')
      await appendAt(2_000, 'c', 'd', 'e')
      expect(await bodies(log, A, { limit })).toEqual(['a', 'b', 'c', 'd', 'e'].slice(0, limit))
    })

    test('reading goes on after any position', async () => {
      await appendAt(1_000, 'a', 'b')
      await appendAt(1_000, 'c')
      await appendAt(2_000, 'd', 'e')
      await commitBatch([lines('f\ng\nh\n')])
      const all = await readAll(log, A)
      for (const [i, after] of all.entries()) {
        expect((await readAll(log, A, { after })).map((one) => one.body)).toEqual(
          all.slice(i + 1).map((one) => one.body),
        )
      }
    })

    test('locate finds every event and nothing else', async () => {
      for (let i = 0; i < 40; i++)
        await appendAt(1_000 + (i % 3) + i * i, ...Array.from({ length: 1 + (i % 4) }, () => 'x'))
      await commitBatch([lines('f\ng\nh\n')])
      for (const { sequence, timestampMs } of await readAll(log, A)) {
        expect(await log.locate(A, sequence)).toEqual({ timestampMs, sequence })
        expect(await log.locate(A, sequence, { timestampMs: 1_000, sequence: 0 })).toEqual({
          timestampMs,
          sequence,
        })
        expect(await log.locate(A, sequence, { timestampMs, sequence })).toEqual({ timestampMs, sequence })
      }
      expect(await log.locate(A, log.tail(A)!.nextSequence)).toBeUndefined()
    })

    test('a read ends at the tail it found, however fast others write', async () => {
      await appendAt(1_000, 'a')
      const seen: string[] = []
      for await (const block of log.read(A, EVERYTHING)) {
        seen.push(`${block.firstSequence}`)
        await appendAt(1_000, 'more')
      }
      expect(seen).toEqual(['0'])
    })

    test('a small batch is contiguous, in order, under one timestamp, and invisible until committed', async () => {
      const batch = log.stage()
      await batch.add(lines('a\nb\n\n\r\nc'), [['k', 'v']])
      await batch.add(lines('d\r\ne'), [['k', 'v']])
      expect(await readAll(log, A)).toEqual([])
      nowMs = 7_000
      expect(await batch.commit(() => A)).toEqual({ timestampMs: 7_000, sequence: 4 })
      expect(await readAll(log, A)).toEqual(
        ['a', 'b', 'c', 'd', 'e'].map((body, sequence) => ({
          sequence,
          timestampMs: 7_000,
          headers: [['k', 'v']],
          body,
        })),
      )
    })

    test('an empty batch stores nothing', async () => {
      expect(await log.stage().commit(() => A)).toBeUndefined()
      expect(log.tail(A)).toBeUndefined()
    })

    test('a discarded batch leaves nothing', async () => {
      const batch = log.stage()
      await batch.add(lines('a\nb'), [])
      await batch.discard()
      expect(await readAll(log, A)).toEqual([])
    })

    /** About 3.6 MB in 20 parts: staged on disk. */
    const big = Array.from({ length: 20 }, (_, part) =>
      Array.from({ length: 2_000 }, (_, i) => `part ${part} line ${i} `.padEnd(60 + (i % 90), '.')).join(
        '\n',
      ),
    )

    test('a large batch reads back whole, between its neighbours', async () => {
      await appendAt(1_000, 'before')
      const batch = log.stage()
      for (const part of big) await batch.add(lines(part), [['content.type', 'text/plain']])
      await appendAt(2_000, 'meanwhile')
      expect((await readAll(log, A)).length).toBe(2)
      nowMs = 3_000
      await batch.commit(() => A)
      await appendAt(4_000, 'after')
      const expected = ['before', 'meanwhile', ...big.flatMap((part) => part.split('\n')), 'after']
      const events = await readAll(log, A)
      expect(events.map((one) => one.body)).toEqual(expected)
      expect(events.map((one) => one.sequence)).toEqual(expected.map((_, i) => i))
      expect(new Set(events.slice(2, -1).map((one) => one.timestampMs))).toEqual(new Set([3_000]))
      await reopen()
      expect(await bodies(log, A)).toEqual(expected)
    })

    test('a large batch can be entered and left anywhere', async () => {
      await appendAt(1_000, 'before')
      nowMs = 2_000
      await commitBatch(big.map(lines))
      await appendAt(3_000, 'after')
      const expected = ['before', ...big.flatMap((part) => part.split('\n')), 'after']
      for (const sequence of [0, 1, 2, 1_999, 2_000, 17_345, 39_999, 40_000]) {
        const after = { timestampMs: sequence === 0 ? 1_000 : 2_000, sequence }
        expect(await bodies(log, A, { after, limit: 3 })).toEqual(expected.slice(sequence + 1, sequence + 4))
        expect(await log.locate(A, sequence)).toEqual(after)
      }
      expect(await bodies(log, A, { startMs: 2_001 })).toEqual(['after'])
      expect(await bodies(log, A, { endMs: 2_000 })).toEqual(['before'])
    })

    test('a large batch that is discarded is swept, also after a restart', async () => {
      const batch = log.stage()
      for (const part of big) await batch.add(lines(part), [])
      await batch.discard()
      const first = await log.sweep(10)
      expect(first).toEqual({ removed: 10, more: true })
      await reopen()
      const rest = await log.sweep(1_000_000)
      expect(rest.removed).toBeGreaterThan(0)
      expect([rest.more, await log.sweep(10)]).toEqual([false, { removed: 0, more: false }])
    })

    test('an upload that a crash cut off is swept after the restart', async () => {
      const batch = log.stage()
      for (const part of big) await batch.add(lines(part), [])
      await reopen()
      expect((await log.sweep(1_000_000)).removed).toBeGreaterThan(10)
      expect(await readAll(log, A)).toEqual([])
    })

    test('trim removes what is older than the cut, and only that', async () => {
      for (let i = 0; i < 10; i++) await appendAt(1_000 + i * 100, `e${i}`)
      expect(await log.trim(A, 1_500, 100)).toEqual({ removed: 5, more: false })
      expect(await bodies(log, A)).toEqual(['e5', 'e6', 'e7', 'e8', 'e9'])
      expect(log.tail(A)).toMatchObject({ firstSequence: 5, firstTimestampMs: 1_500, nextSequence: 10 })
      await reopen()
      expect(await bodies(log, A, { after: { timestampMs: 1_000, sequence: 0 } })).toEqual([
        'e5',
        'e6',
        'e7',
        'e8',
        'e9',
      ])
      expect(await log.trim(A, 1_500, 100)).toEqual({ removed: 0, more: false })
    })

    test('trim does bounded work per call', async () => {
      for (let i = 0; i < 10; i++) await appendAt(1_000 + i, `e${i}`)
      expect(await log.trim(A, 9_000, 4)).toEqual({ removed: 4, more: true })
      expect(await bodies(log, A)).toEqual(['e4', 'e5', 'e6', 'e7', 'e8', 'e9'])
      expect(await log.trim(A, 9_000, 100)).toEqual({ removed: 6, more: false })
      expect(await bodies(log, A)).toEqual([])
      expect(await appendAt(9_500, 'next')).toEqual({ timestampMs: 9_500, sequence: 10 })
      expect(await bodies(log, A)).toEqual(['next'])
    })

    test('what is appended beside a trim of everything stays', async () => {
      for (let id = 1; id <= 60; id++) {
        nowMs = 1_000
        await log.append(id, [event('old')])
        nowMs = 100_000
        const appended = log.append(id, [event('new')])
        for (let turns = 0; turns < id % 6; turns++) await new Promise((resolve) => setImmediate(resolve))
        await log.trim(id, 50_000, 512)
        await appended
        expect(await bodies(log, id)).toEqual(['new'])
      }
    })

    test('one who writes much does not keep others waiting', async () => {
      let hogging = true
      const large = { headers: [], body: Buffer.alloc(1_100_000, 1) }
      const hogs = Array.from({ length: 3 }, async () => {
        while (hogging) await log.append(A, [large])
      })
      await log.append(A, [large])
      for (let i = 0; i < 5; i++) await log.append(B, [event('small')])
      hogging = false
      await Promise.all(hogs)
      expect(await bodies(log, B)).toHaveLength(5)
    })

    test('a trimmed segment is swept', async () => {
      await commitBatch(big.map(lines))
      await appendAt(2_000, 'after')
      expect(await log.trim(A, 1_500, 100)).toEqual({ removed: 1, more: false })
      expect(await bodies(log, A)).toEqual(['after'])
      expect((await log.sweep(1_000_000)).removed).toBeGreaterThan(10)
      expect(await bodies(log, A)).toEqual(['after'])
    })

    describe('merging', () => {
      /** Appends one by one, 100 ms apart from 1000 on: every event is a block of its own. */
      async function trickle(count: number, size = 100, id = A): Promise<void> {
        for (let i = 0; i < count; i++) {
          nowMs = 1_000 + i * 100
          await log.append(id, [event(`e${i} `.padEnd(size, '.'), i % 7 === 0 ? [['n', `${i}`]] : [])])
        }
      }

      async function mergeAll(beforeMs = Number.MAX_SAFE_INTEGER, id = A): Promise<number> {
        let removed = 0
        for (;;) {
          const progress = await log.merge(id, beforeMs, 100)
          removed += progress.removed
          if (!progress.more) return removed
        }
      }

      test('joins small blocks and changes nothing a reader sees', async () => {
        await trickle(800)
        await commitBatch(big.map(lines))
        await trickle(200)
        const before = await readAll(log, A)
        expect(await mergeAll()).toBeGreaterThan(700)
        expect(await readAll(log, A)).toEqual(before)
        expect(await mergeAll()).toBe(0)
        await reopen()
        expect([await mergeAll(), await readAll(log, A)]).toEqual([0, before])
        for (const { sequence, timestampMs } of before.filter((_, i) => i % 397 === 0)) {
          expect(await log.locate(A, sequence)).toEqual({ sequence, timestampMs })
          expect((await readAll(log, A, { startMs: timestampMs, limit: 5 }))[0]).toEqual(
            before.find((one) => one.timestampMs >= timestampMs),
          )
          expect(await readAll(log, A, { after: { sequence, timestampMs }, limit: 2 })).toEqual(
            before.slice(sequence + 1, sequence + 3),
          )
        }
      })

      test('leaves what is hot and the last stretch that fills no block', async () => {
        await trickle(800)
        expect(await mergeAll(1_000)).toBe(0)
        const removed = await mergeAll(71_000)
        expect(removed).toBeGreaterThan(0)
        expect(removed).toBeLessThan(699)
        expect(await mergeAll(71_000)).toBe(0)
      })

      test('joins a last stretch once it is old', async () => {
        await trickle(10)
        expect(await mergeAll(10_000)).toBe(0)
        expect(await mergeAll(1_000 + 3_600_000 + 1_000)).toBe(9)
      })

      test('a read ends at its tail though a joined block goes beyond it', async () => {
        await trickle(10)
        const reading = log.read(A, EVERYTHING)
        for (let i = 0; i < 10; i++) await log.append(A, [event('later')])
        await mergeAll()
        const seen: number[] = []
        for await (const { firstSequence, runs } of reading) {
          for (const { begin, end } of runs) for (let i = begin; i < end; i++) seen.push(firstSequence + i)
        }
        expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
      })

      test('does not join across more than an hour', async () => {
        for (let hour = 0; hour < 4; hour++) {
          for (let i = 0; i < 3; i++) await appendAt(1_000 + hour * 7_200_000 + i, `h${hour}e${i}`)
        }
        expect(await mergeAll()).toBe(8)
        expect(await log.trim(A, 1_000 + 2 * 7_200_000, 100)).toMatchObject({ removed: 2 })
        expect((await bodies(log, A))[0]).toBe('h2e0')
      })

      test('trims inside what was joined are exact for readers and free whole blocks', async () => {
        await trickle(600, 250)
        await mergeAll()
        expect((await log.trim(A, 1_000 + 300 * 100, 100)).removed).toBeGreaterThan(0)
        const left = await bodies(log, A, { startMs: 1_000 + 300 * 100 })
        expect([left.length, left[0]?.slice(0, 5)]).toEqual([300, 'e300 '])
      })

      const readers: Partial<ReadRange>[] = [
        {},
        { startMs: 1_250 },
        { endMs: 40_000 },
        { limit: 330 },
        { after: { timestampMs: 23_000, sequence: 220 } },
      ]
      test.each(readers)('a reader of %o misses nothing when blocks are joined under it', async (range) => {
        for (const [i, pulled] of [0, 1, 4, 5, 200].entries()) {
          const id = 10 + i
          await trickle(500, 250, id)
          const wanted = await readAll(log, id, range)
          const seen: number[] = []
          const reading = log.read(id, { ...EVERYTHING, ...range })[Symbol.asyncIterator]()
          for (let steps = 0; ; steps++) {
            if (steps === pulled) await mergeAll(30_000, id)
            if (steps === pulled + 2) await mergeAll(undefined, id)
            const next = await reading.next()
            if (next.done) break
            for (const run of next.value.runs) {
              for (let at = run.begin; at < run.end; at++) seen.push(next.value.firstSequence + at)
            }
          }
          expect(seen).toEqual(wanted.map(({ sequence }) => sequence))
        }
      })

      test('readers, writers and merging side by side', async () => {
        await trickle(600)
        let stop = false
        const merging = (async () => {
          while (!stop) {
            await log.merge(A, Number.MAX_SAFE_INTEGER, 100)
            await new Promise((resolve) => setImmediate(resolve))
          }
        })()
        const writing = (async () => {
          for (let i = 0; i < 600; i++) await log.append(A, [event(`w${i}`.padEnd(120, '.'))])
        })()
        for (let round = 0; round < 15; round++) {
          const events = await readAll(log, A)
          expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i))
          expect(events.length).toBeGreaterThanOrEqual(600)
        }
        await writing
        stop = true
        await merging
        expect(await readAll(log, A)).toHaveLength(1_200)
      })
    })

    describe('restoring', () => {
      /** Events as a backup has them: at the times given, with headers that change now and then. */
      function backup(times: readonly number[], size = 20): ReadEvent[] {
        return times.map((timestampMs, sequence) => ({
          sequence,
          timestampMs,
          headers: sequence % 5 === 0 ? [['n', `${sequence}`]] : [],
          body: `restored ${sequence} `.padEnd(size, '.'),
        }))
      }

      async function restored(events: readonly ReadEvent[], id = A): Promise<void> {
        const restore = log.restore(id)
        for (const { timestampMs, headers, body } of events)
          await restore.add(whole(body), headers, timestampMs)
        await restore.finish()
      }

      function whole(body: string): EventSlices {
        const bytes = Buffer.from(body, 'latin1')
        return { bytes, starts: Uint32Array.of(0), ends: Uint32Array.of(bytes.length), count: 1 }
      }

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
        { name: 'events larger than a block', times: [1, 1, 2, 2, 3], size: 200_000 },
      ]
      test.each(times)('$name come back with their times', async ({ times, size }) => {
        const events = backup(times, size)
        await restored(events)
        expect(await readAll(log, A)).toEqual(events)
        await reopen()
        expect(await readAll(log, A)).toEqual(events)
        const last = events.at(-1)!
        expect(log.tail(A)).toMatchObject({
          nextSequence: events.length,
          lastTimestampMs: last.timestampMs,
          firstSequence: 0,
          firstTimestampMs: events[0]!.timestampMs,
          bytesWritten: events.reduce((sum, { body }) => sum + body.length, 0),
        })
        for (const { sequence, timestampMs } of events.filter((_, i) => i % 311 === 0)) {
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

      test('the log goes on behind what was restored, and is trimmed and merged like any other', async () => {
        await restored(backup(Array.from({ length: 100 }, (_, i) => 1_000 + i * 600_000)))
        expect(await appendAt(5_000, 'late')).toEqual({ timestampMs: 1_000 + 99 * 600_000, sequence: 100 })
        await log.merge(A, Number.MAX_SAFE_INTEGER, 1_000)
        expect(await bodies(log, A)).toHaveLength(101)
        await log.trim(A, 30_000_000, 1_000)
        const left = await readAll(log, A)
        expect(left[0]!.timestampMs).toBeGreaterThan(30_000_000 - 2 * 3_600_000)
        expect(left.at(-1)!.body).toBe('late')
      })

      test('what was given up half-way is a log to be dropped', async () => {
        const restore = log.restore(A)
        for (let i = 0; i < 40; i++) await restore.add(whole('x'.repeat(60_000)), [], i)
        await reopen()
        expect(log.logs()).toEqual([A])
        while ((await log.drop(A, 10)).more);
        expect([log.logs(), await readAll(log, A)]).toEqual([[], []])
      })

      test('nothing is restored into a log that has been written to', async () => {
        await appendAt(1_000, 'a')
        expect(() => log.restore(A)).toThrow('log 1 has been written to')
      })
    })

    test('a dropped log is gone, in bounded steps, with its segments, and refuses writes', async () => {
      await log.append(B, [event('stays')])
      for (let i = 0; i < 6; i++) await appendAt(1_000 + i, `e${i}`)
      await commitBatch(big.map(lines))
      expect(await log.drop(A, 3)).toEqual({ removed: 3, more: true })
      await expect(log.append(A, [event('late')])).rejects.toMatchObject({ code: 'dropped' })
      await reopen()
      expect(await log.drop(A, 100)).toEqual({ removed: 4, more: false })
      expect([await readAll(log, A), log.tail(A), log.logs()]).toEqual([[], undefined, [B]])
      expect((await log.sweep(1_000_000)).removed).toBeGreaterThan(10)
      await reopen()
      expect([log.logs(), await bodies(log, B)]).toEqual([[B], ['stays']])
    })

    test('what was accepted before a drop is dropped too', async () => {
      const accepted = log.append(A, [event('a')])
      const [, progress] = await Promise.all([accepted, log.drop(A, 100)])
      expect(progress).toEqual({ removed: 1, more: false })
      expect(log.logs()).toEqual([])
    })

    test('listeners hear of every durable append until they unsubscribe', async () => {
      const heard: number[] = []
      const unsubscribe = log.onAppend((id) => heard.push(id))
      await log.append(A, [event('a')])
      await log.append(B, [event('b')])
      await log.trim(A, 500_000, 10)
      await log.drop(B, 10)
      unsubscribe()
      await log.append(A, [event('c')])
      expect(heard).toEqual([A, B])
    })

    test('a closed log refuses writes', async () => {
      await opened.close()
      await expect(log.append(A, [event('late')])).rejects.toMatchObject({ code: 'closed' })
      opened = await engine.reopen(() => nowMs)
    })

    test('an event larger than a block is one of its own', async () => {
      const large = 'x'.repeat(300_000)
      await appendAt(1_000, 'a', large, 'b')
      await commitBatch([lines(`c\n${large}\nd`)])
      expect(await bodies(log, A)).toEqual(['a', large, 'b', 'c', large, 'd'])
    })
  })
}
