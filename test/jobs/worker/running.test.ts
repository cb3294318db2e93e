import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { InsertPlan } from '../../../src/jobs/plan/job-plan.ts'
import type { RunningAggregate, RunningPlan } from '../../../src/jobs/plan/running-plan.ts'
import type { DataType } from '../../../src/sql/data-types.ts'
import { effort } from '../../support/effort.ts'
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts'
import { ChangedTable, type InRow, type OutRow, sorted, sourceOf, WayBench } from '../../support/way-bench.ts'

const TEXT: DataType = { kind: 'STRING' }
const INT: DataType = { kind: 'INT' }
const BIGINT: DataType = { kind: 'BIGINT' }
const DOUBLE: DataType = { kind: 'DOUBLE' }
const DECIMAL: DataType = { kind: 'DECIMAL', precision: 10, scale: 2 }
const SUM_DECIMAL: DataType = { kind: 'DECIMAL', precision: 38, scale: 2 }

const SOURCE = sourceOf('s0', [
  { name: 'k', type: TEXT },
  { name: 'h', type: INT },
  { name: 'x', type: INT },
  { name: 'y', type: DOUBLE },
  { name: 'd', type: DECIMAL },
])

function aggregate(
  kind: RunningAggregate['kind'],
  value: number | undefined,
  isDistinct = false,
): RunningAggregate {
  return { kind, value, isDistinct }
}

/** `select k, h, count(*), … from s0 group by k, h having count(*) > 2 and count(*) % 5 <> 0 …`, in its parts. */
const COLUMNS: readonly (readonly [RunningAggregate, result: DataType])[] = [
  [aggregate('count-rows', undefined), BIGINT],
  [aggregate('count', 0), BIGINT],
  [aggregate('sum', 0), BIGINT],
  [aggregate('avg', 0), DOUBLE],
  [aggregate('min', 1), DOUBLE],
  [aggregate('max', 3), TEXT],
  [aggregate('sum', 1), DOUBLE],
  [aggregate('sum', 2), SUM_DECIMAL],
  [aggregate('count', 0, true), BIGINT],
  [aggregate('sum', 1, true), DOUBLE],
  [aggregate('avg', 1), DOUBLE],
  [aggregate('count', 4), BIGINT],
  [aggregate('max', 0, true), INT],
  [aggregate('avg', 0, true), DOUBLE],
]
const AGGREGATES = COLUMNS.map(([one]) => one)
const SELECT_LIST =
  'count(*), count(x), sum(x), avg(x), min(y), max(k2), SUM_Y, sum(d), count(distinct x), SUM_DISTINCT_Y, SUM_Y / nullif(count(y), 0), count(*) FILTER (WHERE x > 0), max(x), avg(distinct x)'

const OPERANDS = 'x AS v0, y AS v1, d AS v2, concat(k, h) AS v3, CASE WHEN x > 0 THEN 1 END AS v4'

function planOf(groups: readonly string[], having: string): RunningPlan {
  const keys = groups.map((name, index) => `${name} AS g${index}`)
  const columns = [...groups.map((_, index) => `g${index}`), ...AGGREGATES.map((_, index) => `a${index}`)]
  return {
    input: `SELECT ${['__ord', ...keys, OPERANDS].join(', ')} FROM s0`,
    groups: groups.length,
    values: 5,
    aggregates: AGGREGATES,
    select: `SELECT __key, ${columns.map((name, index) => `${name} AS c${index}`).join(', ')} FROM merged WHERE ${having}`,
  }
}

function insertOf(
  plan: RunningPlan,
  groups: readonly string[],
  primaryKey: readonly string[] = [],
): InsertPlan {
  const columns = [
    ...groups.map((name) => ({ name, type: name === 'k' ? TEXT : INT })),
    ...COLUMNS.map(([, type], index) => ({ name: `a${index}`, type })),
  ]
  return { way: 'running', running: plan, sink: { tableId: 'o', tableName: 'o', columns, primaryKey } }
}

/** The same aggregate over all rows at once, by an independent form: sums of doubles as a fold in the order of the rows. */
function afresh(groups: readonly string[], having: string): string {
  const list = SELECT_LIST.replaceAll('SUM_Y', 'sum(y ORDER BY __ord)')
    .replace('SUM_DISTINCT_Y', 'sum(y ORDER BY __ord) FILTER (WHERE is_new)')
    .replace('max(k2)', 'max(concat(k, h))')
  const partition = [...groups, 'y'].join(', ')
  const grouping = groups.length === 0 ? 'HAVING count(*) > 0 AND' : `GROUP BY ${groups.join(', ')} HAVING`
  return `SELECT ${[...groups, list].join(', ')} FROM (
    SELECT *, row_number() OVER (PARTITION BY ${partition} ORDER BY __ord) = 1 AND y IS NOT NULL AS is_new FROM everything
  ) ${grouping} ${having}`
}

let folder: string
let open: WayBench[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'running-'))
})

afterEach(async () => {
  for (const bench of open) await bench.close()
  open = []
  rmSync(folder, { recursive: true })
})

async function benchOf(insert: InsertPlan, name = 'state'): Promise<WayBench> {
  const bench = await WayBench.open({ path: join(folder, name), sources: [SOURCE], insert })
  open.push(bench)
  return bench
}

function randomRows(random: SeededRandom, count: number): InRow[] {
  const { pick } = random
  return Array.from({ length: count }, () => ({
    source: 's0',
    values: [
      pick(["'a'", "'b'", "'c'", "'long key of more than 12'", 'NULL', "''"]),
      pick(['1', '2', 'NULL']),
      pick(['NULL', '0', '1', '-7', String(random.whole(-1e9, 1e9))]),
      pick(['NULL', '0.1', '1e15', '-0.3', String(random.next())]),
      pick(['NULL', '0.01', '-99999999.99', String(random.whole(0, 1e6) / 100)]),
    ],
  }))
}

async function remember(bench: WayBench, rows: readonly InRow[]): Promise<void> {
  await bench.connection.once(
    'CREATE TEMP TABLE IF NOT EXISTS everything (__ord BIGINT, k VARCHAR, h INTEGER, x INTEGER, y DOUBLE, d DECIMAL(10,2))',
  )
  const [count] = await bench.connection.once('SELECT count(*) FROM everything')
  const tuples = rows.map(({ values }, index) => `(${Number(count?.[0]) + index}, ${values.join(', ')})`)
  if (tuples.length > 0) await bench.connection.once(`INSERT INTO everything VALUES ${tuples.join(', ')}`)
}

const FORMS = [
  { name: 'two keys', groups: ['k', 'h'], having: 'TRUE', havingSql: 'TRUE' },
  { name: 'no key', groups: [], having: 'TRUE', havingSql: 'TRUE' },
  {
    name: 'HAVING that turns true and false',
    groups: ['k'],
    having: 'a0 > 2 AND a0 % 5 <> 0 AND a2 > -5',
    havingSql: 'count(*) > 2 AND count(*) % 5 <> 0 AND sum(x) > -5',
  },
]

describe('the table of all changes equals the aggregate over all rows', () => {
  test.each(FORMS)('after each tick, with $name', async ({ groups, having, havingSql }) => {
    const random = seededRandom(11)
    const bench = await benchOf(insertOf(planOf(groups, having), groups))
    const table = new ChangedTable()
    for (let tick = 0; tick < effort({ short: 8, long: 100 }); tick++) {
      const rows = randomRows(random, random.whole(0, 30))
      table.apply(await bench.tick(rows))
      await remember(bench, rows)
      expect(table.sorted).toEqual(sorted(await bench.query(afresh(groups, havingSql))))
    }
  })

  test('and a lost change is found (negative control)', async () => {
    const bench = await benchOf(insertOf(planOf(['k'], 'TRUE'), ['k']))
    const table = new ChangedTable()
    const random = seededRandom(3)
    const first = randomRows(random, 40)
    table.apply((await bench.tick(first)).slice(1))
    await remember(bench, first)
    expect(table.sorted).not.toEqual(sorted(await bench.query(afresh(['k'], 'TRUE'))))
    expect(() => table.apply([['d', ...Array.from({ length: 15 }, () => 'x')]])).toThrow('is not there')
  })
})

const ROWS = effort({ short: 40, long: 400 })

test('the result is the same bytes at tick sizes from 1 to all, also with the state opened again between', async () => {
  const rows = randomRows(seededRandom(5), ROWS)
  const results: string[][] = []
  for (const size of [1, 7, ROWS / 2, ROWS]) {
    const insert = insertOf(planOf(['k', 'h'], 'a0 % 3 <> 0'), ['k', 'h'])
    let bench = await benchOf(insert, `state-${size}`)
    const table = new ChangedTable()
    for (let from = 0; from < rows.length; from += size) {
      if (size === 7 && from === 28) {
        await bench.close()
        open = open.filter((other) => other !== bench)
        bench = await benchOf(insert, `state-${size}`)
      }
      table.apply(await bench.tick(rows.slice(from, from + size)))
    }
    results.push(table.sorted)
  }
  expect(results[0]!.length).toBeGreaterThan(5)
  for (const result of results) expect(result).toEqual(results[0])
})

describe('changes of a small count', () => {
  const count = (having = 'TRUE'): RunningPlan => ({
    input: 'SELECT __ord, k AS g0 FROM s0',
    groups: 1,
    values: 0,
    aggregates: [aggregate('count-rows', undefined)],
    select: `SELECT __key, g0 AS c0, a0 AS c1 FROM merged WHERE ${having}`,
  })
  const sink = (primaryKey: readonly string[] = []): InsertPlan['sink'] => ({
    tableId: 'o',
    tableName: 'o',
    columns: [
      { name: 'k', type: TEXT },
      { name: 'n', type: BIGINT },
    ],
    primaryKey,
  })
  const row = (k: string): InRow => ({ source: 's0', values: [k, 'NULL', 'NULL', 'NULL', 'NULL'] })
  const ticks = async (insert: InsertPlan, ...keys: readonly (readonly string[])[]): Promise<OutRow[][]> => {
    const bench = await benchOf(insert)
    const out: OutRow[][] = []
    for (const tick of keys) out.push(await bench.tick(tick.map(row)))
    return out
  }

  test('are in the order of the first row of a key in the tick, one change a key', async () => {
    expect(
      await ticks(
        { way: 'running', running: count(), sink: sink() },
        ["'b'", "'a'", "'b'"],
        ["'a'", "'c'"],
        [],
      ),
    ).toEqual([
      [
        ['c', 'b', '2'],
        ['c', 'a', '1'],
      ],
      [
        ['b', 'a', '1'],
        ['u', 'a', '2'],
        ['c', 'c', '1'],
      ],
      [],
    ])
  })

  test('NULL is one key', async () => {
    expect(
      await ticks({ way: 'running', running: count(), sink: sink() }, ['NULL', 'NULL'], ['NULL']),
    ).toEqual([
      [['c', null, '2']],
      [
        ['b', null, '2'],
        ['u', null, '3'],
      ],
    ])
  })

  test('a row that leaves HAVING is deleted, with its last values', async () => {
    const running = count('a0 BETWEEN 2 AND 3')
    expect(
      await ticks({ way: 'running', running, sink: sink() }, ["'a'"], ["'a'"], ["'a'"], ["'a'"], ["'a'"]),
    ).toEqual([
      [],
      [['c', 'a', '2']],
      [
        ['b', 'a', '2'],
        ['u', 'a', '3'],
      ],
      [['d', 'a', '3']],
      [],
    ])
  })

  test('a result that stays equal gives no change', async () => {
    const running = {
      ...count(),
      select: 'SELECT __key, g0 AS c0, CAST(1 AS BIGINT) AS c1 FROM merged',
    }
    expect(await ticks({ way: 'running', running, sink: sink() }, ["'a'"], ["'a'"])).toEqual([
      [['c', 'a', '1']],
      [],
    ])
  })

  test('NULL in the primary key of the sink fails the tick and leaves the state as it was', async () => {
    const bench = await benchOf({ way: 'running', running: count(), sink: sink(['k']) })
    await bench.tick([row("'a'")])
    await expect(bench.tick([row("'a'"), row('NULL')])).rejects.toThrow(
      "Column 'k' is NOT NULL, however, a null value is being written into it",
    )
    expect(await bench.tick([row("'a'")])).toEqual([
      ['b', 'a', '1'],
      ['u', 'a', '2'],
    ])
  })
})

test('many keys: every row before an update or a delete is the last row, and the final table is that of all rows', async () => {
  const keys = effort({ short: 5_000, long: 1_000_000 })
  const running: RunningPlan = {
    input: 'SELECT __ord, k AS g0, x AS v0, y AS v1 FROM s0',
    groups: 1,
    values: 2,
    aggregates: [aggregate('count-rows', undefined), aggregate('sum', 1), aggregate('count', 0, true)],
    select: 'SELECT __key, g0 AS c0, a0 AS c1, a1 AS c2, a2 AS c3 FROM merged WHERE a0 % 4 <> 3',
  }
  const columns = [
    { name: 'k', type: TEXT },
    { name: 'n', type: BIGINT },
    { name: 's', type: DOUBLE },
    { name: 'd', type: BIGINT },
  ]
  const bench = await benchOf({
    way: 'running',
    running,
    sink: { tableId: 'o', tableName: 'o', columns, primaryKey: ['k'] },
  })
  const { connection, state } = bench
  await connection.once('CREATE TEMP TABLE everything (__ord BIGINT, k VARCHAR, x INTEGER, y DOUBLE)')
  await connection.once('CREATE TEMP TABLE final (c0 VARCHAR, c1 BIGINT, c2 DOUBLE, c3 BIGINT)')
  const removed = `SELECT * EXCLUDE (op) FROM ${state}.outbox_0 WHERE op IN ('b', 'd')`
  for (let tick = 0; tick < 8; tick++) {
    const size = keys / (tick % 2 === 0 ? 2 : 50)
    await connection.once(
      `INSERT INTO in_s0 (__ord, k, x, y) SELECT i, 'key' || hash(i) % ${keys}, hash(i + 7) % 5, (hash(i) % 1000) / 7
       FROM range(${tick * keys}, ${tick * keys + size}) t(i)`,
    )
    await connection.once('INSERT INTO everything SELECT __ord, k, x, y FROM in_s0')
    await bench.runTick(new Set(['s0']))
    expect(await bench.query(`SELECT count(*) FROM (${removed} EXCEPT ALL SELECT * FROM final)`)).toEqual([
      ['0'],
    ])
    await connection.once(`DELETE FROM final WHERE c0 IN (SELECT c0 FROM (${removed}))`)
    await connection.once(
      `INSERT INTO final SELECT * EXCLUDE (op) FROM ${state}.outbox_0 WHERE op IN ('c', 'u')`,
    )
  }
  const afresh = `SELECT k, count(*), sum(y ORDER BY __ord), count(DISTINCT x) FROM everything GROUP BY k HAVING count(*) % 4 <> 3`
  const rows = Number((await bench.query('SELECT count(*) FROM final'))[0]![0])
  expect(rows).toBeGreaterThan(keys / 2)
  expect(
    await bench.query(
      `SELECT count(*) FROM ((FROM final EXCEPT ALL ${afresh}) UNION ALL (${afresh} EXCEPT ALL FROM final))`,
    ),
  ).toEqual([['0']])
}, 600_000)
