import { expect, test } from 'vitest'
import { parseReadRange, type RangeQuery } from '../../src/http/cdap/read-range.ts'
import { ServiceError } from '../../src/service-error.ts'

const NOW_MS = 1_700_000_000_000
const MAX = Number.MAX_SAFE_INTEGER
const LIMIT_MAX = 2_147_483_647
const [MINUTE_MS, HOUR_MS, DAY_MS] = [60_000, 3_600_000, 86_400_000]

const ranges: { query: RangeQuery; range: [startMs: number, endMs: number, limit: number] }[] = [
  { query: {}, range: [0, MAX, LIMIT_MAX] },
  { query: { start: undefined, end: undefined, limit: undefined }, range: [0, MAX, LIMIT_MAX] },
  { query: { start: '0', end: '9223372036854775807', limit: '2147483647' }, range: [0, MAX, LIMIT_MAX] },
  { query: { end: '9223372036854775808' }, range: [0, MAX, LIMIT_MAX] },
  {
    query: { start: '1407806944181', end: '1407806944182' },
    range: [1407806944181, 1407806944182, LIMIT_MAX],
  },
  { query: { start: '007', end: '0000000000000000000000000000010' }, range: [7, 10, LIMIT_MAX] },
  { query: { start: 'now' }, range: [NOW_MS, MAX, LIMIT_MAX] },
  { query: { end: 'now' }, range: [0, NOW_MS, LIMIT_MAX] },
  {
    query: { start: 'now-7d+3h-13m+11s' },
    range: [NOW_MS - 7 * DAY_MS + 3 * HOUR_MS - 13 * MINUTE_MS + 11_000, MAX, LIMIT_MAX],
  },
  { query: { start: 'now-5ms', end: 'now+5ms' }, range: [NOW_MS - 5, NOW_MS + 5, LIMIT_MAX] },
  { query: { start: 'now-1m-1m' }, range: [NOW_MS - 2 * MINUTE_MS, MAX, LIMIT_MAX] },
  { query: { start: 'now+1d' }, range: [NOW_MS + DAY_MS, MAX, LIMIT_MAX] },
  { query: { end: 'now+9223372036854775807d' }, range: [0, MAX, LIMIT_MAX] },
  // A time that is negative on the way, and not in the end.
  { query: { start: 'now-100000d+100000d' }, range: [NOW_MS, MAX, LIMIT_MAX] },
  // Compared exactly, though a number could not tell them apart.
  { query: { start: '9223372036854775806', end: '9223372036854775807' }, range: [MAX, MAX, LIMIT_MAX] },
  { query: { start: '9223372036854775807', end: '9223372036854775808' }, range: [MAX, MAX, LIMIT_MAX] },
  { query: { start: '9007199254740992', end: '9007199254740993' }, range: [MAX, MAX, LIMIT_MAX] },
  { query: { limit: '1' }, range: [0, MAX, 1] },
  { query: { limit: '007' }, range: [0, MAX, 7] },
]
test.each(ranges)('$query is $range', ({ query, range: [startMs, endMs, limit] }) => {
  expect(parseReadRange(query, NOW_MS)).toEqual({ startMs, endMs, limit })
})

const badTimes = [
  'now 6h',
  'now/1d',
  'now-1w',
  'now-3d+23lnkfasd-6h',
  'NOW',
  'Now-1d',
  'now-',
  'now1d',
  'now--1d',
  'now-1D',
  'now-d',
  'now-1',
  'now-6h 30m',
  ' now',
  'now ',
  'now\n',
  '-1',
  '+1',
  '1.5',
  '1e3',
  '0x10',
  '',
  ' ',
  '12 ',
  '12\n',
  '٣',
  'yesterday',
]
test.each(badTimes)('%j is no time', (time) => {
  const error = new ServiceError('invalid_range', `invalid time format ${time}`)
  expect(() => parseReadRange({ start: time }, NOW_MS)).toThrow(error)
  expect(() => parseReadRange({ end: time }, NOW_MS)).toThrow(error)
})

const badLimit = (limit: string) => `limit is '${limit}'; use a whole number from 1 to 2147483647`
const refused: { query: RangeQuery; text: string }[] = [
  { query: { start: '9223372036854775808' }, text: 'For input string: "9223372036854775808"' },
  { query: { end: '9223372036854775809' }, text: 'For input string: "9223372036854775809"' },
  { query: { start: 'now-9223372036854775808ms' }, text: 'For input string: "9223372036854775808"' },
  { query: { start: 'now-100000d' }, text: 'Start time must be >= 0' },
  { query: { start: 'now-9223372036854775807d' }, text: 'Start time must be >= 0' },
  { query: { end: 'now-100000d' }, text: 'End time must be >= 0' },
  { query: { start: 'now-100000d', end: 'now-100000d' }, text: 'Start time must be >= 0' },
  { query: { start: '5', end: '5' }, text: 'Start time must be smaller than end time' },
  { query: { start: '6', end: '5' }, text: 'Start time must be smaller than end time' },
  { query: { end: '0' }, text: 'Start time must be smaller than end time' },
  { query: { start: '9223372036854775807' }, text: 'Start time must be smaller than end time' },
  {
    query: { start: '9007199254740993', end: '9007199254740993' },
    text: 'Start time must be smaller than end time',
  },
  {
    query: { start: '9007199254740993', end: '9007199254740992' },
    text: 'Start time must be smaller than end time',
  },
  { query: { limit: '0' }, text: 'Cannot request for <=0 events' },
  { query: { limit: '-1' }, text: 'Cannot request for <=0 events' },
  { query: { limit: '-99999999999999999999' }, text: 'Cannot request for <=0 events' },
  { query: { limit: '2147483648' }, text: badLimit('2147483648') },
  { query: { limit: 'ten' }, text: badLimit('ten') },
  { query: { limit: '1.5' }, text: badLimit('1.5') },
  { query: { limit: '1e3' }, text: badLimit('1e3') },
  { query: { limit: '' }, text: badLimit('') },
  { query: { limit: ' 1' }, text: badLimit(' 1') },
  { query: { limit: 'Infinity' }, text: badLimit('Infinity') },
  // The order of the checks.
  { query: { start: 'x', end: 'y' }, text: 'invalid time format x' },
  { query: { start: 'now-100000d', end: 'y' }, text: 'invalid time format y' },
  { query: { start: '5', end: '5', limit: '0' }, text: 'Start time must be smaller than end time' },
  { query: { start: '5', end: '5', limit: 'x' }, text: 'Start time must be smaller than end time' },
]
test.each(refused)('$query is refused: $text', ({ query, text }) => {
  expect(() => parseReadRange(query, NOW_MS)).toThrow(new ServiceError('invalid_range', text))
})
