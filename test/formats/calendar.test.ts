import fc from 'fast-check'
import { expect, test } from 'vitest'
import { clockText, dateText } from '../../src/formats/calendar.ts'
import { effort } from '../support/effort.ts'

const FIRST_DAY = Date.UTC(2000, 0, 1) / 86_400_000 - 730_119 // 0001-01-01
const LAST_DAY = Date.UTC(9999, 11, 31) / 86_400_000
/** In the short form every day of two spans of 400 years, after which the calendar repeats itself, and every 13th of the rest. */
const STEP = effort({ short: 13, long: 1 })
const EVERY_DAY_UNTIL = FIRST_DAY + 2 * 146_097

test('every day from 0001-01-01 to 9999-12-31 is the one that the platform knows', () => {
  for (let day = FIRST_DAY; day <= LAST_DAY; day += day < EVERY_DAY_UNTIL ? 1 : STEP) {
    if (dateText(day) !== new Date(day * 86_400_000).toISOString().slice(0, 10))
      expect(dateText(day)).toBe(new Date(day * 86_400_000).toISOString().slice(0, 10))
  }
})

test('seconds of a day', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 86_399 }), (seconds) => {
      expect(clockText(seconds)).toBe(new Date(seconds * 1_000).toISOString().slice(11, 19))
    }),
  )
})
