/** Joining small blocks on LevelDB: what is joined, what is left, and readers and writers beside it. */
import { expect, test } from 'vitest'
import type { ReadRange } from '../../storage/log.ts'
import {
  bodies,
  EVERYTHING,
  event,
  eventsOf,
  LARGE_BATCH,
  lines,
  readAll,
  whole,
} from '../contract/event-log.ts'
import { describeOnLevel } from '../support/level-engines.ts'

const A = 1

describeOnLevel('merging', (level) => {
  async function appendAt(timeMs: number, text: string) {
    level.nowMs = timeMs
    return level.log.append(A, [event(text)])
  }

  /** Appends one by one, 100 ms apart from 1000 on: every event is a block of its own. */
  async function trickle(count: number, size = 100, id = A): Promise<void> {
    for (let i = 0; i < count; i++) {
      level.nowMs = 1_000 + i * 100
      await level.log.append(id, [event(`e${i} `.padEnd(size, '.'), i % 7 === 0 ? [['n', `${i}`]] : [])])
    }
  }

  async function mergeAll(beforeMs = Number.MAX_SAFE_INTEGER, id = A): Promise<number> {
    let removed = 0
    for (;;) {
      const progress = await level.log.merge(id, beforeMs, 100)
      removed += progress.removed
      if (!progress.more) return removed
    }
  }

  test('joins small blocks and changes nothing that a reader sees', async () => {
    await trickle(800)
    const batch = level.log.stage(A)
    for (const part of LARGE_BATCH) await batch.add(lines(part), [])
    await batch.commit()
    await trickle(200)
    const before = await readAll(level.log, A)
    expect(await mergeAll()).toBeGreaterThan(700)
    expect(await readAll(level.log, A)).toEqual(before)
    expect(await mergeAll()).toBe(0)
    await level.reopen()
    expect([await mergeAll(), await readAll(level.log, A)]).toEqual([0, before])
    for (const { sequence, timestampMs } of before.filter((_, i) => i % 397 === 0)) {
      expect(await level.log.locate(A, sequence)).toEqual({ sequence, timestampMs })
      expect((await readAll(level.log, A, { startMs: timestampMs, limit: 5 }))[0]).toEqual(
        before.find((one) => one.timestampMs >= timestampMs),
      )
      expect(await readAll(level.log, A, { after: { sequence, timestampMs }, limit: 2 })).toEqual(
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
    const reading = (await level.log.read(A, EVERYTHING))!
    for (let i = 0; i < 10; i++) await level.log.append(A, [event('later')])
    await mergeAll()
    const seen: number[] = []
    for await (const block of reading.blocks) seen.push(...eventsOf(block).map(({ sequence }) => sequence))
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test('does not join across more than an hour', async () => {
    for (let hour = 0; hour < 4; hour++) {
      for (let i = 0; i < 3; i++) await appendAt(1_000 + hour * 7_200_000 + i, `h${hour}e${i}`)
    }
    expect(await mergeAll()).toBe(8)
    expect(await level.log.trim(A, 1_000 + 2 * 7_200_000, 100)).toMatchObject({ removed: 2 })
    expect((await bodies(level.log, A))[0]).toBe('h2e0')
  })

  test('trims inside a joined block are exact for readers and free whole blocks', async () => {
    await trickle(600, 250)
    await mergeAll()
    expect((await level.log.trim(A, 1_000 + 300 * 100, 100)).removed).toBeGreaterThan(0)
    const left = await bodies(level.log, A, { startMs: 1_000 + 300 * 100 })
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
      const wanted = await readAll(level.log, id, range)
      const seen: number[] = []
      const { blocks } = (await level.log.read(id, { ...EVERYTHING, ...range }))!
      for (let steps = 0; ; steps++) {
        if (steps === pulled) await mergeAll(30_000, id)
        if (steps === pulled + 2) await mergeAll(undefined, id)
        const next = await blocks.next()
        if (next.done) break
        seen.push(...eventsOf(next.value).map(({ sequence }) => sequence))
      }
      expect(seen).toEqual(wanted.map(({ sequence }) => sequence))
    }
  })

  test('beside readers and writers loses nothing', async () => {
    await trickle(600)
    let stop = false
    const merging = (async () => {
      while (!stop) {
        await level.log.merge(A, Number.MAX_SAFE_INTEGER, 100)
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    const writing = (async () => {
      for (let i = 0; i < 600; i++) await level.log.append(A, [event(`w${i}`.padEnd(120, '.'))])
    })()
    for (let round = 0; round < 15; round++) {
      const events = await readAll(level.log, A)
      expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i))
      expect(events.length).toBeGreaterThanOrEqual(600)
    }
    await writing
    stop = true
    await merging
    expect(await readAll(level.log, A)).toHaveLength(1_200)
  })

  test('and trimming work on a log that was restored', async () => {
    const restore = level.log.restore(A)
    for (let i = 0; i < 100; i++) {
      await restore.add(whole(`restored ${i} `.padEnd(20, '.')), [], 1_000 + i * 600_000)
    }
    await restore.finish()
    const lastMs = 1_000 + 99 * 600_000
    expect(await appendAt(5_000, 'late')).toEqual({ timestampMs: lastMs, sequence: 100 })
    await level.log.merge(A, Number.MAX_SAFE_INTEGER, 1_000)
    expect(await bodies(level.log, A)).toHaveLength(101)
    await level.log.trim(A, 30_000_000, 1_000)
    const left = await readAll(level.log, A)
    expect(left[0]!.timestampMs).toBeGreaterThan(30_000_000 - 2 * 3_600_000)
    expect(left.at(-1)!.body).toBe('late')
  })
})
