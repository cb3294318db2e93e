/** How fast a token may send: bursts of a second, debts, and a clock that jumps. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RateLimit } from '../../src/auth/rate-limit.ts'

test('a second full of events may come at once, the next ones wait', () => {
  const rate = new RateLimit({ eventsPerSecond: 10 }, 0)
  for (let i = 0; i < 10; i++) {
    expect(rate.waitMs(0)).toBe(0)
    rate.take(0, 1, 1_000_000)
  }
  expect(rate.waitMs(0)).toBe(1)
  expect(rate.waitMs(1)).toBe(0)
})

test('a batch that was larger than the rate is paid off before anything else', () => {
  const rate = new RateLimit({ eventsPerSecond: 10 }, 0)
  rate.take(0, 1010, 0)
  expect(rate.waitMs(0)).toBe(100_001)
  expect(rate.waitMs(60_000)).toBe(40_001)
  expect(rate.waitMs(100_001)).toBe(0)
})

test('both rates hold, and the slower one tells how long', () => {
  const rate = new RateLimit({ eventsPerSecond: 10, bytesPerSecond: 1000 }, 0)
  rate.take(0, 1, 3000)
  expect(rate.waitMs(0)).toBe(2001)
  expect(new RateLimit({ bytesPerSecond: 1000 }, 0).waitMs(0)).toBe(0)
  expect(new RateLimit({}, 0).waitMs(0)).toBe(0)
})

test('a long rest gives no more than one second', () => {
  const rate = new RateLimit({ eventsPerSecond: 10 }, 0)
  rate.take(1_000_000_000, 10, 0)
  expect(rate.waitMs(1_000_000_000)).toBe(1)
})

test('a clock that goes back gives nothing and takes nothing', () => {
  const rate = new RateLimit({ eventsPerSecond: 10 }, 1_000_000)
  rate.take(1_000_000, 15, 0)
  expect(rate.waitMs(0)).toBe(501)
  expect(rate.waitMs(501)).toBe(0)
})

test('over time no client gets more than the rate, a second of burst, and the last request', () => {
  const requests = fc.array(
    fc.record({ pauseMs: fc.integer({ min: 0, max: 3000 }), events: fc.integer({ min: 1, max: 50 }) }),
    { maxLength: 100 },
  )
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), requests, (eventsPerSecond, all) => {
      const rate = new RateLimit({ eventsPerSecond }, 0)
      let now = 0
      let taken = 0
      for (const { pauseMs, events } of all) {
        now += pauseMs
        const wait = rate.waitMs(now)
        if (wait > 0) {
          // A retry after the returned time succeeds; one millisecond earlier it fails.
          expect(rate.waitMs(now)).toBe(wait)
          now += wait
          expect(rate.waitMs(now)).toBe(0)
        }
        expect(taken).toBeLessThanOrEqual(eventsPerSecond * (1 + now / 1000))
        rate.take(now, events, 0)
        taken += events
      }
    }),
  )
})
