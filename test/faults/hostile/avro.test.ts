/**
 * Avro files that lie: whatever a file claims and however it is damaged, its events are those of its data, or a sentence
 * says why not. What is fine is read as avsc reads it.
 */
import avro from 'avsc'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { blockCodec } from '../../../src/decoders/avro-codecs.ts'
import { avroContainer } from '../../../src/decoders/avro-container.ts'
import { schemaText } from '../../../src/decoders/avro-schema-text.ts'
import { compileSkip } from '../../../src/decoders/avro-skip.ts'
import { AvroProblem } from '../../../src/schemas/avro-problem.ts'
import { parseSchema } from '../../../src/schemas/avro-schema.ts'
import {
  type AvroFileParts,
  avroFile,
  compress,
  fileHeader,
  long,
  prefixed,
  SYNC,
} from '../../decoders/avro-file.ts'
import { schemaAndValues } from '../../decoders/avro-values.ts'
import { cutAt, outcome } from '../../decoders/decode-all.ts'
import { PairMaker } from '../../formats/avro-pairs.ts'
import { FUZZ_TIMEOUT_MS, fuzz } from '../../support/fuzz.ts'
import { TestReader } from '../../support/records.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { mutated, mutations } from './mutations.ts'

const CODECS = ['null', 'deflate', 'snappy', 'zstandard'] as const
const EVENT_BYTES_MAX = 100_000

interface Made {
  readonly codec: (typeof CODECS)[number]
  readonly schema: avro.Schema
  readonly values: readonly unknown[]
  /** How many data each block has; the last takes the rest. */
  readonly splits: readonly number[]
  readonly places: readonly number[]
}

const made: fc.Arbitrary<Made> = fc
  .tuple(
    schemaAndValues(),
    fc.constantFrom(...CODECS),
    fc.array(fc.nat(4), { maxLength: 4 }),
    fc.array(fc.nat(), { maxLength: 12 }),
  )
  .map(([{ schema, values }, codec, splits, places]) => ({ codec, schema, values, splits, places }))

test(
  'a file is cut into the data that avsc reads from it',
  async () => {
    await fuzz('avro beside avsc', {
      input: made,
      longSeconds: 45,
      async check(file) {
        const bytes = fileOf(file)
        const decoder = avroContainer({ eventBytesMax: EVENT_BYTES_MAX })
        const events = outcome(decoder, cutAt(bytes, file.places)) as string[]
        expect(events).toEqual(dataOf(file).map((datum) => datum.toString('latin1')))
        // avsc reads the schema that we hand on, and from the file the values that stand in our events.
        const type = avro.Type.forSchema(JSON.parse(decoder.headers[0]![1]), { wrapUnions: 'always' })
        const values = events.map((event) => type.fromBuffer(Buffer.from(event, 'latin1')))
        // To avsc null for a value is the end of the stream, and behind an empty block it waits for ever.
        const readable = file.values.every((value) => value !== null) && file.values.length > 0
        if (readable && (file.codec === 'null' || file.codec === 'deflate')) {
          const theirs = (await readByAvsc(bytes)) as unknown[]
          expect(values.map((value) => type.toString(value))).toEqual(
            theirs.map((value) => type.toString(value)),
          )
        }
      },
    })
  },
  FUZZ_TIMEOUT_MS,
)

test(
  'a damaged file is refused with a sentence, or has events that stand in it',
  async () => {
    let refused = 0
    await fuzz('damaged avro', {
      input: fc.tuple(made, mutations),
      longSeconds: 60,
      tell: () => ({ refused }),
      check([file, wrong]) {
        const bytes = mutated(fileOf(file), wrong)
        if (!isRefused(decoded(bytes, file.places), bytes, file.codec === 'null')) return
        refused++
      },
    })
  },
  FUZZ_TIMEOUT_MS,
)

/** What a block or the header may say of itself. */
const claim = fc.oneof(
  fc.constantFrom(
    0n,
    1n,
    -1n,
    2n,
    63n,
    64n,
    -64n,
    8192n,
    1n << 20n,
    1n << 26n,
    (1n << 31n) - 1n,
    1n << 31n,
    1n << 32n,
  ),
  fc.constantFrom(
    (1n << 53n) - 1n,
    1n << 53n,
    1n << 62n,
    (1n << 63n) - 1n,
    -(1n << 63n),
    -(1n << 53n),
    1_000_000n,
  ),
  fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
)
const SCHEMAS = [
  '"null"',
  '"int"',
  '"string"',
  '"bytes"',
  '["null","string"]',
  '[]',
  '{"type":"array","items":"null"}',
  '{"type":"array","items":{"type":"array","items":"int"}}',
  '{"type":"map","values":"bytes"}',
  '{"type":"fixed","name":"f","size":2147483647}',
  '{"type":"fixed","name":"f","size":0}',
  '{"type":"record","name":"r","fields":[]}',
  '{"type":"record","name":"r","fields":[{"name":"next","type":["null","r"]}]}',
  '{"type":"record","name":"r","fields":[{"name":"all","type":{"type":"array","items":"r"}}]}',
  '{"type":"record","name":"__proto__","fields":[{"name":"constructor","type":"long"}]}',
  '{"type":"enum","name":"e","symbols":["a"]}',
]
const lies = fc.record({
  schema: fc.constantFrom(...SCHEMAS),
  codec: fc.constantFrom(undefined, ...CODECS, 'bzip2', '__proto__', ''),
  headerCount: fc.option(claim, { nil: undefined }),
  blocks: fc.array(
    fc.record({
      count: claim,
      size: fc.option(claim, { nil: undefined }),
      data: fc.oneof(
        fc.array(claim.map(long), { maxLength: 6 }).map((longs) => Buffer.concat(longs)),
        fc.integer({ min: 1, max: 5_000 }).map((count) => Buffer.alloc(count, 0x02)),
        fc.integer({ min: 1, max: 5_000 }).map((count) => Buffer.alloc(count, 0)),
        fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      ),
    }),
    { maxLength: 3 },
  ),
  places: fc.array(fc.nat(), { maxLength: 6 }),
})

test(
  'a file that claims what it cannot hold costs no more than what it holds',
  async () => {
    let refused = 0
    await fuzz('lying avro', {
      input: lies,
      corpus: [
        { count: 1n << 26n, size: undefined, data: Buffer.alloc(10) },
        { count: -(1n << 63n), size: undefined, data: Buffer.alloc(10) },
        { count: 1_000_001n, size: undefined, data: Buffer.alloc(0) },
        { count: 1n, size: 1n << 40n, data: Buffer.alloc(10) },
        { count: 0n, size: 10n, data: Buffer.alloc(10) },
      ].flatMap((block) =>
        SCHEMAS.map((schema) => ({
          schema,
          codec: undefined,
          headerCount: undefined,
          blocks: [block],
          places: [],
        })),
      ),
      longSeconds: 45,
      tell: () => ({ refused }),
      check({ schema, codec, headerCount, blocks, places }) {
        const parts: AvroFileParts = { text: schema, ...(codec !== undefined && { codec }) }
        const head = headerCount === undefined ? avroFile(parts) : lyingHeader(schema, headerCount)
        const bytes = Buffer.concat([
          head,
          ...blocks.flatMap(({ count, size, data }) => {
            const stored = compress(data, codec ?? 'null')
            return [long(count), long(size ?? stored.length), stored, SYNC]
          }),
        ])
        const begun = performance.now()
        const stored = codec === undefined || codec === 'null'
        if (isRefused(decoded(bytes, places), bytes, stored)) refused++
        // A million events without bytes are allowed, and nothing else makes work without bytes.
        expect(performance.now() - begun).toBeLessThan(60_000)
      },
    })
  },
  FUZZ_TIMEOUT_MS,
)

test(
  'damaged blocks of every codec are a problem, or no longer than is allowed',
  async () => {
    await fuzz('avro codecs', {
      input: fc.record({
        codec: fc.constantFrom(...CODECS.filter((codec) => codec !== 'null')),
        data: fc.oneof(
          fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
          fc.integer({ min: 1, max: 300_000 }).map((length) => Buffer.alloc(length, 'abcabd')),
        ),
        wrong: fc.array(mutations, { maxLength: 1 }),
        bytesMax: fc.oneof(fc.integer({ min: 1, max: 400 }), fc.constant(1_000_000)),
      }),
      longSeconds: 30,
      check({ codec, data, wrong, bytesMax }) {
        const block = mutated(compress(data, codec), wrong.flat())
        try {
          expect(blockCodec(codec)(block, bytesMax).length).toBeLessThanOrEqual(bytesMax)
        } catch (error) {
          if (!(error instanceof AvroProblem)) throw error
          expect(wrong.length > 0 || data.length > bytesMax).toBe(true)
        }
      },
    })
  },
  FUZZ_TIMEOUT_MS,
)

const word = fc.constantFrom(
  ...[
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    '"',
    '\\',
    '\\u0041',
    ' ',
    '1',
    '-1',
    '1e400',
    '99999999999999999999',
    'null',
    'true',
  ],
  ...[
    '"type"',
    '"record"',
    '"name"',
    '"fields"',
    '"items"',
    '"values"',
    '"size"',
    '"symbols"',
    '"namespace"',
    '"a.b"',
  ],
  ...[
    '"array"',
    '"map"',
    '"fixed"',
    '"enum"',
    '"string"',
    '"int"',
    '"error"',
    '"__proto__"',
    '"aliases"',
    '"default"',
  ],
  ...[
    '{"type":"record","name":"r","fields":[',
    '{"name":"f","type":',
    '{"type":"array","items":',
    '{"type":',
    '["null",',
  ],
)
const schemaTexts = fc.oneof(
  fc.array(word, { maxLength: 30 }).map((words) => words.join('')),
  schemaAndValues().map(({ schema }) => JSON.stringify(schema)),
  fc
    .tuple(schemaAndValues(), mutations)
    .map(([{ schema }, wrong]) => mutated(Buffer.from(JSON.stringify(schema)), wrong).toString('latin1')),
  fc.json(),
)
const DEEP = 100_000

test(
  'a schema that is none is a problem, and one that is prints to one that is the same',
  async () => {
    let taken = 0
    await fuzz('avro schemas', {
      input: schemaTexts,
      corpus: [
        '['.repeat(DEEP),
        '{"type":'.repeat(DEEP),
        '{"type":"array","items":'.repeat(DEEP),
        `${'{"type":"array","items":'.repeat(499)}"int"${'}'.repeat(499)}`,
        `"${'\\'.repeat(DEEP)}`,
        `"${'\\"'.repeat(DEEP)}`,
        '{"type":"record","name":"r","fields":[{"name":"f","type":"r"}]}',
        '{"type":"record","name":"a","fields":[{"name":"f","type":["a"]}]}',
        '1e999999999',
        '"__proto__"',
        '"toString"',
        '"\\ud800"',
        '{"type":"fixed","name":"f","size":1e400}',
        '{"type":"enum","name":"e","symbols":["__proto__","__proto__"]}',
        '{"__proto__":{"type":"int"}}',
      ],
      longSeconds: 40,
      tell: () => ({ taken }),
      check(text) {
        let printed: string
        try {
          const type = parseSchema(text)
          compileSkip(type)
          printed = schemaText(type)
        } catch (error) {
          if (!(error instanceof AvroProblem)) throw error
          expect(error.message.length).toBeGreaterThan(10)
          expect(error.message.length).toBeLessThan(1_000)
          return
        }
        taken++
        expect(schemaText(parseSchema(printed))).toBe(printed)
      },
    })
  },
  FUZZ_TIMEOUT_MS,
)

test(
  'bytes of one schema under another are a record, or a sentence, and cost no more than they are worth',
  async () => {
    let read = 0
    await fuzz('avro resolution', {
      input: fc.tuple(fc.nat(), fc.nat(), mutations, fc.boolean()),
      longSeconds: 60,
      tell: () => ({ read }),
      check([seed, other, wrong, isOther]) {
        const { writer, value } = new PairMaker(seededRandom(seed)).pair()
        const { reader } = new PairMaker(seededRandom(isOther ? other : seed)).pair()
        const datum = avro.Type.forSchema(writer as avro.Schema, { wrapUnions: 'always' }).toBuffer(value())
        const body = mutated(datum, wrong)
        const begun = performance.now()
        const found = new TestReader({ format: 'avro', schema: reader as object }).read(body, [
          ['schema', JSON.stringify(writer)],
        ])
        expect(performance.now() - begun).toBeLessThan(10_000)
        if (typeof found !== 'string') return void read++
        expect(found.length).toBeGreaterThan(10)
        expect(found.length).toBeLessThan(1_000)
      },
    })
  },
  FUZZ_TIMEOUT_MS,
)

test.each([
  ['arrays in arrays', '{"type":"array","items":'.repeat(400), '}'.repeat(400), 0x02],
  ['records in unions in themselves', '', '', 0x02],
])('a datum of %s, deeper than is read, is a sentence', (_, open, close, byte) => {
  const type = open === '' ? '["null","W"]' : `${open}"int"${close}`
  const writer = `{"type":"record","name":"W","fields":[{"name":"f","type":${type}}]}`
  const node = { type: 'record', name: 'W', fields: [{ name: 'f', type: ['null', 'W'], default: null }] }
  const none = { type: 'record', name: 'R', fields: [{ name: 'g', type: ['null', 'int'], default: null }] }
  const body = Buffer.alloc(1_000_000, byte)
  for (const schema of [node, none]) {
    const found = new TestReader({ format: 'avro', schema }).read(body, [['schema', writer]])
    expect(found).toMatch(/^the datum is nested deeper than 256 levels$|^field f was written as array/)
  }
})

function dataOf({ schema, values }: Made): Buffer[] {
  const type = avro.Type.forSchema(schema, { wrapUnions: 'always' })
  return values.map((value) => type.toBuffer(value))
}

function fileOf(file: Made): Buffer {
  const data = dataOf(file)
  const blocks = []
  let at = 0
  for (const size of [...file.splits, data.length]) {
    const some = data.slice(at, at + size)
    if (some.length === 0) continue
    at += some.length
    blocks.push({ count: some.length, data: Buffer.concat(some) })
  }
  return avroFile({ schema: file.schema, codec: file.codec, blocks })
}

function decoded(bytes: Buffer, places: readonly number[]): unknown {
  const whole = outcome(avroContainer({ eventBytesMax: EVENT_BYTES_MAX }), [bytes])
  expect(outcome(avroContainer({ eventBytesMax: EVENT_BYTES_MAX }), cutAt(bytes, places))).toEqual(whole)
  return whole
}

/** Whether it is refused, as it should be done; else every event has to stand in the file, where it is not compressed. */
function isRefused(result: unknown, bytes: Buffer, stored: boolean): boolean {
  if (!Array.isArray(result)) {
    expect(result).toMatchObject({ code: expect.stringMatching(/^(event_too_large|malformed_batch)$/) })
    expect((result as { message: string }).message).toMatch(/^Failed to process uploaded avro file: .{10,}$/s)
    return true
  }
  if (!stored) return false
  const text = bytes.toString('latin1')
  let at = 0
  for (const event of result as string[]) {
    const found = text.indexOf(event, at)
    if (found === -1) throw new Error(`${JSON.stringify(event)} does not stand behind ${at}`)
    at = found + event.length
  }
  return false
}

/** As a map in a block of its own kind: a negative count is followed by the size of the entries. */
function lyingHeader(schema: string, count: bigint): Buffer {
  const entries = Buffer.concat([prefixed('avro.schema'), prefixed(schema)])
  const map = [long(count), ...(count < 0n ? [long(entries.length)] : []), entries, long(0)]
  return Buffer.concat([fileHeader([]).subarray(0, 4), ...map, SYNC])
}

function readByAvsc(bytes: Buffer): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const values: unknown[] = []
    const decoder = new avro.streams.BlockDecoder({
      parseHook: (schema: avro.Schema) => avro.Type.forSchema(schema, { wrapUnions: 'always' }),
    })
    decoder.on('data', (value: unknown) => values.push(value))
    decoder.on('error', reject)
    decoder.on('end', () => resolve(values))
    decoder.end(bytes)
  })
}
