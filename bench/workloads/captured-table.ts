/**
 * Change data capture of a table of PostgreSQL: processor time of the service and its processes for the rows of a snapshot and for
 * changes, and the time from a commit until the rows of a cached query have it.
 */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { withoutPostgres, withPostgres } from '../processes/postgres.ts'
import type { WatchedProcess } from '../processes/watched-process.ts'
import type { Case, Sample } from '../sample.ts'
import { send } from '../stores/http-client.ts'
import type { BuildUnderTest } from './build-under-test.ts'
import { dataFolderOf, withService } from './measured.ts'

const GROUPS = 50
const POLL_MS = 50
/** A capture that has not come so far is stuck. */
const CAPTURED_MS_MAX = 600_000
const TRANSACTION_CHANGES = 100
const PROBE_MS = 200

export interface CapturedTable {
  readonly name: string
  readonly about: string
  readonly rows: number
  readonly long?: true
}

export interface CapturedChanges extends CapturedTable {
  readonly changes: number
}

export interface CachedQuery extends CapturedTable {
  readonly changesPerSecond: number
  readonly seconds: number
}

const tableSql = (rows: number) => `CREATE TABLE orders (
    id int PRIMARY KEY, customer int NOT NULL, city text NOT NULL, amount numeric(10,2) NOT NULL, note text, created timestamptz NOT NULL);
  INSERT INTO orders SELECT i, i % 5000, 'city ' || i % ${GROUPS}, i % 10000 / 100.0, 'a note about order ' || i, '2026-11-21' FROM generate_series(1, ${rows}) i;
  ANALYZE orders;`

const MODEL = `model Order {
  id       Int      @id
  customer Int
  city     String
  amount   Decimal  @db.Decimal(10, 2)
  note     String?
  created  DateTime @db.Timestamptz(6)
  @@map("orders")
}`
const QUERY = 'SELECT city, count(*) AS orders, sum(amount) AS total FROM orders GROUP BY city'

export function snapshot(build: BuildUnderTest, table: CapturedTable): Case {
  return caseOf(build, table, async (server, database) => {
    const used = usageFrom(server)
    await capture(server, database)
    return { ...used(), answers: 1, events: table.rows }
  })
}

export function changes(build: BuildUnderTest, table: CapturedChanges): Case {
  return caseOf(build, table, async (server, database) => {
    await capture(server, database)
    const used = usageFrom(server)
    let done = 0
    for (; done < table.changes; done += TRANSACTION_CHANGES) await database.change(TRANSACTION_CHANGES)
    await until(server, await database.position())
    return { ...used(), answers: done / TRANSACTION_CHANGES, events: done }
  })
}

export function cachedQuery(build: BuildUnderTest, table: CachedQuery): Case {
  return caseOf(build, table, async (server, database) => {
    await capture(server, database)
    const body = { connectionString: database.uri, environmentId: 'bench', schema: MODEL, sqlQuery: QUERY }
    const { id } = await call<{ id: number }>(server, 'POST', '/createCachedQuery', body)
    await rowsAt(server, id, await database.position(), CAPTURED_MS_MAX)
    const used = usageFrom(server)
    const endMs = performance.now() + table.seconds * 1000
    const load = loadUntil(endMs, database.uri, table)
    const times: number[] = []
    while (performance.now() < endMs) {
      await database.change(1)
      const startMs = performance.now()
      await rowsAt(server, id, await database.position(), CAPTURED_MS_MAX)
      times.push(performance.now() - startMs)
      await sleep(PROBE_MS)
    }
    const changed = (await load) + times.length
    times.sort((a, b) => a - b)
    return {
      ...used(),
      answers: times.length,
      events: changed,
      p50Ms: times[Math.floor(times.length * 0.5)]!,
      p99Ms: times[Math.min(times.length - 1, Math.floor(times.length * 0.99))]!,
    }
  })
}

type Figures = Pick<Sample, 'seconds' | 'answers' | 'events'> & Partial<Sample>

function caseOf(
  buildUnderTest: BuildUnderTest,
  { name, about, rows, long }: CapturedTable,
  measure: (server: WatchedProcess, database: Database) => Promise<Figures>,
): Case {
  return {
    name,
    about,
    ...(long && { long }),
    unavailable: withoutPostgres,
    run: (round) =>
      withPostgres(tableSql(rows), (uri) =>
        withService(buildUnderTest.build, round, dataFolderOf(round), async (server) => {
          const database = await Database.connect(uri, rows)
          try {
            return { bytes: 0, failures: {}, ...(await measure(server, database)) }
          } finally {
            await database.end()
          }
        }),
      ),
  }
}

/** Returns what was used since this call. */
function usageFrom(server: WatchedProcess): () => Pick<Sample, 'seconds' | 'cpuSeconds' | 'rssOwnBytes'> {
  const before = server.treeUsage()
  const startMs = performance.now()
  return () => {
    const after = server.treeUsage()
    const seconds = (performance.now() - startMs) / 1000
    if (before === undefined || after === undefined) return { seconds }
    return { seconds, cpuSeconds: after.cpuSeconds - before.cpuSeconds, rssOwnBytes: after.rssOwnBytes }
  }
}

class Database {
  readonly uri: string
  readonly #client: pg.Client
  readonly #rows: number
  #at = 0

  private constructor(uri: string, client: pg.Client, rows: number) {
    this.uri = uri
    this.#client = client
    this.#rows = rows
  }

  static async connect(uri: string, rows: number): Promise<Database> {
    const client = new pg.Client({ connectionString: uri })
    client.on('error', () => {}) // a lost connection rejects the next statement
    await client.connect()
    return new Database(uri, client, rows)
  }

  /** One transaction; the rows are far from each other. */
  async change(count: number): Promise<void> {
    const ids = Array.from({ length: count }, () => 1 + ((this.#at++ * 7919) % this.#rows))
    await this.#client.query('UPDATE orders SET amount = amount % 1000 + 1 WHERE id = ANY($1)', [ids])
  }

  async position(): Promise<string> {
    const { rows } = await this.#client.query('SELECT pg_current_wal_lsn()::text AS lsn')
    return (rows[0] as { lsn: string }).lsn
  }

  end(): Promise<void> {
    return this.#client.end()
  }
}

/** Returns the changes that were made. */
async function loadUntil(
  endMs: number,
  uri: string,
  { changesPerSecond, rows }: CachedQuery,
): Promise<number> {
  const database = await Database.connect(uri, rows)
  const startMs = performance.now()
  let made = 0
  const perTransaction = 10
  try {
    while (performance.now() < endMs) {
      const due = ((performance.now() - startMs) / 1000) * changesPerSecond
      if (made >= due) {
        await sleep(1)
        continue
      }
      await database.change(perTransaction)
      made += perTransaction
    }
  } finally {
    await database.end()
  }
  return made
}

interface Connection {
  readonly status: string
  readonly connector: {
    readonly lsn: string | null
    readonly error: string | null
    readonly snapshot: { readonly done: boolean }
  }
}

/** Resolves when the snapshot is complete. */
async function capture(server: WatchedProcess, database: Database): Promise<void> {
  const body = { connectionString: database.uri, environmentId: 'bench', tables: 'public.orders' }
  await call(server, 'POST', '/createDatabaseConnection', body)
  await until(server, '0/0')
}

async function until(server: WatchedProcess, lsn: string): Promise<void> {
  const endMs = performance.now() + CAPTURED_MS_MAX
  for (;;) {
    const { status, connector } = await call<Connection>(server, 'GET', '/connections/1')
    const isAt = connector.lsn !== null && positionOf(connector.lsn) >= positionOf(lsn)
    if (status === 'running' && connector.snapshot.done && isAt) return
    if (status === 'failed' || performance.now() > endMs)
      throw new Error(`the connection is ${status} at ${connector.lsn}: ${connector.error}`)
    await sleep(POLL_MS)
  }
}

async function rowsAt(server: WatchedProcess, query: number, lsn: string, withinMs: number): Promise<void> {
  const endMs = performance.now() + withinMs
  for (;;) {
    try {
      await call(server, 'GET', `/queries/${query}/rows?atLeast=${lsn}`)
      return
    } catch (error) {
      if (performance.now() > endMs || !/answered 50[34] /.test(String(error))) throw error
      await sleep(POLL_MS)
    }
  }
}

async function call<T>(server: WatchedProcess, method: string, path: string, body?: object): Promise<T> {
  const sent = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
  const headers: Record<string, string> = sent === undefined ? {} : { 'content-type': 'application/json' }
  return JSON.parse(await send(method, `${server.base}${path}`, sent, headers)) as T
}

function positionOf(lsn: string): bigint {
  const [high, low] = lsn.split('/')
  return (BigInt(`0x${high}`) << 32n) + BigInt(`0x${low}`)
}
