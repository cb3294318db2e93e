/** Views in statements: what their plans give over rows, what is refused and where, and the columns of queries. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { PlannedView } from '../../../src/jobs/plan/job-plan.ts'
import { printType } from '../../../src/sql/data-types.ts'
import { SqlProblem } from '../../../src/sql/sql-problem.ts'
import { run, TestPlanner } from './plan-support.ts'

const SCHEMA =
  "a INT, b STRING, ts TIMESTAMP(3), p AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"
const at = (second: number) => `TIMESTAMP '2021-10-11 12:00:${String(second).padStart(2, '0')}'`
const ROWS = {
  't(a, b, ts)': [`(1, 'x', ${at(1)})`, `(2, 'y', ${at(2)})`, `(3, 'x', ${at(6)})`, `(4, 'x', ${at(12)})`],
  'u(a, b, ts)': [`(7, 'x', ${at(3)})`],
  'f(id, name)': ["(1, 'one')", "(3, 'three')"],
}

let planner: TestPlanner
beforeAll(async () => {
  planner = await TestPlanner.open({
    t: [SCHEMA],
    u: [SCHEMA],
    f: ['id INT, name STRING, PRIMARY KEY (id)', 'jdbc'],
    k: ['a INT, n BIGINT, PRIMARY KEY (a)', 'upsert-topic'],
    up: ['a INT, n BIGINT, PRIMARY KEY (a)', 'upsert-topic'],
    o: ['a INT, b STRING'],
    n: ['n BIGINT'],
    bad: ['a INT, x AS nope + 1'],
  })
})
afterAll(() => planner.close())

const views: readonly PlannedView[] = [
  { name: 'big', query: 'SELECT a, b, ts FROM t WHERE a > 1 -- the rest' },
  { name: 'named', columns: ['X', 'b c'], query: 'SELECT a, b FROM big;' },
  { name: 'withCte', query: 'WITH big AS (SELECT 1 AS a) SELECT t.a, t.b FROM t JOIN big ON t.a = big.a' },
  {
    name: 'counted',
    query: `SELECT COUNT(*) AS n FROM TABLE(TUMBLE(TABLE big, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end`,
  },
  { name: 'looked', query: 'SELECT t.a, f.name FROM t JOIN f FOR SYSTEM_TIME AS OF p ON t.a = f.id' },
  { name: 'grouped', query: 'SELECT a, COUNT(*) AS n FROM t GROUP BY a' },
  { name: 'changes', query: 'SELECT a, n + 1 AS n FROM k' },
  { name: 'loop', query: 'SELECT * FROM pool' },
  { name: 'pool', query: 'SELECT * FROM loop' },
  { name: 'gone', query: 'SELECT a FROM nope' },
  { name: 'few', columns: ['x'], query: 'SELECT a, b FROM t' },
  { name: 'usage', query: 'SELECT a FROM u' },
]

test.each<readonly [statement: string, way: string, rows: readonly unknown[][]]>([
  [
    'INSERT INTO o SELECT a, b FROM big',
    'arrival',
    [
      [2, 'y'],
      [3, 'x'],
      [4, 'x'],
    ],
  ],
  [
    'INSERT INTO o SELECT big.a, v.b FROM big AS v, (SELECT 1 AS a) AS big WHERE v.a = 2',
    'arrival',
    [[1, 'y']],
  ],
  [
    'INSERT INTO o SELECT `X`, named.`b c` FROM `default`.`default`.named WHERE X < 4',
    'arrival',
    [
      [2, 'y'],
      [3, 'x'],
    ],
  ],
  [
    'INSERT INTO `default`.o WITH big AS (SELECT 9 AS a) SELECT big.a, b FROM named JOIN big ON TRUE WHERE `X` = 3'.replace(
      'b FROM',
      '`b c` FROM',
    ),
    'arrival',
    [[9, 'x']],
  ],
  [
    'INSERT INTO o SELECT a, b FROM withCte UNION ALL SELECT a, b FROM big WHERE a = 4',
    'arrival',
    [
      [1, 'x'],
      [4, 'x'],
    ],
  ],
  [
    'INSERT INTO o SELECT a, name FROM looked',
    'arrival',
    [
      [1, 'one'],
      [3, 'three'],
    ],
  ],
  ['INSERT INTO n SELECT n FROM counted', 'window', [['1'], ['2']]],
  [
    "INSERT INTO n SELECT SUM(a) FROM TABLE(TUMBLE(TABLE big, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start",
    'window',
    [['4'], ['5']],
  ],
])('%s', async (statement, way, rows) => {
  const plan = await planner.plan(statement, [], views)
  expect(plan.inserts[0]!.way).toBe(way)
  expect(await run(plan, ROWS)).toEqual(rows)
})

test.each([
  ['INSERT INTO up SELECT a, n FROM grouped', 'running'],
  ['INSERT INTO up SELECT a, n FROM changes', 'refresh'],
  ['INSERT INTO up SELECT a, SUM(n) FROM changes GROUP BY a', 'refresh'],
])('%s', async (statement, way) => {
  expect((await planner.plan(statement, [], views)).inserts[0]!.way).toBe(way)
})

test('a view that a statement has as a column, and does not read, adds no source', async () => {
  const { sources } = await planner.plan('INSERT INTO o SELECT usage.a, b FROM t AS usage', [], views)
  expect(sources.map(({ tableName }) => tableName)).toEqual(['t'])
})

test('a statement and its form with views have one signature', async () => {
  const [viewed, plain] = await Promise.all([
    planner.plan('INSERT INTO n SELECT n FROM counted', [], views),
    planner.plan(
      "INSERT INTO n SELECT COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end",
    ),
  ])
  expect(viewed.signature).toBe(plain.signature)
})

describe('refused', () => {
  test.each<readonly [statement: string, reason: string, marked: string | undefined]>([
    [
      'INSERT INTO o SELECT a FROM big',
      "Column types of query result and sink for 'o' do not match.\nCause: Different number of columns.",
      'o',
    ],
    ['INSERT INTO o SELECT c, b FROM big', "column 'c' does not exist; the columns are a, b, ts", 'c'],
    ['INSERT INTO big SELECT a, b FROM t', "'big' is a view, which cannot be written", 'big'],
    ['INSERT INTO n SELECT a FROM loop', "view loop: view pool: view 'loop' names itself", 'loop'],
    ['INSERT INTO n SELECT a FROM gone', "view gone: table 'nope' does not exist", 'gone'],
    ['INSERT INTO n SELECT x FROM few', 'view few: view few names 1 columns, and its query has 2', 'few'],
    [
      'INSERT INTO o SELECT t.a, name FROM t JOIN big FOR SYSTEM_TIME AS OF p ON t.a = big.a',
      "'big' is a view; a table is needed here",
      'big',
    ],
    ['INSERT INTO o SELECT x, b FROM nope', "table 'nope' does not exist", 'nope'],
  ])('%s', async (statement, reason, marked) => {
    const problem = await problemOf(planner.plan(statement, [], views))
    expect(problem.reason).toContain(reason)
    expect(markedIn(statement, problem)).toBe(marked)
  })

  test.each<readonly [query: string, reason: string, marked: string]>([
    ['SELECT a, c FROM t', "column 'c' does not exist; the columns are a, b, ts, p", 'c'],
    ['SELECT a, UPPER(a) FROM t', 'INT is no text; cast it to STRING', 'UPPER'],
    ['SELECT a,\n b AS x y FROM t', 'syntax error at or near "y"', 'y'],
    ['SELECT a, b FROM t ORDER BY a', 'ORDER BY over a stream is not supported', 'a'],
    ['SELECT a, b FROM t;\nSELECT 1', 'there is another statement behind the query', 'SELECT'],
  ])('a temporary view: %s', async (query, reason, marked) => {
    const temporary = [{ name: 'v', query, isTemporary: true }]
    const problem = await problemOf(planner.plan('INSERT INTO o SELECT * FROM v', [], temporary))
    expect(problem.reason).toContain(reason)
    expect(problem.definition).toBe('v')
    expect(markedIn(query, problem)).toBe(marked)
  })

  test('the schema of a temporary table', async () => {
    const tables = planner.tables.map((table) => ({ ...table, isTemporary: true }))
    const problem = await problemOf(planner.planner.plan('INSERT INTO n SELECT a FROM bad', tables))
    expect(problem).toMatchObject({
      definition: 'bad',
      reason: "column 'nope' does not exist; the columns are a",
    })
    expect(problem.place).toEqual({ line: 1, column: 13, endLine: 1, endColumn: 16 })
  })
})

describe('columns of queries', () => {
  test.each<readonly [query: string, kind: string, columns: readonly string[]]>([
    ['SELECT a, b AS `B b`, a / 2 FROM t', 'append', ['a INT', 'B b STRING', 'EXPR$2 INT']],
    ['SELECT * FROM named;', 'append', ['X INT', 'b c STRING']],
    ['SELECT n FROM counted', 'window', ['n BIGINT']],
    ['SELECT a, COUNT(*) AS n FROM t GROUP BY a', 'running', ['a INT', 'n BIGINT']],
    ['SELECT * FROM changes', 'changing', ['a INT', 'n BIGINT']],
    ["VALUES (1, 'x')", 'fixed', ['EXPR$0 INT', 'EXPR$1 CHAR(1)']],
    ['SELECT id, name FROM f', 'fixed', ['id INT', 'name STRING']],
  ])('%s', async (query, kind, columns) => {
    const described = await planner.describe(query, views)
    const shown = described.columns.map(({ name, type }) => `${name} ${printType(type)}`)
    expect([described.kind, shown]).toEqual([kind, columns])
  })
})

async function problemOf(work: Promise<unknown>): Promise<SqlProblem> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof SqlProblem) return error
  throw error ?? new Error('accepted')
}

function markedIn(text: string, { place }: SqlProblem): string | undefined {
  if (place === undefined) return undefined
  const lines = text.split('\n')
  const offset = (line: number, column: number) =>
    lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0) + column - 1
  return text.slice(offset(place.line, place.column), offset(place.endLine, place.endColumn) + 1)
}
