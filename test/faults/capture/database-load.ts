/**
 * Random transactions on tables of a database: inserts, updates, deletes, changed keys, large values, truncations, large transactions,
 * rollbacks, new columns. Writers go on when the server comes back.
 *
 * Each change carries a number of its own in the column `v`, which another reader of the log sees too.
 */
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { connectedClient } from '../../support/postgres-client.ts'
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts'

/** The tables, with the columns of their keys in the order of the keys. */
export const TABLES = {
  customers: ['id'],
  orders: ['id'],
  tags: ['label', 'order_id'],
} as const

export const SCHEMA = `
create table customers(id int primary key, region text not null, name text, v bigint not null);
create table orders(id int primary key, customer_id int not null, amount numeric(10,2) not null, note text, big text, n int, v bigint not null);
alter table orders alter column big set storage external;
create table tags(order_id int, label text, v bigint not null, primary key (label, order_id));
insert into customers select i, 'region ' || i % 7, 'name ' || i, 0 from generate_series(1, 200) i;
insert into orders select i, 1 + i % 200, i % 1000 / 100.0, 'note ' || i, case when i % 50 = 0 then repeat(md5(i::text), 200) end, i, 0
  from generate_series(1, 3000) i;
insert into tags select i, 'label_' || i % 5, 0 from generate_series(1, 500) i;`

const WRITERS = 2
/** Between the transactions of a writer, at most. */
const PAUSE_MS = 20
const KEYS = 4_000
const LABELS = 8
const RECONNECT_MS = 50
const LARGE_ROWS = 3_000

export class DatabaseLoad {
  readonly #uri: string
  readonly #running: Promise<void>[] = []
  #ended = false
  #lastNumber = 0
  #lastColumn = 0
  transactions = 0
  /** Large transactions, truncations and new columns come from now on; a snapshot is read anew after some of them. */
  isWild = false

  constructor(uri: string, seed: number) {
    this.#uri = uri
    for (let n = 0; n < WRITERS; n++) this.#running.push(this.#write(seededRandom(seed + n)))
  }

  /** Resolves when the last transaction has ended. */
  async end(): Promise<void> {
    this.#ended = true
    await Promise.all(this.#running)
  }

  /** Resolves after so many transactions more. */
  async goneOn(transactions: number, withinMs: number): Promise<void> {
    const wanted = this.transactions + transactions
    for (const endMs = performance.now() + withinMs; this.transactions < wanted; await delay(PAUSE_MS)) {
      if (performance.now() > endMs) throw new Error(`${this.transactions} transactions, wanted ${wanted}`)
    }
  }

  async #write(random: SeededRandom): Promise<void> {
    while (!this.#ended) {
      let client: pg.Client | undefined
      try {
        client = await connectedClient(this.#uri)
        while (!this.#ended) await this.#transaction(client, random)
      } catch {
        await delay(RECONNECT_MS)
      } finally {
        await client?.end().catch(() => {})
      }
    }
  }

  async #transaction(client: pg.Client, random: SeededRandom): Promise<void> {
    await client.query('begin')
    try {
      const what = random.next()
      if (!this.isWild) await this.#statements(client, random)
      else if (what < 0.01) await client.query(this.#large(random))
      else if (what < 0.015) await client.query('truncate tags')
      else if (what < 0.02) await client.query(this.#newColumn())
      else await this.#statements(client, random)
      await client.query(random.next() < 0.15 ? 'rollback' : 'commit')
      this.transactions++
    } catch (error) {
      if (!(error instanceof pg.DatabaseError) || /^(57|08)/.test(error.code ?? '')) throw error
      await client.query('rollback') // a key that exists, or a deadlock
    }
    await delay(random.whole(0, PAUSE_MS))
  }

  async #statements(client: pg.Client, random: SeededRandom): Promise<void> {
    for (let n = random.whole(1, 6); n > 0; n--) {
      if (random.next() < 0.1) {
        await client.query('savepoint s')
        await client.query(this.#statement(random))
        await client.query('rollback to s')
      } else {
        await client.query(this.#statement(random))
      }
    }
  }

  #statement(random: SeededRandom): string {
    const v = ++this.#lastNumber
    const id = random.whole(1, KEYS)
    const label = `'label_${random.whole(0, LABELS)}'`
    return random.pick([
      `insert into orders values (${id}, ${random.whole(1, 250)}, ${random.whole(0, 99_999)} / 100.0, 'it''s "${v}"\t\\ é😀', null, ${v}, ${v}) on conflict (id) do update set amount = excluded.amount, v = ${v}`,
      `insert into orders values (${id}, 1, 1.00, null, repeat(md5('${v}'), 300), 1, ${v}) on conflict do nothing`,
      `update orders set amount = amount + 0.01, v = ${v} where id between ${id} and ${id + 3}`,
      `update orders set big = case when big is null then repeat(md5('${v}'), 150) else null end, v = ${v} where id = ${id}`,
      `update orders set note = null, v = ${v} where id = ${id}`,
      `update orders set id = id + ${KEYS}, v = ${v} where id = ${id} and not exists (select from orders where id = ${id + KEYS})`,
      `update orders set id = id - ${KEYS}, v = ${v} where id = ${id + KEYS} and not exists (select from orders where id = ${id})`,
      `delete from orders where id = ${id}`,
      `update customers set region = 'region ${random.whole(0, 9)}', v = ${v} where id = ${random.whole(1, 250)}`,
      `insert into customers values (${random.whole(1, 250)}, 'region 1', null, ${v}) on conflict do nothing`,
      `delete from customers where id = ${random.whole(1, 250)}`,
      `insert into tags values (${id}, ${label}, ${v}) on conflict do nothing`,
      `update tags set label = label || 'x', v = ${v} where order_id = ${id} and length(label) < 12`,
      `delete from tags where label = ${label} and order_id < ${random.whole(1, KEYS)}`,
    ])
  }

  #large(random: SeededRandom): string {
    const v = ++this.#lastNumber
    const first = random.whole(1, 10_000_000) + 2 * KEYS
    return random.pick([
      `insert into orders select i, 7, 0.01, 'large', null, 1, ${v} from generate_series(${first}, ${first + LARGE_ROWS}) i on conflict do nothing`,
      `update orders set v = ${v}, amount = amount + 1 where id > ${2 * KEYS} or id < 500`,
      `delete from orders where id > ${2 * KEYS}`,
    ])
  }

  #newColumn(): string {
    const column = ++this.#lastColumn
    if (column > 8) return 'select 1'
    if (column === 3) return 'alter table orders alter column n type bigint'
    return `alter table customers add column extra_${column} int; update customers set extra_${column} = id, v = ${++this.#lastNumber} where id < 50`
  }
}
