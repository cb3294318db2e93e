import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StoredTail } from '../../storage/level/tail-codec.ts'
import { UnusedTails } from '../../storage/level/unused-tails.ts'

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
      const unusedTails = new UnusedTails()
      for (const [log, tail] of entries) unusedTails.add(log, tail)
      const woken = new Set(entries.map(([log]) => log).filter((log) => isWoken(log)))
      for (const [log, tail] of entries) if (woken.has(log)) expect(unusedTails.wake(log)).toEqual(tail)
      for (const [log, tail] of entries)
        expect(unusedTails.get(log)).toEqual(woken.has(log) ? undefined : tail)
      expect(unusedTails.logs()).toEqual(entries.map(([log]) => log).filter((log) => !woken.has(log)))
    }),
    { numRuns: 50 },
  )
})

test('a log that never was here is not found', () => {
  const unusedTails = new UnusedTails()
  expect([unusedTails.get(1), unusedTails.wake(1), unusedTails.logs()]).toEqual([undefined, undefined, []])
})
