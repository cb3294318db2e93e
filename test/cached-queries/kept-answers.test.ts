/** Answers that are kept for further pages: how long, and how much memory those of all queries may hold. */
import { expect, test } from 'vitest'
import { type Answer, KeptAnswers, KeptMemory } from '../../src/cached-queries/kept-answers.ts'

const MEBIBYTE = 1024 * 1024

function answer(lsn: bigint): Answer {
  return { rows: [], asOf: { lsn, txId: 1, timestampMs: 1 } }
}

test('an answer is kept for a minute after its last page', () => {
  let nowMs = 0
  const kept = new KeptAnswers(new KeptMemory(), () => nowMs)
  kept.keep(answer(1n))
  nowMs = 50_000
  kept.keep(answer(1n))
  nowMs = 109_999
  expect(kept.find(1n)).toBeDefined()
  nowMs = 110_000
  expect(kept.find(1n)).toBeUndefined()
})

test('beyond the memory of all queries the one that holds most drops its oldest answer', () => {
  const memory = new KeptMemory(30 * MEBIBYTE)
  const [small, large, third] = [0, 1, 2].map(() => new KeptAnswers(memory, () => 0)) as [
    KeptAnswers,
    KeptAnswers,
    KeptAnswers,
  ]
  small.keep(answer(1n))
  small.removed(9 * MEBIBYTE)
  large.keep(answer(1n))
  large.removed(6 * MEBIBYTE)
  large.keep(answer(2n))
  large.removed(8 * MEBIBYTE)
  third.keep(answer(1n))
  third.removed(5 * MEBIBYTE)
  third.keep(answer(2n))
  third.removed(3 * MEBIBYTE)
  expect(small.find(1n)).toBeDefined()
  expect(large.find(1n), 'the oldest of the largest').toBeUndefined()
  expect(large.find(2n)).toBeDefined()
  expect(third.find(1n)).toBeDefined()
  large.clear()
  third.removed(8 * MEBIBYTE)
  expect(third.find(1n), 'what was given back may be held by others').toBeDefined()
})
