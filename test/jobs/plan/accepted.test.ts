/** Accepted forms: their plans run over rows on a bare engine, and the rows are compared. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run, TestPlanner } from './plan-support.ts'

const SCHEMA =
  "a INT, b STRING, d DOUBLE, ts TIMESTAMP(3), p AS PROCTIME(), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"
const at = (second: number) => `TIMESTAMP '2021-10-11 12:00:${String(second).padStart(2, '0')}'`
const ROWS = {
  't(a, b, d, ts)': [
    `(1, 'x', 1.5, ${at(1)})`,
    `(2, 'y', 2.5, ${at(2)})`,
    `(3, 'x', 3.5, ${at(6)})`,
    `(4, NULL, 4.5, ${at(12)})`,
  ],
  'u(a, b, d, ts)': [`(7, 'x', 0.5, ${at(3)})`, `(8, 'z', 0.25, ${at(14)})`],
  'r(k, Row, list)': ["(1, {'X': 5, 'y': 'f'}, [7, 8])", '(2, NULL, [])'],
  'f(id, name)': ["(1, 'one')", "(3, 'three')", "(3, 'drei')"],
}
const minute = (second: number) => `2021-10-11 12:00:${String(second).padStart(2, '0')}`
const WINDOWED = "TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' SECOND))"

let planner: TestPlanner
beforeAll(async () => {
  planner = await TestPlanner.open({
    t: [SCHEMA],
    u: [SCHEMA],
    r: ['k INT, `Row` ROW<X INT, y STRING>, list ARRAY<INT>'],
    f: ['id INT, name STRING, PRIMARY KEY (id)', 'jdbc'],
    o: ['a INT, b STRING'],
    any: [
      's STRING, y BYTES, d DATE, l ARRAY<INT>, w ROW<x INT>, ts TIMESTAMP(3), m MAP<STRING, INT>, t BOOLEAN',
    ],
    n: ['n BIGINT'],
    odd: ['`rowid` INT, `ROWID` STRING, k0 INT, `K0` STRING', 'jdbc'],
    w: ['s TIMESTAMP(3), e TIMESTAMP(3), k STRING, n BIGINT'],
  })
})
afterAll(() => planner.close())

const accepted: readonly (readonly [statement: string, way: string, rows: readonly unknown[][]])[] = [
  [
    `INSERT INTO o SELECT JSON_VALUE('{"x": 7}', '$.x' RETURNING INT NULL ON EMPTY), JSON_VALUE('{"y": "s"}', '$.y' NULL ON ERROR) FROM t WHERE a = 1`,
    'arrival',
    [[7, 's']],
  ],
  ['INSERT INTO o SELECT id, `UPPER`(name) FROM f ORDER BY id LIMIT 1', 'once', [[1, 'ONE']]],
  ['INSERT INTO o SELECT id, name FROM f ORDER BY id, name LIMIT 1 OFFSET 2', 'once', [[3, 'three']]],
  [
    'INSERT INTO o SELECT id, name FROM f ORDER BY id, name OFFSET 1 ROWS FETCH NEXT 1 ROW ONLY',
    'once',
    [[3, 'drei']],
  ],
  [
    'INSERT INTO o SELECT id, name FROM f WHERE id = 3 ORDER BY name LIMIT ALL',
    'once',
    [
      [3, 'drei'],
      [3, 'three'],
    ],
  ],
  [
    'INSERT INTO o SELECT a, b FROM t WHERE d > 2;',
    'arrival',
    [
      [2, 'y'],
      [3, 'x'],
      [4, null],
    ],
  ],
  [
    'insert into o select * from (select a, b from t) as q where a between 2 and 3',
    'arrival',
    [
      [2, 'y'],
      [3, 'x'],
    ],
  ],
  [
    "INSERT INTO o SELECT a, CASE WHEN b IS NULL THEN 'none' ELSE b END FROM t WHERE a IN (1, 4)",
    'arrival',
    [
      [1, 'x'],
      [4, 'none'],
    ],
  ],
  [
    "INSERT INTO o (b) SELECT b FROM t WHERE b LIKE 'x%'",
    'arrival',
    [
      [null, 'x'],
      [null, 'x'],
    ],
  ],
  ['INSERT INTO o SELECT a AS `B`, b AS `b` FROM t WHERE a = 1', 'arrival', [[1, 'x']]],
  [
    'INSERT INTO o WITH q (B, b) AS (SELECT a, b FROM t) SELECT B, q.b FROM q WHERE B < 2',
    'arrival',
    [[1, 'x']],
  ],
  ['INSERT INTO o SELECT 7 / a, CAST(NULL AS STRING) FROM t WHERE a = 2', 'arrival', [[3, null]]],
  [
    `INSERT INTO n SELECT EXTRACT(SECOND FROM ts + INTERVAL '1:30' MINUTE TO SECOND) FROM t WHERE a = 1`,
    'arrival',
    [['31']],
  ],
  ["INSERT INTO o SELECT a, U&'\\00e9' FROM t WHERE a = 1", 'arrival', [[1, 'é']]],
  [
    'INSERT INTO o SELECT `Row`.X, `Row`.y FROM r',
    'arrival',
    [
      [5, 'f'],
      [null, null],
    ],
  ],
  ['INSERT INTO o SELECT r.`Row`.X + list[2], NULL FROM r WHERE k = 1', 'arrival', [[13, null]]],
  ['INSERT INTO o SELECT a, name FROM t JOIN f ON t.a = f.id WHERE a = 1', 'arrival', [[1, 'one']]],
  [
    "INSERT INTO o SELECT a, name FROM t LEFT JOIN f FOR SYSTEM_TIME AS OF t.p ON t.a = f.id AND f.name <> 'drei'",
    'arrival',
    [
      [1, 'one'],
      [2, null],
      [3, 'three'],
      [4, null],
    ],
  ],
  [
    'INSERT INTO o SELECT a, b FROM t WHERE a IN (SELECT id FROM f)',
    'arrival',
    [
      [1, 'x'],
      [3, 'x'],
    ],
  ],
  [
    "INSERT INTO o SELECT 1, 'x' FROM r",
    'arrival',
    [
      [1, 'x'],
      [1, 'x'],
    ],
  ],
  [
    'INSERT INTO any VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)',
    'once',
    [[null, null, null, null, null, null, null, null]],
  ],
  [
    'INSERT INTO any SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM t WHERE a = 1',
    'arrival',
    [[null, null, null, null, null, null, null, null]],
  ],
  [
    'INSERT INTO o (b) VALUES (NULL), (NULL)',
    'once',
    [
      [null, null],
      [null, null],
    ],
  ],
  ['INSERT INTO o SELECT a, x FROM t, (VALUES (NULL)) AS v (x) WHERE a = 1', 'arrival', [[1, null]]],
  [
    "INSERT INTO o VALUES (1, 'x'), (2, NULL)",
    'once',
    [
      [1, 'x'],
      [2, null],
    ],
  ],
  ['INSERT INTO n SELECT COUNT(*) FROM f', 'once', [['3']]],
  [
    `INSERT INTO w SELECT window_start, window_end, b, COUNT(*) FROM ${WINDOWED} GROUP BY window_start, window_end, b HAVING COUNT(*) > 1`,
    'window',
    [[minute(0), minute(10), 'x', '2']],
  ],
  [
    `INSERT INTO w SELECT window_start, window_end, NULL, SUM(n) FROM (SELECT window_start, window_end, b, COUNT(*) n FROM ${WINDOWED} GROUP BY window_start, window_end, b) GROUP BY window_start, window_end`,
    'window',
    [
      [minute(0), minute(10), null, '3'],
      [minute(10), minute(20), null, '1'],
    ],
  ],
  [
    "INSERT INTO w SELECT window_start, window_end, 'all', COUNT(*) FROM TABLE(HOP(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SLIDE => INTERVAL '5' SECONDS, SIZE => INTERVAL '10' SECONDS)) GROUP BY window_start, window_end",
    'window',
    [
      ['2021-10-11 11:59:55', minute(5), 'all', '2'],
      [minute(0), minute(10), 'all', '3'],
      [minute(5), minute(15), 'all', '2'],
      [minute(10), minute(20), 'all', '1'],
    ],
  ],
  [
    "INSERT INTO w SELECT window_start, window_end, 'all', COUNT(*) FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '5' SECOND, INTERVAL '10' SECOND)) GROUP BY window_start, window_end",
    'window',
    [
      [minute(0), minute(5), 'all', '2'],
      [minute(0), minute(10), 'all', '3'],
      [minute(10), minute(15), 'all', '1'],
      [minute(10), minute(20), 'all', '1'],
    ],
  ],
  [
    `INSERT INTO w SELECT window_start, window_end, b, rn FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY d DESC) AS rn FROM ${WINDOWED}) WHERE rn <= 1`,
    'window',
    [
      [minute(0), minute(10), 'x', '1'],
      [minute(10), minute(20), null, '1'],
    ],
  ],
  [
    `INSERT INTO w SELECT DISTINCT window_start, window_end, b, CAST(1 AS BIGINT) FROM ${WINDOWED} WHERE b IS NOT NULL`,
    'window',
    [
      [minute(0), minute(10), 'x', '1'],
      [minute(0), minute(10), 'y', '1'],
    ],
  ],
  [
    `INSERT INTO w SELECT COALESCE(l.window_start, r.window_start), r.window_end, r.b, l.n FROM (SELECT window_start, window_end, b, COUNT(*) n FROM ${WINDOWED} GROUP BY window_start, window_end, b) l RIGHT JOIN (SELECT window_start, window_end, b FROM TABLE(TUMBLE(TABLE u, DESCRIPTOR(ts), INTERVAL '10' SECOND))) r ON l.window_start = r.window_start AND l.window_end = r.window_end AND l.b = r.b`,
    'window',
    [
      [minute(0), minute(10), 'x', '2'],
      [minute(10), minute(20), 'z', null],
    ],
  ],
  [
    `INSERT INTO w WITH q AS (SELECT ts AS tm, UPPER(b) AS k FROM t WHERE a <> 2) SELECT window_start, window_end, k, COUNT(*) FROM TABLE(TUMBLE(TABLE q, DESCRIPTOR(tm), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, k`,
    'window',
    [
      [minute(0), minute(10), 'X', '2'],
      [minute(10), minute(20), null, '1'],
    ],
  ],
]

test.each(accepted)('%s', async (statement, way, rows) => {
  const plan = await planner.plan(statement)
  expect(plan.inserts[0]!.way).toBe(way)
  expect(await run(plan, ROWS)).toEqual(rows)
})

test('lookups and fixed tables give connectors the names of the database, and SQL encoded ones', async () => {
  const join = (time: string) =>
    `INSERT INTO o SELECT q.k0, q.\`ROWID\` FROM t JOIN odd ${time} AS q ON q.\`rowid\` = t.a AND q.\`K0\` = t.b`
  const rows = { ...ROWS, 'odd(rowid, ROWID, k0, K0)': ["(1, 'one', 5, 'x')", "(3, 'three', 6, 'y')"] }
  const lookup = await planner.plan(join('FOR SYSTEM_TIME AS OF p'))
  const names = ['rowid', 'ROWID', 'k0', 'K0']
  expect(lookup.lookups[0]!.columns.map(({ name }) => name)).toEqual(names)
  expect(lookup.lookups[0]!.keyColumns).toEqual(['rowid', 'K0'])
  const fixed = await planner.plan(join(''))
  expect(fixed.fixed[0]!.columns.map(({ name }) => name)).toEqual(names)
  for (const plan of [lookup, fixed]) expect(await run(plan, rows)).toEqual([[5, 'one']])
})

test('one insert may read what another one writes, and a database table may be written from itself', async () => {
  const chain =
    'EXECUTE STATEMENT SET BEGIN INSERT INTO u SELECT a, b, d, ts FROM t; INSERT INTO o SELECT a, b FROM u; END'
  expect((await planner.plan(chain)).inserts).toHaveLength(2)
  expect((await planner.plan('INSERT INTO f SELECT id + 1, name FROM f')).inserts).toHaveLength(1)
})

test('UNION ALL keeps the order of each source', async () => {
  const plan = await planner.plan('INSERT INTO o SELECT a, b FROM t UNION ALL SELECT a, b FROM u')
  const got = await run(plan, ROWS)
  expect(got.map(([a]) => a).filter((a) => Number(a) < 5)).toEqual([1, 2, 3, 4])
  expect(plan.sources.map(({ tableName }) => tableName)).toEqual(['t', 'u'])
})

test('a statement set has one source for all that read it, and windows with names of their own', async () => {
  const one = `INSERT INTO w SELECT window_start, window_end, b, COUNT(*) FROM ${WINDOWED} GROUP BY window_start, window_end, b`
  const plan = await planner.plan(
    `EXECUTE STATEMENT SET BEGIN ${one}; INSERT INTO o SELECT a, b FROM t; ${one}; END;`,
  )
  expect(plan.sources.map(({ tableName }) => tableName)).toEqual(['t'])
  expect(
    plan.inserts.map((insert) => (insert.way === 'window' ? insert.windows[0]!.relation : insert.way)),
  ).toEqual(['w0', 'arrival', 'w1'])
  expect(plan.vertices.map(({ kind, inputs }) => [kind, inputs])).toEqual([
    ['source', []],
    ['query', [0]],
    ['query', [0]],
    ['query', [0]],
    ['sink', [1]],
    ['sink', [2]],
    ['sink', [3]],
  ])
})

test('the signature stays with a filter behind the window, and changes with the window', async () => {
  const sql = (size: number, having: string) =>
    `INSERT INTO w SELECT window_start, window_end, b, COUNT(*) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '${size}' SECOND)) GROUP BY window_start, window_end, b ${having}`
  const signatures = await Promise.all(
    [sql(10, ''), sql(10, 'HAVING COUNT(*) > 5'), sql(20, '')].map(
      async (one) => (await planner.plan(one)).signature,
    ),
  )
  expect(signatures[0]).toMatch(/^[0-9a-f]{64}$/)
  expect(signatures[1]).toBe(signatures[0])
  expect(signatures[2]).not.toBe(signatures[0])
})
