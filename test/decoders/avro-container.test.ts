import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { deflateRaw } from 'node:zlib'
import avro from 'avsc'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  avroContainer,
  BLOCK_BYTES_MAX,
  EMPTY_DATA_PER_FILE_MAX,
  FILE_HEADER_BYTES_MAX,
  SCHEMA_BYTES_MAX,
} from '../../src/decoders/avro-container.ts'
import type { EventSlices } from '../../storage/log.ts'
import { cpuMs } from '../support/cpu-time.ts'
import {
  avroFile,
  type Block,
  block,
  compress,
  decode,
  EVENT_BYTES_MAX,
  fileHeader,
  long,
  prefixed,
  refusalOf,
  SYNC,
} from './avro-file.ts'
import { schemaAndValues } from './avro-values.ts'
import { decodeAll } from './decode-all.ts'

const CODECS = ['null', 'deflate', 'snappy', 'zstandard'] as const
const MIB = 1024 * 1024

const PERSON = {
  type: 'record',
  name: 'Person',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'name', type: 'string' },
    { name: 'nick', type: ['null', 'string'] },
  ],
} as const
const personType = avro.Type.forSchema(PERSON as unknown as avro.Schema)
const person = (id: number) => ({ id, name: `name ${id}`, nick: id % 2 === 0 ? null : `nick ${id}` })
const people = (count: number) => Array.from({ length: count }, (_, id) => personType.toBuffer(person(id)))
const hex = (data: readonly Uint8Array[]) => data.map((datum) => Buffer.from(datum).toString('hex'))
const blockOf = (...data: readonly Buffer[]): Block => ({ count: data.length, data: Buffer.concat(data) })

const FAILED = 'Failed to process uploaded avro file: '
const malformed = (reason: string) => `malformed_batch: ${FAILED}${reason}`
const tooLarge = (reason: string) => `event_too_large: ${FAILED}${reason}`

describe('every datum becomes an event with its very bytes', () => {
  const chunking = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 5000 })), {
    minLength: 1,
    maxLength: 8,
  })

  test.each(CODECS)('for any schema, split into blocks and chunks, codec %s', (codec) => {
    fc.assert(
      fc.property(
        schemaAndValues(),
        fc.array(fc.nat(5)),
        chunking,
        ({ schema, values }, splits, chunkSizes) => {
          const type = avro.Type.forSchema(schema, { wrapUnions: 'always' })
          const data = values.map((value) => type.toBuffer(value))
          const blocks: Block[] = []
          let at = 0
          for (const size of splits) {
            blocks.push(blockOf(...data.slice(at, at + size)))
            at += size
          }
          blocks.push(blockOf(...data.slice(at)))
          expect(decode(avroFile({ schema, codec, blocks }), chunkSizes).bodies).toEqual(hex(data))
        },
      ),
      { numRuns: 150 },
    )
  })

  test.each(['null', 'deflate'] as const)('for a file that avsc wrote, codec %s', async (codec) => {
    const encoder = new avro.streams.BlockEncoder(personType, {
      codec,
      blockSize: 3000,
      codecs: avscCodecs,
    })
    const pieces: Buffer[] = []
    encoder.on('data', (piece: Buffer) => pieces.push(piece))
    const ended = new Promise((resolve) => encoder.on('end', resolve))
    for (let id = 0; id < 5000; id++) encoder.write(person(id))
    encoder.end()
    await ended
    const file = Buffer.concat(pieces)
    for (const chunkSize of [1, 1000, 65_536, file.length]) {
      expect(decode(file, [chunkSize]).bodies).toEqual(hex(people(5000)))
    }
  })

  test('also above the number of events that are emitted at once', () => {
    const data = people(10_000)
    expect(decode(avroFile({ schema: PERSON, blocks: [blockOf(...data)] })).bodies).toEqual(hex(data))
  })

  const topLevel: { schema: unknown; data: Buffer[] }[] = [
    { schema: 'int', data: [long(1), long(-70)] },
    { schema: ['null', 'string'], data: [long(0), Buffer.concat([long(1), prefixed('a')])] },
    { schema: { type: 'map', values: 'long' }, data: [long(0)] },
    { schema: 'null', data: [Buffer.alloc(0), Buffer.alloc(0), Buffer.alloc(0)] },
    { schema: { type: 'record', name: 'Empty', fields: [] }, data: [Buffer.alloc(0), Buffer.alloc(0)] },
  ]
  test.each(topLevel)('of a schema $schema', ({ schema, data }) => {
    expect(decode(avroFile({ schema, blocks: [blockOf(...data)] })).bodies).toEqual(hex(data))
  })
})

type AvscCodec = (bytes: Buffer, done: (error: Error | null, stored: Buffer) => void) => void

const avscCodecs: Record<'null' | 'deflate', AvscCodec> = {
  null: (bytes, done) => done(null, bytes),
  deflate: (bytes, done) => deflateRaw(bytes, done),
}

test('a file without records has headers and no events', () => {
  expect(decode(avroFile({ text: ' { "type" : "int" } ' }))).toEqual({
    headers: [
      ['schema', '"int"'],
      ['schema.hash', createHash('md5').update('"int"').digest('hex')],
    ],
    bodies: [],
  })
})

test('blocks without objects have no events', () => {
  const empty = { count: 0, data: Buffer.alloc(0) }
  expect(decode(avroFile({ schema: 'int', blocks: [empty, blockOf(long(5)), empty] })).bodies).toEqual(['0a'])
})

test('headers are settled when the first events come, and name the schema as Java prints it', () => {
  const file = avroFile({
    text: '{ "name": "Record", "type": "record", "fields": [ {"name": "id", "type": "int"}, {"type": ["null", "string"], "name": "name"} ] }',
    blocks: [blockOf(Buffer.concat([long(1), long(0)]))],
  })
  const decoder = avroContainer({ eventBytesMax: EVENT_BYTES_MAX })
  const seen: unknown[] = []
  decoder.decode(file, () => seen.push(decoder.headers))
  expect(seen).toEqual([
    [
      [
        'schema',
        '{"type":"record","name":"Record","fields":[{"name":"id","type":"int"},{"name":"name","type":["null","string"]}]}',
      ],
      ['schema.hash', '19d61ad4deaa8452909648f836d40067'],
    ],
  ])
})

describe('the file header', () => {
  test('may hold other metadata, in blocks of either kind', () => {
    const text = '"int"'
    const file = Buffer.concat([
      Buffer.from('Obj\x01'),
      long(1),
      prefixed('avro.schema'),
      prefixed('"string", which the later one replaces'),
      long(-2),
      long(1000),
      prefixed('__proto__'),
      prefixed('x'),
      prefixed('avro.schema'),
      prefixed(text),
      long(1),
      prefixed('user.blob'),
      prefixed(Buffer.alloc(100_000, 0xff)),
      long(0),
      SYNC,
      block(blockOf(long(7))),
    ])
    for (const chunkSize of [1, 7, 70_000, file.length])
      expect(decode(file, [chunkSize]).bodies).toEqual(['0e'])
  })

  test('is read in time that grows with its length, whatever its entries and chunks', () => {
    const metadata = Array.from({ length: 100_000 }, (_, i) => [`k${i}`, ''] as const)
    const file = fileHeader([...metadata, ['avro.schema', '"int"']])
    const startMs = cpuMs()
    expect(decode(file, [3]).bodies).toEqual([])
    expect(cpuMs() - startMs).toBeLessThan(3000)
  })
})

test('a block that comes in small chunks is copied a constant number of times', () => {
  const data = Buffer.alloc(20 * MIB)
  const file = avroFile({ schema: { type: 'fixed', name: 'F', size: MIB }, blocks: [{ count: 20, data }] })
  const startMs = cpuMs()
  expect(decode(file, [200]).bodies).toHaveLength(20)
  expect(cpuMs() - startMs).toBeLessThan(3000)
})

test('a chunk may end one block, hold others and begin another', () => {
  const file = avroFile({ schema: PERSON, blocks: people(40).map((datum) => blockOf(datum)) })
  for (let size = 60; size < 200; size += 7) expect(decode(file, [size]).bodies).toEqual(hex(people(40)))
})

test('chunks are not written to, and may be plain bytes within a larger buffer', () => {
  const file = avroFile({ schema: PERSON, blocks: [blockOf(...people(3)), blockOf(...people(3))] })
  const around = new Uint8Array(file.length + 20)
  around.set(file, 10)
  const before = Uint8Array.from(around)
  expect(decode(around.subarray(10, 10 + file.length), [50]).bodies).toEqual(
    hex([...people(3), ...people(3)]),
  )
  expect(around).toEqual(before)
})

describe('malformed files are refused', () => {
  const good = avroFile({ schema: 'int', blocks: [blockOf(long(1), long(2)), blockOf(long(3))] })
  const claim = (count: number | bigint, size: number | bigint, schema: unknown = 'int', codec = 'null') =>
    Buffer.concat([avroFile({ schema, codec }), long(count), long(size)])
  const blocks = (schema: unknown, codec: string, ...parts: readonly Block[]) =>
    avroFile({ schema, codec, blocks: parts })
  const notEnded = Buffer.alloc(11, 0x80)

  const cases: { name: string; file: Uint8Array; reason: string }[] = [
    { name: 'an empty body', file: Buffer.alloc(0), reason: 'Not a data file.' },
    { name: 'the beginning of the magic', file: good.subarray(0, 3), reason: 'Not a data file.' },
    { name: 'text', file: Buffer.from('hello world'), reason: 'Not a data file.' },
    { name: 'one wrong byte', file: Buffer.from('x'), reason: 'Not a data file.' },
    { name: 'another version', file: Buffer.from('Obj\x02'), reason: 'Not a data file.' },
    { name: 'the magic alone', file: good.subarray(0, 4), reason: 'the file ends inside its header' },
    { name: 'a cut header', file: good.subarray(0, 20), reason: 'the file ends inside its header' },
    {
      name: 'no schema',
      file: fileHeader([['avro.codec', 'null']]),
      reason: 'the file header has no avro.schema',
    },
    { name: 'no metadata', file: fileHeader([]), reason: 'the file header has no avro.schema' },
    {
      name: 'a schema that is not JSON',
      file: avroFile({ text: '{nope' }),
      reason: 'the schema is not JSON: "n" at character 2 is out of place',
    },
    {
      name: 'a schema that is not UTF-8',
      file: fileHeader([['avro.schema', Buffer.from('22ff22', 'hex')]]),
      reason: 'the schema is not UTF-8',
    },
    {
      name: 'a schema without meaning',
      file: avroFile({ text: 'Nope' }),
      reason: 'the schema is not JSON: "N" at character 1 is out of place',
    },
    {
      name: 'an undefined name',
      file: avroFile({ text: '"Nope"' }),
      reason: 'the schema does not define the name "Nope"',
    },
    {
      name: 'a schema above the maximum',
      file: avroFile({ text: `"int"${' '.repeat(SCHEMA_BYTES_MAX)}` }),
      reason: `the schema takes ${SCHEMA_BYTES_MAX + 5} bytes; the most is ${SCHEMA_BYTES_MAX}`,
    },
    {
      name: 'an unknown codec',
      file: avroFile({ schema: 'int', codec: 'bzip2' }),
      reason: 'the codec "bzip2" is not known; use one of null, deflate, snappy, zstandard',
    },
    {
      name: 'a header text of 2^40 bytes',
      file: Buffer.concat([Buffer.from('Obj\x01'), long(1), long(2 ** 40)]),
      reason: `the file header takes more than ${FILE_HEADER_BYTES_MAX} bytes`,
    },
    {
      name: 'a header text of -1 bytes',
      file: Buffer.concat([Buffer.from('Obj\x01'), long(1), long(-1)]),
      reason: 'the file header has a text of negative length: -1',
    },
    {
      name: 'a header of 2^40 entries',
      file: Buffer.concat([Buffer.from('Obj\x01'), long(2 ** 40)]),
      reason: 'the file header claims 1099511627776 entries',
    },
    {
      name: 'a header count that does not end',
      file: Buffer.concat([Buffer.from('Obj\x01'), notEnded]),
      reason: 'a number takes more than 10 bytes',
    },
    { name: 'a cut block', file: good.subarray(0, -17), reason: 'block 2: the file ends inside it' },
    { name: 'a cut sync marker', file: good.subarray(0, -1), reason: 'block 2: the file ends inside it' },
    {
      name: 'a cut count',
      file: Buffer.concat([good, notEnded.subarray(0, 1)]),
      reason: 'block 3: the file ends inside it',
    },
    {
      name: 'a count that does not end',
      file: Buffer.concat([good, notEnded]),
      reason: 'block 3: a number takes more than 10 bytes',
    },
    {
      name: 'a wrong sync marker',
      file: blocks('int', 'null', blockOf(long(1)), { ...blockOf(long(1)), sync: Buffer.alloc(16) }),
      reason: 'block 2: the sync marker after it is not the one of the file',
    },
    { name: 'a count of -1', file: claim(-1, 1), reason: 'block 1: its object count is negative: -1' },
    { name: 'a size of -1', file: claim(1, -1), reason: 'block 1: its size is negative: -1' },
    {
      name: 'a size of 2^40',
      file: claim(2, 2 ** 40),
      reason: `block 1: it claims a size of 1099511627776 bytes; the most is ${BLOCK_BYTES_MAX}; write smaller blocks`,
    },
    {
      name: 'a compressed size of 2^40',
      file: claim(1, 2 ** 40, 'int', 'snappy'),
      reason: 'block 1: it claims a size of 1099511627776 bytes; the most is 78294699; write smaller blocks',
    },
    {
      name: 'a count above the bytes',
      file: claim(4, 3),
      reason: 'block 1: it claims 4 objects, more than it has bytes for',
    },
    {
      name: 'a count of 2^60',
      file: claim(2n ** 60n, 3, 'int', 'deflate'),
      reason: 'block 1: it claims 1152921504606847000 objects, more than it has bytes for',
    },
    {
      name: 'a count above the bytes that were compressed',
      file: blocks('int', 'deflate', { count: 4, data: Buffer.alloc(3) }),
      reason: 'block 1: it claims 4 objects, more than it has bytes for',
    },
    {
      name: '2^60 objects without bytes',
      file: claim(2n ** 60n, 0, 'null'),
      reason: `block 1: it claims 1152921504606847000 objects without bytes; a file may hold ${EMPTY_DATA_PER_FILE_MAX} of them`,
    },
    {
      name: 'too many objects without bytes in several blocks',
      file: blocks(
        'null',
        'null',
        { count: 600_000, data: Buffer.alloc(0) },
        { count: 600_000, data: Buffer.alloc(0) },
      ),
      reason: `block 2: it claims 600000 objects without bytes; a file may hold ${EMPTY_DATA_PER_FILE_MAX} of them`,
    },
    {
      name: 'bytes after the objects',
      file: blocks('int', 'null', { count: 2, data: Buffer.alloc(5) }),
      reason: 'block 1: 3 bytes are left over after its 2 objects',
    },
    {
      name: 'bytes after objects without bytes',
      file: blocks('null', 'null', { count: 2, data: Buffer.alloc(5) }),
      reason: 'block 1: 5 bytes are left over after its 2 objects',
    },
    {
      name: 'bytes without an object',
      file: blocks('int', 'null', { count: 0, data: Buffer.alloc(5) }),
      reason: 'block 1: 5 bytes are left over after its 0 objects',
    },
    {
      name: 'a datum that runs past the block',
      file: blocks('string', 'null', blockOf(prefixed('ok')), {
        count: 2,
        data: Buffer.concat([prefixed('a'), long(9)]),
      }),
      reason: 'block 2, datum 2: a string or bytes claims 9 bytes, and the block has 0 left',
    },
    {
      name: 'a datum that runs past the block, far into it',
      file: blocks('int', 'null', {
        count: 5001,
        data: Buffer.concat([Buffer.alloc(5000), Buffer.alloc(1, 0x80)]),
      }),
      reason: 'block 1, datum 5001: it runs past the end of the block',
    },
    {
      name: 'a union index out of range',
      file: blocks(['null', 'int'], 'null', blockOf(long(0), long(2))),
      reason: 'block 1, datum 2: the union index 2 is not one of its 2 branches',
    },
    {
      name: 'a damaged deflate block',
      file: damaged('deflate'),
      reason: 'block 1: its deflate stream is damaged or cut off',
    },
    {
      name: 'a damaged snappy block',
      file: damaged('snappy'),
      reason: 'block 1: the CRC-32 of its snappy data does not match',
    },
    {
      name: 'a bomb',
      file: blocks('bytes', 'deflate', { count: 2, data: Buffer.alloc(BLOCK_BYTES_MAX + 1) }),
      reason: `block 1: it decompresses to more than ${BLOCK_BYTES_MAX} bytes; write smaller blocks`,
    },
  ]

  test.each(cases)('$name', ({ file, reason }) => {
    for (const chunkSize of [file.length || 1, 7, ...(file.length < 1000 ? [1] : [])]) {
      expect(refusalOf(() => decode(file, [chunkSize]))).toBe(malformed(reason))
    }
  })

  test('at any byte they are cut after, save between blocks', () => {
    const ends = [
      avroFile({ schema: 'int' }).length,
      avroFile({ schema: 'int', blocks: [blockOf(long(1), long(2))] }).length,
    ]
    for (let length = 0; length < good.length; length++) {
      const refusal = refusalOf(() => decode(good.subarray(0, length)))
      if (ends.includes(length)) expect(refusal).toBe('nothing was thrown')
      else
        expect(refusal).toMatch(
          /^malformed_batch: Failed to process uploaded avro file: (Not a data|.*ends inside)/,
        )
    }
  })

  test('as soon as a claim is seen, before the body goes on', () => {
    for (const file of [claim(2, 2 ** 40), claim(-1, 1), Buffer.from('Obx')]) {
      const decoder = avroContainer({ eventBytesMax: EVENT_BYTES_MAX })
      expect(() => decoder.decode(file, () => {})).toThrow(FAILED)
    }
  })

  test('whatever byte is wrong, by an answer for the client or not at all', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CODECS),
        schemaAndValues(),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        (codec, { schema, values }, changes) => {
          const type = avro.Type.forSchema(schema, { wrapUnions: 'always' })
          const file = avroFile({
            schema,
            codec,
            blocks: [blockOf(...values.map((value) => type.toBuffer(value)))],
          })
          for (const [at, byte] of changes) file[at % file.length] = byte
          expect(refusalOf(() => decode(file, [100]))).toMatch(
            /^(nothing|malformed_batch: |event_too_large: )/,
          )
        },
      ),
      { numRuns: 1000 },
    )
  })
})

function damaged(codec: string): Buffer {
  const stored = compress(Buffer.concat(people(20)), codec)
  stored[stored.length - 1]! ^= 0xff
  if (codec === 'deflate') stored[0] = 0xff
  return Buffer.concat([avroFile({ schema: PERSON, codec }), long(20), long(stored.length), stored, SYNC])
}

describe('an event above the maximum', () => {
  const eventBytesMax = 10
  const small = prefixed('123456789')
  const large = prefixed('1234567890')

  test.each(CODECS)('is refused, and one of just the maximum is not, codec %s', (codec) => {
    const file = (...data: Buffer[]) =>
      avroFile({ schema: 'string', codec, blocks: [blockOf(small), blockOf(...data)] })
    expect(decode(file(small, small), [5], eventBytesMax).bodies).toEqual(hex([small, small, small]))
    expect(refusalOf(() => decode(file(small, large), [5], eventBytesMax))).toBe(
      tooLarge('block 2, datum 2: it takes 11 bytes; an event may take 10'),
    )
  })

  test('is refused before it comes, if it is all there is in its block', () => {
    const decoder = avroContainer({ eventBytesMax: EVENT_BYTES_MAX })
    const file = Buffer.concat([avroFile({ schema: 'bytes' }), long(1), long(EVENT_BYTES_MAX + 1)])
    expect(refusalOf(() => decoder.decode(file, () => {}))).toBe(
      tooLarge('block 1, datum 1: it takes 16777217 bytes; an event may take 16777216'),
    )
  })

  test('may take more than the usual block if the limit is that high', () => {
    const length = BLOCK_BYTES_MAX + MIB
    const datum = Buffer.concat([long(length), Buffer.alloc(length)])
    const file = avroFile({ schema: 'bytes', codec: 'snappy', blocks: [blockOf(datum)] })
    const decoder = avroContainer({ eventBytesMax: length + 10 })
    const lengths: number[] = []
    const emit = ({ starts, ends }: EventSlices) => lengths.push(ends[0]! - starts[0]!)
    let more = decoder.decode(file, emit)
    while (more) more = decoder.decodeMore(emit)
    decoder.end(emit)
    expect(lengths).toEqual([datum.length])
  })
})

test.each(CODECS)('a large block is handed out in turns, codec %s', (codec) => {
  const data = Array.from({ length: 20 }, (_, i) => Buffer.alloc(MIB, `${i},`))
  const file = avroFile({
    schema: { type: 'fixed', name: 'F', size: MIB },
    codec,
    blocks: [blockOf(...data), blockOf(data[0]!)],
  })
  const decoder = avroContainer({ eventBytesMax: EVENT_BYTES_MAX })
  const turns: number[] = [0]
  const bodies: Buffer[] = []
  const emit = ({ bytes, starts, ends, count }: EventSlices) => {
    turns[turns.length - 1]! += count
    for (let i = 0; i < count; i++) bodies.push(Buffer.from(bytes.subarray(starts[i], ends[i])))
  }
  let more = decoder.decode(file, emit)
  while (more) {
    turns.push(0)
    more = decoder.decodeMore(emit)
  }
  decoder.end(emit)
  expect(Buffer.concat(bodies).equals(Buffer.concat([...data, data[0]!]))).toBe(true)
  expect(turns).toEqual([4, 4, 4, 4, 4, 1])
})

test.each(CODECS)(
  'blocks it has decompressed are given back when their events are out, codec %s',
  (codec) => {
    const blocks = [people(300), people(5)].map((data) => blockOf(...data))
    const file = avroFile({ schema: PERSON, codec, blocks })
    const freed: Uint8Array[] = []
    const free = (buffer: Uint8Array) => freed.push(buffer.fill(0))
    const decoder = avroContainer({ eventBytesMax: EVENT_BYTES_MAX, free })
    expect(decodeAll(decoder, [file]).map((event) => Buffer.from(event, 'latin1').toString('hex'))).toEqual(
      hex([...people(300), ...people(5)]),
    )
    const decompressed = blocks.map(({ data }) => data.length)
    expect(freed.map(({ length }) => length)).toEqual(codec === 'null' ? [] : decompressed)
  },
)

const dataFolder = new URL('../../../shared/data/', import.meta.url)
const dataMissing = !existsSync(dataFolder)

// The files are not part of the repository; a checkout without them next to it has nothing to read here.
describe.skipIf(dataMissing)('files that other programs wrote', () => {
  const read = (name: string) => readFileSync(new URL(name, dataFolder))
  const weather = avro.Type.forSchema({
    type: 'record',
    name: 'test.Weather',
    fields: [
      { name: 'station', type: 'string' },
      { name: 'time', type: 'long' },
      { name: 'temp', type: 'int' },
    ],
  })

  test.each(['weather.avro', 'weather-deflate.avro', 'weather-snappy.avro', 'weather-zstd.avro'])(
    '%s',
    (name) => {
      const { headers, bodies } = decode(read(name), [13])
      const text =
        '{"type":"record","name":"Weather","namespace":"test","doc":"A weather reading.","fields":[{"name":"station","type":"string"},{"name":"time","type":"long"},{"name":"temp","type":"int"}]}'
      expect(headers).toEqual([
        ['schema', text],
        ['schema.hash', createHash('md5').update(text).digest('hex')],
      ])
      expect(bodies.map((body) => weather.fromBuffer(Buffer.from(body, 'hex')))).toEqual([
        { station: '011990-99999', time: -619524000000, temp: 0 },
        { station: '011990-99999', time: -619506000000, temp: 22 },
        { station: '011990-99999', time: -619484400000, temp: -11 },
        { station: '012650-99999', time: -655531200000, temp: 111 },
        { station: '012650-99999', time: -655509600000, temp: 78 },
      ])
    },
  )

  test('syncInMeta.avro, a large one from long ago', () => {
    const { headers, bodies } = decode(read('syncInMeta.avro'), [1000])
    expect(headers[0]).toEqual([
      'schema',
      '{"type":"record","name":"Person","fields":[{"name":"ID","type":"long"},{"name":"First","type":"string"},{"name":"Last","type":"string"},{"name":"Phone","type":"string"},{"name":"Age","type":"int"}]}',
    ])
    const type = avro.Type.forSchema(JSON.parse(headers[0]![1]))
    const ids = bodies.map((body) => (type.fromBuffer(Buffer.from(body, 'hex')) as { ID: number }).ID)
    expect(ids).toEqual(Array.from({ length: ids.length }, (_, index) => index + 1))
    expect(ids.length).toBeGreaterThan(1000)
  })
})
