import { expect, test } from 'vitest'
import { median, mediansOf } from '../../bench/metrics.ts'
import type { Sample } from '../../bench/sample.ts'

const SAMPLE: Sample = { seconds: 2, answers: 100, events: 1000, bytes: 4e6, failures: {} }

test.each([
  { values: [3], is: 3 },
  { values: [9, 1, 5], is: 5 },
  { values: [4, 1, 10, 2], is: 3 },
])('the median of $values is $is', ({ values, is }) => {
  expect(median(values)).toBe(is)
})

test('figures come from what the samples tell, and nothing else', () => {
  const samples = [
    SAMPLE,
    { ...SAMPLE, events: 3000, p99Ms: 4, cpuSeconds: 0.3 },
    { ...SAMPLE, events: 2000, p99Ms: 8, rssPeakBytes: 90e6 },
  ]
  expect(mediansOf(samples)).toEqual({
    eventsPerSecond: 1000,
    mbPerSecond: 2,
    dataMb: 4,
    p99Ms: 6,
    cpuUsPerEvent: 100,
    busy: 15,
    rssPeakMb: 90,
  })
})

test('nothing per second where no time was measured', () => {
  expect(mediansOf([{ ...SAMPLE, seconds: 0, rssBytes: 5e6 }])).toEqual({ dataMb: 4, rssMb: 5 })
})
