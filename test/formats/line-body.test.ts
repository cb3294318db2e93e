/** What is before and behind the line of a body: a byte order mark, and one line end, which are no part of any value. */
import { describe, expect, test } from 'vitest'
import { answered } from '../support/explore.ts'
import { type Body, type FormatUse, optional, TestReader } from '../support/records.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

const text = optional('string')
const TWO = [
  ['a', text],
  ['b', text],
] as const
const WITH_LIST = [
  ['a', text],
  ['rest', { type: 'array', items: 'string' }],
] as const
const NUMBERS = [
  ['a', optional('int')],
  ['b', optional('double')],
] as const

interface Subject extends FormatUse {
  readonly name: string
  /** A line, without a line end. */
  readonly line: string
}

const subjects: Subject[] = [
  { name: 'csv', format: 'csv', schema: TWO, line: 'x,y' },
  { name: 'csv, last value empty', format: 'csv', schema: TWO, line: 'x,' },
  { name: 'csv, an int last', format: 'csv', schema: NUMBERS, line: '7,5' },
  { name: 'csv, a list', format: 'csv', schema: WITH_LIST, line: 'x,y,z' },
  { name: 'csv without a schema', format: 'csv', line: 'x,y,z' },
  {
    name: 'csv, mapping',
    format: 'csv',
    schema: TWO,
    settings: { mapping: '1:a,0:b' },
    line: 'x,y',
  },
  {
    name: 'csv, quotes',
    format: 'csv',
    schema: TWO,
    settings: { quote: '"' },
    line: '"Lyon, FR","3 ""x"""',
  },
  { name: 'csv, delimiter ;', format: 'csv', schema: TWO, settings: { delimiter: ';' }, line: 'x;y' },
  { name: 'csv, delimiter ||', format: 'csv', schema: TWO, settings: { delimiter: '||' }, line: 'x||y' },
  { name: 'tsv', format: 'tsv', schema: TWO, line: 'x\ty' },
  { name: 'tsv, a double last', format: 'tsv', schema: NUMBERS, line: '7\t1.5' },
  {
    name: 'clf',
    format: 'clf',
    line: '203.0.113.9 - - [10/Oct/2023:13:55:36 -0700] "GET /a HTTP/1.1" 200 17',
  },
  {
    name: 'clf, combined',
    format: 'clf',
    line: '203.0.113.9 - - [10/Oct/2023:13:55:36 -0700] "GET /a HTTP/1.1" 200 17 "-" "curl/8"',
  },
  { name: 'grok', format: 'grok', line: 'some text' },
  {
    name: 'grok, all characters',
    format: 'grok',
    schema: TWO,
    settings: { pattern: '(?s)^(?<a>\\w+) (?<b>.*)\\z' },
    line: 'some text',
  },
  {
    name: 'grok beyond ASCII',
    format: 'grok',
    schema: TWO,
    settings: { pattern: '(?s)^(?<a>\\S+) (?<b>.*)\\z' },
    line: 'größe é',
  },
  { name: 'syslog', format: 'syslog', line: 'Oct 17 08:59:00 suod newsyslog[6215]: logfile turned over' },
  {
    name: 'syslog, RFC 5424',
    format: 'syslog',
    settings: { variant: '5424' },
    line: '<34>1 2003-10-11T22:14:15.003Z h su 1 ID47 - it failed',
  },
  {
    name: 'syslog, RFC 5424, no message',
    format: 'syslog',
    settings: { variant: '5424' },
    line: '<34>1 2003-10-11T22:14:15.003Z h su 1 ID47 [a b="c"]',
  },
]

const BOM = '\ufeff'
describe.each(subjects)('$name', ({ line, ...use }) => {
  const reader = new TestReader(use)
  const plain = reader.read(line)
  test.each(['\n', '\r\n'])('one %j behind it is no part of it', (end) => {
    expect(typeof plain).toBe('object')
    expect(reader.read(`${line}${end}`)).toEqual(plain)
  })
  test('a byte order mark before it is no part of it', () => {
    expect(reader.read(`${BOM}${line}`)).toEqual(plain)
    expect(reader.read(`${BOM}${line}\r\n`)).toEqual(plain)
  })
})

/** What looks like a line end, and is text, and the other way round. */
const edges: { name: string; use: FormatUse; body: Body; record: object | string }[] = [
  { name: 'a lone CR', use: { format: 'csv', schema: TWO }, body: 'x,y\r', record: { a: 'x', b: 'y\r' } },
  {
    name: 'a second LF',
    use: { format: 'csv', schema: TWO },
    body: 'x,y\n\n',
    record: { a: 'x', b: 'y\n' },
  },
  {
    name: 'a second CRLF',
    use: { format: 'tsv', schema: TWO },
    body: 'x\ty\r\n\r\n',
    record: { a: 'x', b: 'y\r\n' },
  },
  { name: 'LF, CR', use: { format: 'csv', schema: TWO }, body: 'x,y\n\r', record: { a: 'x', b: 'y\n\r' } },
  {
    name: 'two CR and a LF',
    use: { format: 'csv', schema: TWO },
    body: 'x,y\r\r\n',
    record: { a: 'x', b: 'y\r' },
  },
  {
    name: 'a line end alone',
    use: { format: 'csv', schema: TWO },
    body: '\r\n',
    record: { a: null, b: null },
  },
  { name: 'a mark alone', use: { format: 'csv', schema: TWO }, body: BOM, record: { a: null, b: null } },
  {
    name: 'a second mark',
    use: { format: 'csv', schema: TWO },
    body: `${BOM}${BOM}x,y`,
    record: { a: `${BOM}x`, b: 'y' },
  },
  {
    name: 'half a mark',
    use: { format: 'csv', schema: TWO, settings: { charset: 'iso-8859-1' } },
    body: Buffer.from([0xef, 0xbb, 0x2c, 0x78]),
    record: { a: 'ï»', b: 'x' },
  },
  {
    name: 'the three characters in another character set',
    use: { format: 'csv', schema: TWO, settings: { charset: 'iso-8859-1' } },
    body: Buffer.from([0xef, 0xbb, 0xbf, 0x2c, 0x78]),
    record: { a: 'ï»¿', b: 'x' },
  },
  {
    name: 'a line end in quotes',
    use: { format: 'csv', schema: TWO, settings: { quote: '"' } },
    body: 'x,"y\r\n"\r\n',
    record: { a: 'x', b: 'y\r\n' },
  },
  {
    name: 'a line end within',
    use: { format: 'csv', schema: TWO, settings: { quote: '"' } },
    body: '"x\n","y"',
    record: { a: 'x\n', b: 'y' },
  },
  {
    name: 'a mark before a quote',
    use: {
      format: 'csv',
      schema: [
        ['place', text],
        ['n', 'int'],
      ],
      settings: { quote: '"' },
    },
    body: `${BOM}"Lyon, FR",3\n`,
    record: { place: 'Lyon, FR', n: 3 },
  },
  {
    name: 'a delimiter that is a line feed',
    use: {
      format: 'csv',
      schema: [
        ['a', text],
        ['b', 'string'],
      ],
      settings: { delimiter: '\n' },
    },
    body: 'x\n',
    record: { a: 'x', b: '' },
  },
  ...(['utf-16le', 'utf-16'] as const).flatMap((charset) =>
    ['\n', '\r\n', ''].map((end) => ({
      name: `${charset} and ${JSON.stringify(end)}`,
      use: { format: 'csv', schema: TWO, settings: { charset } },
      body: Buffer.from(`${BOM}x,č${end}`, 'utf16le'),
      record: { a: 'x', b: 'č' },
    })),
  ),
  {
    name: 'utf-16be',
    use: { format: 'tsv', schema: TWO, settings: { charset: 'utf-16be' } },
    body: Buffer.from(`${BOM}x\tč\n`, 'utf16le').swap16(),
    record: { a: 'x', b: 'č' },
  },
  {
    name: 'shift_jis',
    use: { format: 'csv', schema: TWO, settings: { charset: 'shift_jis' } },
    body: Buffer.from([0x78, 0x2c, 0x83, 0x65, 0x0d, 0x0a]),
    record: { a: 'x', b: 'テ' },
  },
  // Text is not made of lines: it is the whole body.
  { name: 'text', use: { format: 'text' }, body: 'a\nb\n', record: { body: 'a\nb\n' } },
  { name: 'text with a mark', use: { format: 'text' }, body: `${BOM}aé`, record: { body: 'aé' } },
  {
    name: 'text with a mark, utf-16le',
    use: { format: 'text', settings: { charset: 'utf-16le' } },
    body: Buffer.from(`${BOM}aé`, 'utf16le'),
    record: { body: 'aé' },
  },
  {
    name: 'text with two marks, utf-16',
    use: { format: 'text', settings: { charset: 'utf-16' } },
    body: Buffer.from(`${BOM}${BOM}a`, 'utf16le'),
    record: { body: `${BOM}a` },
  },
  {
    name: 'json',
    use: { format: 'json', schema: [['a', 'int']] },
    body: `${BOM}{"a":5}\r\n`,
    record: { a: 5 },
  },
]
test.each(edges)('$name', ({ use, body, record }) => {
  expect(new TestReader(use).read(body)).toEqual(record)
})

const streams = [
  {
    name: 'csv',
    format: {
      name: 'csv',
      schema: {
        type: 'record',
        name: 'e',
        fields: [
          { name: 'k', type: 'string' },
          { name: 'n', type: 'int' },
        ],
      },
    },
    body: '\ufeffx,5\r\n',
    stored: '\\xEF\\xBB\\xBFx,5\\x0D\\x0A',
    rows: [['x', 5]],
    columns: 'k, n',
  },
  {
    name: 'clf',
    format: { name: 'clf' },
    body: '203.0.113.9 - - [10/Oct/2023:13:55:36 -0700] "GET /a HTTP/1.1" 200 17 "-" "curl/8"\n',
    stored: '203.0.113.9 - - [10/Oct/2023:13:55:36 -0700] "GET /a HTTP/1.1" 200 17 "-" "curl/8"\\x0A',
    rows: [['203.0.113.9', 17, 'curl/8']],
    columns: 'remote_host, content_length, user_agent',
  },
]
test.each(streams)(
  'an event of $name as echo sends it: stored as it came, read without its line end',
  async ({ format, body, stored, rows, columns }) => {
    const app = await testApp({ streams: ['s'] })
    await app.put(`${STREAMS}/s/properties`, { body: JSON.stringify({ format }) })
    expect((await app.post(`${STREAMS}/s`, { body })).status).toBe(200)
    const { rows: found, state } = await answered(app, `SELECT ${columns} FROM stream_s`)
    expect(found).toEqual(rows)
    expect(state.badEvents).toBeUndefined()
    const events = (await app.get(`${STREAMS}/s/events`)).json() as { body: string }[]
    expect(events.map((event) => event.body)).toEqual([stored])
  },
)
