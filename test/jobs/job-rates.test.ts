/** Rates of operators: shares of the last minute that add up to 1, from reports that come only while a job works. */
import { expect, test } from 'vitest'
import { JobRates } from '../../src/jobs/job-rates.ts'
import type { JobFigures, VertexFigures } from '../../src/jobs/worker/job-worker-protocol.ts'

const S = 1_000

function figures(change: Partial<VertexFigures>): JobFigures {
  const vertex = {
    ...{ recordsIn: 0, recordsOut: 0, bytesIn: 0, bytesOut: 0, busyMs: 0, backpressuredMs: 0, idleMs: 0 },
    ...{ recordsLate: 0, recordsBad: 0, watermarkMs: undefined, pendingRecords: undefined, ...change },
  }
  return {
    ...{ epoch: 0, checkpoint: undefined, sources: [], inserts: [], vertices: [vertex] },
    ...{ busyMs: 0, backpressuredMs: 0, idleMs: 0 },
  }
}

/** A job that works all the time: of each second 300 ms busy, 100 ms backpressured, 50 records. */
function working(rates: JobRates, untilS: number): void {
  rates.stopped()
  for (let s = 0; s <= untilS; s++)
    rates.reported(figures({ recordsIn: 50 * s, busyMs: 300 * s, backpressuredMs: 100 * s }), s * S)
}

test('before a report, and before a second has passed, there are none', () => {
  const rates = new JobRates()
  expect(rates.at(100 * S)).toEqual([])
  rates.stopped()
  expect(rates.at(100 * S)).toEqual([])
  rates.reported(figures({ recordsIn: 1_000 }), 100 * S)
  expect(rates.at(100.5 * S)).toEqual([])
})

test('of an attempt younger than a minute', () => {
  const rates = new JobRates()
  working(rates, 10)
  expect(rates.at(10 * S)).toEqual([
    {
      ...{ recordsInPerSecond: 50, recordsOutPerSecond: 0, bytesInPerSecond: 0, bytesOutPerSecond: 0 },
      ...{ busyRatio: 0.3, idleRatio: 0.6, backpressuredRatio: 0.1, sampledMs: 10 * S },
    },
  ])
})

test('of the last minute only', () => {
  const rates = new JobRates()
  working(rates, 300)
  expect(rates.at(300 * S)[0]).toMatchObject({ recordsInPerSecond: 50, busyRatio: 0.3, idleRatio: 0.6 })
})

test('a job that reports nothing is idle', () => {
  const rates = new JobRates()
  working(rates, 60)
  expect(rates.at(90 * S)[0]).toMatchObject({ recordsInPerSecond: 25, busyRatio: 0.15, idleRatio: 0.8 })
  expect(rates.at(121 * S)[0]).toMatchObject({ recordsInPerSecond: 0, busyRatio: 0, idleRatio: 1 })
  expect(rates.at(3_600 * S)[0]).toMatchObject({ recordsInPerSecond: 0, busyRatio: 0, idleRatio: 1 })
})

test('work after a long pause is work of the last minute', () => {
  const rates = new JobRates()
  working(rates, 60)
  rates.reported(
    figures({ recordsIn: 3_000 + 600, busyMs: 18_000 + 6_000, backpressuredMs: 6_000 }),
    1_000 * S,
  )
  expect(rates.at(1_000 * S)[0]).toMatchObject({ recordsInPerSecond: 10, busyRatio: 0.1, idleRatio: 0.9 })
})

test('a new attempt begins anew, and one that has ended has none', () => {
  const rates = new JobRates()
  working(rates, 60)
  rates.stopped()
  rates.reported(figures({ recordsIn: 3_000 }), 61 * S)
  rates.reported(figures({ recordsIn: 3_020, busyMs: 500 }), 63 * S)
  expect(rates.at(63 * S)[0]).toMatchObject({
    recordsInPerSecond: 10,
    busyRatio: 0.25,
    backpressuredRatio: 0,
  })
  rates.stopped()
  expect(rates.at(64 * S)).toEqual([])
})

test('shares add up to 1, also where clocks differ a little', () => {
  const rates = new JobRates()
  rates.stopped()
  rates.reported(figures({}), 0)
  rates.reported(figures({ busyMs: 1_500, backpressuredMs: 530 }), 2 * S)
  const [{ busyRatio, idleRatio, backpressuredRatio }] = rates.at(2 * S) as [ReturnType<JobRates['at']>[0]]
  expect([busyRatio + idleRatio + backpressuredRatio, idleRatio]).toEqual([1, 0])
})
