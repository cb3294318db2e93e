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
