import { existsSync, readFileSync } from 'node:fs'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { csvRecords } from '../../src/decoders/csv-records.ts'
import { textLines } from '../../src/decoders/text-lines.ts'
import { ServiceError } from '../../src/service-error.ts'
import { anyPlaces, bodyOf, chunkings, cutAt, cutEvery, decodeAll, outcome, ROOMY } from './decode-all.ts'

const BOM = '\xef\xbb\xbf'

const bodies = [
  { name: 'records without quotes', body: 'a,b\nc,d', records: ['a,b', 'c,d'] },
  { name: 'blank lines between records', body: '\r\na,b\n\n\r\nc\r\r', records: ['a,b', 'c'] },
  { name: 'an empty body', body: '', records: [] },
  { name: 'a quoted field, quotes kept', body: '"a",b\n', records: ['"a",b'] },
  { name: 'line ends inside quotes', body: '"a\nb\r\nc\r",d\ne', records: ['"a\nb\r\nc\r",d', 'e'] },
  { name: 'blank lines inside quotes', body: 'x,"\n\n"\ny', records: ['x,"\n\n"', 'y'] },
  { name: 'commas inside quotes', body: '"a,b",c\n"d"', records: ['"a,b",c', '"d"'] },
  { name: 'a quote written twice', body: '"a ""b""\n",c\nd', records: ['"a ""b""\n",c', 'd'] },
  { name: 'nothing but quotes written twice', body: '""""\n"""""",""\n', records: ['""""', '"""""",""'] },
  { name: 'an empty quoted field alone', body: '""\n\n""\r\n""', records: ['""', '""', '""'] },
  {
    name: 'a quote within an unquoted field',
    body: 'a"b\nc,d"\n5" pipe,6"\n',
    records: ['a"b', 'c,d"', '5" pipe,6"'],
  },
  { name: 'a quote after a space', body: 'a, "b\nc"', records: ['a, "b', 'c"'] },
  { name: 'empty fields', body: ',\n,,""\n"",', records: [',', ',,""', '"",'] },
  { name: 'a last field that is quoted, CRLF', body: 'a,"b"\r\nc,"d"\r\n', records: ['a,"b"', 'c,"d"'] },
  {
    name: 'quotes far from each other',
    body: `one,two,three,four,five,six\n7,"eight\n9",a long unquoted field with a " in it\nten,${'x'.repeat(50)},"\n"\nend`,
    records: [
      'one,two,three,four,five,six',
      '7,"eight\n9",a long unquoted field with a " in it',
      `ten,${'x'.repeat(50)},"\n"`,
      'end',
    ],
  },
  { name: 'bytes that are not UTF-8', body: '\xff,"\x80\n"\n\xc3', records: ['\xff,"\x80\n"', '\xc3'] },
  { name: 'a byte order mark, which is kept', body: `${BOM}a,b\nc`, records: [`${BOM}a,b`, 'c'] },
  {
    name: 'a byte order mark before a quoted field',
    body: `${BOM}"a\nb",c\nd`,
    records: [`${BOM}"a\nb",c`, 'd'],
  },
  {
    name: 'a byte order mark further on, an ordinary byte',
    body: `a\n${BOM}"b\nc`,
    records: ['a', `${BOM}"b`, 'c'],
  },
  {
    name: 'two byte order marks, the second ordinary',
    body: `${BOM}${BOM}"b\nc`,
    records: [`${BOM}${BOM}"b`, 'c'],
  },
  { name: 'half a byte order mark', body: '\xef\xbb"b\nc"', records: ['\xef\xbb"b', 'c"'] },
  { name: 'nothing but a byte order mark', body: BOM, records: [BOM] },
]

test.each(bodies)('$name, however the body is cut', ({ body, records }) => {
  for (const chunks of chunkings(Buffer.from(body, 'latin1'))) {
    expect(decodeAll(csvRecords(ROOMY), chunks)).toEqual(records)
  }
})

const stray = (record: number, got: string, at: number) =>
  `record ${record} has ${got} right after a closing quote, at byte ${at} of the body; a comma, a line end or the ` +
  'end of the body belongs there. Write a quote inside a quoted field twice (""), or send the body as text/plain ' +
  'to split it on line ends alone'
const unclosed = (record: number, at: number) =>
  `record ${record} ends inside a quoted field, whose quote opened at byte ${at} of the body; close it with a ` +
  'quote, or send the body as text/plain to split it on line ends alone'

const malformed = [
  { name: 'a letter after a closing quote', body: 'a\n\nb\n"c"d\n', message: stray(3, "'d'", 8) },
  { name: 'a space after a closing quote', body: '"a" ,b', message: stray(1, 'byte 0x20', 3) },
  { name: 'a byte above ASCII after a closing quote', body: 'a,""\xff', message: stray(1, 'byte 0xff', 4) },
  { name: 'a quote never closed', body: 'a\nb,"c\nd\n', message: unclosed(2, 4) },
  { name: 'a quote that is the last byte', body: '"a"\n"', message: unclosed(2, 4) },
  { name: 'a quote closed only by a doubled one', body: '"a","b""', message: unclosed(1, 4) },
  { name: 'a quote never closed after a byte order mark', body: `${BOM}"a\n`, message: unclosed(1, 3) },
]

test.each(malformed)('refuses $name', ({ body, message }) => {
  for (const chunks of chunkings(Buffer.from(body, 'latin1'))) {
    expect(outcome(csvRecords(ROOMY), chunks)).toEqual({ code: 'malformed_batch', message })
  }
})

describe('the limit', () => {
  const limits = { eventBytesMax: 8 }
  const refused = (number: number) => ({
    code: 'event_too_large',
    message:
      `record ${number} is longer than 8 bytes, the most one event may hold; send shorter records and close every ` +
      'quoted field, or send the body as text/plain to split it on line ends alone',
  })
  const cases = [
    {
      name: 'records of exactly the limit',
      body: '"1\n3\n5",\n1234567,',
      result: ['"1\n3\n5",', '1234567,'],
    },
    { name: 'a longer record without quotes', body: 'a\n123456789\n"', result: refused(2) },
    { name: 'a longer quoted record', body: 'a\n"1\n3\n5\n7"\n', result: refused(2) },
    { name: 'a quote never closed', body: 'a\nb\n"1\n3\n5\n7\n9', result: refused(3) },
    { name: 'a record too long before it is malformed', body: '"1234567"x', result: refused(1) },
    {
      name: 'a record malformed before it is too long',
      body: '"123456"xyz',
      result: { code: 'malformed_batch', message: stray(1, "'x'", 8) },
    },
  ]
  test.each(cases)('$name', ({ body, result }) => {
    for (const chunks of chunkings(Buffer.from(body)))
      expect(outcome(csvRecords(limits), chunks)).toEqual(result)
  })

  test('stops an unclosed quote with the first byte too many', () => {
    const decoder = csvRecords(limits)
    decoder.decode(Buffer.from('"1\n3'), () => {})
    decoder.decode(Buffer.from('5\n7\n'), () => {})
    expect(() => decoder.decode(Buffer.from('9'), () => {})).toThrow(ServiceError)
  })
})

test('without quotes, any bytes in any chunks give what text gives', () => {
  const body = bodyOf('\n', '\r', '\r\n', ',', 'a', '\xff', BOM, 'a line that is longer than most of them')
  fc.assert(
    fc.property(body, anyPlaces, (body, places) => {
      const chunks = cutAt(body, places)
      expect(decodeAll(csvRecords(ROOMY), chunks)).toEqual(decodeAll(textLines(ROOMY), chunks))
    }),
    { numRuns: 500 },
  )
})

test('any bytes in any chunks give the same records, or the same refusal', () => {
  const body = bodyOf('\n', '\r', ',', '"', '""', ',"', '",', '"\n', 'a', 'twelve bytes', BOM)
  const limit = fc.constantFrom(10, 30, ROOMY.eventBytesMax)
  fc.assert(
    fc.property(body, anyPlaces, limit, (body, places, eventBytesMax) => {
      const whole = outcome(csvRecords({ eventBytesMax }), [body])
      expect(outcome(csvRecords({ eventBytesMax }), cutAt(body, places))).toEqual(whole)
      expect(outcome(csvRecords({ eventBytesMax }), cutEvery(body, 1))).toEqual(whole)
    }),
    { numRuns: 1000 },
  )
})

// Every delimiter is named: left to itself csv-parse takes the first it meets for that of the whole document, and a
// record cut out on its own might begin with another one, inside quotes.
const parseCsv = (csv: Buffer): string[][] =>
  parse(csv, { record_delimiter: ['\r\n', '\n', '\r'], skip_empty_lines: true, relax_column_count: true })

const text = fc.string({
  unit: fc.constantFrom('a', 'b', ' ', ',', '"', '\n', '\r', 'é', 'some words'),
  maxLength: 8,
})
const field = fc.record({ value: text, quoted: fc.boolean() }).map(({ value, quoted }) => {
  const mustQuote = /[",\r\n]/.test(value)
  return { value, csv: quoted || mustQuote ? `"${value.replaceAll('"', '""')}"` : value }
})
const record = fc.record({
  fields: fc.array(field, { minLength: 1, maxLength: 5 }),
  end: fc.constantFrom('\n', '\r\n', '\r', '\n\n', '\r\n\r\n'),
})

test('RFC 4180 documents: csv-parse reads our records as it reads the whole', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 12 }), fc.boolean(), anyPlaces, (records, lastEnds, places) => {
      const lines = records.map(({ fields }) => fields.map(({ csv }) => csv).join(','))
      const csv = lines
        .map((line, i) => line + (lastEnds || i + 1 < lines.length ? records[i]!.end : ''))
        .join('')
      const body = Buffer.from(csv)
      const cut = decodeAll(csvRecords(ROOMY), cutAt(body, places)).map((event) =>
        Buffer.from(event, 'latin1'),
      )

      const written = lines.filter((line) => line !== '')
      expect(cut.map(String)).toEqual(written)
      expect(cut.flatMap((event) => parseCsv(event))).toEqual(parseCsv(body))
      expect(cut.every((event) => parseCsv(event).length === 1)).toBe(true)
    }),
    { numRuns: 1000 },
  )
})

test('many records with quotes here and there, in chunks of any size', () => {
  const records = Array.from({ length: 5000 }, (_, i) =>
    i % 7 === 0
      ? `${i},"quoted ""${i}"",\nsecond line",${'x'.repeat(i % 90)}`
      : `${i},plain,${'y'.repeat(i % 40)}`,
  )
  const body = Buffer.from(records.join('\r\n'))
  for (const bytes of [1, 100, 4096, 65_536, body.length]) {
    expect(decodeAll(csvRecords(ROOMY), cutEvery(body, bytes))).toEqual(records)
  }
})

test('a quoted record after many short plain ones', () => {
  const records = Array.from({ length: 1000 }, (_, i) => (i % 250 === 249 ? '"1\n2\n3",4' : `${i % 10}`))
  const body = Buffer.from(records.join('\n'))
  for (const bytes of [1, 100, body.length]) {
    expect(decodeAll(csvRecords(ROOMY), cutEvery(body, bytes))).toEqual(records)
  }
})

describe.each(['nba-2012.csv', 'nba-2013.csv'])('%s', (file) => {
  const url = new URL(`../../../shared/data/${file}`, import.meta.url)

  test.skipIf(!existsSync(url))(
    'is cut like csv-parse reads it (skipped where the data folder is absent)',
    () => {
      const body = readFileSync(url)
      const lines = body
        .toString('latin1')
        .split(/[\r\n]+/)
        .filter((line) => line !== '')
      for (const bytes of [1000, 65_536, body.length]) {
        const records = decodeAll(csvRecords(ROOMY), cutEvery(body, bytes))
        expect(records).toEqual(lines)
        expect(records.flatMap((record) => parseCsv(Buffer.from(record, 'latin1')))).toEqual(parseCsv(body))
      }
    },
  )
})
