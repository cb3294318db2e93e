/** Trees survive reading and writing with all their digits. */
import { beforeAll, expect, test } from 'vitest'
import { parseTree, printTree } from '../../src/sql/tree.ts'
import { TreeEngine } from './parsed.ts'

let engine: TreeEngine
beforeAll(async () => {
  engine = await TreeEngine.open()
})

const statements = [
  'SELECT 9223372036854775807, -9223372036854775808',
  'SELECT 1e300, 1e-7, 0.5, 170141183460469231731687303715884105727',
  `SELECT 'query_location":18446744073709551615,"', '{"exactDigits":"1"}' AS "1234567890123456789"`,
  'SELECT TRY(CAST(s AS INTEGER)), CASE WHEN (i = 1) THEN (2) ELSE NULL END FROM t',
]

test.each(statements)('%s is written as it was read', async (sql) => {
  const printed = await engine.print(await engine.parse(sql))
  expect(await engine.print(await engine.parse(printed))).toBe(printed)
  if (!sql.includes(' FROM ')) expect(await engine.rows(printed)).toEqual(await engine.rows(sql))
})

test('a place that is no whole number of JavaScript is dropped, others stay', () => {
  const json = '{"a":{"query_location":18446744073709551615,"x":1},"b":{"query_location":7}}'
  expect(parseTree(json)).toEqual({ a: { x: 1 }, b: { query_location: 7 } })
})

test('a number beyond 2^53 is written with its digits', () => {
  expect(printTree(parseTree('{"value":9223372036854775807,"other":2.0}'))).toContain(
    '{"value":9223372036854775807,"other":2.0}',
  )
})
