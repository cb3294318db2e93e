/** Values of Flink's types in columns of DuckDB: stored by a TableWriter, converted by SQL, read from vectors. */
import * as duckdb from '@duckdb/node-api'
import bindings from '@duckdb/node-bindings'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { storedName } from '../../src/duckdb/column-types.ts'
import { openLocked } from '../../src/duckdb/locked-instance.ts'
import type { OpenInstance } from '../../src/duckdb/open-instance.ts'
import { columnTypeOf, storedValue } from '../../src/duckdb/row-columns.ts'
import { TableWriter } from '../../src/duckdb/table-writer.ts'
import { chunkValues } from '../../src/duckdb/vector-values.ts'
import type { Value } from '../../src/formats/record-reader.ts'
import { type DataType, duckdbType } from '../../src/sql/data-types.ts'
import { simpleTypes, types, valuesOf } from '../support/row-values.ts'

let engine: { connection: duckdb.DuckDBConnection; instance: OpenInstance }

beforeAll(async () => {
  engine = await openLocked(
    duckdb,
    { memoryBytes: 256 * 2 ** 20, diskBytes: 0, spillFolder: '' },
    async () => undefined,
    [],
  )
})

afterAll(async () => {
  engine.connection.closeSync()
  await engine.instance.close()
})

async function throughTable(type: DataType, values: readonly Value[]): Promise<Value[]> {
  const { connection, instance } = engine
  const stored = columnTypeOf(type)
  await connection.run(`CREATE OR REPLACE TABLE t (n BIGINT, c ${storedName(stored)})`)
  const writer = await TableWriter.open(
    { duckdb, bindings, connect: () => instance.connect() },
    { schema: 'main', table: 't' },
    ['BIGINT', stored],
  )
  for (const [n, value] of values.entries()) {
    writer.columns[0]!.set(writer.row, n)
    writer.columns[1]!.set(writer.row, value)
    writer.endRow()
  }
  writer.flush()
  writer.close()
  const result = await connection.run(
    `SELECT CAST(${storedValue(type, 'c')} AS ${duckdbType(type)}) FROM t ORDER BY n`,
  )
  const read: Value[] = []
  for (;;) {
    const chunk = await result.fetchChunk()
    if (chunk === null || chunk.rowCount === 0) return read
    read.push(...chunkValues(bindings, chunk, [type])[0]!)
  }
}

const columns = (anyType: fc.Arbitrary<DataType>) =>
  anyType.chain((type) => fc.tuple(fc.constant(type), fc.array(valuesOf(type), { maxLength: 20 })))

test('values of simple types return unchanged', async () => {
  await fc.assert(
    fc.asyncProperty(columns(simpleTypes), async ([type, values]) => {
      expect(await throughTable(type, values)).toEqual(values)
    }),
    { numRuns: 100 },
  )
})

test('values of nested types return unchanged', async () => {
  await fc.assert(
    fc.asyncProperty(columns(types), async ([type, values]) => {
      expect(await throughTable(type, values)).toEqual(values.map((value) => withoutNegativeZero(value)))
    }),
    { numRuns: 150 },
  )
})

/** JSON text of a nested value has no negative zero. */
function withoutNegativeZero(value: Value): Value {
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, withoutNegativeZero(item)]))
  if (Array.isArray(value)) return value.map((item) => withoutNegativeZero(item))
  return value === 0 ? expect.closeTo(0) : value
}

test('more rows than a vector has', async () => {
  const values = Array.from({ length: 5000 }, (_, n) => (n % 3 === 0 ? null : `value ${n} with some length`))
  expect(await throughTable({ kind: 'STRING' }, values)).toEqual(values)
})
