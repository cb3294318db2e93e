import { expect, test } from 'vitest'
import { atLeast, atMost, figure, judge, type Look, NotMeasured, ratio } from '../../bench/targets.ts'

/** Of cases a and b. */
function look(a: number, b?: number): Look {
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
  expect(judge(target, look(1, 2), [])).toEqual({
    row: 'a / b, events/s',
    ...bound,
    value: 0.5,
    outcome,
  })
})

test('the rounds tell how far the ratio can be trusted', () => {
  const rounds = [look(1, 4), look(9), look(3, 4)]
  expect(judge(ratio('a', 'b', 'p50Ms'), look(2, 4), rounds)).toMatchObject({ lowest: 0.25, highest: 0.75 })
})

test('a row whose case was not measured says so', () => {
  expect(judge(figure('b', 'p99Ms', atMost(2)), look(1), [])).toEqual({
    row: 'b, p99 ms',
    atMost: 2,
    reason: 'b was not run',
    outcome: 'not measured',
  })
})
