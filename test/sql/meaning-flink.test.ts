/** Types and refusals of the meaning of Flink, as a planner sees them. The answers of Flink: test/jobs/corpus. */
import { beforeAll, describe, expect, test } from 'vitest'
import { type DataType, printType } from '../../src/sql/data-types.ts'
import { castText, sinkCast } from '../../src/sql/flink-casts.ts'
import { isFlinkFunction } from '../../src/sql/functions.ts'
import { printTree, TreeProblem } from '../../src/sql/tree.ts'
import { TreeEngine } from './parsed.ts'

let engine: TreeEngine
beforeAll(async () => {
  engine = await TreeEngine.open()
})

describe('names and types of the columns of a query', () => {
  const queries = [
    { sql: 'SELECT * FROM u', columns: 'i INT, y SMALLINT' },
    { sql: 'SELECT u.*, d FROM t JOIN u ON t.i = u.i', columns: 'i INT, y SMALLINT, d DECIMAL(10, 2)' },
    { sql: 'SELECT * FROM u a JOIN u b USING (i)', columns: 'i INT, y SMALLINT, y0 SMALLINT' },
    { sql: 'SELECT i / 2, d * 2 AS d FROM t', columns: 'EXPR$0 INT, d DECIMAL(21, 2)' },
    { sql: 'WITH c(k) AS (SELECT AVG(d) FROM t) SELECT k + 1 AS n FROM c', columns: 'n DECIMAL(38, 6)' },
    { sql: 'SELECT y FROM u UNION ALL SELECT d FROM t', columns: 'y DECIMAL(10, 2)' },
    {
      sql: "SELECT a[1], m['k'], r.f, CARDINALITY(a) FROM t",
      columns: 'EXPR$0 BIGINT, EXPR$1 INT, f DATE, EXPR$3 INT',
    },
    {
      sql: "SELECT 'abc' AS c, NULL AS n, CURRENT_TIMESTAMP AS z",
      columns: 'c CHAR(3), n INT, z TIMESTAMP_LTZ(3)',
    },
    { sql: 'SELECT e.v FROM t CROSS JOIN UNNEST(t.a) AS e(v)', columns: 'v BIGINT' },
    { sql: 'SELECT (SELECT MAX(y) FROM u WHERE u.i = t.i) AS y FROM t', columns: 'y SMALLINT' },
    { sql: "SELECT CAST('4a' AS __hex) || CAST('00' AS __hex) AS b", columns: 'b BYTES' },
    { sql: 'VALUES (1, 2.5), (3, 4)', columns: 'col0 INT, col1 DECIMAL(11, 1)' },
  ]
  test.each(queries)('$sql', async ({ sql, columns }) => {
    const { tree, columns: got } = await engine.meaning(sql)
    expect(got.map(({ name, type }) => `${name} ${printType(type)}`).join(', ')).toBe(columns)
    expect(await engine.print(tree)).not.toBe('')
  })
})

describe('refusals name their place', () => {
  const refused = [
    { sql: 'SELECT nope FROM t', reason: "Column 'nope' not found in any table" },
    { sql: 'SELECT I FROM t', reason: "Column 'I' not found in any table; did you mean 'i'?" },
    { sql: 'SELECT i FROM t JOIN u ON TRUE', reason: "Column 'i' is ambiguous" },
    { sql: 'SELECT 1 FROM nope', reason: "Object 'nope' not found" },
    { sql: 'SELECT read_text(s) FROM t', reason: 'the function READ_TEXT is not supported here' },
    { sql: 'SELECT flink_nonzero(i) FROM t', reason: 'the function FLINK_NONZERO is not supported here' },
    { sql: 'SELECT row_number() FROM t', reason: 'ROW_NUMBER needs OVER' },
    { sql: 'SELECT s + 1 FROM t', reason: "Cannot apply '+' to STRING and INT" },
    {
      sql: 'SELECT CAST(ts AS BIGINT) FROM t',
      reason: 'Cast function cannot convert value of type TIMESTAMP(3) to type BIGINT',
    },
    {
      sql: 'SELECT DATE_FORMAT(ts, s) FROM t',
      reason: 'the pattern of DATE_FORMAT must be a text in single quotes here',
    },
    {
      sql: "SELECT DATE_FORMAT(ts, 'yyyy-ww') FROM t",
      reason:
        "the letters 'ww' of the pattern 'yyyy-ww' are not supported here; use yyyy, MM, dd, HH, hh, mm, ss, SSS, SSSSSS, a",
    },
    {
      sql: "SELECT REGEXP_EXTRACT(s, '(?<=a)b') FROM t",
      reason:
        "the regular expression '(?<=a)b' needs look-around, back references or possessive quantifiers, which are not supported here",
    },
    {
      sql: "SELECT JSON_VALUE(s, '$.a[*]') FROM t",
      reason: "the JSON path '$.a[*]' is not supported here; use $, .name, ['name'] and [0]",
    },
    { sql: 'SELECT i = s FROM t', reason: 'INT and STRING cannot be compared; cast one of them' },
    {
      sql: 'SELECT COALESCE(i, s) FROM t',
      reason: 'INT and STRING have no type in common; cast them to one type',
    },
    { sql: 'SELECT 1 FROM t WHERE i', reason: 'a condition must be BOOLEAN, not INT' },
    { sql: 'SELECT LPAD(s, 3) FROM t', reason: 'LPAD has 3 arguments, not 2' },
  ]
  test.each(refused)('$sql', async ({ sql, reason }) => {
    const problem = await engine.meaning(sql).catch((error: unknown) => error)
    expect(problem).toBeInstanceOf(TreeProblem)
    expect((problem as TreeProblem).message).toBe(reason)
    expect((problem as TreeProblem).location).toBeLessThan(sql.length)
  })
})

test('ORDER BY puts NULL first ascending and last descending', async () => {
  const { tree } = await engine.meaning('SELECT i, d FROM t ORDER BY i, d DESC, x NULLS LAST')
  expect(await engine.print(tree)).toMatch(/ORDER BY i NULLS FIRST, d DESC NULLS LAST, x NULLS LAST$/)
})

test('a DOUBLE without digits after the point stays one', async () => {
  const { tree, columns } = await engine.meaning('SELECT 1e0 / 3, 2.5e0')
  expect(columns.map(({ type }) => type.kind)).toEqual(['DOUBLE', 'DOUBLE'])
  expect(await engine.rows(await engine.print(tree))).toEqual([[1 / 3, 2.5]])
})

const nested = [
  { name: 'NULLIF', wrap: (inner: string) => `NULLIF(${inner}, 1)` },
  { name: 'division', wrap: (inner: string) => `(1 / ${inner})` },
  { name: 'DECIMAL division', wrap: (inner: string) => `(1.5 / ${inner})` },
  { name: 'UNIX_TIMESTAMP', wrap: (inner: string) => `UNIX_TIMESTAMP(CAST(${inner} AS STRING))` },
  { name: 'GREATEST', wrap: (inner: string) => `GREATEST(${inner}, 2)` },
  { name: 'CAST', wrap: (inner: string) => `CHAR_LENGTH(CAST(CAST(${inner} AS DOUBLE) AS STRING))` },
]
test.each(nested)('the size of nested calls of $name is linear', async ({ wrap }) => {
  const size = async (depth: number) => {
    let expression = 'i'
    for (let n = 0; n < depth; n += 1) expression = wrap(expression)
    const { tree } = await engine.meaning(`SELECT ${expression} FROM t`)
    return printTree(tree).length
  }
  expect(await size(20)).toBeLessThan(2.5 * (await size(10)))
})

describe('casts to columns of sinks', () => {
  const DECIMAL: DataType = { kind: 'DECIMAL', precision: 5, scale: 2 }
  const ltz: DataType = { kind: 'TIMESTAMP_LTZ', precision: 3 }
  const ts6: DataType = { kind: 'TIMESTAMP', precision: 6 }
  const pairs: readonly { from: DataType; to: DataType; sql: string | undefined }[] = [
    { from: { kind: 'INT' }, to: { kind: 'INT' }, sql: 'c0' },
    { from: { kind: 'INT' }, to: { kind: 'BIGINT' }, sql: 'CAST(c0 AS BIGINT)' },
    { from: { kind: 'BIGINT' }, to: { kind: 'INT' }, sql: undefined },
    { from: { kind: 'DOUBLE' }, to: { kind: 'FLOAT' }, sql: undefined },
    { from: DECIMAL, to: { kind: 'FLOAT' }, sql: 'CAST(c0 AS FLOAT)' },
    { from: DECIMAL, to: { kind: 'DOUBLE' }, sql: 'CAST(c0 AS DOUBLE)' },
    { from: { kind: 'INT' }, to: DECIMAL, sql: 'TRY_CAST(c0 AS DECIMAL(5,2))' },
    { from: { kind: 'CHAR', length: 3 }, to: { kind: 'STRING' }, sql: 'c0' },
    { from: { kind: 'INT' }, to: { kind: 'STRING' }, sql: undefined },
    { from: { kind: 'STRING' }, to: { kind: 'INT' }, sql: undefined },
    { from: ts6, to: { kind: 'TIMESTAMP', precision: 3 }, sql: 'flink_truncate_timestamp(c0, 1000)' },
    { from: ltz, to: ts6, sql: 'CAST(c0 AS TIMESTAMP)' },
    { from: ts6, to: ltz, sql: 'flink_truncate_ltz(CAST(c0 AS TIMESTAMPTZ), 1000)' },
    { from: ts6, to: { kind: 'DATE' }, sql: 'CAST(c0 AS DATE)' },
    { from: { kind: 'DATE' }, to: ts6, sql: undefined },
    { from: { kind: 'BOOLEAN' }, to: { kind: 'INT' }, sql: undefined },
    {
      from: { kind: 'ARRAY', element: { kind: 'INT' } },
      to: { kind: 'ARRAY', element: { kind: 'INT' } },
      sql: 'c0',
    },
  ]
  test.each(pairs)('$from to $to', ({ from, to, sql }) => {
    const steps = sinkCast(from, to)
    expect(steps && castText('c0', steps)).toBe(sql)
  })
})

test('functions are those that are listed, in any case', () => {
  for (const name of ['CONCAT', 'concat', 'count_star', '~~', 'date_part', 'ROW_NUMBER', 'to_seconds'])
    expect(isFlinkFunction(name), name).toBe(true)
  for (const name of ['read_csv', 'getenv', 'constructor', '__proto__', 'flink_nonzero', 'query', 'range'])
    expect(isFlinkFunction(name), name).toBe(false)
})
