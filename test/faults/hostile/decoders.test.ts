/** Malformed text and CSV bodies: events are stretches of the body, or the decoder refuses it with a sentence. */
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { csvRecords } from '../../../src/decoders/csv-records.ts'
import type { BatchDecoder, DecoderOptions } from '../../../src/decoders/decoder.ts'
import { textLines } from '../../../src/decoders/text-lines.ts'
import { bodyOf, cutAt, cutEvery, outcome } from '../../decoders/decode-all.ts'
import { FUZZ_TIMEOUT_MS, fuzz } from '../../support/fuzz.ts'
import { mutated, mutations } from './mutations.ts'

interface Cut {
  readonly body: Buffer
  readonly places: readonly number[]
  readonly eventBytesMax: number
}

const PIECES = [
  ...['\n', '\r', '\r\n', ',', '"', '""', ',"', '",', '"\n', '\n"', '"a"', 'a', ' ', '\t', ';', '\\', '\\"'],
  ...['\xef\xbb\xbf', '\xef', '\xef\xbb', '\xff\xfe', '\0', '\x1a', '\xe9', 'some words', 'x'.repeat(15)],
  ...[
    'x'.repeat(17),
    '1,2,3\n',
    '"a,b","c\nd"\n',
    `${'short\n'.repeat(70)}`,
    `${'a line of some length\n'.repeat(70)}`,
  ],
]
const bodies = fc.oneof(
  { weight: 4, arbitrary: bodyOf(...PIECES) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 2,
    arbitrary: fc.tuple(bodyOf(...PIECES), mutations).map(([body, wrong]) => mutated(body, wrong)),
  },
  // Above the number of events that are handed out at once.
  {
    weight: 1,
    arbitrary: fc.tuple(bodyOf(...PIECES), fc.nat(60)).map(([body, times]) => repeated(body, times)),
  },
)
const cuts: fc.Arbitrary<Cut> = fc.record({
  body: bodies,
  places: fc.array(fc.nat(), { maxLength: 20 }),
  eventBytesMax: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.constant(1_000_000)),
})

/** Each was the smallest of its kind when it was found, here or elsewhere. */
const CORPUS: readonly string[] = [
  ...[
    '',
    '\n',
    '\r',
    '\r\n\r\n',
    'a',
    'a\n',
    '\na',
    'a\r\nb',
    'a\r',
    '"',
    '""',
    '"""',
    '""""',
    '"a',
    'a"',
    '"a"b',
  ],
  ...[
    '"a\n"',
    '"a""\n"',
    ',"',
    ',",',
    '","',
    '"",',
    '\xef\xbb\xbf',
    '\xef\xbb\xbf"',
    '\xef\xbb"a"',
    '\xef\xbb\xbf"a\nb"\n',
  ],
  ...['a,"b', 'a,b"c\n"d', '"a"\r\n"b"', '"a"\r', '"\r\n', '\xff\xfea\0\n\0', '\0\n\0', '"a",,"b",""\n,'],
]

test('text is cut at line ends and nowhere else', () => runDecoder('text', textLines, 25), FUZZ_TIMEOUT_MS)

test('csv is cut between records and nowhere else', () => runDecoder('csv', csvRecords, 30), FUZZ_TIMEOUT_MS)

test(
  'csv records are those of csv-parse, where both can read the body',
  async () => {
    let compared = 0
    await fuzz('csv beside csv-parse', {
      input: bodies.map((body) => Buffer.from(body.toString('latin1').replaceAll(/[^\n\r -~]/g, 'é'))),
      corpus: CORPUS.map((text) => Buffer.from(text, 'latin1')).filter((body) =>
        body.every((byte) => byte < 0x80),
      ),
      longSeconds: 30,
      tell: () => ({ compared }),
      check(body) {
        const records = outcome(csvRecords({ eventBytesMax: 1_000_000 }), [body])
        const theirs = parsed(body)
        if (!Array.isArray(records) || theirs === undefined) return
        compared++
        const ours = (records as string[]).map((record) => parsed(Buffer.from(record, 'latin1')))
        expect(ours.flat()).toEqual(theirs)
      },
    })
  },
  FUZZ_TIMEOUT_MS,
)

async function runDecoder(
  name: string,
  create: (options: DecoderOptions) => BatchDecoder,
  longSeconds: number,
): Promise<void> {
  let refused = 0
  await fuzz(`hostile ${name}`, {
    input: cuts,
    corpus: CORPUS.flatMap((text) =>
      [1, 1_000_000].map((eventBytesMax) => ({
        body: Buffer.from(text, 'latin1'),
        places: [],
        eventBytesMax,
      })),
    ),
    longSeconds,
    tell: () => ({ refused }),
    check({ body, places, eventBytesMax }) {
      const before = Buffer.from(body)
      const whole = outcome(create({ eventBytesMax }), [body])
      expect(outcome(create({ eventBytesMax }), cutAt(body, places))).toEqual(whole)
      if (body.length < 100) expect(outcome(create({ eventBytesMax }), cutEvery(body, 1))).toEqual(whole)
      expect(body.equals(before)).toBe(true)
      if (Array.isArray(whole)) assertVerbatim(whole as string[], body.toString('latin1'), eventBytesMax)
      else {
        refused++
        expect(whole).toMatchObject({ code: expect.stringMatching(/^(event_too_large|malformed_batch)$/) })
        expect((whole as { message: string }).message).toMatch(/^(event|record) \d+ .{20,}$/s)
      }
    },
  })
}

/** Nothing but line ends is left out. */
function assertVerbatim(events: readonly string[], body: string, eventBytesMax: number): void {
  let at = 0
  for (const event of events) {
    while (body[at] === '\n' || body[at] === '\r') at++
    if (event === '' || event.length > eventBytesMax || !body.startsWith(event, at)) {
      throw new Error(`${JSON.stringify(event)} is not what stands at ${at}`)
    }
    at += event.length
  }
  expect(body.slice(at)).toMatch(/^[\r\n]*$/)
}

/** Undefined if csv-parse refuses it. */
function parsed(body: Buffer): string[][] | undefined {
  try {
    return parse(body, {
      record_delimiter: ['\r\n', '\n', '\r'],
      skip_empty_lines: true,
      relax_column_count: true,
    })
  } catch {
    return undefined
  }
}

function repeated(body: Buffer, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => body))
}
