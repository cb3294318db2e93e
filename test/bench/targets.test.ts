import { expect, test } from 'vitest'
import { atLeast, atMost, figure, judge, NotMeasured, type ReadMetric, ratio } from '../../bench/targets.ts'

/** Of cases a and b. */
function read(a: number, b?: number): ReadMetric {
  return (name) => {
    const value = name === 'a' ? a : b
    if (value === undefined) throw new NotMeasured(`${name} was not run`)
    return value
  }
}

const outcomes = [
  { bound: atLeast(0.5), outcome: 'reached' },
  { bound: atLeast(0.51), outcome: 'fell short' },
  { bound: atMost(0.5), outcome: 'reached' },
  { bound: atMost(0.49), outcome: 'fell short' },
  { bound: {}, outcome: 'no target' },
]

test.each(outcomes)('0.5 with the bound $bound: $outcome', ({ bound, outcome }) => {
  const target = ratio('a', 'b', 'eventsPerSecond', bound)
  expect(judge(target, read(1, 2), [])).toEqual({
    row: 'a / b, events/s',
    ...bound,
    value: 0.5,
    outcome,
  })
})

test('the rounds tell how far the ratio can be trusted', () => {
  const rounds = [read(1, 4), read(9), read(3, 4)]
  expect(judge(ratio('a', 'b', 'p50Ms'), read(2, 4), rounds)).toMatchObject({ lowest: 0.25, highest: 0.75 })
})

test('a row whose case was not measured says so', () => {
  expect(judge(figure('b', 'p99Ms', atMost(2)), read(1), [])).toEqual({
    row: 'b, p99 ms',
    atMost: 2,
    reason: 'b was not run',
    outcome: 'not measured',
  })
})
