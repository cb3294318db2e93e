/** Cached queries on a store in memory, with capture, jobs and planner that a test controls. */
import { CachedQueries, type CachedQueriesParts } from '../../src/cached-queries/cached-queries.ts'
import { queryTable } from '../../src/cached-queries/query-definition.ts'
import { CaptureError } from '../../src/cdc/capture-service.ts'
import type { CapturedTable } from '../../src/cdc/captured-table.ts'
import type { JobState, JobView } from '../../src/jobs/job.ts'
import type { SchemaPlan, SchemaSource } from '../../src/jobs/plan/prisma/plan-with-schema.ts'
import { type QueryPlan, QueryProblem, type QuerySource } from '../../src/jobs/plan/query-plan.ts'
import type { NewQueryJob, ResultChange, ResultUpdate } from '../../src/jobs/query-job.ts'
import { DEFAULT_NAMESPACE } from '../../src/streams/names.ts'
import { Registry } from '../../src/streams/registry.ts'
import { Streams } from '../../src/streams/streams.ts'
import { UsageRegistry } from '../../src/streams/usage.ts'
import type { Storage } from '../../storage/storage.ts'
import { FakeCaptures } from './fake-captures.ts'
import { memoryStorage } from './memory-storage.ts'

export const STRING = 'postgres://app:secret@db:5432/shop'
export const SQL = 'SELECT region, count(*) FROM public.orders GROUP BY region'
export const REQUEST = {
  ...{ namespace: DEFAULT_NAMESPACE, name: 'env1', connectionString: STRING },
  ...{ schema: 'orders', sqlQuery: SQL },
}

export function capturedTable(table: string): CapturedTable {
  const column = (name: string, databaseType: string, kind: 'integer' | 'text') =>
    ({
      ...{ name, databaseType, typeOid: 23, kind, isArray: false, nullable: false },
      type: { kind: kind === 'integer' ? 'INT' : 'STRING' },
    }) as CapturedTable['columns'][number]
  return {
    ...{ schema: 'public', table, oid: 1, key: ['id'] },
    columns: [column('id', 'integer', 'integer'), column('region', 'text', 'text')],
  }
}

export class FakePlanner {
  calls = 0
  signature: string | undefined

  /** The schema: names of tables with spaces between, or `model=table`. */
  async planWithSchema({ sql, schema }: SchemaSource): Promise<SchemaPlan> {
    if (schema.includes('!')) throw new QueryProblem('invalid_schema', 'the schema has a !')
    const models = schema.split(' ').map((text) => {
      const [model, table = model] = text.split('=') as [string, string?]
      return { model, schema: 'public', table, fields: [], key: ['id'] }
    })
    const tables = models.map(({ table }) => queryTable(capturedTable(table)))
    const plan = await this.planQuery({ sql, tables, models: [] })
    return { plan, models: models.filter(({ table }) => plan.tables.includes(`public.${table}`)) }
  }

  /** `{table}.{column}` in the SQL: what it reads. */
  async planQuery({ sql, tables }: QuerySource): Promise<QueryPlan> {
    this.calls++
    const names = [...sql.matchAll(/public\.(\w+)/g)].map(([name]) => name)
    const used = tables.filter(({ tableId }) => names.includes(tableId)).map(({ tableId }) => tableId)
    if (used.length < new Set(names).size) throw new QueryProblem('invalid_sql', 'no such table')
    const columns = [
      { name: 'region', type: { kind: 'STRING' } as const },
      { name: 'n', type: { kind: 'BIGINT' } as const },
    ]
    return {
      plan: {
        ...{ signature: this.signature ?? sql, lookups: [], fixed: [], vertices: [] },
        sources: used.map((tableId, i) => ({
          ...{ relation: `s${i}`, tableId, tableName: tableId, view: '', columns: [] },
          decoded: [{ name: 'id', type: { kind: 'INT' } }],
          ...{ watermark: undefined, changeKey: ['id'] },
        })),
        inserts: [
          {
            way: 'refresh',
            refresh: { bases: [], select: '', key: [0], keyIsUnique: true, scope: undefined },
            sink: { tableId: 'result', tableName: 'result', columns, primaryKey: [] },
          },
        ],
      } as QueryPlan['plan'],
      columns: [
        { name: 'region', type: 'text', nullable: false },
        { name: 'n', type: 'bigint', nullable: false },
      ],
      key: [{ column: 0, name: 'region' }],
      keyIsRow: false,
      order: [{ column: 0, descending: false, nullsFirst: false, compare: 'text' }],
      tables: used,
      warnings: [],
    }
  }
}

export class FakeJobs {
  readonly jobs = new Map<string, { state: JobState; query: NewQueryJob; message?: string }>()
  failure: Error | undefined

  async createQuery(query: NewQueryJob): Promise<JobView> {
    if (this.failure !== undefined) throw this.failure
    this.jobs.set(query.jid!, { state: 'RUNNING', query })
    return this.find(query.jid!)!
  }
  async endQuery(jid: string, { removes = false } = {}): Promise<void> {
    if (removes) this.jobs.delete(jid)
    const job = this.jobs.get(jid)
    if (job !== undefined) job.state = 'CANCELED'
  }
  find(jid: string): JobView | undefined {
    const job = this.jobs.get(jid)
    if (job === undefined) return undefined
    const { state, query, message } = job
    const exceptions = message === undefined ? [] : [{ timestampMs: 0, message, isRoot: true }]
    return { jid, state, name: query.name, exceptions } as unknown as JobView
  }
}

export interface QueryStoreOptions extends Partial<CachedQueriesParts> {
  readonly tables?: readonly string[]
}

export class QueryStore {
  nowMs = 1_000
  readonly storage: Storage
  readonly captures: FakeCaptures
  readonly jobs = new FakeJobs()
  readonly planner = new FakePlanner()
  readonly reported: unknown[] = []
  readonly #options: Partial<CachedQueriesParts>
  /** Waiting timers. */
  readonly timers = new Set<{ readonly atMs: number; readonly run: () => void }>()
  registry!: Registry
  streams!: Streams
  queries!: CachedQueries

  private constructor(storage: Storage, { tables = ['orders', 'customers'], ...options }: QueryStoreOptions) {
    this.storage = storage
    this.captures = new FakeCaptures(tables.map(capturedTable))
    this.#options = options
  }

  static async open(options: QueryStoreOptions = {}): Promise<QueryStore> {
    const store: QueryStore = new QueryStore(await memoryStorage(() => 1_000), options)
    await store.reopen()
    return store
  }

  /** As after a restart of the service. */
  async reopen(more: Partial<CachedQueriesParts> = {}): Promise<void> {
    this.queries?.close()
    const nowMs = () => this.nowMs
    this.registry = await Registry.load(this.storage.catalog)
    const options = { nowMs, asyncQueueBytesMax: 1, onAsyncLost: () => {} }
    this.streams = new Streams(this.storage.log, this.registry, options)
    this.queries = await CachedQueries.load({
      ...{ catalog: this.storage.catalog, registry: this.registry, streams: this.streams, nowMs },
      ...{ captures: this.captures, jobs: this.jobs, planner: this.planner },
      usage: new UsageRegistry(),
      assertConnectionString: (text) => {
        if (!text.startsWith('postgres://')) throw new CaptureError('invalid_connection_string', 'no')
      },
      ...{ queriesMax: 4, resultBytesMax: 1e6, allResultsBytesMax: 2e6, version: '1' },
      random: Math.random,
      report: (error) => void this.reported.push(error),
      timer: (delayMs, run) => {
        const timer = { atMs: this.nowMs + delayMs, run }
        this.timers.add(timer)
        return () => this.timers.delete(timer)
      },
      ...this.#options,
      ...more,
    })
    await this.queries.start()
  }

  pass(ms: number): void {
    this.nowMs += ms
    for (const timer of [...this.timers]) {
      if (timer.atMs > this.nowMs) continue
      this.timers.delete(timer)
      timer.run()
    }
  }

  /** The job of the query has read up to the newest boundary and publishes. */
  async publish(
    id: number,
    changes: readonly ResultChange[],
    more: Partial<ResultUpdate> = {},
  ): Promise<void> {
    const { jid } = this.queries.query(id)
    const boundary = await this.queries.boundary(jid)
    const { moment } = boundary!
    this.queries.publish(jid, { moment, begins: false, ends: true, refreshMs: 3, changes, ...more })
  }

  async documents(): Promise<unknown[]> {
    const found: unknown[] = []
    await this.storage.catalog.each('cached-queries', (_, document) => void found.push(document))
    return found
  }
}

export function row(op: 'c' | 'u' | 'd', region: string, n: number): ResultChange {
  const values = [JSON.stringify(region), String(n)]
  return {
    ...{ op, key: `{"region":${JSON.stringify(region)}}` },
    ...{ before: op === 'c' ? undefined : values, after: op === 'd' ? undefined : values },
  }
}
