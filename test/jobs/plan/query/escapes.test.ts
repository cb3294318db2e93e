/** Nothing of DuckDB can be reached but what PostgreSQL has and the list of functions allows. */
import duckdb from '@duckdb/node-api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { postgresFunction } from '../../../../src/sql/postgres-functions.ts'
import { effort, tellProof } from '../../../support/effort.ts'
import { SHOP, TestQueries } from './query-support.ts'

let queries: TestQueries
let functions: readonly string[]
beforeAll(async () => {
  queries = await TestQueries.open(SHOP)
  const instance = await duckdb.DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  const reader = await connection.runAndReadAll(
    'SELECT DISTINCT function_name FROM duckdb_functions() ORDER BY 1',
  )
  functions = reader.getRows().map(([name]) => String(name))
  connection.closeSync()
  instance.closeSync()
})
afterAll(() => queries.close())

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`
/** One in this many. */
const SHARE = effort({ short: 10, long: 1 })

test('no function of DuckDB but those of the list', async () => {
  const others = functions.filter((name, at) => postgresFunction(name) === undefined && at % SHARE === 0)
  const planned: string[] = []
  for (const name of [...others, 'count_star']) {
    for (const sql of [
      `SELECT ${quoted(name)}(name) FROM customers`,
      `SELECT * FROM customers, ${quoted(name)}('x')`,
    ]) {
      if (!/^(unsupported|invalid)_sql: /.test(await queries.refusal(sql))) planned.push(sql)
    }
  }
  tellProof('functions of cached queries', { refused: others.length })
  expect(planned).toEqual([])
})

test.each([
  'SELECT * FROM duckdb_settings',
  'SELECT * FROM b0',
  'SELECT * FROM s0',
  "SELECT * FROM 'file.csv'",
  'SELECT * FROM "/etc/passwd"',
  'SELECT * FROM "file.parquet"',
  'SELECT * FROM information_schema.tables',
  'SELECT * FROM pg_catalog.pg_class',
  'SELECT r0.id FROM customers',
  'SELECT x0 FROM (SELECT id FROM customers) y',
  'SELECT #1 FROM customers',
  'SELECT * EXCLUDE (id) FROM customers',
  'SELECT COLUMNS(*) FROM customers',
  "SELECT COLUMNS('.*') FROM customers",
  'SELECT id FROM customers QUALIFY true',
  'SELECT id FROM customers GROUP BY ALL id',
  'SELECT [id] FROM customers',
  "SELECT {'a': id} FROM customers",
  'SELECT name.upper() FROM customers',
  'SELECT list_transform(id, x -> x) FROM customers',
  'FROM customers',
  'FROM customers SELECT id',
  'SELECT id FROM customers LIMIT 10%',
  'SELECT id, FROM customers',
  'SELECT a: id FROM customers',
  'SELECT id FROM customers USING SAMPLE 3',
  'PIVOT customers ON name',
  'SUMMARIZE customers',
  "SELECT getvariable('x') FROM customers",
  "SELECT id FROM customers; ATTACH 'x.db'",
  "COPY customers TO 'x'",
  'SELECT "id"; DROP TABLE b0; --" FROM customers',
  "SELECT E'\\'' || name FROM customers WHERE id = 1 OR lower(E'\\\\') = E'\\'; SELECT 1 --'",
])('%s', async (sql) => {
  expect(await queries.refusal(sql)).toMatch(/^(invalid|unsupported)_sql: |^planned$/)
  if (!sql.includes('GROUP BY ALL') && !sql.startsWith("SELECT E'"))
    expect(await queries.refusal(sql)).not.toBe('planned')
})

test.each([
  ['parentheses', `SELECT ${'('.repeat(5_000)}id${')'.repeat(5_000)} FROM customers`],
  ['terms', `SELECT ${'id + '.repeat(20_000)}id FROM customers`],
  ['conditions', `SELECT id FROM customers WHERE ${'id = 1 OR '.repeat(10_000)}id = 2`],
  ['minus signs', `SELECT ${'- '.repeat(30_000)}id FROM customers`],
  ['sub-queries', `SELECT id FROM ${'(SELECT id FROM '.repeat(2_000)}customers${') a'.repeat(2_000)}`],
  ['values of IN', `SELECT id FROM customers WHERE id IN (${'1,'.repeat(3_000)}1)`],
  [
    'joins',
    `SELECT count(*) FROM customers a ${Array.from({ length: 3_000 }, (_, i) => `JOIN customers c${i} ON true`).join(' ')}`,
  ],
  ['unions', `SELECT id FROM customers ${'UNION ALL SELECT id FROM customers '.repeat(3_000)}`],
  [
    'queries of WITH that double',
    `WITH a0 AS (SELECT id FROM customers)${Array.from({ length: 40 }, (_, i) => `, a${i + 1} AS (SELECT x.id FROM a${i} x, a${i} y)`).join('')} SELECT * FROM a40`,
  ],
  ['characters', `SELECT id FROM customers WHERE name = '${'x'.repeat(200_000)}'`],
  ['an unfinished text', `SELECT '${"''".repeat(60_000)}`],
  ['an unfinished comment', `SELECT ${'/*'.repeat(60_000)}`],
])('many %s end soon', async (_, sql) => {
  const startMs = performance.now()
  expect(await queries.refusal(sql)).toMatch(/^(invalid|unsupported)_sql: |^planned$/)
  expect(performance.now() - startMs).toBeLessThan(15_000)
})
