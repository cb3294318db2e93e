import { expect, test } from 'vitest'
import type { Value } from '../../src/formats/record-reader.ts'
import { LIST, optional, TestReader } from '../support/records.ts'

const text = optional('string')
const PARTS: [string, unknown][] = [
  ['priority', optional('int')],
  ['facility', optional('int')],
  ['severity', optional('int')],
  ['version', optional('int')],
  ['timestamp', text],
  ['logsource', text],
  ['program', text],
  ['pid', text],
  ['msgid', text],
  ['structured_data', text],
  ['message', text],
]
const reader = new TestReader({ format: 'syslog', schema: PARTS, settings: { variant: '5424' } })

/** The examples of RFC 5424, section 6.5, and what is at the edges of its grammar. */
const messages: { body: string; values: Value[] }[] = [
  {
    body: "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed for lonvick on /dev/pts/8",
    values: [
      34,
      4,
      2,
      1,
      '2003-10-11T22:14:15.003Z',
      'mymachine.example.com',
      'su',
      null,
      'ID47',
      null,
      "'su root' failed for lonvick on /dev/pts/8",
    ],
  },
  {
    body: "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
    values: [
      165,
      20,
      5,
      1,
      '2003-08-24T05:14:15.000003-07:00',
      '192.0.2.1',
      'myproc',
      '8710',
      null,
      null,
      "%% It's time to make the do-nuts.",
    ],
  },
  {
    body: '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"] \ufeffAn application event log entry...',
    values: [
      165,
      20,
      5,
      1,
      '2003-10-11T22:14:15.003Z',
      'mymachine.example.com',
      'evntslog',
      null,
      'ID47',
      '[exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"]',
      'An application event log entry...',
    ],
  },
  {
    body: '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3"][examplePriority@32473 class="high"]',
    values: [
      165,
      20,
      5,
      1,
      '2003-10-11T22:14:15.003Z',
      'mymachine.example.com',
      'evntslog',
      null,
      'ID47',
      '[exampleSDID@32473 iut="3"][examplePriority@32473 class="high"]',
      null,
    ],
  },
  { body: '<0>1 - - - - - -', values: [0, 0, 0, 1, null, null, null, null, null, null, null] },
  { body: '<0>1 - - - - - - -', values: [0, 0, 0, 1, null, null, null, null, null, null, '-'] },
  {
    body: '<191>12 - h a p m [x a="]\\"\\]"] é',
    values: [191, 23, 7, 12, null, 'h', 'a', 'p', 'm', '[x a="]\\"\\]"]', 'é'],
  },
]
test.each(messages)('$body', ({ body, values }) => {
  expect(reader.read(body)).toEqual(Object.fromEntries(PARTS.map(([name], index) => [name, values[index]])))
})

const broken = [
  '',
  'no priority',
  '<>1 - - - - - -',
  '<192>1 - - - - - -',
  '<1234>1 - - - - - -',
  '<34>',
  '<34> 1 - - - - - -',
  '<34>1 - - - - -',
  '<34>1 - - - - - ',
  '<34>1 - - - - - x',
  '<34>1 - - - - - [x',
  '<34>1 - - - - - [x a="]',
  '<34>1 - - - - - [x]y',
  '<34>1  - - - - - -',
  '<34>Oct 11 22:14:15 mymachine su: failed',
]
test.each(broken)('%j is no message of RFC 5424', (body) => {
  expect(reader.read(body)).toContain('is no syslog message of RFC 5424: ')
})

test('fields of other names, and lists, stay empty', () => {
  const other = new TestReader({
    format: 'syslog',
    schema: [
      ['host', text],
      ['message', 'string'],
      ['tags', LIST],
    ],
    settings: { variant: '5424' },
  })
  expect(other.read('<34>1 - h - - - - m')).toEqual({ host: null, message: 'm', tags: [] })
  expect(other.read('<34>1 - h - - - -')).toBe('Field message must contain a value.')
})
