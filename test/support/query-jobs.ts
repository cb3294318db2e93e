/**
 * The job of a cached query in the worker of a test: tables `orders` and `customers`, captured by the test. A write of capture is an
 * array of changes; after it all streams end at a boundary.
 */
import type { JobPlan, SourcePlan } from '../../src/jobs/plan/job-plan.ts'
import type { RefreshPlan } from '../../src/jobs/plan/refresh-plan.ts'
import type { QueryBoundary, QueryJobResult, ResultUpdate } from '../../src/jobs/query-job.ts'
import type { ConnectedTable, JobStart } from '../../src/jobs/worker/job-worker-protocol.ts'
import type { DataType } from '../../src/sql/data-types.ts'
import {
  column,
  JID,
  jobStart,
  NO_BOUNDARY,
  streamTable,
  TestStore,
  TestWorker,
  type TestWorkerOptions,
} from './job-worker.ts'
import { sourceOf } from './way-bench.ts'

export const ORDERS = [
  column('id', 'INT'),
  column('customer', 'INT'),
  column('amount', 'DECIMAL', { precision: 10, scale: 2 }),
]
export const CUSTOMERS = [column('id', 'INT'), column('region', 'STRING')]
const TABLES = { orders: ORDERS, customers: CUSTOMERS } as const
export type TableName = keyof typeof TABLES

export interface TestQuery {
  /** c0, c1, … over b0 (orders) and b1 (customers). */
  readonly select: string
  readonly columns: readonly { readonly name: string; readonly type: DataType }[]
  readonly key: QueryJobResult['key']
  readonly keyIsRow?: boolean
  readonly visibleColumns?: number
  readonly refresh?: Partial<RefreshPlan>
}

/** Orders and their sum by region. */
export const BY_REGION: TestQuery = {
  select: `SELECT c.region AS c0, count(*) AS c1, CAST(sum(o.amount) AS DECIMAL(38, 2)) AS c2, max(o.amount) AS c3
    FROM b0 o JOIN b1 c ON c.id = o.customer GROUP BY c.region`,
  columns: [
    column('region', 'STRING'),
    column('orders', 'BIGINT'),
    column('total', 'DECIMAL', { precision: 38, scale: 2 }),
    column('largest', 'DECIMAL', { precision: 10, scale: 2 }),
  ],
  key: [{ column: 0, name: 'region' }],
}

/** Of a table: op, then the row as JSON texts by column; `t` has none. */
export type Change =
  | readonly [table: TableName, op: 'c' | 'r' | 'd', row: readonly unknown[]]
  | readonly [table: TableName, op: 'u', before: readonly unknown[] | null, after: readonly unknown[]]
  | readonly [table: TableName, op: 't']

export function queryPlan({ select, columns, key, refresh }: TestQuery): JobPlan {
  const sources = (Object.keys(TABLES) as TableName[]).map(
    (name, index): SourcePlan => ({
      ...sourceOf(`s${index}`, TABLES[name], ['id']),
      ...{ tableId: name, tableName: name },
    }),
  )
  return {
    signature: select,
    sources,
    lookups: [],
    fixed: [],
    inserts: [
      {
        way: 'refresh',
        refresh: {
          bases: sources.map(({ relation }, index) => ({ relation: `b${index}`, source: relation })),
          ...{ select, key: key.map((part) => part.column), keyIsUnique: true, scope: undefined },
          ...refresh,
        },
        sink: { tableId: 'result', tableName: 'result', columns, primaryKey: [] },
      },
    ],
    vertices: [],
  }
}

export function queryTables(columns: TestQuery['columns']): readonly ConnectedTable[] {
  return [
    ...(Object.keys(TABLES) as TableName[]).map((name) =>
      streamTable(name, TABLES[name], { valueFormat: 'debezium-json' }, ['id']),
    ),
    streamTable('result', columns, { valueFormat: 'debezium-json' }),
  ]
}

export class TestQueryJob {
  readonly store: TestStore
  readonly #query: TestQuery
  worker: TestWorker
  readonly #jobsFolder: string
  #lsn = 0n
  #boundary: QueryBoundary | null = null
  #answersMax = Number.POSITIVE_INFINITY
  /** How often the present run has asked for the boundary. */
  asked = 0

  private constructor(store: TestStore, worker: TestWorker, query: TestQuery) {
    this.store = store
    this.worker = worker
    this.#query = query
    this.#jobsFolder = worker.jobsFolder
  }

  /** The streams of the tables and of the result. */
  static async store(nowMs?: () => number): Promise<TestStore> {
    const store = await TestStore.open(nowMs)
    await store.create('orders', 'customers', 'result')
    return store
  }

  static async open(query: TestQuery, options: TestWorkerOptions = {}): Promise<TestQueryJob> {
    const store = options.store ?? (await TestQueryJob.store())
    return new TestQueryJob(store, await TestWorker.open({ ...options, store }), query)
  }

  /** Another process goes on with the state of the job. */
  async restart(options: TestWorkerOptions = {}): Promise<void> {
    await this.worker.close()
    this.#answersMax = Number.POSITIVE_INFINITY
    this.worker = await TestWorker.open({ ...options, store: this.store, jobsFolder: this.#jobsFolder })
  }

  async start(more: Partial<JobStart> = {}): Promise<void> {
    const { worker } = this
    this.asked = 0
    if (worker.boundary === NO_BOUNDARY) {
      worker.boundary = () => {
        this.asked++
        return this.asked > this.#answersMax ? null : this.#boundary
      }
    }
    const tables = queryTables(this.#query.columns)
    await worker.start(jobStart(worker, queryPlan(this.#query), tables, { query: this.result, ...more }))
  }

  /** After so many answers of this run, or of the next one, there is no boundary. */
  stopsAfter(answers: number): void {
    this.#answersMax = answers
  }

  get result(): QueryJobResult {
    const { columns, key, keyIsRow = false, visibleColumns = columns.length } = this.#query
    const source = { environment: 'env1', database: 'shop', query: 'q2', version: 'millrace-0.0.0' }
    return { source, key, keyIsRow, visibleColumns }
  }

  /** Appends changes to the streams; the boundary stays. */
  async write(...changes: readonly Change[]): Promise<void> {
    for (const [table, op, first, second] of changes) {
      const [before, after] =
        op === 'u' ? [first, second] : op === 'd' ? [first, null] : op === 't' ? [null, null] : [null, first]
      const envelope = { before: row(table, before ?? null), after: row(table, after ?? null), op }
      await this.store.append(table, [JSON.stringify(envelope)])
    }
  }

  /** So many orders of no customer. */
  async writeMany(table: 'orders', count: number): Promise<void> {
    const bodies = Array.from({ length: count }, (_, id) =>
      JSON.stringify({ before: null, after: row(table, [id, null, '1.00']), op: 'c' }),
    )
    await this.store.append(table, bodies)
  }

  /** The streams end at a boundary now. Returns its LSN. */
  async commit(): Promise<string> {
    this.#lsn += 8n
    const ends = await Promise.all(
      (Object.keys(TABLES) as TableName[]).map(async (tableId) => {
        const log = this.store.log(tableId)
        const tail = await this.store.storage.log.tail(log)
        return { tableId, log, nextSequence: tail?.nextSequence ?? 0 }
      }),
    )
    const lsn = String(this.#lsn)
    this.#boundary = {
      moment: { lsn, txId: Number(this.#lsn), timestampMs: 1_000 + Number(this.#lsn) },
      ends,
    }
    return lsn
  }

  /** Changes up to a boundary. Resolves when the result shows it. */
  async change(...changes: readonly Change[]): Promise<ResultUpdate> {
    await this.write(...changes)
    return this.shows(await this.commit())
  }

  /** Resolves with the update that completes the result of this moment. */
  shows(lsn: string): Promise<ResultUpdate> {
    return this.worker.until(() => {
      if (this.worker.failure !== undefined) throw new Error(this.worker.failure.message)
      return this.worker.published.find(({ moment, ends }) => ends && moment.lsn === lsn)
    })
  }

  /** The rows that a reader of the updates has, sorted, as JSON texts. */
  get rows(): string[] {
    return rowsOf(this.worker.published)
  }

  /** The events of the result: op, then before and after; or 'tombstone'; with the LSN. */
  async events(): Promise<unknown[]> {
    return (await this.store.events('result')).map(({ body, headers }) => {
      if (body === '') return ['tombstone', headers]
      const { op, before, after, source } = JSON.parse(body)
      return [op, before, after, source.lsn]
    })
  }

  async close(): Promise<void> {
    await this.worker.close()
  }
}

export { JID }

function row(table: TableName, values: readonly unknown[] | null): object | null {
  if (values === null) return null
  return Object.fromEntries(TABLES[table].map(({ name }, index) => [name, values[index]]))
}

/** Throws for a change that does not fit the rows before it. */
export function rowsOf(updates: readonly ResultUpdate[]): string[] {
  const rows = new Map<string, number>()
  const add = (texts: readonly string[], count: number) => {
    const row = texts.join(' ')
    const now = (rows.get(row) ?? 0) + count
    if (now < 0) throw new Error(`a change removes ${row}, which is not there`)
    if (now === 0) rows.delete(row)
    else rows.set(row, now)
  }
  for (const { begins, changes } of updates) {
    if (begins) rows.clear()
    for (const { before, after } of changes) {
      if (before !== undefined) add(before, -1)
      if (after !== undefined) add(after, 1)
    }
  }
  return [...rows].flatMap(([row, count]) => new Array<string>(count).fill(row)).sort()
}
