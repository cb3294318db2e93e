/** What is known of a result before it runs: its columns, key, order and the plan of its job. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SHOP, TestQueries } from './query-support.ts'

let queries: TestQueries
beforeAll(async () => {
  queries = await TestQueries.open(SHOP)
})
afterAll(() => queries.close())

test('counts per group of a join', async () => {
  const { plan, ...result } = await queries.plan(
    'SELECT c.region_code, count(*) AS orders FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.region_code ORDER BY 2 DESC',
  )
  expect(result).toEqual({
    columns: [
      { name: 'region_code', type: 'text', nullable: false },
      { name: 'orders', type: 'bigint', nullable: false },
    ],
    key: [{ column: 0, name: 'region_code' }],
    keyIsRow: false,
    order: [
      { column: 1, descending: true, nullsFirst: true, compare: 'number' },
      { column: 0, descending: false, nullsFirst: false, compare: 'text' },
    ],
    tables: ['id-of-orders', 'id-of-customers'],
    warnings: [],
  })
  expect(
    plan.sources.map(({ relation, changeKey, decoded }) => [
      relation,
      changeKey,
      decoded.map(({ name }) => name),
    ]),
  ).toEqual([
    ['s0', ['id'], ['id', 'customer_id']],
    ['s1', ['id'], ['id', 'region_code']],
  ])
  expect(plan.inserts[0]).toMatchObject({
    way: 'refresh',
    sink: { tableId: 'result', primaryKey: ['region_code'] },
    refresh: {
      key: [0],
      keyIsUnique: true,
      bases: [
        { relation: 'b0', source: 's0' },
        { relation: 'b1', source: 's1' },
      ],
    },
  })
})

type Expected = {
  readonly key?: string
  readonly order?: string
  readonly hidden?: string
  readonly limit?: string
}

/** key: `name=column`, or `row`; order: columns, with - for descending and ^ for NULLs first; hidden: columns of the sink behind the visible ones. */
const RESULTS: readonly (readonly [sql: string, expected: Expected])[] = [
  ['SELECT count(*) FROM orders', { key: '', order: '', hidden: '__row' }],
  [
    'SELECT region_code, count(*) FROM customers GROUP BY 1',
    { key: 'region_code=0', order: '0', hidden: '' },
  ],
  [
    'SELECT count(*) FROM customers GROUP BY region_code',
    { key: 'region_code=1', order: '1', hidden: '__hidden0' },
  ],
  ['SELECT lower(name) AS l, count(*) FROM customers GROUP BY l', { key: 'l=0', order: '0', hidden: '' }],
  [
    'SELECT count(*) FROM customers GROUP BY lower(name)',
    { key: '?column?=1', order: '1', hidden: '__hidden0' },
  ],
  [
    'SELECT region_code FROM customers GROUP BY region_code ORDER BY max(id) DESC NULLS LAST',
    { key: 'region_code=0', order: '-1 0', hidden: '__hidden0' },
  ],
  ['SELECT DISTINCT region_code FROM customers', { key: 'row', order: '0', hidden: '' }],
  ['SELECT name FROM customers', { key: 'id=1', order: '1', hidden: '__hidden0' }],
  ['SELECT name FROM customers ORDER BY name DESC', { key: 'id=1', order: '-^0 1', hidden: '__hidden0' }],
  [
    'SELECT o.id, name FROM orders o JOIN customers c ON c.id = customer_id',
    { key: 'id=0 c_id=2', order: '0 2', hidden: '__hidden0' },
  ],
  ['SELECT a.id, b.id FROM orders a, orders b', { key: 'id=0 id_2=1', order: '0 1', hidden: '' }],
  ['SELECT id FROM orders UNION SELECT id FROM customers', { key: 'row', order: '0', hidden: '' }],
  [
    'SELECT id FROM orders UNION ALL SELECT id FROM customers ORDER BY 1 DESC',
    { key: 'row', order: '-^0', hidden: '' },
  ],
  [
    'SELECT n FROM (SELECT region_code, count(*) n FROM customers GROUP BY region_code) x',
    { key: 'region_code=1', order: '1', hidden: '__hidden0' },
  ],
  ['SELECT n FROM (SELECT count(*) n FROM customers) x', { key: '', order: '', hidden: '__row' }],
  [
    'WITH x AS (SELECT name FROM customers) SELECT name FROM x',
    { key: 'id=1', order: '1', hidden: '__hidden0' },
  ],
  [
    'SELECT name FROM (SELECT name FROM customers UNION ALL SELECT name FROM customers) x',
    { key: 'row', order: '0', hidden: '' },
  ],
  [
    'SELECT name FROM customers ORDER BY region_code LIMIT 3',
    { key: 'id=2', order: '1 2', limit: 'ORDER BY 2 ASC NULLS LAST, 3 ASC NULLS LAST LIMIT 3' },
  ],
  [
    'SELECT DISTINCT name FROM customers LIMIT 3 OFFSET 1',
    { key: 'row', limit: 'ORDER BY 1 ASC NULLS LAST LIMIT 3 OFFSET 1' },
  ],
]

test.each(RESULTS)('%s', async (sql, expected) => {
  const { plan, key, keyIsRow, order, columns } = await queries.plan(sql)
  const insert = plan.inserts[0]!
  if (insert.way !== 'refresh') throw new Error(insert.way)
  const found = {
    key: keyIsRow ? 'row' : key.map(({ name, column }) => `${name}=${column}`).join(' '),
    order: order
      .map((one) => `${one.descending ? '-' : ''}${one.nullsFirst ? '^' : ''}${one.column}`)
      .join(' '),
    hidden: insert.sink.columns
      .slice(columns.length)
      .map(({ name }) => name)
      .join(' '),
    limit: /ORDER BY .* LIMIT .*(?=\) AS q\()/.exec(insert.refresh.select)?.[0],
  }
  expect(found).toMatchObject(expected)
  expect(insert.refresh.key).toEqual(
    keyIsRow ? [] : key.length === 0 ? [columns.length] : key.map(({ column }) => column),
  )
})

test('columns of one name get different names, with a warning', async () => {
  const { columns, warnings } = await queries.plan(
    'SELECT o.id, c.id, o.id AS id_2 FROM orders o, customers c',
  )
  expect(columns.map(({ name }) => name)).toEqual(['id', 'id_3', 'id_2'])
  expect(warnings).toEqual(['several columns have the name id: column 2 is id_3'])
})

test('groups of one table can be computed alone', async () => {
  const scopeOf = async (sql: string) => {
    const insert = (await queries.plan(sql)).plan.inserts[0]!
    return insert.way === 'refresh' ? insert.refresh.scope : undefined
  }
  expect(await scopeOf('SELECT customer_id, bool_and(amount > 1) FROM orders GROUP BY customer_id')).toEqual({
    ...{ relation: 'b0', keys: ['"customer_id"'], isRequired: false, columns: [0] },
  })
  expect(await scopeOf('SELECT name FROM customers')).toMatchObject({ keys: ['"id"'], columns: [1] })
  expect(await scopeOf('SELECT bool_or(amount > 1) FROM orders')).toBeUndefined()
  expect(
    await scopeOf('SELECT customer_id, sum(count(*)) OVER () FROM orders GROUP BY customer_id'),
  ).toBeUndefined()
  expect(await scopeOf('SELECT DISTINCT customer_id FROM orders LIMIT 3')).toBeUndefined()
})
