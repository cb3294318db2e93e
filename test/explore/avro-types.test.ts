/**
 * Files of Avro whose own schema is set on their stream: every type is a column, and rows are what avsc decodes. The streams are of one service.
 */
import avsc from 'avsc'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { avroFile } from '../decoders/avro-file.ts'
import { answered, rowsOf } from '../support/explore.ts'
import { STREAMS, startTestApp } from '../support/test-app.ts'

const AVRO = { 'Content-Type': 'avro/binary' }

let app: Awaited<ReturnType<typeof startTestApp>>
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.stop())

async function setSchema(stream: string, schema: unknown): Promise<void> {
  const body = JSON.stringify({ format: { name: 'avro', schema } })
  const set = await app.put(`${STREAMS}/${stream}/properties`, { body })
  expect([set.status, set.text]).toEqual([200, ''])
}

async function upload(stream: string, schema: unknown, records: readonly unknown[]): Promise<void> {
  const type = avsc.Type.forSchema(schema as avsc.Schema, { wrapUnions: false })
  const data = Buffer.concat(records.map((record) => type.toBuffer(record)))
  const body = avroFile({ schema, blocks: [{ count: records.length, data }] })
  const batch = await app.post(`${STREAMS}/${stream}/batch`, { headers: AVRO, body })
  expect([batch.status, batch.text]).toEqual([200, ''])
}

const bytes = (hex: string) => Buffer.from(hex, 'hex')
const decimal = (precision: number, scale: number) => ({
  type: 'bytes',
  logicalType: 'decimal',
  precision,
  scale,
})
const fixed = (name: string, size: number, more: object = {}) => ({ type: 'fixed', name, size, ...more })
const int = (logicalType: string) => ({ type: 'int', logicalType })
const long = (logicalType: string) => ({ type: 'long', logicalType })
const ORDER_DAY = 19_782 // 2024-02-29
const NOON_MS = 1_709_208_000_123 // 2024-02-29T12:00:00.123Z

/** How a value of a type is written, and what SQL says of it as a text; the type is that of the column. */
const types: { type: unknown; value: unknown; column: string; text: string }[] = [
  { type: decimal(4, 2), value: bytes('fb2e'), column: 'DECIMAL(4,2)', text: '-12.34' },
  { type: decimal(9, 0), value: bytes('3b9ac9ff'), column: 'DECIMAL(9,0)', text: '999999999' },
  { type: decimal(9, 2), value: bytes('00'), column: 'DECIMAL(9,2)', text: '0.00' },
  {
    type: decimal(18, 4),
    value: bytes('f21f494c589c0001'),
    column: 'DECIMAL(18,4)',
    text: '-99999999999999.9999',
  },
  {
    type: decimal(38, 10),
    value: bytes('4b3b4ca85a86c47a098a223fffffffff'),
    column: 'DECIMAL(38,10)',
    text: '9999999999999999999999999999.9999999999',
  },
  {
    type: decimal(38, 0),
    value: bytes('b4c4b357a5793b85f675ddc000000001'),
    column: 'DECIMAL(38,0)',
    text: '-99999999999999999999999999999999999999',
  },
  { type: decimal(40, 2), value: bytes('0123'), column: 'STRING', text: '2.91' },
  {
    type: fixed('price', 8, { logicalType: 'decimal', precision: 12, scale: 3 }),
    value: bytes('ffffffffffffff85'),
    column: 'DECIMAL(12,3)',
    text: '-0.123',
  },
  { type: int('date'), value: ORDER_DAY, column: 'DATE', text: '2024-02-29' },
  { type: int('date'), value: -1, column: 'DATE', text: '1969-12-31' },
  { type: int('date'), value: -719_162, column: 'DATE', text: '0001-01-01' },
  { type: int('date'), value: 2_932_896, column: 'DATE', text: '9999-12-31' },
  { type: int('time-millis'), value: 86_399_999, column: 'STRING', text: '23:59:59.999' },
  { type: int('time-millis'), value: 0, column: 'STRING', text: '00:00:00.000' },
  { type: long('time-micros'), value: 3_600_000_001, column: 'STRING', text: '01:00:00.000001' },
  { type: long('timestamp-millis'), value: NOON_MS, column: 'TIMESTAMP', text: '2024-02-29 12:00:00.123' },
  { type: long('timestamp-millis'), value: -1, column: 'TIMESTAMP', text: '1969-12-31 23:59:59.999' },
  {
    type: long('timestamp-micros'),
    value: NOON_MS * 1000 + 456,
    column: 'TIMESTAMP',
    text: '2024-02-29 12:00:00.123456',
  },
  {
    type: long('timestamp-nanos'),
    value: 1_000_000_001,
    column: 'TIMESTAMP',
    text: '1970-01-01 00:00:01.000000001',
  },
  {
    type: long('local-timestamp-millis'),
    value: NOON_MS,
    column: 'TIMESTAMP',
    text: '2024-02-29 12:00:00.123',
  },
  {
    type: long('local-timestamp-micros'),
    value: -1,
    column: 'TIMESTAMP',
    text: '1969-12-31 23:59:59.999999',
  },
  {
    type: long('local-timestamp-nanos'),
    value: -1,
    column: 'TIMESTAMP',
    text: '1969-12-31 23:59:59.999999999',
  },
  { type: { type: 'string', logicalType: 'uuid' }, value: 'any', column: 'STRING', text: 'any' },
  {
    type: fixed('id', 16, { logicalType: 'uuid' }),
    value: bytes('123e4567e89b12d3a456426614174000'),
    column: 'STRING',
    text: '123e4567-e89b-12d3-a456-426614174000',
  },
  { type: fixed('two', 2), value: bytes('4142'), column: 'BINARY', text: 'AB' },
  {
    type: { type: 'enum', name: 'suit', symbols: ['HEARTS', 'SPADES'], default: 'HEARTS' },
    value: 'SPADES',
    column: 'STRING',
    text: 'SPADES',
  },
  { type: ['null', int('date')], value: ORDER_DAY, column: 'DATE', text: '2024-02-29' },
  { type: [decimal(4, 2), 'null'], value: bytes('01'), column: 'DECIMAL(4,2)', text: '0.01' },
  // Logical types that mean nothing: what is underneath counts.
  { type: { type: 'string', logicalType: 'date' }, value: 'x', column: 'STRING', text: 'x' },
  { type: int('timestamp-millis'), value: 7, column: 'INT', text: '7' },
  { type: long('nope'), value: 7, column: 'BIGINT', text: '7' },
  { type: decimal(2, 3), value: bytes('41'), column: 'BINARY', text: 'A' },
  {
    type: fixed('small', 1, { logicalType: 'decimal', precision: 3 }),
    value: bytes('41'),
    column: 'BINARY',
    text: 'A',
  },
  {
    type: fixed('twelve', 12, { logicalType: 'duration' }),
    value: Buffer.from('months days!'),
    column: 'BINARY',
    text: 'months days!',
  },
  // Nested ones are struct, array and map of the same types.
  {
    type: { type: 'array', items: int('date') },
    value: [0, ORDER_DAY],
    column: 'array<date>',
    text: '[1970-01-01, 2024-02-29]',
  },
  {
    type: { type: 'map', values: decimal(38, 2) },
    value: { a: bytes('7fffffffffffffff') },
    column: 'map<string,decimal(38,2)>',
    text: '{a=92233720368547758.07}',
  },
  {
    type: {
      type: 'record',
      name: 'inner',
      fields: [
        { name: 'at', type: long('timestamp-micros') },
        { name: 'ns', type: long('timestamp-nanos') },
        { name: 'clock', type: ['null', int('time-millis')] },
        { name: 'day', type: ['null', int('date')] },
        { name: 'none', type: { type: 'record', name: 'empty', fields: [] } },
      ],
    },
    value: { at: 1, ns: 2, clock: 3, day: null, none: {} },
    column: 'struct<at:timestamp,ns:timestamp,clock:string,day:date,none:string>',
    text: "{'at': '1970-01-01 00:00:00.000001', 'ns': '1970-01-01 00:00:00.000000002', 'clock': '00:00:00.003', 'day': NULL, 'none': '{}'}",
  },
]

let streams = 0

test.each(types)('$type is $column, and $value is $text', async ({ type, value, column, text }) => {
  const stream = `s${++streams}`
  expect((await app.put(`${STREAMS}/${stream}`)).status).toBe(200)
  const schema = {
    type: 'record',
    name: 'Row',
    namespace: 'shop.v1',
    fields: [
      { name: 'before', type: 'int' },
      { name: 'f', type },
      { name: 'behind', type: 'string' },
    ],
  }
  await setSchema(stream, schema)
  await upload(stream, schema, [
    { before: 1, f: value, behind: 'x' },
    { before: 2, f: value, behind: 'y' },
  ])
  const { columns, state } = await answered(app, `SELECT f FROM stream_${stream}`)
  expect(state.badEvents).toBeUndefined()
  expect(columns).toEqual([`f ${column}`])
  expect(
    await rowsOf(app, `SELECT before, f::VARCHAR, behind FROM stream_${stream} ORDER BY before`),
  ).toEqual([
    [1, text, 'x'],
    [2, text, 'y'],
  ])
})
