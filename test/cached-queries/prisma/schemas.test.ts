/** Prisma schemas: the tables that they describe, refusals with their places, and the comparison with a database. */
import * as duckdb from '@duckdb/node-api'
import { describe, expect, test } from 'vitest'
import { checkSchema } from '../../../src/cached-queries/schema-check.ts'
import type { DescribedTable } from '../../../src/cdc/capture-service.ts'
import type { CapturedColumn } from '../../../src/cdc/captured-table.ts'
import { Planner } from '../../../src/jobs/plan/planner.ts'
import { namesOf, tableOf } from '../../../src/jobs/plan/prisma/plan-with-schema.ts'
import { schemaModels } from '../../../src/jobs/plan/prisma/schema-models.ts'
import { type QueryPlan, QueryProblem } from '../../../src/jobs/plan/query-plan.ts'

const SHOP = `
datasource db {
  provider = "postgresql"
  url      = env("DATABASE_URL")
}
generator client {
  provider        = "prisma-client-js"
  previewFeatures = ["a", "b"]
}
/// Those who buy.
model Customer {
  id     Int     @id @default(autoincrement())
  name   String  @db.VarChar(80) // a comment
  region String  @map("region_code")
  orders Order[]
  @@map("customers")
}
model Order {
  id         Int      @id
  customerId Int      @map("customer_id")
  customer   Customer @relation(fields: [customerId], references: [id], onDelete: Cascade)
  amount     Decimal  @db.Decimal(10, 2)
  createdAt  DateTime @default(now()) @map("created_at") @db.Timestamptz(6)
  secret     String   @ignore
  @@map("orders")
  @@index([
    customerId,
    amount(sort: Desc)
  ])
}`

function read(schema: string) {
  const models = schemaModels(schema)
  return { models: models.map(namesOf), tables: models.map(tableOf) }
}

test('models are tables, fields are columns', () => {
  const { models, tables } = read(SHOP)
  expect(models[1]).toEqual({
    model: 'Order',
    schema: 'public',
    table: 'orders',
    fields: [
      { field: 'id', column: 'id' },
      { field: 'customerId', column: 'customer_id' },
      { field: 'amount', column: 'amount' },
      { field: 'createdAt', column: 'created_at' },
    ],
  })
  expect(tables.map(({ tableId, key }) => [tableId, key])).toEqual([
    ['public.customers', ['id']],
    ['public.orders', ['id']],
  ])
  expect(tables[1]!.columns.map(({ databaseType }) => databaseType)).toEqual([
    'integer',
    'integer',
    'numeric(10,2)',
    'timestamp(6) with time zone',
  ])
})

const TYPES: readonly (readonly [field: string, databaseType: string, kind: string, nullable?: boolean])[] = [
  ['Int', 'integer', 'INT'],
  ['Int @db.SmallInt', 'smallint', 'SMALLINT'],
  ['Int @db.Oid', 'oid', 'BIGINT'],
  ['BigInt?', 'bigint', 'BIGINT', true],
  ['Float', 'double precision', 'DOUBLE'],
  ['Float @db.Real', 'real', 'FLOAT'],
  ['Decimal @db.Decimal(12, 3)', 'numeric(12,3)', 'DECIMAL'],
  ['Decimal @db.Money', 'money', 'STRING'],
  ['String @db.Char(3)', 'character(3)', 'STRING'],
  ['String @db.Uuid', 'uuid', 'STRING'],
  ['Boolean', 'boolean', 'BOOLEAN'],
  ['DateTime', 'timestamp(3) without time zone', 'TIMESTAMP'],
  ['DateTime @db.Timestamptz', 'timestamp with time zone', 'TIMESTAMP_LTZ'],
  ['DateTime @db.Date', 'date', 'DATE'],
  ['DateTime @db.Time(3)', 'time(3) without time zone', 'TIME'],
  ['DateTime @db.Timetz', 'time with time zone', 'STRING'],
  ['Json', 'jsonb', 'STRING'],
  ['Json @db.Json', 'json', 'STRING'],
  ['Bytes', 'bytea', 'BYTES'],
  ['Color', 'color_type', 'STRING'],
  ['String[]', 'text[]', 'ARRAY'],
  ['Int[] @db.SmallInt', 'smallint[]', 'ARRAY'],
]

test.each(TYPES)('%s is %s', (field, databaseType, kind, nullable = false) => {
  const { tables } = read(
    `enum Color {\n RED\n GREEN @map("green")\n @@map("color_type")\n}\nmodel M {\n id Int @id\n x ${field}\n}`,
  )
  const [, column] = tables[0]!.columns
  expect([column!.databaseType, column!.type.kind, column!.nullable]).toEqual([databaseType, kind, nullable])
})

test.each([
  ['@@id', 'a Int\n b Int\n @@id([b, a])', ['b', 'a']],
  ['@@id with a name', 'a Int\n b Int\n @@id(name: "k", fields: [a(sort: Desc), b])', ['a', 'b']],
  ['@unique', 'a Int? @unique\n b Int @unique\n c Int', ['b']],
  ['@@unique', 'a Int @map("x")\n b Int\n @@unique([a, b], map: "u")', ['x', 'b']],
])('the key by %s', (_, fields, key) => {
  expect(read(`model M {\n ${fields}\n}`).tables[0]!.key).toEqual(key)
})

const REFUSED: readonly (readonly [
  name: string,
  schema: string,
  message: string,
  line: number,
  column: number,
])[] = [
  [
    'another provider',
    'datasource d {\n  provider = "mysql"\n}',
    'provider is "mysql"; only "postgresql" is supported',
    2,
    3,
  ],
  ['no provider', 'datasource d {\n}', 'datasource d has no provider; write provider = "postgresql"', 1, 12],
  ['no key', 'model M {\n  a Int\n}', 'model M has no key; add @id or @@id', 1, 7],
  ['an unknown type', 'model M {\n  id Foo @id\n}', 'model M, field id: type Foo is not known', 2, 6],
  [
    'a native type of another type',
    'model M {\n id Int @id @db.Text\n}',
    'model M, field id: @db.Text is not a type of Int on PostgreSQL',
    2,
    13,
  ],
  ['a field twice', 'model M {\n id Int @id\n id Int\n}', 'model M has two fields id', 3, 2],
  ['a model twice', 'model M {\n id Int @id\n}\nmodel M {\n id Int @id\n}', 'model M is defined twice', 4, 7],
  [
    'a table twice',
    'model M {\n id Int @id\n}\nmodel N {\n id Int @id\n @@map("M")\n}',
    'models M and N have one table, public.M',
    4,
    7,
  ],
  [
    'a key of unknown fields',
    'model M {\n a Int\n @@id([b])\n}',
    '@@id of model M names field b, which it does not have',
    3,
    2,
  ],
  ['a map without a name', 'model M {\n id Int @id @map(x)\n}', '@map needs a name in double quotes', 2, 13],
  ['a missing brace', 'model M {\n  id Int @id\n', 'expected the name of a field, but the schema ends', 3, 1],
  [
    'no block',
    'select 1',
    "expected model, enum, view, type, datasource or generator, but got 'select'",
    1,
    1,
  ],
  [
    'an open text',
    'model M {\n id Int @id @map("x)\n}',
    'the text does not end; close it with " on the same line',
    2,
    18,
  ],
  [
    'two fields in a line',
    'model M { id Int @id b Int }',
    "expected the end of the line, but got 'b'",
    1,
    22,
  ],
  ['an unknown character', 'model M {\n id Int @id #\n}', "unexpected '#'", 2, 13],
]

test.each(REFUSED)('%s is refused', (_, schema, message, line, column) => {
  expect(problemOf(() => read(schema))).toMatchObject({
    code: 'invalid_schema',
    message,
    place: { line, column },
  })
})

function problemOf(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}

test('a model has at most as many columns as a table may have', () => {
  const model = (count: number) =>
    `model M {\n id Int @id\n${Array.from({ length: count - 1 }, (_, i) => ` a${i} Int\n`).join('')}}`
  expect(read(model(1_600)).tables[0]!.columns.length).toBe(1_600)
  expect(problemOf(() => read(model(1_601)))).toMatchObject({
    code: 'invalid_schema',
    message: 'model M has more than 1600 columns, as many as a table may have',
    place: { line: 1602, column: 2 },
  })
})

test('the service gets the models that a query reads, and no others', async () => {
  const planner = await Planner.open(duckdb)
  try {
    const { plan, models } = await planner.planWithSchema({
      sql: 'SELECT count(*) FROM "Order"',
      schema: SHOP,
    })
    expect(plan.tables).toEqual(['public.orders'])
    expect(models.map(({ model }) => model)).toEqual(['Order'])
    await expect(planner.planWithSchema({ sql: 'SELECT', schema: 'model {' })).rejects.toMatchObject({
      code: 'invalid_schema',
      place: { line: 1, column: 7 },
    })
  } finally {
    await planner.close()
  }
})

test('hostile schemas end soon', () => {
  const hostile = [
    `model M {\n id Int @id @default(${'['.repeat(200_000)}`,
    `model M {\n id Int @id @default(${'a('.repeat(200_000)}`,
    `${'"'.repeat(1_000_000)}`,
    `/*${'*'.repeat(1_000_000)}`,
    `${'/*'.repeat(500_000)}`,
    ` ${'\\'.repeat(1_000_000)}`,
    `model M {\n id Int @id\n${' a Int\n'.repeat(140_000)}}`,
  ]
  for (const schema of hostile) {
    const startMs = performance.now()
    expect(problemOf(() => read(schema))).toBeInstanceOf(QueryProblem)
    expect(performance.now() - startMs).toBeLessThan(5000)
  }
})

describe('the database differs', () => {
  const column = (name: string, databaseType: string, isArray = false): CapturedColumn => ({
    ...{ name, databaseType, typeOid: 0, kind: 'text', isArray, type: { kind: 'STRING' }, nullable: false },
  })
  const described = (...columns: CapturedColumn[]): DescribedTable => ({
    ...{ schema: 'public', table: 'orders', problem: undefined, collation: 'C' },
    captured: { schema: 'public', table: 'orders', oid: 1, key: ['id'], columns },
  })
  const using = (...names: string[]) =>
    ({
      plan: { sources: [{ tableId: 'public.orders', decoded: names.map((name) => ({ name })) }] },
    }) as unknown as QueryPlan
  const checked = (schema: string, plan: QueryPlan, ...tables: DescribedTable[]) =>
    problemOf(() => checkSchema(schemaModels(schema), plan, tables))

  test.each([
    ['text', 'model Order, field amount: the database has text, the schema says Decimal'],
    ['integer', 'model Order, field amount: the database has integer, the schema says Decimal'],
    [
      'numeric(10,2)[]',
      'model Order, field amount: the database has numeric(10,2)[], the schema says Decimal',
    ],
  ])('in a type: %s', (databaseType, message) => {
    const table = described(
      column('id', 'integer'),
      column('amount', databaseType, databaseType.endsWith('[]')),
    )
    expect(checked(SHOP, using('id', 'amount'), table)).toMatchObject({ code: 'schema_mismatch', message })
    expect(checked(SHOP, using('id'), table)).toMatchObject([{ tableId: 'public.orders' }])
  })

  test.each(['numeric', 'numeric(40,5)', 'money'])(
    'not: the exact type %s is that of the database',
    (databaseType) => {
      const table = described(column('id', 'bigint'), column('amount', databaseType))
      expect(checked(SHOP, using('id', 'amount'), table)).toMatchObject([
        { columns: [{ databaseType: 'bigint' }, { databaseType }] },
      ])
    },
  )

  test('in a column, a table', () => {
    expect(checked(SHOP, using('id', 'amount'), described(column('id', 'integer')))).toMatchObject({
      code: 'schema_mismatch',
      message: 'model Order, field amount: table public.orders of the database has no column amount',
    })
    expect(checked(SHOP, using('id'))).toMatchObject({
      code: 'schema_mismatch',
      message: 'model Order: the database has no table public.orders',
    })
  })

  test('a table that cannot be captured keeps its reason', () => {
    const table = {
      ...described(),
      captured: undefined,
      problem: { code: 'no_primary_key' as const, message: 'no key' },
    }
    expect(checked(SHOP, using('id'), table)).toMatchObject({ code: 'no_primary_key', message: 'no key' })
  })

  test('Unsupported only if the query uses the field', () => {
    const schema = 'model orders {\n id Int @id\n v Unsupported("tsvector")\n}'
    const table = described(column('id', 'integer'), column('v', 'tsvector'))
    expect(checked(schema, using('id'), table)).toMatchObject([{ key: ['id'] }])
    expect(checked(schema, using('id', 'v'), table)).toMatchObject({
      ...{ code: 'invalid_schema', place: { line: 3, column: 2 } },
      message: 'model orders, field v: Unsupported("tsvector") cannot be used in a query',
    })
  })

  test('an enum is a type of the database', () => {
    const schema = 'enum State {\n NEW\n}\nmodel orders {\n id Int @id\n state State\n}'
    expect(
      checked(schema, using('id', 'state'), described(column('id', 'integer'), column('state', '"State"'))),
    ).toMatchObject([{}])
    expect(
      checked(schema, using('id', 'state'), described(column('id', 'integer'), column('state', 'text'))),
    ).toMatchObject({
      message: 'model orders, field state: the database has text, the schema says State',
    })
  })
})
