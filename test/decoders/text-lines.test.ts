import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { textLines } from '../../src/decoders/text-lines.ts'
import { ServiceError } from '../../src/service-error.ts'
import type { EventSlices } from '../../storage/log.ts'
import {
  anyPlaces,
  bodyOf,
  chunkings,
  cutAt,
  cutEvery,
  decodeAll,
  MIB,
  outcome,
  ROOMY,
} from './decode-all.ts'

const naiveLines = (body: Buffer) =>
  body
    .toString('latin1')
    .split(/[\r\n]/)
    .filter((line) => line !== '')

const bodies = [
  { name: 'lines between LFs', body: 'a\nb\nc', lines: ['a', 'b', 'c'] },
  { name: 'a last line that is terminated', body: 'a\nb\n', lines: ['a', 'b'] },
  { name: 'CRLF', body: 'a\r\nb\r\n', lines: ['a', 'b'] },
  { name: 'a lone CR', body: 'a\rb', lines: ['a', 'b'] },
  { name: 'LFCR', body: 'a\n\rb', lines: ['a', 'b'] },
  { name: 'blank lines', body: 'a\n\n\nb\r\n\r\n\r\rc', lines: ['a', 'b', 'c'] },
  { name: 'an empty body', body: '', lines: [] },
  { name: 'one line without an end', body: 'a', lines: ['a'] },
  { name: 'a leading line end', body: '\na\nb\n', lines: ['a', 'b'] },
  { name: 'nothing but a line end', body: '\n', lines: [] },
  { name: 'nothing but line ends', body: '\r\n\r\n', lines: [] },
  { name: 'white space, which is kept', body: ' a \n\t\n b', lines: [' a ', '\t', ' b'] },
  { name: 'quotes, which mean nothing', body: '"a\nb"\n', lines: ['"a', 'b"'] },
  {
    name: 'bytes that are not UTF-8',
    body: '\xff\xfe\n\x80\x00\n\xc3',
    lines: ['\xff\xfe', '\x80\x00', '\xc3'],
  },
  { name: 'other control characters', body: 'a\x0bb\x0cc\x85d', lines: ['a\x0bb\x0cc\x85d'] },
  { name: 'a UTF-8 byte order mark, which is kept', body: '\xef\xbb\xbfa\nb', lines: ['\xef\xbb\xbfa', 'b'] },
  { name: 'UTF-16, which is cut as bytes', body: 'a\x00\n\x00b\x00', lines: ['a\x00', '\x00b\x00'] },
]

test.each(bodies)('$name, however the body is cut', ({ body, lines }) => {
  for (const chunks of chunkings(Buffer.from(body, 'latin1'))) {
    expect(decodeAll(textLines(ROOMY), chunks)).toEqual(lines)
  }
})

test('any bytes in any chunks give the lines a plain split gives', () => {
  const body = bodyOf(
    '\n',
    '\r',
    '\r\n',
    'a',
    '\xff',
    '"',
    'twelve bytes',
    'a line that is longer than most of them',
  )
  fc.assert(
    fc.property(body, anyPlaces, (body, places) => {
      expect(decodeAll(textLines(ROOMY), cutAt(body, places))).toEqual(naiveLines(body))
    }),
    { numRuns: 500 },
  )
})

test('runs of short and of long lines give the lines a plain split gives', () => {
  const run = fc.record({
    count: fc.integer({ min: 1, max: 3000 }),
    length: fc.constantFrom(0, 1, 2, 9, 12, 40, 300),
    end: fc.constantFrom('\n', '\r', '\r\n'),
  })
  const body = fc
    .array(run, { minLength: 1, maxLength: 6 })
    .map((runs) =>
      Buffer.from(runs.map(({ count, length, end }) => `${'x'.repeat(length)}${end}`.repeat(count)).join('')),
    )
  fc.assert(
    fc.property(body, anyPlaces, (body, places) => {
      expect(decodeAll(textLines(ROOMY), cutAt(body, places))).toEqual(naiveLines(body))
    }),
    { numRuns: 40 },
  )
})

describe('the limit', () => {
  const limits = { eventBytesMax: 8 }
  const refused = (number: number) => ({
    code: 'event_too_large',
    message:
      `event ${number} of this batch is longer than 8 bytes, the most one event may hold; ` +
      'send shorter lines, each ended by LF or CR',
  })
  const cases = [
    { name: 'a line of exactly the limit', body: '12345678\n12345678', result: ['12345678', '12345678'] },
    { name: 'a longer first line', body: '123456789\nb', result: refused(1) },
    { name: 'a longer line further on', body: 'a\n\n\nb\n123456789\n', result: refused(3) },
    { name: 'a longer line without an end', body: 'a\n123456789', result: refused(2) },
  ]
  test.each(cases)('$name', ({ body, result }) => {
    for (const chunks of chunkings(Buffer.from(body)))
      expect(outcome(textLines(limits), chunks)).toEqual(result)
  })

  test('a longer line among many short ones, counted across emits', () => {
    const short = 'a\n'.repeat(1500)
    const body = Buffer.from(`${short}123456789\n${short}`)
    for (const bytes of [7, 1000, body.length]) {
      expect(outcome(textLines(limits), cutEvery(body, bytes))).toEqual(refused(1501))
    }
  })

  test('refuses with the first byte too many, not at the end of the line', () => {
    const decoder = textLines(limits)
    decoder.decode(Buffer.from('a\n1234'), () => {})
    decoder.decode(Buffer.from('5678'), () => {})
    expect(() => decoder.decode(Buffer.from('9'), () => {})).toThrow(ServiceError)
  })
})

describe('what is emitted', () => {
  test('comes in batches of bounded size, never empty', () => {
    const counts: number[] = []
    const decoder = textLines(ROOMY)
    decoder.decode(Buffer.from('a\n'.repeat(2500)), ({ count }) => counts.push(count))
    decoder.end(({ count }) => counts.push(count))
    expect(counts).toEqual([1024, 1024, 452])
  })

  const chunks = [Buffer.from('a\nbb\nc'), new Uint8Array(Buffer.from('a\nbb\nc'))]
  test.each(chunks)('points into the chunk (%#); only a line cut in two is copied', (chunk) => {
    const inChunk: boolean[] = []
    const emit = ({ bytes, count }: EventSlices) => {
      for (let i = 0; i < count; i++) inChunk.push(bytes.buffer === chunk.buffer)
    }
    const decoder = textLines(ROOMY)
    decoder.decode(chunk, emit)
    decoder.decode(chunk, emit)
    decoder.end(emit)
    expect(inChunk).toEqual([true, true, false, true, false])
  })

  test('leaves the chunks as they were, and takes views into larger memory', () => {
    const memory = new Uint8Array(Buffer.from('##a\nb\nc##'))
    const before = Uint8Array.from(memory)
    const lines = decodeAll(textLines(ROOMY), [memory.subarray(2, 5), memory.subarray(5, 7)])
    expect([lines, memory]).toEqual([['a', 'b', 'c'], before])
  })
})

test('a line of the full limit in many small chunks is copied a constant number of times', () => {
  // Copying all of it for every chunk would move 128 GiB, far beyond the time a test has.
  const body = Buffer.alloc(16 * MIB, 'eleven byte')
  const [line, ...rest] = decodeAll(textLines(ROOMY), [...cutEvery(body, 1024), Buffer.from('\nafter\nlast')])
  expect(line === body.toString('latin1')).toBe(true)
  expect(rest).toEqual(['after', 'last'])
})

const ACCESS_LOG = new URL('../../../shared/data/access-log.txt', import.meta.url)

test.skipIf(!existsSync(ACCESS_LOG))('a real access log (skipped where the data folder is absent)', () => {
  const body = readFileSync(ACCESS_LOG)
  const expected = naiveLines(body)
  expect(expected).toHaveLength(10_000)
  for (const bytes of [1000, 65_536, body.length]) {
    expect(decodeAll(textLines(ROOMY), cutEvery(body, bytes))).toEqual(expected)
  }
})
