/** Aggregates that follow the changes of their tables equal the same query over the tables, after each tick. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { InsertPlan } from '../../../src/jobs/plan/job-plan.ts'
import { Increments } from '../../../src/jobs/worker/increment.ts'
import type { DataType } from '../../../src/sql/data-types.ts'
import { effort } from '../../support/effort.ts'
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts'
import { ChangedTable, type InRow, sorted, sourceOf, WayBench } from '../../support/way-bench.ts'

const TEXT: DataType = { kind: 'STRING' }
const INT: DataType = { kind: 'INT' }
const BIGINT: DataType = { kind: 'BIGINT' }
const DOUBLE: DataType = { kind: 'DOUBLE' }
const MONEY: DataType = { kind: 'DECIMAL', precision: 10, scale: 2 }
const SUM: DataType = { kind: 'DECIMAL', precision: 38, scale: 2 }

const named = (columns: Readonly<Record<string, DataType>>) =>
  Object.entries(columns).map(([name, type]) => ({ name, type }))
const SOURCES = [
  sourceOf('s0', named({ id: INT, customer: INT, amount: MONEY, weight: DOUBLE }), ['id']),
  sourceOf('s1', named({ id: INT, region: TEXT }), ['id']),
  sourceOf('s2', named({ region: TEXT, tax: MONEY }), ['region']),
]

interface Query {
  readonly name: string
  readonly select: string
  readonly types: readonly DataType[]
  readonly key: readonly number[]
  /** Bases whose changes do not read the tables again. */
  readonly linear: readonly string[]
}

const VALUES =
  'count(*) AS c1, count(a.amount) AS c2, sum(a.amount) AS c3, min(a.amount) AS c4, max(a.amount) AS c5'
const VALUE_TYPES = [BIGINT, BIGINT, SUM, MONEY, MONEY]
const JOINS: readonly Query[] = (
  [
    ['INNER', ['s0', 's1']],
    ['LEFT', ['s0']],
    ['RIGHT', ['s1']],
    ['FULL', []],
  ] as const
).map(([kind, linear]) => ({
  name: `${kind} JOIN`,
  select: `SELECT b.region AS c0, ${VALUES} FROM b0 a ${kind} JOIN b1 b ON a.customer = b.id GROUP BY b.region`,
  types: [TEXT, ...VALUE_TYPES],
  key: [0],
  linear,
}))

const QUERIES: readonly Query[] = [
  ...JOINS,
  {
    name: 'three tables',
    select: `SELECT q.o0 AS c0, q.o1 AS c1, q.o2 AS c2, q.o3 AS c3 FROM (
      SELECT t.region AS r, count(*) AS n, sum(a.amount * t.tax) AS s, max(b.id) AS m
      FROM b0 a JOIN b1 b ON a.customer = b.id JOIN b2 t ON t.region = b.region
      WHERE a.amount > 1 GROUP BY t.region HAVING count(*) > 2 ORDER BY r) AS q(o0, o1, o2, o3)`,
    types: [TEXT, BIGINT, { kind: 'DECIMAL', precision: 38, scale: 4 }, INT],
    key: [0],
    linear: ['s0', 's1', 's2'],
  },
  {
    name: 'one row',
    select: `SELECT ${VALUES.replaceAll(/c(\d)/g, (_, n) => `c${Number(n) - 1}`)} FROM b0 a`,
    types: VALUE_TYPES,
    key: [],
    linear: ['s0'],
  },
  {
    name: 'expressions, FILTER and a group that is not selected',
    select: `SELECT a.customer % 3 AS c0, count(*) FILTER (WHERE a.amount > 5) AS c1,
        sum(a.amount) FILTER (WHERE a.id % 2 = 0) AS c2, sum(a.amount) / count(*) AS c3, max(upper(b.region)) AS c4
      FROM b0 a LEFT JOIN b1 b ON a.customer = b.id GROUP BY a.customer % 3, b.region`,
    types: [INT, BIGINT, SUM, DOUBLE, TEXT],
    key: [],
    linear: ['s0'],
  },
  {
    name: 'LIMIT and a window over groups',
    select: `SELECT a.customer AS c0, count(*) AS c1, rank() OVER (ORDER BY count(*) DESC, a.customer) AS c2
      FROM b0 a GROUP BY a.customer ORDER BY c1 DESC, c0 LIMIT 5`,
    types: [INT, BIGINT, BIGINT],
    key: [0],
    linear: ['s0'],
  },
  {
    name: 'a table that a sub-query reads, too',
    select: `SELECT b.region AS c0, count(*) AS c1 FROM b0 a JOIN b1 b ON a.customer = b.id
      WHERE a.amount > (SELECT min(tax) FROM b2) AND b.id IN (SELECT id FROM b1 WHERE id > 2) GROUP BY b.region`,
    types: [TEXT, BIGINT],
    key: [0],
    linear: ['s0'],
  },
  ...[
    [
      'a self-join',
      'SELECT a.id % 5 AS c0, count(*) AS c1 FROM b0 a JOIN b0 b ON a.customer = b.id GROUP BY a.id % 5',
    ],
    ['DISTINCT', 'SELECT customer AS c0, count(DISTINCT amount) AS c1 FROM b0 GROUP BY customer'],
    ['sets of groups', 'SELECT customer AS c0, count(*) AS c1 FROM b0 GROUP BY ROLLUP (customer)'],
    ['no aggregate', 'SELECT id AS c0, CAST(customer AS BIGINT) AS c1 FROM b0'],
    [
      'a sum that depends on the order',
      'SELECT customer AS c0, CAST(sum(weight) AS BIGINT) AS c1 FROM b0 GROUP BY customer',
    ],
    [
      'an aggregate over constants',
      "SELECT customer AS c0, length(string_agg('x', ',')) AS c1 FROM b0 GROUP BY customer",
    ],
    [
      'a set operation',
      'SELECT customer AS c0, count(*) AS c1 FROM b0 GROUP BY customer UNION ALL SELECT id, 1 FROM b1',
    ],
    [
      'a query of WITH',
      'WITH w AS (SELECT * FROM b0) SELECT customer AS c0, count(*) AS c1 FROM w GROUP BY customer',
    ],
  ].map(
    ([name, select]): Query => ({ name: name!, select: select!, types: [INT, BIGINT], key: [], linear: [] }),
  ),
]

function insertOf({ select, types, key }: Query): InsertPlan {
  const columns = types.map((type, index) => ({ name: `column${index}`, type }))
  const bases = [0, 1, 2].map((index) => ({ relation: `b${index}`, source: `s${index}` }))
  return {
    way: 'refresh',
    refresh: { bases, select, key, keyIsUnique: false, scope: undefined },
    sink: { tableId: 'o', tableName: 'o', columns, primaryKey: [] },
  }
}

const ROWS = 120
const TICKS = effort({ short: 5, long: 40 })
const pick = (random: SeededRandom, below: number) => Math.floor(random.next() * below)
const orNull = (random: SeededRandom, value: string) => (random.next() < 0.15 ? 'NULL' : value)

function rowOf(source: string, key: number, random: SeededRandom): readonly string[] {
  const region = `'r${pick(random, 4)}'`
  const money = `${pick(random, 6)}.${pick(random, 2)}0`
  if (source === 's0')
    return [String(key), orNull(random, String(pick(random, 40))), orNull(random, money), '0.1']
  return source === 's1' ? [String(key), orNull(random, region)] : [`'r${key % 60}'`, money]
}

function changeOf(random: SeededRandom, sources: readonly string[]): InRow {
  const source = sources[pick(random, sources.length)]!
  const op = random.next() < 0.3 ? 'd' : 'u'
  return { source, op, values: rowOf(source, pick(random, ROWS + 20), random) }
}

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'increment-'))
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(folder, { recursive: true, force: true })
})

async function opened(query: Query) {
  const result = {
    source: {} as never,
    key: [],
    keyIsRow: query.key.length === 0 && query.name !== 'one row',
    visibleColumns: 1,
  }
  const path = join(folder, 'state.duckdb')
  return WayBench.open({ path, sources: SOURCES, insert: insertOf(query), query: result })
}

function initial(random: SeededRandom): InRow[] {
  return ['s0', 's1', 's2'].flatMap((source) =>
    Array.from({ length: ROWS }, (_, key) => ({ source, values: rowOf(source, key, random) })),
  )
}

/** The query over the bases as they are. */
function afresh(bench: WayBench, { select, types }: Query) {
  const bases = [0, 1, 2].map((n) => `b${n} AS (SELECT * FROM ${bench.state}.base_0_s${n})`)
  const columns = types.map((_, index) => `c${index}`).join(', ')
  return bench.query(`WITH ${bases.join(', ')} SELECT ${columns} FROM (${select})`)
}

/** Ticks of random changes. Returns how many of them did not read the tables again. */
async function run(query: Query, seed: number, ticks: number): Promise<number> {
  const random = seededRandom(seed)
  const follow = vi.spyOn(Increments.prototype, 'follow')
  let bench = await opened(query)
  const reader = new ChangedTable()
  reader.apply(await bench.tick(initial(random)))
  for (let tick = 0; tick < ticks; tick++) {
    const sources = random.next() < 0.3 ? ['s0', 's1', 's2'] : [`s${pick(random, 3)}`]
    const changes = Array.from({ length: 1 + pick(random, 8) }, () => changeOf(random, sources))
    if (random.next() < 0.05)
      changes.push({ source: sources[0]!, op: 'c', values: changes[0]!.values.map(() => 'NULL') })
    // Changes of tables that are nearly empty need not be followed.
    if (random.next() < 0.1) changes.push(...initial(random))
    reader.apply(await bench.tick(changes))
    const now = sorted(await afresh(bench, query))
    expect(reader.sorted, `seed ${seed}, tick ${tick}`).toEqual(now)
    if (random.next() < 0.1) {
      await bench.close()
      bench = await opened(query)
    }
  }
  await bench.close()
  return follow.mock.calls.length
}

describe.each(QUERIES)('$name', (query) => {
  test('equals the query afresh after each tick', { timeout: 120_000 }, async () => {
    let followed = 0
    for (let seed = 1; seed <= effort({ short: 1, long: 20 }); seed++)
      followed += await run(query, seed, TICKS)
    if (query.linear.length === 0) expect(followed).toBe(0)
    else expect(followed).toBeGreaterThan(0)
  })
})

test('a change that is dropped is seen', { timeout: 60_000 }, async () => {
  const parts = Increments.prototype.follow
  let calls = 0
  vi.spyOn(Increments.prototype, 'follow').mockImplementation(function (this: Increments, changed) {
    return ++calls === 2 ? Promise.resolve(false) : parts.call(this, changed)
  })
  await expect(run(QUERIES[0]!, 1, 8)).rejects.toThrow()
})
