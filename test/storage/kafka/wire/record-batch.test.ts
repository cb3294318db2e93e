/** Record batches: what was written is read, also by a second client; damaged bytes never give other events. */
import { crc32c } from '@node-rs/crc32'
import { Reader, readRecordsBatch } from '@platformatic/kafka'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  BATCH_FIELDS,
  NO_PRODUCER,
  RecordBatchBuilder,
  type UnsealedBatch,
} from '../../../../storage/kafka/record-batch.ts'
import {
  AbortedBatches,
  markerOf,
  type RecordBatch,
  readBatches,
  readEvents,
  readRecords,
} from '../../../../storage/kafka/record-batch-reader.ts'
import { encodeRecordHeaders } from '../../../../storage/kafka/record-headers.ts'
import type { EventBlock, EventHeaders } from '../../../../storage/log.ts'
import { StorageError } from '../../../../storage/storage-error.ts'

interface TestEvent {
  readonly headers: EventHeaders
  readonly body: Uint8Array
  readonly timestampMs: number
}

const ALL = { from: 0, to: Number.MAX_SAFE_INTEGER, minTimestampMs: 0 }
const T = 'topic'

/** A string that UTF-8 keeps: lone surrogates do not survive. */
const text = fc.string({ unit: 'grapheme', maxLength: 100 }).map((value) => Buffer.from(value).toString())
const name = fc.oneof(text, fc.constantFrom('key', 'tombstone', 'millrace.producer.p', 'millrace.header.x'))
const value = fc.oneof(text, fc.constantFrom('true', 'false', ''))
const headersOf = fc
  .uniqueArray(fc.tuple(name, value), { selector: ([header]) => header, maxLength: 5 })
  .map((headers): EventHeaders => headers)
const event = fc.record({
  headers: headersOf,
  body: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 60, maxLength: 300 })),
  timestampMs: fc.integer({ min: 0, max: 2 ** 45 }),
})
const repeated = fc
  .array(fc.tuple(event, fc.integer({ min: 1, max: 6 })), { minLength: 1, maxLength: 5 })
  .map((groups) => groups.flatMap(([one, times]) => Array<TestEvent>(times).fill(one)))

function build(events: readonly TestEvent[]): UnsealedBatch {
  const builder = new RecordBatchBuilder()
  for (const { headers, body, timestampMs } of events) {
    const encoded = encodeRecordHeaders(headers)
    const before = builder.bytes
    builder.addEvent(
      encoded,
      Buffer.concat([Buffer.from('##'), body, Buffer.from('#')]),
      2,
      2 + body.length,
      timestampMs,
    )
    expect(builder.bytes - before).toBeLessThanOrEqual(RecordBatchBuilder.eventBytes(encoded, body.length))
  }
  expect(builder.count).toBe(events.length)
  const batch = sealed(builder)
  expect([builder.count, builder.bytes]).toEqual([0, BATCH_FIELDS.records])
  return batch
}

function sealed(builder: RecordBatchBuilder): UnsealedBatch {
  const batch = builder.finish()
  batch.seal(NO_PRODUCER)
  return batch
}

/** As a broker stores it. */
function stored(batch: UnsealedBatch, baseOffset: number, appendTimeMs?: number): Buffer {
  const bytes = Buffer.from(batch.bytes)
  bytes.writeBigInt64BE(BigInt(baseOffset), BATCH_FIELDS.baseOffset)
  if (appendTimeMs === undefined) return bytes
  bytes.writeBigInt64BE(BigInt(appendTimeMs), BATCH_FIELDS.maxTimestamp)
  return resealed(bytes, 0x08)
}

function resealed(bytes: Buffer, attributes: number): Buffer {
  bytes.writeInt16BE(attributes, BATCH_FIELDS.attributes)
  bytes.writeUInt32BE(crcOf(bytes), BATCH_FIELDS.crc)
  return bytes
}

function crcOf(bytes: Buffer): number {
  return crc32c(bytes.subarray(BATCH_FIELDS.attributes))
}

function eventsOf(blocks: readonly EventBlock[]) {
  return blocks.flatMap(({ firstSequence, bytes, starts, ends, runs }) =>
    runs.flatMap(({ begin, end, headers, timestampMs }) =>
      Array.from({ length: end - begin }, (_, i) => ({
        sequence: firstSequence + begin + i,
        headers,
        body: Uint8Array.from(bytes.subarray(starts[begin + i]!, ends[begin + i]!)),
        timestampMs,
      })),
    ),
  )
}

describe('events', () => {
  test('are read as they were written, with ascending times', () => {
    fc.assert(
      fc.property(repeated, fc.nat(2 ** 40), fc.nat(2 ** 45), (events, baseOffset, minTimestampMs) => {
        const [batch] = readBatches(stored(build(events), baseOffset), T)
        let timestampMs = minTimestampMs
        const expected = events.map(({ headers, body, timestampMs: own }, i) => {
          timestampMs = Math.max(timestampMs, own)
          return { sequence: baseOffset + i, headers, body, timestampMs }
        })
        expect(eventsOf(readEvents(batch!, T, { ...ALL, minTimestampMs }))).toEqual(expected)
      }),
      { numRuns: 60 },
    )
  })

  test('have the time of the topic if it sets the times', () => {
    fc.assert(
      fc.property(repeated, fc.nat(2 ** 45), (events, appendTimeMs) => {
        const [batch] = readBatches(stored(build(events), 5, appendTimeMs), T)
        const [block, ...others] = readEvents(batch!, T, ALL)
        expect(others).toEqual([])
        expect(new Set(block!.runs.map((run) => run.timestampMs))).toEqual(new Set([appendTimeMs]))
        expect(eventsOf([block!]).map(({ body }) => body)).toEqual(events.map(({ body }) => body))
      }),
      { numRuns: 30 },
    )
  })

  test('of a part of a batch are those of the whole', () => {
    fc.assert(
      fc.property(repeated, fc.nat(32), fc.nat(32), (events, a, b) => {
        const [batch] = readBatches(stored(build(events), 100), T)
        const [from, to] = [100 + Math.min(a, b), 100 + Math.max(a, b)]
        const all = eventsOf(readEvents(batch!, T, ALL))
        expect(eventsOf(readEvents(batch!, T, { from, to, minTimestampMs: 0 }))).toEqual(
          all.filter(({ sequence }) => sequence >= from && sequence < to),
        )
      }),
      { numRuns: 30 },
    )
  })

  test('of a large batch keep their order and their offsets', () => {
    const builder = new RecordBatchBuilder()
    const headers = encodeRecordHeaders([['a', 'b']])
    const bodies = Array.from({ length: 40_000 }, (_, i) => `event ${i}`)
    for (const body of bodies) builder.addEvent(headers, Buffer.from(body), 0, body.length)
    const [batch] = readBatches(stored(sealed(builder), 7), T)
    const [{ bytes, starts, ends, runs, firstSequence } = {} as EventBlock] = readEvents(batch!, T, ALL)
    expect([firstSequence, runs.length, runs[0]!.end, batch!.lastOffset]).toEqual([7, 1, 40_000, 40_006])
    const read = [...starts].map((start, i) => (bytes as Buffer).toString('utf8', start, ends[i]))
    expect(read.every((body, i) => body === bodies[i])).toBe(true)
  })

  test('with equal headers are one run, whose headers are decoded once', () => {
    const one = { headers: [['a', 'b']] as const, body: Buffer.from('x'), timestampMs: 1 }
    const two = { ...one, headers: [['a', 'c']] as const }
    const [batch] = readBatches(stored(build([one, one, two, two, two, one]), 0), T)
    const runs = readEvents(batch!, T, ALL)[0]!.runs.map(({ begin, end }) => [begin, end])
    expect(runs).toEqual([
      [0, 2],
      [2, 5],
      [5, 6],
    ])
  })
})

describe('headers of records', () => {
  interface HeaderCase {
    readonly name: string
    readonly key?: string | null
    readonly value?: string | null
    readonly headers: EventHeaders
    readonly event: EventHeaders
  }
  const cases: readonly HeaderCase[] = [
    {
      name: 'a key of another program',
      key: 'k',
      headers: [['a', 'b']],
      event: [
        ['a', 'b'],
        ['key', 'k'],
      ],
    },
    { name: 'a key that has a header', key: 'k', headers: [['key', 'h']], event: [['key', 'h']] },
    { name: 'no value', value: null, headers: [], event: [['tombstone', 'true']] },
    {
      name: 'no value, and a header',
      value: null,
      headers: [['tombstone', 'no']],
      event: [['tombstone', 'no']],
    },
    {
      name: 'a repeated name',
      headers: [
        ['a', '1'],
        ['b', '2'],
        ['a', '3'],
      ],
      event: [
        ['a', '3'],
        ['b', '2'],
      ],
    },
    {
      name: 'marks of the engine',
      headers: [
        ['millrace.producer.p', '1'],
        ['a', 'b'],
      ],
      event: [['a', 'b']],
    },
    {
      name: 'a header of an event that looks like a mark',
      headers: [['millrace.header.millrace.x', '1']],
      event: [['millrace.x', '1']],
    },
  ]
  test.each(cases)('$name', ({ key = null, value = 'v', headers, event }) => {
    const builder = new RecordBatchBuilder()
    builder.addRecord({
      key: key === null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      headers,
    })
    const [batch] = readBatches(stored(sealed(builder), 0), T)
    expect(eventsOf(readEvents(batch!, T, ALL))).toMatchObject([
      { headers: event, body: Uint8Array.from(Buffer.from(value ?? '')) },
    ])
    expect(readRecords(batch!, T)).toMatchObject([{ offset: 0, headers }])
  })

  test('records of different keys without headers are different runs', () => {
    const builder = new RecordBatchBuilder()
    for (const key of ['a', 'a', 'b']) builder.addRecord({ key: Buffer.from(key), value: Buffer.from('v') })
    builder.addRecord({ key: Buffer.from('b'), value: null })
    const [batch] = readBatches(stored(sealed(builder), 0), T)
    expect(eventsOf(readEvents(batch!, T, ALL)).map(({ headers }) => headers)).toEqual([
      [['key', 'a']],
      [['key', 'a']],
      [['key', 'b']],
      [
        ['key', 'b'],
        ['tombstone', 'true'],
      ],
    ])
  })

  test('an event has its key as key of the record, and no value if it is a tombstone', () => {
    const builder = new RecordBatchBuilder()
    const headers = encodeRecordHeaders(
      [
        ['key', 'k'],
        ['tombstone', 'true'],
      ],
      [['millrace.m', '1']],
    )
    builder.addEvent(headers, Buffer.from('x'), 0, 0)
    builder.addEvent(headers, Buffer.from('x'), 0, 1)
    const [batch] = readBatches(stored(sealed(builder), 0), T)
    expect(readRecords(batch!, T).map(({ key, value }) => [String(key), value?.toString()])).toEqual([
      ['k', undefined],
      ['k', 'x'],
    ])
    expect(readRecords(batch!, T)[0]!.headers.at(-1)).toEqual(['millrace.m', '1'])
  })
})

test('a second client reads the same', () => {
  fc.assert(
    fc.property(repeated, (events) => {
      const batch = build(events)
      batch.seal({ producerId: 77, epoch: 3, baseSequence: 9, isTransactional: true })
      const theirs = readRecordsBatch(Reader.from(Buffer.from(batch.bytes)))
      expect(theirs).toMatchObject({
        producerId: 77n,
        producerEpoch: 3,
        firstSequence: 9,
        attributes: 0x10,
        magic: 2,
      })
      expect(theirs.records.length).toBe(events.length)
      const ours = readRecords(readBatches(Buffer.from(batch.bytes), T)[0]!, T)
      for (const [i, record] of theirs.records.entries()) {
        expect(record.offsetDelta).toBe(i)
        expect(Number(theirs.firstTimestamp + record.timestampDelta)).toBe(events[i]!.timestampMs)
        const { key, value, headers } = ours[i]!
        expect([record.key, record.value].map((part) => part?.toString('hex'))).toEqual(
          [key, value].map((part) => part?.toString('hex')),
        )
        expect(record.headers.map((pair) => pair.map(String))).toEqual(headers)
      }
    }),
    { numRuns: 30 },
  )
})

describe('a damaged batch', () => {
  const events: TestEvent[] = [
    {
      headers: [
        ['a', 'b'],
        ['key', 'k'],
      ],
      body: Buffer.from('one'),
      timestampMs: 5,
    },
    { headers: [], body: Buffer.alloc(200, 7), timestampMs: 9 },
    { headers: [['tombstone', 'true']], body: Buffer.alloc(0), timestampMs: 9 },
  ]
  const whole = stored(build(events), 40)
  const read = (bytes: Buffer) =>
    eventsOf(readBatches(bytes, T).flatMap((batch) => readEvents(batch, T, ALL)))

  test('that is cut off is left out', () => {
    const two = Buffer.concat([whole, whole])
    for (let length = 0; length < two.length; length++)
      expect(readBatches(two.subarray(0, length), T).length).toBe(Math.floor(length / whole.length))
  })

  test('with one altered bit is reported, or gives other bounds but never other events', () => {
    const right = read(whole)
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      const bytes = Buffer.from(whole)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      // Base offset, length and leader epoch are outside of the checksum: the broker sets them.
      const isOutside = bit >> 3 < BATCH_FIELDS.magic
      try {
        const found = read(bytes).map(({ sequence, ...rest }) => rest)
        expect([isOutside, found.length === 0 || found.length === right.length]).toEqual([true, true])
        if (found.length > 0) expect(found).toEqual(right.map(({ sequence, ...rest }) => rest))
      } catch (error) {
        expect(error).toBeInstanceOf(StorageError)
        expect(['corrupt', 'format']).toContain((error as StorageError).code)
      }
    }
  })

  test('with any altered bytes and a right checksum is read within its bounds, or reported', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: BATCH_FIELDS.attributes, max: whole.length - 1 }), fc.nat(255)), {
          minLength: 1,
          maxLength: 6,
        }),
        (changes) => {
          const bytes = Buffer.from(whole)
          for (const [at, byte] of changes) bytes[at] = byte
          bytes.writeUInt32BE(crcOf(bytes), BATCH_FIELDS.crc)
          try {
            for (const batch of readBatches(bytes, T)) {
              readRecords(batch, T)
              markerOf(batch, T)
              for (const block of readEvents(batch, T, ALL)) {
                expect(block.runs.at(-1)?.end).toBe(block.starts.length)
                for (const [i, start] of block.starts.entries())
                  expect(start <= block.ends[i]! && block.ends[i]! <= bytes.length).toBe(true)
              }
            }
          } catch (error) {
            expect(error).toBeInstanceOf(StorageError)
          }
        },
      ),
      { numRuns: 600 },
    )
  })

  test.each([
    {
      name: 'a count of 2^31-1 records',
      isSealed: true,
      at: BATCH_FIELDS.count,
      hex: '7fffffff',
      text: /states 2147483647 records/,
    },
    {
      name: 'a negative count',
      isSealed: true,
      at: BATCH_FIELDS.count,
      hex: 'ffffffff',
      text: /states -1 records/,
    },
    {
      name: 'an offset below zero',
      at: BATCH_FIELDS.baseOffset,
      hex: 'ffffffffffffff00',
      text: /its last offset/,
    },
    {
      name: 'an offset beyond 2^53',
      at: BATCH_FIELDS.baseOffset,
      hex: '7fffffffffffffff',
      text: /its last offset/,
    },
    { name: 'a length of zero', at: BATCH_FIELDS.length, hex: '00000000', text: /a length of 12 bytes/ },
    {
      name: 'a negative length',
      at: BATCH_FIELDS.length,
      hex: '80000000',
      text: /a length of -2147483636 bytes/,
    },
    { name: 'an altered value', at: BATCH_FIELDS.records + 20, hex: 'ff', text: /differs from its checksum/ },
  ])('with $name is corrupt', ({ isSealed = false, at, hex, text }) => {
    const bytes = Buffer.from(whole)
    bytes.set(Buffer.from(hex, 'hex'), at)
    if (isSealed) bytes.writeUInt32BE(crcOf(bytes), BATCH_FIELDS.crc)
    expect(() => read(bytes)).toThrow(
      expect.objectContaining({ code: 'corrupt', message: expect.stringMatching(text) }),
    )
  })

  test.each([
    { name: 'compressed', attributes: 0x01, text: /compression\.type=uncompressed/ },
    { name: 'compressed with zstd', attributes: 0x04, text: /compression\.type=uncompressed/ },
  ])('$name is refused with what to change', ({ attributes, text }) => {
    const bytes = resealed(Buffer.from(whole), attributes)
    expect(() => read(bytes)).toThrow(
      expect.objectContaining({ code: 'format', message: expect.stringMatching(text) }),
    )
  })

  test('of an older format is refused', () => {
    const bytes = Buffer.from(whole)
    bytes[BATCH_FIELDS.magic] = 1
    expect(() => read(bytes)).toThrow(expect.objectContaining({ code: 'format' }))
  })
})

describe('transactions', () => {
  const plain = build([{ headers: [], body: Buffer.from('x'), timestampMs: 0 }])
  const batchOf = (offset: number, producerId: number, isTransactional = true): RecordBatch => {
    plain.seal({ producerId, epoch: 0, baseSequence: 0, isTransactional })
    return readBatches(stored(plain, offset), T)[0]!
  }
  const markerAt = (offset: number, producerId: number, type: number): RecordBatch => {
    const builder = new RecordBatchBuilder()
    builder.addRecord({ key: Buffer.from([0, 0, 0, type]), value: Buffer.alloc(6) })
    const batch = builder.finish()
    batch.seal({ producerId, epoch: 0, baseSequence: -1, isTransactional: true })
    return readBatches(resealed(stored(batch, offset), 0x30), T)[0]!
  }

  test('markers are known, and have no events', () => {
    const markers = [markerAt(5, 1, 0), markerAt(6, 1, 1), markerAt(7, 1, 9), batchOf(8, 1)]
    expect(markers.map((batch) => markerOf(batch, T))).toEqual(['abort', 'commit', undefined, undefined])
    expect(markers.slice(0, 3).flatMap((batch) => readEvents(batch, T, ALL))).toEqual([])
  })

  test('aborted batches are those between the first offset of an aborted transaction and its marker', () => {
    const aborted = new AbortedBatches([
      { producerId: 1, firstOffset: 2 },
      { producerId: 2, firstOffset: 3 },
      { producerId: 1, firstOffset: 9 },
    ])
    const batches = [
      [batchOf(1, 1), false],
      [batchOf(2, 1), true],
      [batchOf(3, 2), true],
      [batchOf(4, 3), false],
      [batchOf(5, 1), true],
      [markerAt(6, 1, 0), false],
      [batchOf(7, 1), false], // the next transaction of the same producer, which is committed
      [markerAt(8, 1, 1), false],
      [batchOf(9, 1), true],
      [batchOf(10, 2), true],
      [batchOf(11, 1, false), false],
    ] as const
    expect(batches.map(([batch]) => aborted.has(batch, T))).toEqual(batches.map(([, expected]) => expected))
  })
})
