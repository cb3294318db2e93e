import { describe, expect, test } from 'vitest'
import type { Value } from '../../src/formats/record-reader.ts'
import { answered } from '../support/explore.ts'
import { LIST, optional, TestReader } from '../support/records.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

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

describe('times of lines', () => {
  const lines = new TestReader({ format: 'syslog' })
  const times = [
    // BSD
    'Oct 17 08:59:00',
    'May  1 12:00:00',
    'May 1 12:00:00',
    'May 01 12:00:00',
    'May  1 12:00:00.123',
    'Jun 30 23:59:60',
    // With the year, as Cisco's devices write it
    'May 1 2024 12:00:00',
    'May  1 2024 12:00:00',
    'May  1 2024 12:00:00.123',
    // RFC 3339
    '2024-05-01T12:00:00Z',
    '2024-05-01T12:00:00+02:00',
    '2024-05-01T12:00:00-09:30',
    ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map(
      (digits) => `2024-05-01T12:00:00.${'123456789'.slice(0, digits)}+02:00`,
    ),
    '2024-05-01T12:00:00.123456Z',
    '2016-12-31T23:59:60Z',
    '2016-12-31T23:59:60.5+00:00',
    '2024-05-01t12:00:00z',
    '2024-05-01t12:00:00.123+02:00',
    // As other programs write it
    '2024-05-01 12:00:00',
    '2024-05-01 12:00:00.123456',
    '2024-05-01 12:00:00,123',
    '2024-05-01 12:00:00Z',
    '2024-05-01 12:00:00+02:00',
    '2024-05-01 12:00:00 +0200',
    '2024-05-01T12:00:00',
    '2024-05-01T12:00:00+0200',
    '2024-05-01T12:00:00+02',
    '2024-05-01T12:00Z',
  ]
  test.each(times)('%s', (timestamp) => {
    for (const priority of ['', '<34>', '<165>']) {
      expect(lines.read(`${priority}${timestamp} web01 sshd[231]: Accepted key`)).toEqual({
        timestamp,
        logsource: 'web01',
        program: 'sshd',
        message: 'Accepted key',
        pid: '231',
      })
    }
    expect(lines.read(`${timestamp} web01 no program here`)).toEqual({
      timestamp,
      logsource: 'web01',
      program: null,
      message: 'no program here',
      pid: null,
    })
  })

  const cisco = [
    { line: '<189>May  1 2024 12:00:00: %ASA-6-302013: Built', timestamp: 'May  1 2024 12:00:00' },
    { line: '*May  1 12:00:00.123: %SYS-5-CONFIG_I: Built', timestamp: 'May  1 12:00:00.123' },
    { line: 'May  1 12:00:00.123 CEST: %SYS-5-CONFIG_I: Built', timestamp: 'May  1 12:00:00.123' },
  ]
  test.each(cisco)('$line', ({ line, timestamp }) => {
    expect(lines.read(line)).toEqual({
      timestamp,
      logsource: null,
      program: expect.stringMatching(/^%(ASA-6-302013|SYS-5-CONFIG_I)$/),
      message: 'Built',
      pid: null,
    })
  })

  test('a field timestamp8601 has those of RFC 3339, and timestamp has all', () => {
    const both = new TestReader({
      format: 'syslog',
      schema: [
        ['timestamp', text],
        ['timestamp8601', text],
      ],
    })
    expect(both.read('2024-05-01T12:00:00Z h p: m')).toEqual({
      timestamp: '2024-05-01T12:00:00Z',
      timestamp8601: '2024-05-01T12:00:00Z',
    })
    expect(both.read('May  1 12:00:00 h p: m')).toEqual({
      timestamp: 'May  1 12:00:00',
      timestamp8601: null,
    })
  })

  test('a pattern of a stream has them, too', () => {
    const own = new TestReader({
      format: 'syslog',
      schema: [
        ['timestamp', 'string'],
        ['user', text],
      ],
      settings: { pattern: '%{SYSLOGBASE2} session opened for %{USER:user}' },
    })
    expect(own.read('2024-05-01T12:00:00Z h sshd[1]: session opened for ann')).toEqual({
      timestamp: '2024-05-01T12:00:00Z',
      user: 'ann',
    })
  })

  test('in grok the set of logstash is as it is', () => {
    const grok = new TestReader({
      format: 'grok',
      schema: [
        ['timestamp', text],
        ['timestamp8601', text],
      ],
      settings: { pattern: '%{SYSLOGLINE}' },
    })
    expect(grok.read('2024-05-01T12:00:00Z h p: m')).toEqual({
      timestamp: null,
      timestamp8601: '2024-05-01T12:00:00Z',
    })
  })

  const messages = [
    {
      line: '<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - it works',
      record: ['2003-08-24T05:14:15.000003-07:00', '192.0.2.1', 'myproc', 'it works', '8710'],
    },
    { line: '<34>1 - h su - ID47 [a b="c"] x', record: [null, 'h', 'su', 'x', null] },
    {
      line: '<34>1 2003-10-11T22:14:15Z h su - - - \ufeffit failed\n',
      record: ['2003-10-11T22:14:15Z', 'h', 'su', 'it failed', null],
    },
    // Begins like one, and is none.
    { line: '<34>1 2024-05-01T12:00:00Z h p[7]: m', record: ['2024-05-01T12:00:00Z', 'h', 'p', 'm', '7'] },
  ]
  test.each(messages)(
    'without a variant messages of RFC 5424 are read as such: $line',
    ({ line, record }) => {
      const [timestamp, logsource, program, message, pid] = record
      expect(lines.read(line)).toEqual({ timestamp, logsource, program, message, pid })
    },
  )

  const unread = [
    '<34>nothing',
    '2024-05-01',
    '2024-05-01T99:00:00Z h p: m',
    '2024-05-01T12:00:00Z',
    'May  1 12:00 h p: m',
    '<34>2024-05-01T12:00:00Z _h_',
  ]
  test.each(unread)('%s is a bad event, with the reason', (line) => {
    const values: Value[] = []
    expect(lines.into(values, line)).toEqual({
      reason: `'${line}' begins like a syslog message, and is of no known form`,
      partial: true,
    })
    expect(values).toEqual([null, null, null, null, null])
  })

  test.each(['', '###', 'hello', 'Mayor Smith'])('%j is no syslog at all: no field has a value', (line) => {
    expect(lines.read(line)).toEqual({
      timestamp: null,
      logsource: null,
      program: null,
      message: null,
      pid: null,
    })
  })

  test('the whole line and parts of the pattern fill fields of their names', () => {
    const whole = new TestReader({
      format: 'syslog',
      schema: [
        ['syslogline', text],
        ['MONTHDAY', text],
      ],
    })
    expect(whole.read('<34>May  1 12:00:00 h p: m')).toEqual({
      syslogline: 'May  1 12:00:00 h p: m',
      MONTHDAY: '1',
    })
  })

  test('a query has the time', async () => {
    const app = await testApp({ streams: ['s'] })
    await app.put(`${STREAMS}/s/properties`, { body: '{"format":{"name":"syslog"}}' })
    const body =
      '2024-05-01T12:00:00.123456+02:00 web01 sshd[231]: Accepted key\nMay  1 12:00:01 web01 sshd[231]: Closed\n###'
    await app.post(`${STREAMS}/s/batch`, { headers: { 'Content-Type': 'text/plain' }, body })
    const { rows, state } = await answered(
      app,
      'SELECT timestamp, logsource, program, pid, message FROM stream_s',
    )
    expect(rows).toEqual([
      ['2024-05-01T12:00:00.123456+02:00', 'web01', 'sshd', '231', 'Accepted key'],
      ['May  1 12:00:01', 'web01', 'sshd', '231', 'Closed'],
      [null, null, null, null, null],
    ])
    expect(state.badEvents).toBeUndefined()
  })
})
