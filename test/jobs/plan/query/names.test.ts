/** Names of models and fields, of tables and columns. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestQueries } from './query-support.ts'

let queries: TestQueries
beforeAll(async () => {
  queries = await TestQueries.open(
    {
      customers: 'id integer key, region_code text',
      orders: 'id integer key, customer_id integer, "Amount" integer',
      'other.things': 'id integer key',
      Mixed: 'id integer key',
    },
    [
      {
        model: 'Customer',
        schema: 'public',
        table: 'customers',
        fields: [
          { field: 'id', column: 'id' },
          { field: 'region', column: 'region_code' },
        ],
      },
      {
        ...{ model: 'Order', schema: 'public', table: 'orders' },
        fields: [
          { field: 'id', column: 'id' },
          { field: 'customerId', column: 'customer_id' },
          { field: 'amount', column: 'Amount' },
        ],
      },
      { model: 'Thing', schema: 'other', table: 'things', fields: [{ field: 'id', column: 'id' }] },
    ],
  )
})
afterAll(() => queries.close())

test.each([
  ['the table and its columns', 'SELECT region_code FROM customers', 'region_code'],
  ['the model and its fields', 'SELECT "region" FROM "Customer"', 'region'],
  ['back-ticks', 'SELECT o.`customerId` FROM `Order` o', 'customerId'],
  ['a model in other letters', 'SELECT region FROM customer', 'region'],
  ['a field in other letters', 'SELECT customerId FROM orders', 'customerId'],
  ['the same with the name of the table', 'SELECT orders.CUSTOMERID FROM orders', 'customerId'],
  ['a quoted column', 'SELECT "Amount" FROM orders', 'Amount'],
  ['a column in other letters', 'SELECT AMOUNT FROM orders', 'amount'],
  ['a table in other letters', 'SELECT id FROM mixed', 'id'],
  ['a model of another schema', 'SELECT id FROM "Thing"', 'id'],
  ['a schema', 'SELECT things.id FROM other.things', 'id'],
  ['a field in an aggregate', 'SELECT sum(amount) FROM "Order" GROUP BY customerId', 'sum'],
])('%s', async (_, sql, name) => {
  const { columns } = await queries.plan(sql)
  expect(columns.map((column) => column.name)).toEqual([name])
})

test.each([
  [
    'SELECT id FROM "customer"',
    'relation "customer" does not exist; the schema has customers, orders, other.things, Mixed',
    '"customer"',
  ],
  ['SELECT "REGION" FROM customers', 'column "REGION" does not exist', '"REGION"'],
  [
    'SELECT c.regio FROM customers c',
    'column c.regio does not exist; perhaps you meant "c.region"',
    'c.regio',
  ],
  [
    'SELECT id\nFROM customers,\n  nope',
    'relation "nope" does not exist; the schema has customers, orders, other.things, Mixed',
    'nope',
  ],
])('%s is refused', async (sql, reason, marked) => {
  expect(await queries.refusal(sql)).toBe(`invalid_sql: ${reason} [${marked}]`)
})

test('a SELECT has at most as many columns as in PostgreSQL', async () => {
  const stars = (count: number) => `SELECT ${Array(count).fill('c.*').join(', ')} FROM customers c`
  expect(await queries.refusal(stars(833))).toBe('invalid_sql: a SELECT can have at most 1664 columns [c.*]')
  expect(await queries.refusal(`SELECT count(*) FROM (${stars(833)}) t`)).toContain('at most 1664 columns')
})
