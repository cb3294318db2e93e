import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { InsertPlan } from '../../../src/jobs/plan/job-plan.ts'
import type { RefreshPlan } from '../../../src/jobs/plan/refresh-plan.ts'
import type { DataType } from '../../../src/sql/data-types.ts'
import { effort } from '../../support/effort.ts'
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts'
import { ChangedTable, type InRow, sorted, sourceOf, WayBench } from '../../support/way-bench.ts'

const TEXT: DataType = { kind: 'STRING' }
const INT: DataType = { kind: 'INT' }
const BIGINT: DataType = { kind: 'BIGINT' }
const DOUBLE: DataType = { kind: 'DOUBLE' }

const SOURCES = [
  sourceOf(
    's0',
    [
      { name: 'id', type: INT },
      { name: 'customer', type: INT },
      { name: 'amount', type: DOUBLE },
    ],
    ['id'],
  ),
  sourceOf(
    's1',
    [
      { name: 'id', type: INT },
      { name: 'region', type: TEXT },
    ],
    ['id'],
  ),
  sourceOf(
    's2',
    [
      { name: 'region', type: TEXT },
      { name: 'part', type: INT },
      { name: 'tax', type: DOUBLE },
    ],
    ['region', 'part'],
  ),
]
const BASES: RefreshPlan['bases'] = [
  { relation: 'b0', source: 's0' },
  { relation: 'b1', source: 's1' },
  { relation: 'b2', source: 's2' },
]

interface Query {
  readonly name: string
  readonly select: string
  readonly types: readonly DataType[]
  readonly key: readonly number[]
  readonly keyIsUnique?: boolean
  readonly scope?: RefreshPlan['scope']
  /** Sums of floating-point values over a join depend on the order in which the engine joins: use values with exact sums. */
  readonly exact?: boolean
}

const JOINS = ['INNER', 'LEFT', 'RIGHT', 'FULL'].map(
  (kind): Query => ({
    name: `${kind} JOIN`,
    select: `SELECT a.id AS c0, b.id AS c1, b.region AS c2, a.amount AS c3 FROM b0 a ${kind} JOIN b1 b ON a.customer = b.id`,
    types: [INT, INT, TEXT, DOUBLE],
    key: [],
  }),
)

const QUERIES: readonly Query[] = [
  ...JOINS,
  {
    name: 'aggregate by a column',
    select:
      'SELECT customer AS c0, count(*) AS c1, sum(amount) AS c2, max(amount) AS c3 FROM b0 WHERE customer IS NOT NULL GROUP BY customer HAVING count(*) > 1',
    types: [INT, BIGINT, DOUBLE, DOUBLE],
    key: [0],
    keyIsUnique: true,
    scope: { relation: 'b0', isRequired: false, keys: ['customer'], columns: [0] },
  },
  {
    name: 'aggregate of three tables',
    select: `SELECT coalesce(b.region, '?') AS c0, count(*) AS c1, count(DISTINCT a.customer) AS c2, sum(a.amount * coalesce(t.tax, 1)) AS c3
      FROM b0 a LEFT JOIN b1 b ON a.customer = b.id FULL JOIN b2 t ON t.region = b.region AND t.part = 1 GROUP BY ALL`,
    types: [TEXT, BIGINT, BIGINT, DOUBLE],
    key: [0],
    exact: true,
  },
  {
    name: 'first two of each customer',
    select: `SELECT customer AS c0, place AS c1, id AS c2, amount AS c3 FROM (
      SELECT *, row_number() OVER (PARTITION BY customer ORDER BY amount DESC NULLS LAST, id) AS place FROM b0 WHERE customer IS NOT NULL) WHERE place <= 2`,
    types: [INT, BIGINT, INT, DOUBLE],
    key: [0, 1],
    keyIsUnique: true,
    scope: { relation: 'b0', isRequired: false, keys: ['customer'], columns: [0] },
  },
  {
    name: 'ORDER BY LIMIT',
    select: 'SELECT id AS c0, amount AS c1 FROM b0 ORDER BY amount DESC NULLS LAST, id LIMIT 3',
    types: [INT, DOUBLE],
    key: [0],
  },
  {
    name: 'filter by the primary key',
    select: 'SELECT id AS c0, amount * 2 AS c1 FROM b0 WHERE amount > 0.3',
    types: [INT, DOUBLE],
    key: [0],
    keyIsUnique: true,
    scope: { relation: 'b0', isRequired: false, keys: ['"id"'], columns: [0] },
  },
  {
    name: 'rows without a key, many of them equal',
    select:
      'SELECT customer AS c0, NULL::VARCHAR AS c1 FROM b0 UNION ALL SELECT id, region FROM b1 UNION ALL SELECT part, region FROM b2',
    types: [INT, TEXT],
    key: [],
  },
  {
    name: 'self-join, sub-query and NOT IN',
    select: `SELECT a.id AS c0, (SELECT count(*) FROM b0 o WHERE o.customer = a.customer) AS c1
      FROM b0 a WHERE a.customer NOT IN (SELECT id FROM b1 WHERE region = 'north')`,
    types: [INT, BIGINT],
    key: [0],
  },
  {
    name: 'count of all rows',
    select: 'SELECT count(*) AS c0, sum(amount) AS c1 FROM b0',
    types: [BIGINT, DOUBLE],
    key: [],
  },
]

function insertOf({ select, types, key, keyIsUnique = false, scope }: Query): InsertPlan {
  const columns = types.map((type, index) => ({ name: `column${index}`, type }))
  return {
    way: 'refresh',
    refresh: { bases: BASES, select, key, keyIsUnique, scope },
    sink: { tableId: 'o', tableName: 'o', columns, primaryKey: key.map((index) => `column${index}`) },
  }
}

/** The same query over tables that hold the rows, kept by the test: last change by key. */
class Model {
  readonly tables = new Map<string, Map<string, readonly string[]>>(
    SOURCES.map(({ relation }) => [relation, new Map()]),
  )

  apply(changes: readonly InRow[]): void {
    for (const { source, op, values } of changes) {
      const rows = this.tables.get(source)!
      const { columns, changeKey } = SOURCES.find(({ relation }) => relation === source)!
      const key = JSON.stringify(values.slice(0, changeKey.length))
      if (op === 'c') rows.clear()
      else rows.delete(key)
      if (op === 'u') rows.set(key, values)
      if (columns.length !== values.length) throw new Error('wrong row')
    }
  }

  /** The query over VALUES. */
  sql({ select }: Query): string {
    const tables = SOURCES.map(({ relation, columns }) => {
      const rows = [...this.tables.get(relation)!.values()]
      const casts = columns.map(
        ({ name, type }, index) =>
          `CAST(col${index} AS ${type.kind === 'STRING' ? 'VARCHAR' : type.kind}) AS ${name}`,
      )
      const nulls = columns.map(() => 'NULL').join(', ')
      const values = rows.length > 0 ? rows.map((row) => `(${row.join(', ')})`).join(', ') : `(${nulls})`
      return `${relation.replace('s', 'b')} AS (SELECT ${casts.join(', ')} FROM (VALUES ${values})${rows.length === 0 ? ' WHERE FALSE' : ''})`
    })
    return `WITH ${tables.join(', ')} SELECT * FROM (${select})`
  }
}

function randomChange(random: SeededRandom, exact = false): InRow {
  // As texts: in a list of VALUES the engine would give literals one common DECIMAL type, and round them.
  const amount = random.pick(
    exact
      ? ['NULL', '0.25', '0.5', '3', '-8']
      : ['NULL', ...['0.1', '0.2', '0.3', '1e15', random.next()].map((number) => `'${number}'::DOUBLE`)],
  )
  const region = random.pick(["'north'", "'south'", "'a region with a long name'"])
  const small = String(random.whole(1, 12))
  const op = random.next() < 0.02 ? 'c' : random.pick(['u', 'u', 'u', 'd'] as const)
  const form = random.pick(['s0', 's0', 's0', 's1', 's2'])
  // Of a delete only the key is right, and a clear has nothing but NULL.
  const rest = (value: string) => (op === 'u' ? value : 'NULL')
  const key = (value: string) => (op === 'c' ? 'NULL' : value)
  if (form === 's0')
    return {
      source: form,
      op,
      values: [key(String(random.whole(1, 40))), rest(random.next() < 0.1 ? 'NULL' : small), rest(amount)],
    }
  if (form === 's1')
    return { source: form, op, values: [key(small), rest(random.next() < 0.1 ? 'NULL' : region)] }
  return { source: form, op, values: [key(region), key(random.pick(['1', '2'])), rest(amount)] }
}

let folder: string
let open: WayBench[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'refresh-'))
})

afterEach(async () => {
  for (const bench of open) await bench.close()
  open = []
  rmSync(folder, { recursive: true })
})

async function benchOf(insert: InsertPlan, name = 'state'): Promise<WayBench> {
  const bench = await WayBench.open({ path: join(folder, name), sources: SOURCES, insert })
  open.push(bench)
  return bench
}

describe('the table of all changes equals the query run afresh', () => {
  test.each(QUERIES)('after each tick: $name', async (query) => {
    const random = seededRandom(7)
    const bench = await benchOf(insertOf(query))
    const model = new Model()
    const table = new ChangedTable()
    for (let tick = 0; tick < effort({ short: 4, long: 60 }); tick++) {
      const changes = Array.from({ length: random.whole(0, 25) }, () => randomChange(random, query.exact))
      table.apply(await bench.tick(changes))
      model.apply(changes)
      expect(table.sorted).toEqual(sorted(await bench.query(model.sql(query))))
    }
  })

  test('and a change that is dropped is found (negative control)', async () => {
    const query = QUERIES.at(-1)!
    const bench = await benchOf(insertOf(query))
    const model = new Model()
    const table = new ChangedTable()
    const changes: InRow[] = [1, 2, 3].map((id) => ({
      source: 's0',
      op: 'u',
      values: [String(id), '1', '0.5'],
    }))
    table.apply(await bench.tick(changes.slice(1)))
    model.apply(changes)
    expect(table.sorted).not.toEqual(sorted(await bench.query(model.sql(query))))
  })
})

const CHANGES = effort({ short: 30, long: 300 })
/** Of ticks. A job with ticks of a third is started again after the first. */
const SIZES = [...effort({ short: [], long: [CHANGES / 6] }), CHANGES / 3, CHANGES]

describe('the final table does not depend on the size of ticks, nor on a restart between them', () => {
  test.each(QUERIES)('$name', async (query) => {
    const random = seededRandom(24)
    // No clear in the second half, so that the final table has rows.
    const changes = Array.from({ length: CHANGES * 2 }, () => randomChange(random, query.exact))
      .filter(({ op }, index) => op !== 'c' || index < CHANGES / 2)
      .slice(0, CHANGES)
    const results: string[][] = []
    for (const size of SIZES) {
      let bench = await benchOf(insertOf(query), `state-${size}`)
      const table = new ChangedTable()
      for (let from = 0; from < changes.length; from += size) {
        if (size === CHANGES / 3 && from === size) {
          open = open.filter((other) => other !== bench)
          await bench.close()
          bench = await benchOf(insertOf(query), `state-${size}`)
        }
        table.apply(await bench.tick(changes.slice(from, from + size)))
      }
      results.push(table.sorted)
    }
    expect(results[0]!.length).toBeGreaterThan(0)
    for (const result of results) expect(result).toEqual(results[0])
  })
})

describe('single changes', () => {
  const plain: Query = {
    name: 'all rows',
    select: 'SELECT id AS c0, customer AS c1 FROM b0',
    types: [INT, INT],
    key: [0],
    keyIsUnique: true,
    scope: { relation: 'b0', isRequired: false, keys: ['"id"'], columns: [0] },
  }
  const upsert = (id: number, customer: string): InRow => ({
    source: 's0',
    op: 'u',
    values: [String(id), customer, 'NULL'],
  })
  const remove = (id: number): InRow => ({ source: 's0', op: 'd', values: [String(id), 'NULL', 'NULL'] })
  const clear: InRow = { source: 's0', op: 'c', values: ['NULL', 'NULL', 'NULL'] }

  const CASES = [
    { name: 'a new row', ticks: [[upsert(1, '5')]], last: [['c', '1', '5']] },
    {
      name: 'an update has the row that it replaces',
      ticks: [[upsert(1, '5'), upsert(2, '6')], [upsert(1, '7')]],
      last: [
        ['b', '1', '5'],
        ['u', '1', '7'],
      ],
    },
    { name: 'an update with equal values is none', ticks: [[upsert(1, '5')], [upsert(1, '5')]], last: [] },
    {
      name: 'NULL and a value differ',
      ticks: [[upsert(1, 'NULL')], [upsert(1, '5')]],
      last: [
        ['b', '1', null],
        ['u', '1', '5'],
      ],
    },
    {
      name: 'a tombstone deletes, with the last values',
      ticks: [[upsert(1, '5')], [remove(1)]],
      last: [['d', '1', '5']],
    },
    {
      name: 'a tombstone of an unknown key is without effect',
      ticks: [[upsert(1, '5')], [remove(9)]],
      last: [],
    },
    {
      name: 'a row that comes and goes in one tick is none',
      ticks: [[upsert(1, '5')], [upsert(2, '6'), remove(2)]],
      last: [],
    },
    {
      name: 'a row that goes and comes in one tick is an update',
      ticks: [[upsert(1, '5')], [remove(1), upsert(1, '6')]],
      last: [
        ['b', '1', '5'],
        ['u', '1', '6'],
      ],
    },
    {
      name: 'a key change is a delete and a new row, deletes first',
      ticks: [[upsert(5, '5')], [remove(5), upsert(1, '5')]],
      last: [
        ['d', '5', '5'],
        ['c', '1', '5'],
      ],
    },
    {
      name: 'a clear deletes all rows that are not written again after it',
      ticks: [
        [upsert(1, '5'), upsert(2, '6')],
        [upsert(3, '1'), clear, upsert(2, '6'), upsert(4, '4')],
      ],
      last: [
        ['d', '1', '5'],
        ['c', '4', '4'],
      ],
    },
    { name: 'a tick without changes', ticks: [[upsert(1, '5')], []], last: [] },
  ]
  test.each(CASES)('$name', async ({ ticks, last }) => {
    for (const [name, scope] of [
      ['scoped', plain.scope],
      ['whole', undefined],
    ] as const) {
      const bench = await benchOf(insertOf({ ...plain, scope }), name)
      // Enough other rows that the scope is used.
      await bench.tick(Array.from({ length: 50 }, (_, index) => upsert(100 + index, '1')))
      let out = undefined as unknown
      for (const tick of ticks) {
        out = await bench.tick(tick)
        if (Array.isArray(out)) out = out.filter(([, id]) => Number(id) < 100)
      }
      expect(out).toEqual(last)
    }
  })

  test('two rows for one primary key of the sink fail the tick, and the state stays as it was', async () => {
    const bench = await benchOf(
      insertOf({
        name: '',
        select: 'SELECT customer AS c0, amount AS c1 FROM b0',
        types: [INT, DOUBLE],
        key: [0],
      }),
    )
    await bench.tick([upsert(1, '5')])
    await expect(bench.tick([upsert(2, '5'), upsert(3, '4')])).rejects.toMatchObject({
      sqlState: '22000',
      message:
        'the query returns more than one row for the primary key (column0 = 5) of the sink; group or filter the rows so that one remains',
    })
    expect(await bench.tick([upsert(2, '6')])).toEqual([['c', '6', null]])
  })

  test('NULL in the primary key of the sink fails the tick', async () => {
    const bench = await benchOf(
      insertOf({
        name: '',
        select: 'SELECT customer AS c0, amount AS c1 FROM b0',
        types: [INT, DOUBLE],
        key: [0],
      }),
    )
    await expect(bench.tick([upsert(1, 'NULL')])).rejects.toThrow(
      "Column 'column0' is NOT NULL, however, a null value is being written into it",
    )
  })
})
