/**
 * Types and cells that the JDBC driver of CDAP 4.1.1 reads: it knows a type by how its name begins, takes decimals, dates and
 * timestamps from texts (BigDecimal, Date.valueOf, Timestamp.valueOf), and whole numbers from numbers.
 */
import { describe, expect, test } from 'vitest'
import { answered, ended, handleOf, QUERIES } from '../support/explore.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const KNOWN_TYPE =
  /^(?:STRING|BOOLEAN|TINYINT|SMALLINT|INT|BIGINT|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|BINARY|DATE|TIMESTAMP|map<.*>|array<.*>|struct<.*>)$/

async function appWithNumbers(): Promise<TestApp> {
  const app = await testApp({ streams: ['s'] })
  const fields = ['i:int', 'l:long', 'd:double', 't:string'].map((field) => {
    const [name, type] = field.split(':')
    return { name, type }
  })
  const schema = { type: 'record', name: 'e', fields }
  await app.put(`${STREAMS}/s/properties`, { body: JSON.stringify({ format: { name: 'csv', schema } }) })
  const body = '3,4,0.5,a\n5,6,1.5,b'
  await app.post(`${STREAMS}/s/batch`, { headers: { 'Content-Type': 'text/plain' }, body })
  return app
}

/** An expression over `stream_s`, its type, and its cell as JSON text. */
const EXPRESSIONS: readonly (readonly [expression: string, type: string, cell: string])[] = [
  ['sum(i)', 'BIGINT', '8'],
  ['sum(l)', 'BIGINT', '10'],
  ['sum(i + l)', 'BIGINT', '18'],
  ['sum(i * 1000000)', 'BIGINT', '8000000'],
  ['sum(ts)', 'BIGINT', '2000000'],
  ['sum(true::INT)', 'BIGINT', '2'],
  ['sum(DISTINCT i)', 'BIGINT', '8'],
  ['sum(i) FILTER (WHERE i > 100)', 'BIGINT', 'null'],
  ['sum(i) + 1', 'BIGINT', '9'],
  ['(SELECT sum(i) OVER () FROM stream_s LIMIT 1)', 'BIGINT', '8'],
  ['sum(d)', 'DOUBLE', '2'],
  ['avg(i)', 'DOUBLE', '4'],
  ['avg(i::DECIMAL(10,2))', 'DOUBLE', '4'],
  ['sum(i::DECIMAL(10,2))', 'DECIMAL(38,2)', '"8.00"'],
  ['sum(i)::DECIMAL(38,0)', 'DECIMAL(38,0)', '"8"'],
  ['count(*)', 'BIGINT', '2'],
  ['count(DISTINCT t)', 'BIGINT', '2'],
  ['max(i)', 'INT', '5'],
  ['max(i) / 2', 'DOUBLE', '2.5'],
  ['max(i) // 2', 'INT', '2'],
  ['9223372036854775807', 'BIGINT', '9223372036854775807'],
  ['-9223372036854775808', 'BIGINT', '-9223372036854775808'],
  ['1.5', 'DECIMAL(2,1)', '"1.5"'],
  ['1.50 + 1', 'DECIMAL(13,2)', '"2.50"'],
  ['1e3', 'DOUBLE', '1000'],
  ['NULL', 'INT', 'null'],
  ['NULL::DECIMAL(4,1)', 'DECIMAL(4,1)', 'null'],
  ['1::TINYINT', 'TINYINT', '1'],
  ['1::UTINYINT', 'SMALLINT', '1'],
  ['1::SMALLINT', 'SMALLINT', '1'],
  ['1::USMALLINT', 'INT', '1'],
  ['1::UINTEGER', 'BIGINT', '1'],
  ['18446744073709551615::UBIGINT', 'DECIMAL(20,0)', '"18446744073709551615"'],
  ['sum(1::UBIGINT)', 'BIGINT', '2'],
  ['1::UHUGEINT', 'DECIMAL(38,0)', '"1"'],
  ['hash(1) > 0', 'BOOLEAN', 'true'],
  ['1.5::FLOAT', 'FLOAT', '1.5'],
  ["DATE '2024-02-29'", 'DATE', '"2024-02-29"'],
  ["TIMESTAMP '2024-02-29 01:02:03'", 'TIMESTAMP', '"2024-02-29 01:02:03"'],
  ["TIMESTAMP '2024-02-29 01:02:03.25'", 'TIMESTAMP', '"2024-02-29 01:02:03.25"'],
  ["'2024-02-29 01:02:03'::TIMESTAMP_S", 'TIMESTAMP', '"2024-02-29 01:02:03"'],
  ["'2024-02-29 01:02:03.5'::TIMESTAMP_MS", 'TIMESTAMP', '"2024-02-29 01:02:03.5"'],
  ["'2024-02-29 01:02:03.123456789'::TIMESTAMP_NS", 'TIMESTAMP', '"2024-02-29 01:02:03.123456789"'],
  ["TIMESTAMPTZ '2024-02-29 01:02:03+01'", 'TIMESTAMP', '"2024-02-29 00:02:03"'],
  ['epoch_ms(0)', 'TIMESTAMP', '"1970-01-01 00:00:00"'],
  ["TIME '01:02:03'", 'STRING', '"01:02:03"'],
  ["'01:02:03+02'::TIMETZ", 'STRING', '"01:02:03+02"'],
  ['INTERVAL 36 HOUR', 'STRING', '"36:00:00"'],
  ["DATE '2024-03-01' - TIMESTAMP '2024-02-29 00:00:00'", 'STRING', '"1 day"'],
  ["'00000000-0000-0000-0000-000000000001'::UUID", 'STRING', '"00000000-0000-0000-0000-000000000001"'],
  ["'101'::BIT", 'STRING', '"101"'],
  ["'up'::ENUM('up', 'down')", 'STRING', '"up"'],
  ['union_value(n := 1)', 'STRING', '"1"'],
  ['\'{"a":1}\'::JSON', 'STRING', '"{\\"a\\":1}"'],
  ["'a' || max(t)", 'STRING', '"ab"'],
  ['true', 'BOOLEAN', 'true'],
  ['[sum(i)]', 'array<bigint>', '"[8]"'],
  ['list(i ORDER BY i)', 'array<int>', '"[3,5]"'],
  ["[TIME '01:02:03']", 'array<string>', '"[\\"01:02:03\\"]"'],
  ['[1.5]', 'array<decimal(2,1)>', '"[1.5]"'],
  ['[1, 2]::INTEGER[2]', 'array<int>', '"[1,2]"'],
  [
    "{'s': sum(i), 'a b': INTERVAL 1 DAY}",
    'struct<s:bigint,a b:string>',
    '"{\\"s\\":8,\\"a b\\":\\"1 day\\"}"',
  ],
  ["MAP {'k': sum(i)}", 'map<string,bigint>', '"{\\"k\\":8}"'],
  ['row(1, max(t))', 'struct<col1:int,col2:string>', '"{\\"col1\\":1,\\"col2\\":\\"b\\"}"'],
  ['histogram(t)', 'map<string,decimal(20,0)>', '"{\\"a\\":1,\\"b\\":1}"'],
]

test('the driver knows every type and can read its cells', async () => {
  const app = await appWithNumbers()
  for (const [expression, type, cell] of EXPRESSIONS) {
    const handle = await handleOf(app, `SELECT ${expression} AS x FROM stream_s`)
    expect((await ended(app, handle)).status, expression).toBe('FINISHED')
    const schema = (await app.get(`${QUERIES}/${handle}/schema`)).text
    expect(schema, expression).toBe(JSON.stringify([{ name: 'x', type, position: 1 }]))
    expect(type).toMatch(KNOWN_TYPE)
    const page = await app.post(`${QUERIES}/${handle}/next`, { body: '{"size":"1"}' })
    expect(page.text, expression).toBe(`[{"columns":[${cell}]}]`)
    await app.delete(`${QUERIES}/${handle}`)
  }
  expect(app.reported).toEqual([])
})

describe('a whole number beyond a BIGINT', () => {
  test.each([
    'sum(9223372036854775807)',
    'sum(i * 4000000000000000000::HUGEINT)',
    '-9223372036854775809',
    '[sum(9223372036854775807)]',
    '340282366920938463463374607431768211455::UHUGEINT',
  ])('%s ends the query, and says what to do', async (expression) => {
    const app = await appWithNumbers()
    const state = await ended(app, await handleOf(app, `SELECT ${expression} FROM stream_s`))
    expect(state).toMatchObject({ status: 'ERROR', sqlState: '22000' })
    expect(state.errorMessage).toMatch(
      /is beyond a BIGINT, .*sum\(n\)::DECIMAL\(38,0\)|out of range|to DECIMAL\(38,0\)/,
    )
  })

  test('is exact as a decimal', async () => {
    const app = await appWithNumbers()
    const sql = 'SELECT sum(9223372036854775807)::DECIMAL(38,0) AS total FROM stream_s'
    const { columns, rows } = await answered(app, sql)
    expect([columns, rows]).toEqual([['total DECIMAL(38,0)'], [['18446744073709551614']]])
  })
})

test('the order of rows stays if values are cast', async () => {
  const app = await appWithNumbers()
  const sql = 'SELECT t, sum(i) AS s FROM stream_s GROUP BY t ORDER BY s DESC -- the largest first'
  expect((await answered(app, sql)).rows).toEqual([
    ['b', 5],
    ['a', 3],
  ])
})
