/**
 * Windows against a reference that takes one record after the other, over random events: out of order, late, without a
 * time, unreadable. The size of ticks must not change a byte of the result.
 */
import { describe, expect, test } from 'vitest'
import type { WindowPlan } from '../../../src/jobs/plan/job-plan.ts'
import { AGGREGATED, CPU, cpuSource, planOf, windowInsert, windowOf } from '../../support/job-plans.ts'
import { jobStart, streamTable, testWorker } from '../../support/job-worker.ts'
import { seededRandom } from '../../support/seeded-random.ts'

const DELAY_MS = 2_000
const EVENTS = 4_000

interface Event {
  readonly hostname: string
  readonly usage: number
  readonly occurred_at: number | null
}

const UNREADABLE = '{"hostname":'

function randomBodies(seed: number): string[] {
  const random = seededRandom(seed)
  let now = random.pick([1_633_956_780_000, -60_000, 0])
  return Array.from({ length: EVENTS }, () => {
    now += random.whole(0, 40)
    if (random.next() < 0.01) return UNREADABLE
    const late = random.next() < 0.1 ? random.whole(0, 20_000) : random.whole(0, 2_500)
    const occurred_at = random.next() < 0.02 ? null : now - late
    const usage = random.whole(0, 10_000) / 100
    return JSON.stringify({ hostname: `h${random.whole(0, 5)}`, cpu: 'c', usage, occurred_at })
  })
}

interface Result {
  readonly rows: readonly string[]
  readonly late: number
}

/** `perTick`: the size of ticks after which the watermark moves, as an engine does that judges lateness per batch. */
function reference(window: WindowPlan, bodies: readonly string[], perTick = 1): Result {
  const open = new Map<string, { start: number; end: number; hostname: string; total: number; n: number }>()
  let watermark = Number.NEGATIVE_INFINITY
  let seen = Number.NEGATIVE_INFINITY
  let late = 0
  for (const [index, body] of bodies.entries()) {
    if (body !== UNREADABLE) {
      const { hostname, usage, occurred_at: at } = JSON.parse(body) as Event
      if (at !== null) {
        const inTime = windowsOf(window, at).filter(([, end]) => end - 1 > watermark)
        if (inTime.length === 0) late++
        for (const [start, end] of inTime) {
          const key = `${end}/${start}/${hostname}`
          const sums = open.get(key) ?? { start, end, hostname, total: 0, n: 0 }
          open.set(key, { ...sums, total: sums.total + usage, n: sums.n + 1 })
        }
        seen = Math.max(seen, at - DELAY_MS)
      }
    }
    if ((index + 1) % perTick === 0) watermark = seen
  }
  const rows = [...open.values()]
    .filter(({ end }) => end - 1 <= seen)
    .sort((a, b) => a.end - b.end || a.start - b.start || (a.hostname < b.hostname ? -1 : 1))
    .map(({ start, end, hostname, total, n }) =>
      JSON.stringify({ window_start: timeText(start), window_end: timeText(end), hostname, total, n }),
    )
  return { rows, late }
}

function windowsOf(
  { kind, sizeMs, slideMs, offsetMs }: WindowPlan,
  at: number,
): [start: number, end: number][] {
  const windows: [number, number][] = []
  const floor = (unit: number) => Math.floor((at - offsetMs) / unit) * unit + offsetMs
  if (kind === 'CUMULATE') {
    const start = floor(sizeMs)
    for (let end = start + slideMs; end <= start + sizeMs; end += slideMs)
      if (end > at) windows.push([start, end])
  } else {
    const slide = kind === 'TUMBLE' ? sizeMs : slideMs
    for (let start = floor(slide); start > at - sizeMs; start -= slide) windows.push([start, start + sizeMs])
  }
  return windows
}

function timeText(ms: number): string {
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.?0*Z$/, '')
}

const WINDOWS: readonly { readonly name: string; readonly window: WindowPlan }[] = [
  { name: 'TUMBLE', window: windowOf({ sizeMs: 5_000, slideMs: 5_000 }) },
  { name: 'TUMBLE with an offset', window: windowOf({ sizeMs: 7_000, slideMs: 7_000, offsetMs: -1_500 }) },
  { name: 'HOP', window: windowOf({ kind: 'HOP', sizeMs: 9_000, slideMs: 3_000 }) },
  {
    name: 'HOP with an offset',
    window: windowOf({ kind: 'HOP', sizeMs: 10_000, slideMs: 1_000, offsetMs: 700 }),
  },
  { name: 'CUMULATE', window: windowOf({ kind: 'CUMULATE', sizeMs: 12_000, slideMs: 3_000, offsetMs: 500 }) },
]

async function run(window: WindowPlan, bodies: readonly string[], tickEventsMax: number): Promise<Result> {
  const worker = await testWorker()
  await worker.store.create('cpu', 'out')
  for (let at = 0; at < bodies.length; at += 500) await worker.store.append('cpu', bodies.slice(at, at + 500))
  const plan = planOf([cpuSource('s0', 'cpu', DELAY_MS)], [windowInsert(window)])
  const tables = [streamTable('cpu', CPU), streamTable('out', AGGREGATED)]
  await worker.start(jobStart(worker, plan, tables, { tickEventsMax }))
  await worker.until(() => {
    if (worker.failure !== undefined) throw new Error(worker.failure.message)
    if (worker.figures?.sources[0]?.recordsIn !== bodies.length) return undefined
    // A step of more than a second reports what it has read before its rows are written.
    const { inserts, vertices } = worker.figures
    return vertices.at(-1)!.recordsIn === inserts[0]!.recordsOut ? true : undefined
  }, 120_000)
  const figures = worker.figures!
  await worker.close()
  const untimed = bodies.filter((body) => body.includes('"occurred_at":null')).length
  const unreadable = bodies.filter((body) => body === UNREADABLE).length
  expect(figures.sources[0]).toMatchObject({ recordsBad: unreadable + untimed, recordsUntimed: untimed })
  return { rows: await worker.store.bodies('out'), late: figures.inserts[0]!.recordsLate }
}

describe('windows equal the record-by-record reference, whatever the size of ticks', () => {
  for (const [index, { name, window }] of WINDOWS.entries()) {
    test(name, async () => {
      const bodies = randomBodies(index + 1)
      const expected = reference(window, bodies)
      expect(expected.rows.length).toBeGreaterThan(20)
      expect(expected.late).toBeGreaterThan(20)
      for (const size of [100_000, 777, 61]) expect(await run(window, bodies, size)).toEqual(expected)
    }, 120_000)
  }

  test('also with one event a tick', async () => {
    const { window } = WINDOWS[2]!
    const bodies = randomBodies(9).slice(0, 400)
    expect(await run(window, bodies, 1)).toEqual(reference(window, bodies))
  }, 120_000)

  test('the reference notices lateness that is judged per tick', () => {
    const { window } = WINDOWS[0]!
    const bodies = randomBodies(1)
    expect(reference(window, bodies, 777)).not.toEqual(reference(window, bodies))
  })
})
