/** What is sent in batches is what it says it is: as many events, of the right length, well formed. */
import { Readable } from 'node:stream'
import { crc32 } from 'node:zlib'
import avsc from 'avsc'
import { parse } from 'csv-parse/sync'
import { uncompressSync } from 'snappy'
import { expect, test } from 'vitest'
import { AVRO_SCHEMA } from '../../bench/events/avro-events.ts'
import {
  type BodyKind,
  eventBytesOf,
  lengthOf,
  POOL_EVENTS,
  piecesOf,
  uploadBody,
} from '../../bench/events/upload-body.ts'

const KINDS: readonly BodyKind[] = ['text', 'csv', 'csv-quotes', 'log-lines', 'avro']

test.each(KINDS)('%s has the length it says', async (kind) => {
  const body = await uploadBody(kind)
  const sent = [...piecesOf(body, 2 * POOL_EVENTS)].reduce((sum, { length }) => sum + length, 0)
  expect(lengthOf(body, 2 * POOL_EVENTS)).toBe(sent)
  expect(() => lengthOf(body, 1)).toThrow(RangeError)
})

test.each(['text', 'csv'] as const)('%s has lines of 100 bytes', async (kind) => {
  const lines = text(await uploadBody(kind)).split('\n')
  expect(lines.pop()).toBe('')
  expect(new Set(lines.map(({ length }) => length))).toEqual(new Set([100]))
  expect(lines).toHaveLength(POOL_EVENTS)
})

test('CSV with quotes has records of 100 bytes whose fields hold commas, quotes and line ends', async () => {
  const body = await uploadBody('csv-quotes')
  const records = parse(text(body), { raw: true }) as unknown as { raw: string; record: string[] }[]
  expect(records).toHaveLength(POOL_EVENTS)
  expect(new Set(records.map(({ raw }) => raw.length))).toEqual(new Set([101]))
  expect(eventBytesOf(body, POOL_EVENTS)).toBe(POOL_EVENTS * 100)
  for (const inside of [',', '"', '\n'])
    expect(records.filter(({ record }) => record[1]!.includes(inside)).length).toBeGreaterThan(
      POOL_EVENTS / 10,
    )
})

test('the Avro file can be read, also with its blocks repeated', async () => {
  const body = await uploadBody('avro')
  const type = avsc.Type.forSchema(AVRO_SCHEMA as unknown as avsc.Schema)
  const codecs = {
    snappy: (block: Buffer, done: (error: Error | null, data?: Buffer) => void) => {
      const data = uncompressSync(block.subarray(0, -4)) as Buffer
      done(crc32(data) === block.readUInt32BE(block.length - 4) ? null : new Error('checksum'), data)
    },
  }
  const decoder = new avsc.streams.BlockDecoder({ codecs } as object)
  let count = 0
  let bytes = 0
  for await (const reading of Readable.from(piecesOf(body, 2 * POOL_EVENTS)).pipe(decoder)) {
    count++
    bytes += type.toBuffer(reading).length
  }
  expect({ count, bytes }).toEqual({ count: 2 * POOL_EVENTS, bytes: eventBytesOf(body, 2 * POOL_EVENTS) })
  expect(bytes / count).toBeGreaterThan(90)
  expect(bytes / count).toBeLessThan(110)
})

function text(body: { readonly pool: Buffer }): string {
  return body.pool.toString('latin1')
}
