/** Types of computed columns, and checks of watermarks: places are in the schema. */
import duckdb from '@duckdb/node-api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Planner } from '../../../src/jobs/plan/planner.ts'
import { printType } from '../../../src/sql/data-types.ts'
import { parseTableSchema } from '../../../src/sql/table-schema.ts'

let planner: Planner
beforeAll(async () => {
  planner = await Planner.open(duckdb)
})
afterAll(() => planner.close())

async function typesOf(schemaSql: string): Promise<string> {
  const columns = await planner.typesOf(schemaSql, parseTableSchema(schemaSql))
  return columns.map(({ name, type }) => `${name} ${printType(type)}`).join(', ')
}

const typed: readonly (readonly [schemaSql: string, types: string])[] = [
  ['a INT, b STRING', 'a INT, b STRING'],
  ['a INT, p AS PROCTIME()', 'a INT, p TIMESTAMP_LTZ(3)'],
  [
    "ms BIGINT, t AS TO_TIMESTAMP_LTZ(ms, 3), WATERMARK FOR t AS t - INTERVAL '1' SECOND",
    'ms BIGINT, t TIMESTAMP_LTZ(3)',
  ],
  ['a INT, A STRING, b AS a + 1, c AS UPPER(A)', 'a INT, A STRING, b INT, c STRING'],
  ["a INT, o BIGINT METADATA FROM 'offset' VIRTUAL, b AS o + a", 'a INT, o BIGINT, b BIGINT'],
  ['t TIMESTAMP(3), WATERMARK FOR t AS t', 't TIMESTAMP(3)'],
  ['s STRING, t AS CAST(s AS TIMESTAMP(3)), WATERMARK FOR t AS t', 's STRING, t TIMESTAMP(3)'],
]

test.each(typed)('%s', async (schemaSql, types) => {
  expect(await typesOf(schemaSql)).toBe(types)
})

const refused: readonly (readonly [schemaSql: string, message: string])[] = [
  ['a INT,\n b AS c + 1', "column 'c' does not exist; the columns are a at line 2, column 7"],
  ['a INT, b AS a + 1, c AS b + 1', "column 'b' does not exist; the columns are a at line 1, column 25"],
  [
    'a INT, b AS foo(a)',
    "function 'FOO' is not supported at line 1, column 13; run this job on a Flink cluster",
  ],
  ['a INT, b AS COUNT(a)', 'the expression of a column takes no aggregates at line 1, column 13'],
  ['a INT, b AS (SELECT 1)', 'a sub-query is not allowed in the expression of a column at line 1, column 13'],
  ['a INT, b AS a + ', "expected an expression after 'AS' at line 1, column 15"],
]

test.each(refused)('%s', async (schemaSql, message) => {
  const refusal = await typesOf(schemaSql).catch((error: Error) => error.message)
  if (schemaSql.endsWith('+ ')) expect(refusal).toMatch(/ at line 1, column \d+$/)
  else expect(refusal).toBe(message)
})

test('a watermark has a column and an expression of the same kind', async () => {
  expect(await typesOf('a INT, WATERMARK FOR a AS a').catch((error: Error) => error.message)).toMatch(
    /TIMESTAMP.* at line 1, column \d+$/,
  )
  expect(
    await typesOf('t TIMESTAMP(3), a INT, WATERMARK FOR t AS a').catch((error: Error) => error.message),
  ).toMatch(
    /^the expression of WATERMARK must be TIMESTAMP\(3\) as its column, it is INT at line 1, column \d+$/,
  )
})
