/**
 * Jobs of every way of running and every sink, each with what it must have written: worked out from the events in the
 * order of their log, one after the other.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import type { TestPostgres } from '../../support/postgres.ts'
import { proofFailure } from '../../support/proven.ts'
import type { FlinkClient, TableBody } from './flink-client.ts'
import { type Event, INPUT, INPUT_SCHEMA } from './input.ts'
import { type History, hopping, lastOf, oddAndEven, refreshed, sums, tumbling } from './references.ts'

export type SinkKind = 'stream' | 'upsert stream' | 'PostgreSQL' | 'PostgreSQL with a key'

/** What a sink holds: rows in order, as texts. */
type Rows = readonly string[]

interface SinkOf {
  readonly kind: SinkKind
  /** Stream or database table. */
  readonly name: string
  /** Throws where rows are missing, doubled, in another order or wrong. */
  readonly check: (written: Written, events: readonly Event[]) => void
}

export interface JobOf {
  readonly name: string
  readonly statement: string
  readonly sinks: readonly SinkOf[]
  readonly needsDatabase?: boolean
}

/** All that was written to all sinks. */
export interface Written {
  rows(name: string): Rows
}

const TOPIC_TABLES: readonly TableBody[] = [
  { name: 'EV', kafka_topic: INPUT, schema_sql: INPUT_SCHEMA },
  { name: 'FILTERED', kafka_topic: 'filtered', schema_sql: 'id BIGINT, v INT, pad STRING' },
  {
    name: 'TUMBLED',
    kafka_topic: 'tumbled',
    schema_sql: 'window_start TIMESTAMP(3), k STRING, n BIGINT, total BIGINT',
  },
  {
    name: 'HOPPED',
    kafka_topic: 'hopped',
    schema_sql: 'window_end TIMESTAMP(3), k STRING, n BIGINT, total BIGINT',
  },
  {
    name: 'SUMS',
    kafka_topic: 'sums',
    kafka_connector_type: 'upsert-kafka',
    schema_sql: 'k STRING, n BIGINT, total BIGINT, PRIMARY KEY (k) NOT ENFORCED',
  },
  {
    name: 'REFRESHED',
    kafka_topic: 'refreshed',
    kafka_connector_type: 'upsert-kafka',
    schema_sql: 'g BIGINT, n BIGINT, total BIGINT, PRIMARY KEY (g) NOT ENFORCED',
  },
  { name: 'EVEN', kafka_topic: 'even', schema_sql: 'id BIGINT' },
  { name: 'ODD', kafka_topic: 'odd', schema_sql: 'id BIGINT' },
]

const DATABASE_TABLES: readonly TableBody[] = [
  { name: 'LIMITS', jdbc_table: 'limits', schema_sql: 'k STRING, top INT, PRIMARY KEY (k) NOT ENFORCED' },
  { name: 'LOOKED_UP', jdbc_table: 'looked_up', schema_sql: 'id BIGINT, k STRING, v INT, top INT' },
  {
    name: 'DB_WINDOWS',
    jdbc_table: 'windows',
    schema_sql:
      'window_start TIMESTAMP(3), k STRING, n BIGINT, total BIGINT, PRIMARY KEY (window_start, k) NOT ENFORCED',
  },
  {
    name: 'DB_SUMS',
    jdbc_table: 'sums',
    schema_sql: 'k STRING, n BIGINT, total BIGINT, PRIMARY KEY (k) NOT ENFORCED',
  },
  { name: 'DB_ODD', jdbc_table: 'odd', schema_sql: 'id BIGINT' },
]

/** `seq` shows the order in which rows were inserted. */
const DATABASE = `
  CREATE TABLE limits (k text PRIMARY KEY, top int);
  INSERT INTO limits SELECT 'k' || n, n * 12 FROM generate_series(1, 6) AS n;
  CREATE TABLE looked_up (seq bigserial, id bigint, k text, v int, top int);
  CREATE TABLE windows (window_start timestamp(3), k text, n bigint, total bigint, PRIMARY KEY (window_start, k));
  CREATE TABLE sums (k text PRIMARY KEY, n bigint, total bigint);
  CREATE TABLE odd (seq bigserial, id bigint);`

const DATABASE_READS: Readonly<Record<string, string>> = {
  looked_up: `SELECT concat_ws(' ', id, k, v, top) AS row FROM looked_up ORDER BY seq`,
  windows: `SELECT concat_ws(' ', to_char(window_start, 'YYYY-MM-DD HH24:MI:SS'), k, n, total) AS row
    FROM windows ORDER BY window_start, k`,
  sums: `SELECT concat_ws(' ', k, n, total) AS row FROM sums ORDER BY k`,
  odd: `SELECT format('{"id":%s}', id) AS row FROM odd ORDER BY seq`,
}

const SUM = 'COUNT(*) AS n, SUM(CAST(v AS BIGINT)) AS total'
const TUMBLE = `TABLE(TUMBLE(TABLE EV, DESCRIPTOR(ts), INTERVAL '2' SECONDS))`
const HOP = `TABLE(HOP(TABLE EV, DESCRIPTOR(ts), INTERVAL '1' SECONDS, INTERVAL '4' SECONDS))`

function stream(name: string, expected: (events: readonly Event[]) => Rows): SinkOf {
  return {
    ...{ kind: 'stream', name },
    check: (written, events) => expectSame(name, written.rows(name), expected(events)),
  }
}

function database(kind: SinkKind, name: string, expected: (events: readonly Event[]) => Rows): SinkOf {
  return {
    ...{ kind, name },
    check: (written, events) => expectSame(name, written.rows(`database ${name}`), expected(events)),
  }
}

const odd = (events: readonly Event[]) => oddAndEven(events, 1)

export const JOBS: readonly JobOf[] = [
  {
    name: 'arrival',
    statement: 'INSERT INTO FILTERED SELECT id, v, pad FROM EV WHERE v > 30',
    sinks: [
      stream('filtered', (events) =>
        events.filter(({ v }) => v > 30).map(({ id, v, pad }) => JSON.stringify({ id, v, pad })),
      ),
    ],
  },
  {
    name: 'TUMBLE',
    statement: `INSERT INTO TUMBLED SELECT window_start, k, ${SUM} FROM ${TUMBLE} GROUP BY window_start, window_end, k`,
    sinks: [
      stream('tumbled', (events) =>
        tumbling(events).map(({ start, ...row }) => JSON.stringify({ window_start: start, ...row })),
      ),
    ],
  },
  {
    name: 'HOP',
    statement: `INSERT INTO HOPPED SELECT window_end, k, ${SUM} FROM ${HOP} GROUP BY window_start, window_end, k`,
    sinks: [
      stream('hopped', (events) =>
        hopping(events).map(({ end, ...row }) => JSON.stringify({ window_end: end, ...row })),
      ),
    ],
  },
  {
    name: 'running',
    statement: `INSERT INTO SUMS SELECT k, ${SUM} FROM EV GROUP BY k`,
    sinks: [
      {
        ...{ kind: 'upsert stream', name: 'sums' },
        check: (written, events) => expectChanges('sums', written.rows('sums'), sums(events)),
      },
    ],
  },
  {
    name: 'refresh',
    statement: 'INSERT INTO REFRESHED SELECT MOD(n, 3), COUNT(*), SUM(total) FROM SUMS GROUP BY MOD(n, 3)',
    sinks: [
      {
        ...{ kind: 'upsert stream', name: 'refreshed' },
        check: (written) =>
          expectChanges('refreshed', written.rows('refreshed'), refreshed(written.rows('sums'))),
      },
    ],
  },
  {
    name: 'statement set',
    statement: `EXECUTE STATEMENT SET BEGIN
      INSERT INTO EVEN SELECT id FROM EV WHERE MOD(v, 2) = 0; INSERT INTO ODD SELECT id FROM EV WHERE MOD(v, 2) = 1; END`,
    sinks: [stream('even', (events) => oddAndEven(events, 0)), stream('odd', odd)],
  },
  {
    name: 'statement set with a database',
    needsDatabase: true,
    statement: `EXECUTE STATEMENT SET BEGIN
      INSERT INTO DB_ODD SELECT id FROM EV WHERE MOD(v, 2) = 1;
      INSERT INTO DB_WINDOWS SELECT window_start, k, ${SUM} FROM ${TUMBLE} GROUP BY window_start, window_end, k; END`,
    sinks: [
      database('PostgreSQL', 'odd', odd),
      database('PostgreSQL with a key', 'windows', (events) =>
        tumbling(events).map(({ start, k, n, total }) => `${start} ${k} ${n} ${total}`),
      ),
    ],
  },
  {
    name: 'lookup join',
    needsDatabase: true,
    statement: `INSERT INTO LOOKED_UP SELECT EV.id, EV.k, EV.v, L.top FROM EV
      JOIN LIMITS FOR SYSTEM_TIME AS OF proctime AS L ON EV.k = L.k WHERE EV.v > L.top`,
    sinks: [
      database('PostgreSQL', 'looked_up', (events) =>
        events
          .map(({ id, k, v }) => ({ id, k, v, top: 12 * Number(k.slice(1)) }))
          .filter(({ v, top }) => top <= 72 && v > top)
          .map(({ id, k, v, top }) => `${id} ${k} ${v} ${top}`),
      ),
    ],
  },
  {
    name: 'running into a database',
    needsDatabase: true,
    statement: `INSERT INTO DB_SUMS SELECT k, ${SUM} FROM EV GROUP BY k`,
    sinks: [
      database('PostgreSQL with a key', 'sums', (events) => {
        const rows = [...lastOf(sums(events)).values()]
        return rows.sort().map((row) => Object.values(JSON.parse(row!)).join(' '))
      }),
    ],
  },
]

/** Ids of the jobs. */
export async function createJobs(
  client: FlinkClient,
  jobs: readonly JobOf[],
  postgres: TestPostgres | undefined,
): Promise<ReadonlyMap<JobOf, string>> {
  await client.createStream(INPUT)
  const builtIn = await client.builtIn()
  for (const table of TOPIC_TABLES) await client.table(builtIn, table)
  if (postgres !== undefined) {
    await postgres.sql(DATABASE)
    const integration = await client.postgres(postgres.uri('postgres', '?sslmode=disable'))
    for (const table of DATABASE_TABLES) await client.table(integration, table)
  }
  const ids = new Map<JobOf, string>()
  for (const job of jobs) ids.set(job, await client.job(job.name, job.statement))
  return ids
}

/** What the service and the database hold. */
export async function readAll(
  client: FlinkClient,
  jobs: readonly JobOf[],
  postgres: TestPostgres | undefined,
): Promise<{ readonly written: Written; readonly events: readonly Event[] }> {
  const rows = new Map<string, Rows>()
  for (const { kind, name } of jobs.flatMap(({ sinks }) => sinks)) {
    if (!kind.startsWith('PostgreSQL')) {
      const events = await client.events(name).catch(() => [])
      rows.set(
        name,
        events.map(({ headers, body }) => (body === '' ? `gone ${headers.key}` : body)),
      )
    } else {
      const found = await postgres!.sql(DATABASE_READS[name]!)
      rows.set(
        `database ${name}`,
        found.map(({ row }) => String(row)),
      )
    }
  }
  const events = (await client.events(INPUT)).map(({ body }) => JSON.parse(body) as Event)
  return { events, written: { rows: (name) => rows.get(name) ?? [] } }
}

export interface Settling {
  readonly client: FlinkClient
  readonly jobs: readonly JobOf[]
  readonly postgres?: TestPostgres | undefined
  /** Ids of events that were answered 200. */
  readonly acknowledged: readonly number[]
  readonly settleMs: number
}

/** Between two reads of all sinks: the rows are often there soon. */
const FIRST_WAITS_MS = [100, 100, 200, 400]
const WAIT_MS = 1_000

/** Resolves with the rows of each sink when all of them hold what they must. `meanwhile` is called again and again. */
export async function untilSettled(
  { client, jobs, postgres, acknowledged, settleMs }: Settling,
  meanwhile: () => Promise<void> = async () => {},
): Promise<ReadonlyMap<string, number>> {
  const endMs = Date.now() + settleMs
  for (let reads = 0; ; await delay(FIRST_WAITS_MS[reads++] ?? WAIT_MS)) {
    await meanwhile()
    const { events, written } = await readAll(client, jobs, postgres)
    try {
      const ids = new Set(events.map(({ id }) => id))
      expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
      expect(ids.size, 'every event is in the log once').toBe(events.length)
      for (const { sinks } of jobs) for (const { check } of sinks) check(written, events)
    } catch (error) {
      if (Date.now() < endMs) continue
      throw proofFailure(error)
    }
    const rows = jobs
      .flatMap(({ sinks }) => sinks)
      .map(({ name, kind }) => {
        const held = written.rows(kind.startsWith('PostgreSQL') ? `database ${name}` : name)
        return [`${kind} ${name}`, held.length] as const
      })
    return new Map([['events', events.length], ...rows])
  }
}

/** With the first row that differs, because the lists are long. Rows that are only not there yet have a text of their own. */
function expectSame(name: string, got: Rows, wanted: Rows): void {
  const at = wanted.findIndex((row, i) => row !== got[i])
  const place = at === -1 ? wanted.length : at
  const near = (rows: Rows) => rows.slice(place, place + 3).map((row) => row.slice(0, 120))
  const what = place === got.length ? 'rows are missing at the end' : 'rows in order'
  expect({ rows: got.length, from: place, near: near(got) }, `${name}: ${what}`).toEqual({
    rows: wanted.length,
    from: place,
    near: near(wanted),
  })
}

/**
 * Each row is a later value of its key than the one before, none is there twice, and the last is that of the history.
 * `history`: the values of each key in turn, `undefined` where it has no row.
 */
function expectChanges(name: string, got: Rows, history: History) {
  const at = new Map<string, number>()
  for (const [i, row] of got.entries()) {
    const isGone = row.startsWith('gone ')
    const key = String(Object.values(JSON.parse(isGone ? row.slice(5) : row) as object)[0])
    const values = history.get(key) ?? []
    const from = at.get(key) ?? 0
    const found = values.indexOf(isGone ? undefined : row, from)
    expect(
      found,
      `${name}, row ${i} (${row}) is doubled, wrong or out of order; expected one of ${values.slice(from, from + 3)}`,
    ).not.toBe(-1)
    at.set(key, found + 1)
  }
  for (const [key, values] of history)
    expect(values[(at.get(key) ?? 0) - 1], `${name}: the last row of ${key} is there`).toBe(values.at(-1))
}
