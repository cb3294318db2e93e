import { expect, test } from 'vitest'
import { optional, TestReader } from '../support/records.ts'

const FIELDS = [
  'remote_host',
  'remote_login',
  'auth_user',
  'request_time',
  'request',
  'status',
  'content_length',
  'referrer',
  'user_agent',
]
const reader = new TestReader({ format: 'clf' })

/** A record from the values there are; the others are null. */
function record(...values: unknown[]) {
  return Object.fromEntries(FIELDS.map((name, index) => [name, values[index] ?? null]))
}

const lines = [
  { line: 'h', values: ['h'] },
  { line: 'h - u', values: ['h', null, 'u'] },
  { line: '  h   -  u  ', values: ['h', null, 'u'] },
  { line: 'h - - [t z] "r" 200 0 ', values: ['h', null, null, 't z', 'r', 200, 0] },
  { line: 'h - - [t z] "r" 304 - "ref"', values: ['h', null, null, 't z', 'r', 304, null, 'ref'] },
  { line: 'h - - [] "" 200 5 "" ""', values: ['h', null, null, null, null, 200, 5] },
  { line: '[::1] - - [t] "r" 200 5', values: ['::1', null, null, 't', 'r', 200, 5] },
  { line: 'h - user[1] [t]', values: ['h', null, 'user[1]', 't'] },
  { line: 'h - a"b [t]', values: ['h', null, 'a"b', 't'] },
  { line: 'h - - [t] "a [b] \\\\" 200', values: ['h', null, null, 't', 'a [b] \\\\', 200] },
  {
    line: 'h - - [t] "r" 200 5 "-" "ü" 0.005 "more"',
    values: ['h', null, null, 't', 'r', 200, 5, null, 'ü'],
  },
]
test.each(lines)('$line', ({ line, values }) => {
  expect(reader.read(line)).toEqual(record(...values))
})

const broken = [
  '',
  '   ',
  'h - - [t',
  'h - - [t] "r',
  'h - - [t] "r\\"',
  'h - - [t]x',
  'h - - [t] "r"200',
  'a[b c',
]
test.each(broken)('%j is no line of a log', (line) => {
  expect(reader.read(line)).toContain('Could not parse data in CLF format. Entry ')
})

test('values of a type have to be of it, and may be missing only where null may be', () => {
  const typed = new TestReader({
    format: 'clf',
    schema: [
      ['host', 'string'],
      ['n', 'int'],
      ['m', optional('long')],
    ],
  })
  expect(typed.read('h 5 6')).toEqual({ host: 'h', n: 5, m: 6 })
  expect(typed.read('- 5 -')).toEqual({ host: '-', n: 5, m: null })
  expect(typed.read('h -')).toBe("field n has '-', which is not an int")
  expect(typed.read('h')).toBe('Field n must contain a value.')
  expect(typed.read('h 5 x')).toBe("field m has 'x', which is not a long")
})

test('nothing is read behind the last field that is wanted', () => {
  const few = new TestReader({ format: 'clf', wanted: ['status', 'remote_host'] })
  expect(few.read('h - - [t] "r" 200 5 "never closed')).toEqual({ status: 200, remote_host: 'h' })
})
