import { expect, test } from 'vitest'
import {
  DEFAULT_PROPERTIES,
  earliestVisibleMs,
  mergeProperties,
  type PropertiesChange,
  saturateTtl,
  TTL_SECONDS_MAX,
} from '../../src/streams/properties.ts'

const NOW_MS = 1_700_000_000_123

const visible = [
  { name: 'the infinite ttl', ttlSeconds: TTL_SECONDS_MAX, expected: 0 },
  { name: 'a ttl of a day', ttlSeconds: 86_400n, expected: NOW_MS - 86_400_000 },
  { name: 'a ttl of a second', ttlSeconds: 1n, expected: NOW_MS - 1000 },
  { name: 'a ttl just within the time since 1970', ttlSeconds: 1_700_000_000n, expected: 123 },
  { name: 'a ttl just beyond the time since 1970', ttlSeconds: 1_700_000_001n, expected: 0 },
  { name: 'a ttl above 2^53 milliseconds', ttlSeconds: 1_800_000_000_000n, expected: 0 },
  { name: 'a ttl of 0, with which nothing is', ttlSeconds: 0n, expected: Number.MAX_SAFE_INTEGER },
]
test.each(visible)('with $name, events are visible from $expected ms on', ({ ttlSeconds, expected }) => {
  expect(earliestVisibleMs(NOW_MS, ttlSeconds)).toBe(expected)
})

const ttls = [
  { seconds: 0n, kept: 0n },
  { seconds: 9_007_199_254_740_993n, kept: 9_007_199_254_740_993n },
  { seconds: 9_223_372_036_854_774n, kept: 9_223_372_036_854_774n },
  { seconds: 9_223_372_036_854_775n, kept: 9_223_372_036_854_775n },
  { seconds: 9_223_372_036_854_776n, kept: 9_223_372_036_854_775n },
  { seconds: 2n ** 63n - 1n, kept: 9_223_372_036_854_775n },
]
test.each(ttls)('a ttl of $seconds s is kept as $kept s', ({ seconds, kept }) => {
  expect(saturateTtl(seconds)).toBe(kept)
})

const csv = { name: 'csv', schema: '"string"', settings: new Map([['delimiter', ' ']]) }
const full = mergeProperties(DEFAULT_PROPERTIES, {
  ttlSeconds: 7n,
  format: csv,
  description: 'd',
  principal: 'p',
})
const changes: { name: string; change: PropertiesChange }[] = [
  { name: 'ttl', change: { ttlSeconds: 0n } },
  { name: 'format', change: { format: { name: 'text', schema: '"int"', settings: new Map() } } },
  { name: 'threshold', change: { notificationThresholdMb: 1 } },
  { name: 'description', change: { description: '' } },
  { name: 'everything', change: { ...DEFAULT_PROPERTIES, description: 'x', principal: 'y' } },
]
test.each(changes)('a change of $name leaves the rest as it was', ({ change }) => {
  expect(mergeProperties(full, change)).toEqual({ ...full, ...change })
})

test('default properties are one shared, frozen object', () => {
  expect(mergeProperties(DEFAULT_PROPERTIES, {})).toBe(DEFAULT_PROPERTIES)
  expect(Object.isFrozen(DEFAULT_PROPERTIES)).toBe(true)
  expect(Object.isFrozen(DEFAULT_PROPERTIES.format)).toBe(true)
})
