import { crc32c } from '@node-rs/crc32'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeHeaders } from '../../storage/header-set.ts'
import { BlockBuilder } from '../../storage/level/block-builder.ts'
import { decodeBlock, sealBlock, type UnsealedBlock } from '../../storage/level/block-codec.ts'
import { checksum } from '../../storage/level/checksum.ts'
import { blockKey } from '../../storage/level/keys.ts'
import { singleEventBlock } from '../../storage/level/single-event-block.ts'
import type { EventHeaders, EventSlices } from '../../storage/log.ts'
import { headedEventsOf } from '../../storage/slices.ts'

interface Plain {
  readonly body: string
  readonly headers: EventHeaders
  readonly timestampMs: number
}

const KEY = blockKey(1, 1_000, 0)

/** All events of blocks that follow each other, as plain values. */
function decodeAll(blocks: readonly UnsealedBlock[]): Plain[] {
  let sequence = 0
  return blocks.flatMap(({ bytes, count, bodyBytes }) => {
    const block = decodeBlock(KEY, sealBlock(KEY, bytes), 1_000, sequence)
    expect(block.firstSequence).toBe(sequence)
    sequence += count
    const events = block.runs.flatMap(({ begin, end, timestampMs, headers }) =>
      Array.from({ length: end - begin }, (_, i) => {
        const body = Buffer.from(block.bytes.subarray(block.starts[begin + i], block.ends[begin + i]))
        return { body: body.toString('latin1'), headers, timestampMs }
      }),
    )
    expect([events.length, events.reduce((sum, { body }) => sum + body.length, 0)]).toEqual([
      count,
      bodyBytes,
    ])
    return events
  })
}

const headerSets = fc.uniqueArray(fc.tuple(fc.string(), fc.string()), {
  selector: ([name]) => name,
  maxLength: 4,
}) as fc.Arbitrary<EventHeaders>

/** A text with its lines as slices, whatever stands between them. */
const slicedTexts = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 5 })), { maxLength: 80 })
  .map((shape) => {
    let at = 0
    const starts: number[] = []
    const ends: number[] = []
    for (const [length, gap] of shape) {
      starts.push(at)
      at += length
      ends.push(at)
      at += gap
    }
    const bytes = Buffer.from(Array.from({ length: at }, (_, i) => (i * 7919) & 0xff))
    return { bytes, starts: Uint32Array.from(starts), ends: Uint32Array.from(ends), count: shape.length }
  })

describe('blocks', () => {
  test('one event alone is the same block as a builder makes of it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), headerSets, (body, headers) => {
        const encoded = encodeHeaders(headers)
        const builder = new BlockBuilder()
        builder.addEvents([{ body, headers }], 0, 1, encoded)
        const [built] = builder.take(true)
        const single = singleEventBlock({ body, headers }, encoded)
        for (const { bytes } of [built!, single]) sealBlock(KEY, bytes)
        expect(single).toEqual(built)
      }),
    )
  })

  test('the checksum is CRC-32C of key and value, whatever their lengths', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array({ minLength: 4 }), (key, value) => {
        expect(checksum(key, Buffer.from(value), 3)).toBe(crc32c(Buffer.concat([key, value.subarray(3)])))
      }),
    )
    // The check value of the CRC catalogue.
    expect(checksum(Buffer.from('123456789'), Buffer.alloc(0), 0)).toBe(0xe3069283)
  })

  test('single events read back, whatever their headers and times', () => {
    const events = fc.array(
      fc.record({ body: fc.uint8Array({ maxLength: 200 }), headers: headerSets, deltaMs: fc.nat() }),
    )
    fc.assert(
      fc.property(events, (all) => {
        const builder = new BlockBuilder()
        for (const { body, headers, deltaMs } of all) {
          builder.addEvents([{ body, headers }], 0, 1, encodeHeaders(headers), deltaMs)
        }
        expect(decodeAll(builder.take(true))).toEqual(
          all.map(({ body, headers, deltaMs }) => ({
            body: Buffer.from(body).toString('latin1'),
            headers,
            timestampMs: 1_000 + deltaMs,
          })),
        )
      }),
    )
  })

  test('slices read back, whatever stands between them', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(slicedTexts, headerSets), { maxLength: 6 }), (parts) => {
        const builder = new BlockBuilder()
        for (const [slices, headers] of parts) builder.addSlices(slices, encodeHeaders(headers))
        expect(decodeAll(builder.take(true))).toEqual(
          parts.flatMap(([{ bytes, starts, ends, count }, headers]) =>
            Array.from({ length: count }, (_, i) => ({
              body: bytes.toString('latin1', starts[i], ends[i]),
              headers,
              timestampMs: 1_000,
            })),
          ),
        )
      }),
    )
  })

  test('events with headers of their own read back, mixed with others', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(slicedTexts, headerSets, fc.boolean()), { maxLength: 6 }), (parts) => {
        const builder = new BlockBuilder()
        for (const [slices, headers, isHeaded] of parts) {
          if (isHeaded) builder.addHeaded(headedEventsOf(dataOf(slices, headers)))
          else builder.addSlices(slices, encodeHeaders(headers))
        }
        expect(decodeAll(builder.take(true))).toEqual(
          parts.flatMap(([slices, headers]) =>
            dataOf(slices, headers).map(({ body }) => ({
              body: body.toString('latin1'),
              headers,
              timestampMs: 1_000,
            })),
          ),
        )
      }),
    )
  })

  test('many events are spread over blocks of about 64 KiB', () => {
    const builder = new BlockBuilder()
    const text = Buffer.from(`${'x'.repeat(99)}\n`.repeat(5_000))
    const starts = Uint32Array.from({ length: 5_000 }, (_, i) => i * 100)
    const ends = starts.map((start) => start + 99)
    builder.addSlices(
      { bytes: text, starts, ends, count: 5_000 },
      encodeHeaders([['content.type', 'text/plain']]),
    )
    const sizes = builder.take(true).map(({ bytes }) => bytes.length)
    expect(sizes.slice(0, -1).every((size) => size > 60_000 && size < 70_000)).toBe(true)
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(5_000 * 101 + 1_000)
  })

  test('large headers do not take most of the space', () => {
    const headers: EventHeaders = [['schema', 's'.repeat(200_000)]]
    const builder = new BlockBuilder()
    const all = Array.from({ length: 10_000 }, () => ({ body: Buffer.alloc(1_000), headers }))
    builder.addEvents(all, 0, all.length, encodeHeaders(headers))
    const blocks = builder.take(true)
    expect(blocks.reduce((sum, { bytes }) => sum + bytes.length, 0)).toBeLessThan(10_000_000 * 1.3)
    expect(decodeAll(blocks)).toHaveLength(10_000)
  })

  test.each([0, 1, 127, 128, 16_383, 16_384, 65_536, 3_000_000])(
    'a body of %i bytes reads back',
    (length) => {
      const builder = new BlockBuilder()
      const body = Buffer.alloc(length, 0xa5)
      builder.addEvents([{ body, headers: [] }], 0, 1, encodeHeaders([]))
      expect(decodeAll(builder.take(true)).map((event) => event.body.length)).toEqual([length])
    },
  )

  test('equal headers cost one byte after the first event', () => {
    const headers: EventHeaders = [['content.type', 'text/plain; charset=utf-8']]
    const size = (events: number) => {
      const builder = new BlockBuilder()
      const all = Array.from({ length: events }, () => ({ body: Buffer.from('body'), headers }))
      builder.addEvents(all, 0, events, encodeHeaders(headers))
      return builder.take(true)[0]!.bytes.length
    }
    expect(size(101) - size(1)).toBe(100 * 5)
  })

  test('no altered byte is served: any change anywhere, also of the key, is refused', () => {
    const builder = new BlockBuilder()
    const headers: EventHeaders = [['k', 'v']]
    builder.addEvents([{ body: Buffer.from('hello'), headers }], 0, 1, encodeHeaders(headers))
    builder.addEvents([{ body: Buffer.from('world'), headers: [] }], 0, 1, encodeHeaders([]), 5)
    const sealed = sealBlock(KEY, builder.take(true)[0]!.bytes)
    for (let at = 0; at < sealed.length; at++) {
      for (const bit of [1, 0x80]) {
        const altered = Buffer.from(sealed)
        altered[at]! ^= bit
        expect(() => decodeBlock(KEY, altered, 1_000, 0)).toThrow(
          expect.objectContaining({ code: 'corrupt' }),
        )
      }
    }
    for (let length = 0; length < sealed.length; length++) {
      const cut = sealed.subarray(0, length)
      expect(() => decodeBlock(KEY, cut, 1_000, 0)).toThrow(expect.objectContaining({ code: 'corrupt' }))
    }
    for (const key of [blockKey(2, 1_000, 0), blockKey(1, 1_001, 0), blockKey(1, 1_000, 1)]) {
      expect(() => decodeBlock(key, sealed, 1_000, 0)).toThrow(expect.objectContaining({ code: 'corrupt' }))
    }
  })

  test('bytes on disk are what docs/storage-format.md shows', () => {
    const builder = new BlockBuilder()
    const headers: EventHeaders = [['k', 'v']]
    const text = {
      bytes: Buffer.from('ab\ncd\n'),
      starts: Uint32Array.of(0, 3),
      ends: Uint32Array.of(2, 5),
      count: 2,
    }
    builder.addSlices(text, encodeHeaders(headers))
    builder.addEvents([{ body: Buffer.from('!'), headers }], 0, 1, encodeHeaders(headers), 200)
    const sealed = sealBlock(blockKey(1, 1_000, 0), builder.take(true)[0]!.bytes)
    expect(sealed.toString('hex')).toBe(
      '01' +
        'ecb033c2' +
        '03000000' +
        '00' +
        '06' +
        '01016b0176' +
        '02' +
        '01' +
        '0202' +
        '61620a6364' +
        'c801' +
        '00' +
        '01' +
        '00' +
        '01' +
        '21',
    )
  })
})

function dataOf({ bytes, starts, ends, count }: EventSlices, headers: EventHeaders) {
  return Array.from({ length: count }, (_, i) => ({
    body: Buffer.from(bytes.subarray(starts[i], ends[i])),
    headers,
  }))
}
