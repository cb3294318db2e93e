/** How a batch is cut by what its content type, its charset, and the format of its stream say. */
import { describe, expect, test } from 'vitest'
import { answerOf, empty, plain } from '../support/answer.ts'
import { STREAMS, type TestApp, type TestResponse, testApp } from '../support/test-app.ts'

const BATCH = `${STREAMS}/s/batch`

/** `settings` are those of the stream's format, if it has one. */
async function appWith(format?: string, settings: Record<string, string> = {}): Promise<TestApp> {
  const app = await testApp({ streams: ['s'] })
  if (format === undefined) return app
  const body = JSON.stringify({ format: { name: format, settings } })
  expect(answerOf(await app.put(`${STREAMS}/s/properties`, { body }))).toEqual(empty(200))
  return app
}

/** Whole, byte by byte, and in pieces of three: the results must be equal. */
async function cutOf(app: TestApp, contentType: string, body: string | Buffer): Promise<string[]> {
  const bytes = Buffer.from(body)
  const piecesOf = (size: number) =>
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
  const ways = [bytes.length, 1, 3].map(piecesOf)
  let first: string[] | undefined
  for (const chunks of ways) {
    const answer = await app.post(BATCH, { headers: { 'Content-Type': contentType }, chunks })
    expect(answerOf(answer)).toEqual(empty(200))
    const bodies = (await app.events('s', 'encoding=utf8')).map((event) => event.body)
    first ??= bodies
    expect(bodies).toEqual(first)
    await app.post(`${STREAMS}/s/truncate`)
  }
  return first!
}

function send(app: TestApp, contentType: string, body: string | Buffer): Promise<TestResponse> {
  return app.post(BATCH, { headers: { 'Content-Type': contentType }, body })
}

const QUOTED = 'a,"b\nc"\nd'

describe('CSV by every name', () => {
  test.each([
    'text/csv',
    'text/CSV',
    'TEXT/CSV',
    'Text/Csv; Charset=UTF-8',
    'text/csv;charset=utf-8',
    'text/csv ; charset="utf-8" ; header=present',
    'text/csv;',
    'text/csv; ;header=absent; ',
    'text/x-csv',
    'text/comma-separated-values',
    'text/X-Comma-Separated-Values',
    'application/csv',
    'Application/X-CSV; charset=us-ascii',
  ])('%s', async (contentType) => {
    const app = await appWith()
    expect(await cutOf(app, contentType, QUOTED)).toEqual(['a,"b\nc"', 'd'])
    await send(app, contentType, 'x')
    expect((await app.events('s'))[0]!.headers).toEqual({ 'content.type': contentType.trim() })
  })

  test.each([
    'text/plain',
    'TEXT/Plain',
    'text/tsv',
    'text/x-csvs',
    'text/csv-schema',
    'text/',
    'text/plain, text/html',
  ])('%s is another: lines', async (contentType) => {
    expect(await cutOf(await appWith(), contentType, QUOTED)).toEqual(['a,"b', 'c"', 'd'])
  })

  test.each(['application/json', 'application/csvx', 'avro/csv', 'csv', 'application/vnd.ms-excel'])(
    '%s is not taken at all',
    async (contentType) => {
      const app = await appWith()
      expect(answerOf(await send(app, contentType, QUOTED))).toEqual(
        plain(406, `Unsupported content type ${contentType}`),
      )
      expect(await app.events('s')).toEqual([])
    },
  )
})

test.each([
  'text/csv charset=utf-8',
  'text/csv charset',
  'text/csv/x',
  'text/csv, text/plain',
  'text/plain, text/csv',
  'text/csv,text/csv',
  'text/plain charset=utf-16',
  'text/plain utf-8',
  'text/csv; charset',
  'text/csv; =x',
  'text/csv; charset = utf-8',
  'text/csv; charset=',
  'text/csv; charset="utf-8',
  'text/csv; charset="utf-8"x',
  'text/csv; charset=utf-8 header=present',
  'text/csv; charset=utf-8; charset=utf-16',
  'text/csv; charset=utf-8; Charset=utf-8',
  "text/csv; charset*=utf-8''utf-16le",
  'text/csv; delimiter=;',
  'text/csv; delimiter=""',
  'text/csv; delimiter="\\""',
  'text/csv; delimiter=%22',
  'text/csv; delimiter=%0A',
  'text/csv; delimiter=%0D',
])('%s cannot be read and is refused', async (contentType) => {
  const app = await appWith()
  const { status, text } = await send(app, contentType, QUOTED)
  expect([status, text]).toEqual([400, expect.stringContaining(`Content-Type is '${contentType}'; `)])
  expect(await app.events('s')).toEqual([])
})

describe('a charset', () => {
  const NO_ASCII = [
    'utf-16',
    'UTF-16LE',
    'utf-16be',
    'utf_16',
    'x-utf-16le',
    'unicode',
    'ucs-2',
    'utf-32',
    'UTF-32LE',
    'utf-7',
    'ebcdic',
  ].concat(['cp037', 'IBM1047', 'cp875', 'iso-2022-jp', 'iso-2022-kr', 'hz-gb-2312', 'nonsense', 'utf-8,x'])
  test.each(NO_ASCII)('%s, in which line ends may be something else, is refused', async (charset) => {
    const app = await appWith()
    for (const type of ['text/plain', 'text/csv', 'text/anything', 'application/csv', 'text/CSV']) {
      for (const spelled of [
        `${type}; charset=${charset}`,
        `${type};CHARSET="${charset}"`,
        `${type} ; x=y; charset='${charset}'`,
      ]) {
        expect(answerOf(await send(app, spelled, Buffer.from('č\na', 'utf16le')))).toEqual(
          plain(
            415,
            `Content-Type has the charset ${charset}, which is not known to keep line ends as in ASCII; ` +
              'send the batch in UTF-8, or each text as an event of its own',
          ),
        )
      }
    }
    expect(await app.events('s')).toEqual([])
    // One event is kept as it is.
    const headers = { 'Content-Type': `text/plain; charset=${charset}` }
    expect(answerOf(await app.post(`${STREAMS}/s`, { headers, body: 'a\nb' }))).toEqual(empty(200))
  })

  const ASCII = [
    'utf-8',
    'UTF8',
    'us-ascii',
    'iso-8859-1',
    'ISO-8859-15',
    'windows-1252',
    'Cp1252',
    'koi8-r',
    'shift_jis',
    'gbk',
  ].concat(['gb18030', 'euc-jp', 'big5', 'IBM850', 'cp437', 'macintosh', 'binary'])
  test.each(ASCII)('%s is cut, and its bytes stay as they are', async (charset) => {
    const app = await appWith()
    const line = Buffer.from([0x61, 0xe4, 0xb8, 0xad])
    const body = Buffer.concat([line, Buffer.from('\r\n'), line])
    expect(answerOf(await send(app, `text/plain; charset=${charset}`, body))).toEqual(empty(200))
    expect((await app.events('s', 'encoding=base64')).map((event) => event.body)).toEqual([
      line.toString('base64'),
      line.toString('base64'),
    ])
  })

  test.each([
    { mark: [0xff, 0xfe], name: 'UTF-16, little-endian' },
    { mark: [0xfe, 0xff], name: 'UTF-16, big-endian' },
    { mark: [0xff, 0xfe, 0, 0], name: 'UTF-32, little-endian' },
    { mark: [0, 0, 0xfe, 0xff], name: 'UTF-32, big-endian' },
  ])('that a byte order mark tells, $name, is refused', async ({ mark }) => {
    const app = await appWith()
    const body = Buffer.from([...mark, 0x0d, 0x01, 0x0a, 0x00])
    for (const type of [
      'text/plain',
      'text/csv',
      'text/csv; charset=utf-8',
      'application/csv; delimiter="||"',
    ]) {
      for (const chunks of [[body], Array.from(body, (_, i) => body.subarray(i, i + 1))]) {
        const { status, text } = await app.post(BATCH, { headers: { 'Content-Type': type }, chunks })
        expect([status, text]).toEqual([
          415,
          'the body begins with the byte order mark of UTF-16 or UTF-32, in which the bytes of line ends are also parts of other characters; ' +
            'send the batch in UTF-8, or each text as an event of its own',
        ])
      }
    }
    expect(await app.events('s')).toEqual([])
    expect(answerOf(await send(app, 'text/plain; charset=iso-8859-1', body))).toEqual(empty(200))
  })

  test.each(['text', 'csv', 'tsv'])('of the format %s holds for batches that name none', async (format) => {
    const app = await appWith(format, { charset: 'utf-16le' })
    for (const type of ['text/plain', 'text/csv']) {
      const { status, text } = await send(app, type, Buffer.from('č\na', 'utf16le'))
      expect([status, text]).toEqual([
        415,
        expect.stringMatching(/^the format of the stream has the charset utf-16le, /),
      ])
    }
    expect(await app.events('s')).toEqual([])
    expect(answerOf(await send(app, 'text/plain; charset=utf-8', 'a\nb'))).toEqual(empty(200))
  })

  test.each([
    { charset: 'shift_jis', delimiter: '|' },
    { charset: 'gbk', delimiter: '§' },
    { charset: 'euc-jp', delimiter: '§' },
  ])(
    '$charset, in which the delimiter $delimiter of the stream may be two halves, is refused for CSV',
    async (settings) => {
      const app = await appWith('csv', settings)
      expect(answerOf(await send(app, 'text/csv', 'a'))).toEqual(
        plain(
          415,
          `in the charset ${settings.charset} the delimiter "${settings.delimiter}" may be a part of another character; ` +
            'use another delimiter, or send the batch in UTF-8',
        ),
      )
      expect((await send(app, 'text/plain', 'a')).status).toBe(200)
    },
  )

  test('in which the delimiter may be half a character is refused for CSV', async () => {
    const app = await appWith()
    for (const charset of ['shift_jis', 'gbk', 'gb18030', 'big5']) {
      expect((await send(app, `text/csv; charset=${charset}; delimiter=|`, 'a|b')).status).toBe(415)
      expect((await send(app, `text/csv; charset=${charset}; delimiter=";"`, 'a;b')).status).toBe(200)
    }
  })
})

describe('the delimiter of CSV', () => {
  const ways: {
    name: string
    format?: string
    settings?: Record<string, string>
    type?: string
    delimiter: string
    quote?: string
  }[] = [
    { name: 'a comma by default', delimiter: ',' },
    { name: 'that of a csv stream', format: 'csv', settings: { delimiter: ';' }, delimiter: ';' },
    {
      name: 'that of a csv stream by its class',
      format: 'co.cask.cdap.format.DelimitedStringsRecordFormat',
      settings: { delimiter: ';' },
      delimiter: ';',
    },
    { name: 'that of a csv stream in capitals', format: 'CSV', settings: { delimiter: '|' }, delimiter: '|' },
    { name: 'a comma of a csv stream that says none', format: 'csv', delimiter: ',' },
    { name: 'a space', format: 'csv', settings: { delimiter: ' ' }, delimiter: ' ' },
    { name: 'a tab of a tsv stream', format: 'tsv', delimiter: '\t' },
    { name: 'several bytes', format: 'csv', settings: { delimiter: '||' }, delimiter: '||' },
    { name: 'a character beyond ASCII', format: 'csv', settings: { delimiter: '§' }, delimiter: '§' },
    {
      name: 'what means something in a pattern',
      format: 'csv',
      settings: { delimiter: '.*' },
      delimiter: '.*',
    },
    { name: 'that of the content type', type: 'text/csv; delimiter=|', delimiter: '|' },
    {
      name: 'that of the content type, in quotes',
      type: 'text/csv; charset=utf-8; Delimiter=";"',
      delimiter: ';',
    },
    {
      name: 'that of the content type before that of the stream',
      format: 'csv',
      settings: { delimiter: ';' },
      type: 'text/csv; delimiter=":"',
      delimiter: ':',
    },
    { name: 'a tab as %09', type: 'text/csv; delimiter=%09', delimiter: '\t' },
    { name: 'a tab as \\t', type: 'text/csv; delimiter="\\t"', delimiter: '\t' },
    { name: 'a tab as \\t without quotes', type: 'text/csv; delimiter=\\t', delimiter: '\t' },
    { name: 'a semicolon as %3B', type: 'application/csv; delimiter=%3b', delimiter: ';' },
    { name: 'several bytes in the content type', type: 'text/csv; delimiter="<=>"', delimiter: '<=>' },
    { name: 'a backslash', type: 'text/csv; delimiter="\\\\"', delimiter: '\\' },
    {
      name: 'with the quote of the stream',
      format: 'csv',
      settings: { delimiter: ';', quote: "'" },
      delimiter: ';',
      quote: "'",
    },
    {
      name: 'with a quote beyond the delimiter',
      format: 'csv',
      settings: { delimiter: '||', quote: '~' },
      delimiter: '||',
      quote: '~',
    },
    {
      name: 'not that of another format',
      format: 'grok',
      settings: { delimiter: ';', pattern: '%{GREEDYDATA:body}' },
      delimiter: ',',
    },
  ]
  test.each(ways)(
    'is $name',
    async ({ format, settings, type = 'text/csv', delimiter: d, quote: q = '"' }) => {
      const app = await appWith(format, settings)
      const records = [
        `${q}a${q}${d}${q}b\nc${q}`,
        `${q}a${d}\n${q}`,
        `x${d}${q}y${q}${q}\r\n${q}`,
        `x${q}y`,
        `${d}${d}${q}\n${q}`,
      ]
      expect(await cutOf(app, type, records.join('\n'))).toEqual(records)
      expect(await cutOf(app, type, `\ufeff${q}a\nb${q}${d}c\r\n\r\n`)).toEqual([`\ufeff${q}a\nb${q}${d}c`])
      const other = d === '^' ? '!' : '^'
      const open = `a${other}${q}b`
      expect(await cutOf(app, type, `${open}\nc${q}`)).toEqual([open, `c${q}`])
      const bad = await send(app, type, `${q}a${q}${other}b`)
      expect([bad.status, bad.text]).toEqual([
        400,
        expect.stringContaining('right after a closing quote, at byte 3 of the body; '),
      ])
      expect((await send(app, type, `a${d}${q}b\n`)).status).toBe(400)
    },
  )

  const SINGLE_BYTES = [
    { charset: 'iso-8859-1', delimiter: '§', bytes: [0xa7] },
    { charset: 'windows-1252', delimiter: '§', bytes: [0xa7] },
    { charset: 'windows-1252', delimiter: '€', bytes: [0x80] },
    { charset: 'Cp1251', delimiter: '€', bytes: [0x88] },
    { charset: 'iso-8859-15', delimiter: '€€', bytes: [0xa4, 0xa4] },
    { charset: 'koi8-r', delimiter: '│', bytes: [0x81] },
    { charset: 'macintosh', delimiter: '§', bytes: [0xa4] },
    { charset: 'us-ascii', delimiter: '|', bytes: [0x7c] },
  ]
  test.each(SINGLE_BYTES)(
    '$delimiter of the stream is in $charset',
    async ({ charset, delimiter, bytes }) => {
      const text = (body: string) => body.replaceAll('D', Buffer.from(bytes).toString('latin1'))
      const body = Buffer.from(text('"a"D"b\nc"Dd\nqD"z"'), 'latin1')
      const records = [text('"a"D"b\nc"Dd'), text('qD"z"')]
      for (const [type, settings] of [
        ['text/csv', { charset, delimiter }],
        [`text/csv; charset=${charset}`, { delimiter }],
      ] as const) {
        const app = await appWith('csv', settings)
        expect(answerOf(await send(app, type, body))).toEqual(empty(200))
        const stored = (await app.events('s', 'encoding=base64')).map((event) => event.body!)
        expect(stored.map((event) => Buffer.from(event, 'base64').toString('latin1'))).toEqual(records)
      }
    },
  )

  test.each(['text/tsv', 'Text/Tab-Separated-Values; charset=utf-8'])(
    'is a tab in %s, of records if the stream reads quotes',
    async (type) => {
      const body = 'a\t"b\nc"\nd'
      expect(await cutOf(await appWith('tsv', { quote: '"' }), type, body)).toEqual(['a\t"b\nc"', 'd'])
      for (const [format, settings] of [
        ['tsv', {}],
        ['grok', { quote: '"' }],
      ] as const)
        expect(await cutOf(await appWith(format, settings), type, body)).toEqual(['a\t"b', 'c"', 'd'])
    },
  )

  test('that ends within a record behind a quote is refused', async () => {
    const app = await appWith('csv', { delimiter: '||' })
    for (const body of ['"a"|', '"a"|\nb', '"a"|x', '"a"|"b"'])
      expect((await send(app, 'text/csv', body)).status).toBe(400)
    expect(await app.events('s')).toEqual([])
  })

  test.each(['"', 'a"b', '\n', '\r\n'])('that is %j leaves lines', async (delimiter) => {
    expect(await cutOf(await appWith('csv', { delimiter }), 'text/csv', '"a"\n"b\nc"')).toEqual([
      '"a"',
      '"b',
      'c"',
    ])
  })

  test('of several bytes is found from left to right', async () => {
    const app = await appWith('csv', { delimiter: '||' })
    expect(await cutOf(app, 'text/csv', 'a|||"b\nc"')).toEqual(['a|||"b', 'c"'])
    expect(await cutOf(app, 'text/csv', 'a||||"b\nc"')).toEqual(['a||||"b\nc"'])
    const aab = await appWith('csv', { delimiter: 'aab' })
    expect(await cutOf(aab, 'text/csv', 'aaab"x\ny"')).toEqual(['aaab"x\ny"'])
  })
})
