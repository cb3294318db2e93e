import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RestingTails } from '../../storage/level/resting-tails.ts'
import type { StoredTail } from '../../storage/level/tail-codec.ts'

const number = fc.maxSafeNat()
const tails: fc.Arbitrary<StoredTail> = fc.record({
  nextSequence: number,
  lastTimestampMs: number,
  bytesWritten: number,
  firstSequence: number,
  firstTimestampMs: number,
  mergedSequence: number,
  mergedTimestampMs: number,
})
/** More than a page of them at times, with gaps between. */
const logs = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), tails), {
    maxLength: 600,
    selector: ([log]) => log,
  })
  .map((entries) => entries.sort(([a], [b]) => a - b))

test('tails come out as they went in, until they are woken', () => {
  fc.assert(
    fc.property(logs, fc.func(fc.boolean()), (entries, isWoken) => {
      const resting = new RestingTails()
      for (const [log, tail] of entries) resting.add(log, tail)
      const woken = new Set(entries.map(([log]) => log).filter((log) => isWoken(log)))
      for (const [log, tail] of entries) if (woken.has(log)) expect(resting.wake(log)).toEqual(tail)
      for (const [log, tail] of entries) expect(resting.get(log)).toEqual(woken.has(log) ? undefined : tail)
      expect(resting.logs()).toEqual(entries.map(([log]) => log).filter((log) => !woken.has(log)))
    }),
    { numRuns: 50 },
  )
})

test('a log that never was here is not found', () => {
  const resting = new RestingTails()
  expect([resting.get(1), resting.wake(1), resting.logs()]).toEqual([undefined, undefined, []])
})
