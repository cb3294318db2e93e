/**
 * The database `shop` of the documentation of cached queries, on a PostgreSQL server for tests, with a role that has a password and
 * only the rights that are needed.
 */

import type { TestPostgres } from './postgres.ts'
import { connectedClient } from './postgres-client.ts'

export const TABLES = `
create table customers(id int primary key, name text not null, region_code text not null);
create table orders(id int primary key, customer_id int not null references customers(id), amount numeric(10,2) not null, created_at timestamptz(6) not null default now());
insert into customers values (1,'Ann','north'),(2,'Bob','south'),(3,'Cy','north');
insert into orders(id,customer_id,amount) values (10,1,20.00),(11,2,5.50),(12,3,0.50),(13,1,9.99);`

export const SCHEMA = `datasource db {
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
}
`

export const QUERY =
  'SELECT c.region_code, count(*) AS orders, sum(o.amount) AS total, avg(o.amount) AS mean, max(o.amount) AS largest' +
  ' FROM orders o JOIN customers c ON c.id = o.customer_id GROUP BY c.region_code ORDER BY 1'

/** Every character of it that a form, a URL or a shell takes specially is coded in a connection string. */
export const PASSWORD = 's3cr+t w0rd/%&ü'

export class ShopDatabase {
  readonly #server: TestPostgres

  private constructor(server: TestPostgres) {
    this.#server = server
  }

  /** Makes the database, its tables and role `app`, whose connections need the password. */
  static async make(server: TestPostgres): Promise<ShopDatabase> {
    const shop = new ShopDatabase(server)
    await server.sql('create database shop')
    await shop.sql(`${TABLES}
      create role app login replication password '${PASSWORD}';
      grant create on database shop to app;
      alter table customers owner to app; alter table orders owner to app; grant all on schema public to app;`)
    const [{ hba_file: path } = {}] = await server.sql('show hba_file')
    const lines = ['app', 'weak', 'plain'].map((role) => `host all ${role} all scram-sha-256`)
    await server.sql(
      `copy (select unnest(array['${lines.join("','")}', 'local all all trust', 'host all all all trust'])) to '${path as string}'`,
    )
    await server.sql('select pg_reload_conf()')
    return shop
  }

  /** A connection string; `more` is put behind it. */
  uri({
    user = 'app',
    password = PASSWORD,
    database = 'shop',
    port = this.#server.port,
    more = '',
  } = {}): string {
    return `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}${more}`
  }

  /** Runs statements in the database as the superuser; rows of the last one. */
  async sql(text: string): Promise<Record<string, string>[]> {
    const client = await connectedClient(this.uri({ user: 'postgres' }))
    try {
      const result: unknown = await client.query(text)
      return ((Array.isArray(result) ? result.at(-1) : result) as { rows: Record<string, string>[] }).rows
    } finally {
      await client.end()
    }
  }

  async lsn(): Promise<string> {
    const [{ lsn = '' } = {}] = await this.sql('select pg_current_wal_lsn()::text as lsn')
    return lsn
  }

  /** What a connection leaves on the server: slots, publications, connections of other clients. */
  async traces(): Promise<unknown> {
    const [row] = await this.sql(`select
      (select array_agg(slot_name::text) from pg_replication_slots) as slots,
      (select array_agg(pubname::text) from pg_publication) as publications,
      (select array_agg(usename::text) from pg_stat_activity
        where backend_type in ('client backend','walsender') and pid <> pg_backend_pid()) as clients`)
    return row
  }
}

export const NO_TRACES = { slots: null, publications: null, clients: null }
