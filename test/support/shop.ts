/** A database `shop` with customers and orders, its Prisma schema, and cached queries over it through HTTP. */
import { expect } from 'vitest'
import type { TestPostgres } from './postgres.ts'
import type { TestApp } from './test-app.ts'

export const SHOP = `
  CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL, region_code text NOT NULL);
  CREATE TABLE orders (id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customers(id), amount numeric(10,2) NOT NULL,
    created_at timestamptz(6) NOT NULL DEFAULT now());
  INSERT INTO customers VALUES (1,'Ann','north'),(2,'Bob','south'),(3,'Cy','north');
  INSERT INTO orders(id,customer_id,amount) VALUES (10,1,20.00),(11,2,5.50),(12,3,0.50),(13,1,9.99)`

export const SCHEMA = `
datasource db {
  provider = "postgresql"
  url      = env("DATABASE_URL")
}
model Customer {
  id     Int     @id
  name   String
  region String  @map("region_code")
  orders Order[]
  @@map("customers")
}
model Order {
  id         Int      @id
  customerId Int      @map("customer_id")
  customer   Customer @relation(fields: [customerId], references: [id])
  amount     Decimal  @db.Decimal(10, 2)
  createdAt  DateTime @default(now()) @map("created_at") @db.Timestamptz(6)
  @@map("orders")
}`

export const BY_REGION =
  'SELECT c.region_code, count(*) AS orders, sum(o.amount) AS total, avg(o.amount) AS mean, max(o.amount) AS largest ' +
  'FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.region_code ORDER BY 1'

const ROWS_MS_MAX = 120_000

interface Answer {
  readonly status: number
  readonly json: Record<string, unknown>
}

/** A client of one connection. */
export class Shop {
  readonly app: TestApp
  readonly server: TestPostgres
  readonly environment: string
  readonly database: string

  constructor(app: TestApp, server: TestPostgres, environment = 'env1', database = 'postgres') {
    this.app = app
    this.server = server
    this.environment = environment
    this.database = database
  }

  get connectionString(): string {
    return this.server.uri().replace(/\/postgres$/, `/${this.database}`)
  }

  async post(path: string, more: Record<string, string> = {}): Promise<Answer> {
    const body = new URLSearchParams({
      ...{ connectionString: this.connectionString, environmentId: this.environment },
      ...more,
    })
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const { status, text } = await this.app.post(path, { headers, body: body.toString() })
    return { status, json: JSON.parse(text) as Record<string, unknown> }
  }

  async createQuery(sqlQuery = BY_REGION, schema = SCHEMA): Promise<number> {
    const { status, json } = await this.post('/createCachedQuery', { schema, sqlQuery })
    expect(json).not.toHaveProperty('error')
    expect(status).toBe(201)
    return json.id as number
  }

  sql(text: string): Promise<Record<string, unknown>[]> {
    return this.server.sql(text, undefined, this.connectionString)
  }

  async get(path: string): Promise<Answer> {
    const { status, text } = await this.app.get(path)
    return { status, json: JSON.parse(text) as Record<string, unknown> }
  }

  /** Rows that are at least as new as the database now, each as one text. */
  async rows(id: number): Promise<string[]> {
    const [{ lsn } = {}] = await this.sql('SELECT pg_current_wal_lsn()::text AS lsn')
    for (const endMs = performance.now() + ROWS_MS_MAX; ; ) {
      const path = `/queries/${id}/rows?atLeast=${encodeURIComponent(String(lsn))}`
      const { status, json } = await this.get(path)
      if (status === 200) return (json.rows as unknown[][]).map((row) => row.join(' '))
      // A machine that is busy may need longer than one request waits.
      if (performance.now() > endMs || (status !== 503 && status !== 504))
        throw new Error(JSON.stringify(json))
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }

  async status(id: number): Promise<unknown> {
    return (await this.get(`/queries/${id}`)).json.status
  }
}
