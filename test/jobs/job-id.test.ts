/** Ids of jobs from any source of randomness. */
import { expect, test } from 'vitest'
import { newJobId } from '../../src/jobs/job-id.ts'

test.each([
  { random: 0, id: '0'.repeat(32) },
  { random: 0.5, id: '80000000'.repeat(4) },
  { random: 1, id: 'f'.repeat(32) },
])('of $random: $id', ({ random, id }) => {
  expect(
    newJobId(
      () => random,
      () => false,
    ),
  ).toBe(id)
})

test('an id that is in use gives the next free one', () => {
  const used = new Set(['f'.repeat(32), '0'.repeat(32)])
  expect(
    newJobId(
      () => 1,
      (jid) => used.has(jid),
    ),
  ).toBe(`${'0'.repeat(31)}1`)
})
