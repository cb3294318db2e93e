import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EventOpening } from '../../src/http/cdap/event-opening.ts'

function run(timestampMs: number, headers: readonly (readonly [string, string])[] = []) {
  return { begin: 0, end: 1, timestampMs, headers }
}

test('names and values are JSON', () => {
  const headers = [
    ['a', 'x'],
    ['"é"', '\n'],
  ] as const
  expect(new EventOpening('"},').of(run(5, headers)).toString()).toBe(
    '"},{"timestamp":5,"headers":{"a":"x","\\"é\\"":"\\n"},"body":"',
  )
})

test('of runs in any order each has its own timestamp and headers', () => {
  const sets = [[], [['k', 'v']], [['k', 'v']]] as const
  const timestamps = fc.oneof(
    fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    fc.integer({ min: 999_999_999_990, max: 1_000_000_000_010 }),
    fc.integer({ min: 9_999_999_999_990, max: 10_000_000_000_010 }),
    fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_100 }),
    fc.constantFrom(0, 1_700_000_000_000, 1_700_000_999_999, 1_700_001_000_000),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(timestamps, fc.nat(2)), { maxLength: 30 }), (runs) => {
      const opening = new EventOpening(',')
      for (const [timestampMs, set] of runs) {
        const headers = JSON.stringify(Object.fromEntries(sets[set]!))
        expect(opening.of(run(timestampMs, sets[set])).toString()).toBe(
          `,{"timestamp":${timestampMs},"headers":${headers},"body":"`,
        )
      }
    }),
    { numRuns: 500 },
  )
})
