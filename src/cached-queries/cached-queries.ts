/**
 * The cached queries of all namespaces: creates and deletes them, gives their jobs what these need, and keeps their results for
 * readers.
 */
import type { Catalog } from '../../storage/catalog.ts'
import { streamNameOf } from '../cdc/capture-names.ts'
import {
  type CapturedStream,
  CaptureError,
  type CaptureService,
  type ConnectionStatus,
  type ConnectionView,
} from '../cdc/capture-service.ts'
import { printedLsn } from '../cdc/lsn.ts'
import type { JobState, JobView } from '../jobs/job.ts'
import { newJobId } from '../jobs/job-id.ts'
import type { JobOwner } from '../jobs/job-service.ts'
import { programOf } from '../jobs/job-usage.ts'
import { type QueryPlan, QueryProblem, type QueryTable } from '../jobs/plan/query-plan.ts'
import type {
  NewQueryJob,
  QueryBoundary,
  QueryJobDefinition,
  QueryJobSource,
  ResultUpdate,
} from '../jobs/query-job.ts'
import type { JobId } from '../jobs/worker/job-worker-protocol.ts'
import { ServiceError } from '../service-error.ts'
import { type NamespaceName, type StreamId, type StreamName, trustedName } from '../streams/names.ts'
import type { Registry, RemovalHook, Stream, StreamWriter } from '../streams/registry.ts'
import type { Streams } from '../streams/streams.ts'
import type { UsageRegistry } from '../streams/usage.ts'
import { HeldItems } from './held-items.ts'
import { LiveQuery } from './live-query.ts'
import { changesOf } from './query-changes.ts'
import { boundConnection, databaseNameOf, jobOf, QueryCreation } from './query-creation.ts'
import { definitionOf, differsInUse, queryTable, tableIdOf } from './query-definition.ts'
import type { QueryPlanner } from './query-planner.ts'
import {
  CACHED_QUERIES,
  decodeRecord,
  documentChange,
  nameOf,
  type QueryRecord,
  removalChange,
  streamOf,
} from './query-record.ts'
import type {
  ChangesRequest,
  ConnectionRequest,
  ConnectionStatusView,
  DeletedConnection,
  NewConnectionRequest,
  NewQueryRequest,
  QueryError,
  QueryItem,
  QueryService,
  QueryView,
  RowsPage,
  RowsRequest,
} from './query-service.ts'
import { lossOf, type StatusOfQuery, statusOf, tablesOf } from './query-status.ts'
import { ResultMemory, ResultTooLarge } from './result-memory.ts'

/** What cached queries need of jobs. `Jobs` has it. */
export interface JobsOfQueries {
  createQuery(query: NewQueryJob, owner: JobOwner): Promise<JobView>
  endQuery(jid: JobId, options?: { readonly removes?: boolean }): Promise<void>
  find(jid: string): JobView | undefined
}

export interface CachedQueriesParts {
  readonly catalog: Catalog
  readonly registry: Registry
  readonly streams: Streams
  readonly captures: CaptureService
  readonly jobs: JobsOfQueries
  readonly planner: QueryPlanner
  /** Throws CaptureError 'invalid_connection_string'. */
  readonly assertConnectionString: (text: string) => void
  readonly usage: UsageRegistry
  readonly queriesMax: number
  readonly resultBytesMax: number
  readonly allResultsBytesMax: number
  /** Of what slow readers of changes hold. */
  readonly heldBytesMax?: number
  /** Of the service. */
  readonly version: string
  readonly nowMs: () => number
  readonly random: () => number
  readonly report: (error: unknown) => void
  /** Calls `run` after `delayMs`; the result cancels it. */
  readonly timer?: (delayMs: number, run: () => void) => () => void
}

const AT_LEAST_MS = 10_000
/** How often old answers are dropped, and statuses are read that no event announces. */
const TIDY_MS = 1_000

export class CachedQueries implements QueryService, QueryJobSource, RemovalHook {
  readonly #parts: CachedQueriesParts
  readonly #timer: NonNullable<CachedQueriesParts['timer']>
  readonly #creation: QueryCreation
  readonly #memory: ResultMemory
  readonly #held: HeldItems
  /** By id, in order of creation. */
  readonly #queries = new Map<number, LiveQuery>()
  readonly #byJob = new Map<JobId, LiveQuery>()
  /** Creations and deletions of one connection run one after the other. */
  readonly #changing = new Map<string, Promise<unknown>>()
  /** Of the connections, as readers of their queries know them. */
  readonly #statuses = new Map<number, ConnectionStatus>()
  readonly #tables = new Map<number, readonly CapturedStream[]>()
  readonly #process: string
  #unlisten: () => void = () => {}
  #cancelTidy: () => void = () => {}
  #closed = false

  private constructor(parts: CachedQueriesParts) {
    this.#parts = parts
    this.#timer = parts.timer ?? realTimer
    this.#process = Math.floor(parts.random() * 36 ** 10).toString(36)
    this.#memory = new ResultMemory({
      resultBytesMax: parts.resultBytesMax,
      allBytesMax: parts.allResultsBytesMax,
    })
    this.#held = new HeldItems(parts.heldBytesMax)
    this.#creation = new QueryCreation({
      ...parts,
      assertCapacity: (connection, sqlIdentity) => this.#assertCapacity(connection, sqlIdentity),
    })
  }

  /** Reads the documents. Jobs must be loaded, and not started. */
  static async load(parts: CachedQueriesParts): Promise<CachedQueries> {
    const queries = new CachedQueries(parts)
    const records: QueryRecord[] = []
    await parts.catalog.each(CACHED_QUERIES, (id, document) => {
      records.push(decodeRecord(id, document))
    })
    for (const record of records.sort((a, b) => a.id - b.id)) queries.#add(record)
    parts.registry.onRemoval(queries)
    queries.#unlisten = parts.captures.listen((connection) => queries.#captured(connection))
    return queries
  }

  /** Completes what a crash has interrupted. Call it when the service answers requests. */
  async start(): Promise<void> {
    const tidy = () => {
      if (this.#closed) return
      for (const query of this.#queries.values()) {
        query.result.tidy()
        if (query.result.isFollowed) query.result.wake()
      }
      this.#cancelTidy = this.#timer(TIDY_MS, tidy)
    }
    tidy()
    for (const query of [...this.#queries.values()]) {
      const { record } = query
      try {
        if (record.state === 'deleting') await this.#remove(query)
        else if (record.state === 'new' && this.#parts.jobs.find(record.jid) !== undefined)
          await this.#save(record, { state: 'live' })
        else if (record.state === 'new') await this.#remove(query, { removesJob: true })
        else if (record.failure === undefined && this.#parts.jobs.find(record.jid) === undefined)
          await this.#parts.jobs.createQuery(jobOf(record), undefined)
      } catch (error) {
        if (!this.#closed) this.#parts.report(error)
      }
    }
  }

  // Calls of APIs

  async createConnection(request: NewConnectionRequest): Promise<ConnectionView> {
    const { captures, streams, assertConnectionString } = this.#parts
    streams.assertNamespace(request.namespace)
    assertConnectionString(request.connectionString)
    return this.#exclusively(request, () => {
      boundConnection(captures, request)
      return captures.create(request)
    })
  }

  async createQuery(request: NewQueryRequest, owner: JobOwner): Promise<QueryView> {
    const { captures, streams } = this.#parts
    streams.assertNamespace(request.namespace)
    const checked = await this.#creation.check(request, owner)
    return this.#exclusively(request, async () => {
      const existing = boundConnection(captures, request)
      const { sqlIdentity } = checked
      this.#assertCapacity(existing, sqlIdentity)
      const connection = await captures.create(connectionOf(request))
      const present = this.#withSql(connection, sqlIdentity)
      if (present !== undefined) {
        const { models } = checked
        if (JSON.stringify(models) !== JSON.stringify(present.record.models))
          await this.#save(present.record, { models })
        return this.#viewOf(present)
      }
      const created = await this.#undoing(connection, existing === undefined, () =>
        this.#create(connection, request, checked, owner),
      )
      return { ...created, status: 'new' } // its tables may be copied already
    })
  }

  async deleteConnection(
    request: ConnectionRequest,
    { purge }: { readonly purge: boolean },
  ): Promise<DeletedConnection> {
    this.#parts.assertConnectionString(request.connectionString)
    return this.#exclusively(request, async () => {
      const { id } = this.#sameConnection(request)
      const queries = this.#queriesOf(id)
      await this.#markDeleting(queries, purge)
      for (const query of queries) await this.#remove(query)
      const { connectionString } = request
      const connection = await this.#parts.captures.delete(id, { purge, connectionString })
      return { connection, queries: queries.map(({ record }) => record.id) }
    })
  }

  async check(request: ConnectionRequest): Promise<ConnectionStatusView> {
    this.#parts.assertConnectionString(request.connectionString)
    const connection = this.#sameConnection(request)
    await this.advance({ connection: connection.id })
    return this.#connectionView(this.#sameConnection(request))
  }

  async advance({ query, connection }: { query?: number; connection?: number } = {}): Promise<void> {
    const named = [...this.#queries.values()].filter(
      ({ record }) =>
        (query === undefined || record.id === query) &&
        (connection === undefined || record.connection === connection),
    )
    await Promise.all(named.map((one) => one.advance()))
  }

  connections(): readonly ConnectionStatusView[] {
    return this.#parts.captures.list().map((connection) => this.#connectionView(connection))
  }

  connection(id: number): ConnectionStatusView {
    const connection = this.#parts.captures.get(id)
    if (connection === undefined) throw new CaptureError('not_found', `connection ${id} does not exist`)
    return this.#connectionView(connection)
  }

  queries(): readonly QueryView[] {
    return [...this.#queries.values()]
      .filter(({ record }) => record.state !== 'deleting')
      .map((query) => this.#viewOf(query))
  }

  query(id: number): QueryView {
    return this.#viewOf(this.#get(id))
  }

  async deleteQuery(id: number, { purge }: { readonly purge: boolean }): Promise<QueryView> {
    const { record } = this.#get(id)
    return this.#exclusively({ namespace: record.namespace, name: record.environment }, async () => {
      const query = this.#get(id)
      const view = this.#viewOf(query)
      await this.#markDeleting([query], purge)
      await this.#remove(query)
      return view
    })
  }

  async rows(id: number, { limit, offset, lsn, atLeast, signal }: RowsRequest): Promise<RowsPage> {
    const query = this.#get(id)
    await query.advance()
    if (atLeast !== undefined) await this.#reach(query, atLeast, signal)
    if (query.result.asOf === undefined) {
      const { status, error } = this.#statusOf(query)
      const why = error === undefined ? '' : `: ${error.message}`
      throw new ServiceError(
        'query_not_ready',
        `query ${id} has no result yet, its status is ${status}${why}; try again later`,
        { retryAfterSeconds: 1 },
      )
    }
    const answer = lsn === undefined ? await query.result.answer() : await query.result.answerAt(lsn)
    if (answer === undefined) {
      throw new CaptureError(
        'conflict',
        `the rows as of ${printedLsn(lsn!)} are not kept any more; begin again without lsn`,
      )
    }
    const { rows, asOf } = answer
    const end = Math.min(rows.length, offset + limit)
    if (end < rows.length) query.result.keep({ rows, asOf })
    return {
      query: this.#viewOf(query),
      rows: rows.slice(offset, end).map(({ values }) => values),
      total: rows.length,
      asOf,
      next: end < rows.length ? { lsn: asOf.lsn, offset: end } : undefined,
    }
  }

  changes(id: number, { after, signal, tooSlow }: ChangesRequest): AsyncIterable<QueryItem> {
    const query = this.#get(id)
    const revision = after === undefined ? undefined : query.result.log.revisionOf(after)
    return changesOf(query, { revision, status: () => this.#statusOf(query), signal, tooSlow })
  }

  // Calls of jobs

  async definition(jid: JobId): Promise<QueryJobDefinition | undefined> {
    const query = this.#byJob.get(jid)
    if (query === undefined || query.record.state === 'deleting') return undefined
    const { captures, version } = this.#parts
    const { record } = query
    if (record.version !== version) {
      const { tables, plan: planned } = record
      const plan = await this.#planned(record, tables)
      if (plan.plan.signature !== planned.plan.signature) {
        void this.#replan(query, tables)
        return undefined
      }
      await this.#save(record, { plan, version })
      query.replanned()
    }
    return definitionOf(record, captures.captured(record.connection))
  }

  async boundary(jid: JobId): Promise<QueryBoundary | undefined> {
    const query = this.#byJob.get(jid)
    if (query === undefined || this.#isStopped(query)) return undefined
    const boundary = await query.boundary()
    // A table that has changed in the same write has other columns there: its job is replaced, or has to end.
    const captured = this.#parts.captures.captured(query.record.connection)
    const tables = tablesOf(query.record, captured).map(({ table }) => table)
    return query.fits(tables) ? boundary : undefined
  }

  publish(jid: JobId, update: ResultUpdate): void {
    const query = this.#byJob.get(jid)
    if (query === undefined || query.record.state === 'deleting') return
    try {
      query.publish(update)
    } catch (error) {
      if (!(error instanceof ResultTooLarge)) throw error
      void this.#fail(query, { code: 'result_too_large', message: error.message }, true)
    }
  }

  stateChanged(jid: JobId, _state: JobState): void {
    this.#byJob.get(jid)?.result.wake()
  }

  // Namespaces

  async beforeRemoval(namespace: NamespaceName): Promise<void> {
    const queries = [...this.#queries.values()].filter(({ record }) => record.namespace === namespace)
    await this.#markDeleting(queries, false)
    for (const query of queries) await this.#remove(query)
  }

  changesOnRemoval(_: readonly Stream[], namespace: NamespaceName | undefined) {
    return [...this.#queries.values()]
      .filter(({ record }) => record.namespace === namespace)
      .map(({ record }) => removalChange(record))
  }

  removed(_: readonly Stream[], namespace: NamespaceName | undefined): void {
    for (const query of [...this.#queries.values()])
      if (query.record.namespace === namespace) this.#forget(query)
  }

  // The service

  /** Numbers of queries by their status, and the bytes of all results. */
  figures(): { readonly byStatus: ReadonlyMap<string, number>; readonly resultBytes: number } {
    const byStatus = new Map<string, number>()
    for (const { status } of this.queries()) byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
    return { byStatus, resultBytes: this.#memory.total }
  }

  /** Ends those who follow queries. */
  endFollowers(): void {
    for (const query of this.#queries.values()) query.end('shutdown')
  }

  close(): void {
    this.#closed = true
    this.#cancelTidy()
    this.#unlisten()
    this.endFollowers()
  }

  // Creation and deletion

  async #create(
    connection: ConnectionView,
    request: NewQueryRequest,
    checked: Awaited<ReturnType<QueryCreation['check']>>,
    owner: JobOwner,
  ): Promise<QueryView> {
    const { jobs, captures, random, nowMs, version } = this.#parts
    const { namespace, name: environment, sqlQuery } = request
    const id = await this.#newId(namespace, environment)
    this.#assertCapacity(connection, checked.sqlIdentity)
    const record: QueryRecord = {
      ...{ id, namespace, environment, connection: connection.id },
      ...{ jid: newJobId(random, (jid) => jobs.find(jid) !== undefined || this.#byJob.has(jid)), sqlQuery },
      ...{ ...checked, version, database: databaseNameOf(connection), createdMs: nowMs(), state: 'new' },
    }
    const query = this.#add(record)
    try {
      await this.#save(record, {})
      const planned = await this.#creation.capture(connection.id, sqlQuery, checked)
      if (planned !== checked) {
        await this.#save(record, planned)
        query.replanned()
      }
      await jobs.createQuery(jobOf(record), owner)
      await this.#save(record, { state: 'live' })
      this.#followTables(query, captures.captured(connection.id))
      return this.#viewOf(query)
    } catch (error) {
      await this.#remove(query, { removesJob: true }).catch(this.#parts.report)
      throw error
    }
  }

  /** Deletes a connection that was made for a query that could not be created. */
  async #undoing<T>(connection: ConnectionView, isNew: boolean, create: () => Promise<T>): Promise<T> {
    try {
      return await create()
    } catch (error) {
      if (isNew) await this.#parts.captures.delete(connection.id, { purge: true }).catch(this.#parts.report)
      throw error
    }
  }

  /** A number whose stream does not exist. */
  async #newId(namespace: NamespaceName, environment: string): Promise<number> {
    const { captures, streams } = this.#parts
    for (;;) {
      const id = await captures.newId()
      if (!streams.has(streamOf({ namespace, environment, id }))) return id
    }
  }

  async #markDeleting(queries: readonly LiveQuery[], purges: boolean): Promise<void> {
    for (const { record } of queries) {
      record.state = 'deleting'
      if (purges) record.purges = true
    }
    await this.#parts.catalog.commit(queries.map(({ record }) => documentChange(record)))
    for (const query of queries) query.end('deleted')
  }

  /** Ends the job, then removes the document. */
  async #remove(query: LiveQuery, { removesJob = false } = {}): Promise<void> {
    const { jobs, catalog, streams, registry } = this.#parts
    const { record } = query
    await jobs.endQuery(record.jid, { removes: removesJob })
    const stream = streamOf(record)
    registry.setWriter(stream, undefined)
    if ((removesJob || record.purges) && streams.has(stream)) await streams.delete(stream)
    await catalog.commit([removalChange(record)])
    this.#forget(query)
  }

  async #save(record: QueryRecord, change: Partial<QueryRecord>): Promise<void> {
    await this.#parts.catalog.commit([documentChange({ ...record, ...change })])
    Object.assign(record, change)
  }

  #add(record: QueryRecord): LiveQuery {
    const { captures, nowMs, registry, usage } = this.#parts
    const query = new LiveQuery(record, captures, {
      ...{ memory: this.#memory, held: this.#held, process: this.#process, nowMs },
    })
    this.#queries.set(record.id, query)
    this.#byJob.set(record.jid, query)
    registry.setWriter(streamOf(record), writerOf(record))
    const program = programOf(record.namespace, nameOf(record))
    for (const stream of usedStreams(record)) usage.register(program, stream)
    return query
  }

  #forget(query: LiveQuery): void {
    const { record } = query
    query.end('deleted')
    query.result.free()
    this.#queries.delete(record.id)
    this.#byJob.delete(record.jid)
    const program = programOf(record.namespace, nameOf(record))
    for (const stream of usedStreams(record)) this.#parts.usage.unregister(program, stream)
    this.#parts.registry.setWriter(streamOf(record), undefined)
  }

  async #exclusively<T>(
    { namespace, name }: Pick<ConnectionRequest, 'namespace' | 'name'>,
    run: () => Promise<T>,
  ): Promise<T> {
    const key = `${namespace}:${name}`
    const before = this.#changing.get(key) ?? Promise.resolve()
    const mine = before.then(run, run)
    this.#changing.set(key, mine)
    try {
      return await mine
    } finally {
      if (this.#changing.get(key) === mine) this.#changing.delete(key)
    }
  }

  // Failures

  /** The tables of a connection may have changed, its status, or its moment. */
  #captured(connection: number): void {
    const { captures } = this.#parts
    const captured = captures.captured(connection)
    const status = captures.get(connection)?.status
    const isNews = status !== this.#statuses.get(connection)
    if (status === undefined) this.#statuses.delete(connection)
    else this.#statuses.set(connection, status)
    const hasOtherTables = this.#hasOtherTables(connection, captured)
    for (const query of this.#queriesOf(connection)) {
      if (hasOtherTables) this.#followTables(query, captured)
      if (isNews) query.result.wake()
      if (query.result.isAwaited) void query.advance()
    }
  }

  /** Whether a table is another object than at the last call, or is lost since. Writes are frequent, changes of tables are not. */
  #hasOtherTables(connection: number, captured: readonly CapturedStream[]): boolean {
    const before = this.#tables.get(connection) ?? []
    const isSame = ({ table, lost }: CapturedStream, i: number) =>
      table === before[i]?.table && lost === before[i]?.lost
    if (captured.length === before.length && captured.every(isSame)) return false
    if (captured.length === 0) this.#tables.delete(connection)
    else this.#tables.set(connection, captured)
    return true
  }

  #followTables(query: LiveQuery, captured: readonly CapturedStream[]): void {
    const { record } = query
    if (record.state !== 'live' || record.failure !== undefined) return
    const loss = lossOf(record, captured)
    if (loss !== undefined) return void this.#fail(query, loss, false)
    const tables = tablesOf(record, captured).map(({ table }) => table)
    if (!query.hasOtherTables(tables) || !differsInUse(record, tables)) return
    const present = new Map(tables.map((table) => [tableIdOf(table), queryTable(table)]))
    void this.#replan(
      query,
      record.tables.map((table) => present.get(table.tableId) ?? table),
    )
  }

  async #planned(record: QueryRecord, tables: readonly QueryTable[]): Promise<QueryPlan> {
    const { sqlQuery: sql, models, plan } = record
    return { ...(await this.#parts.planner.planQuery({ sql, tables, models })), warnings: plan.warnings }
  }

  /** Plans the query for its tables as they are now. The state of its job does not fit, so another job begins anew. */
  async #replan(query: LiveQuery, tables: readonly QueryTable[]): Promise<void> {
    const { jobs, random, registry, version, report } = this.#parts
    const { record } = query
    try {
      await this.#exclusively({ namespace: record.namespace, name: record.environment }, async () => {
        if (this.#closed || this.#isStopped(query)) return
        const plan = await this.#planned(record, tables)
        await jobs.endQuery(record.jid, { removes: true })
        const jid = newJobId(random, (used) => jobs.find(used) !== undefined || this.#byJob.has(used))
        this.#byJob.delete(record.jid)
        await this.#save(record, { jid, tables, plan, version })
        this.#byJob.set(jid, query)
        registry.setWriter(streamOf(record), writerOf(record))
        query.replanned()
        await jobs.createQuery(jobOf(record), undefined)
      })
    } catch (error) {
      if (this.#closed) return
      if (!(error instanceof QueryProblem)) return report(error)
      const message = `${error.message}; delete the query, and create it again for its tables as they are now`
      await this.#fail(query, { code: 'schema_mismatch', message }, false)
    }
  }

  /** `endsJob` false: the job goes on without a boundary, so that the last rows can be read after a restart, too. */
  async #fail(query: LiveQuery, failure: QueryError, endsJob: boolean): Promise<void> {
    const { record } = query
    if (record.failure !== undefined) return
    record.failure = failure
    query.result.wake()
    try {
      await this.#save(record, { failure })
      if (endsJob) await this.#parts.jobs.endQuery(record.jid)
    } catch (error) {
      if (!this.#closed) this.#parts.report(error)
    }
  }

  #isStopped({ record }: LiveQuery): boolean {
    return record.failure !== undefined || record.state === 'deleting'
  }

  // Views

  async #reach(query: LiveQuery, atLeast: bigint, signal: AbortSignal): Promise<void> {
    const isReached = () => (query.result.asOf?.lsn ?? -1n) >= atLeast
    if (isReached()) return
    await new Promise<void>((resolve) => {
      const cancel = this.#timer(AT_LEAST_MS, () => finish())
      const unlisten = query.result.waitForMoment(() => {
        if (isReached() || query.ended !== undefined || query.record.failure !== undefined) finish()
      })
      const finish = () => {
        cancel()
        unlisten()
        signal.removeEventListener('abort', finish)
        resolve()
      }
      signal.addEventListener('abort', finish)
      if (signal.aborted || query.record.failure !== undefined) finish()
    })
    this.#get(query.record.id)
    if (isReached() || query.result.asOf === undefined) return
    const { status, error } = this.#statusOf(query)
    const why = error === undefined ? '' : ` (${error.message})`
    throw new ServiceError(
      'not_yet',
      `the rows are as of ${printedLsn(query.result.asOf.lsn)}, wanted at least ${printedLsn(atLeast)}; ` +
        `the status of the query is ${status}${why}; try again later`,
    )
  }

  #get(id: number): LiveQuery {
    const query = this.#queries.get(id)
    if (query !== undefined && query.record.state !== 'deleting') return query
    throw new CaptureError('not_found', `query ${id} does not exist`)
  }

  #queriesOf(connection: number): readonly LiveQuery[] {
    return [...this.#queries.values()].filter(({ record }) => record.connection === connection)
  }

  #withSql(connection: ConnectionView, sqlIdentity: string): LiveQuery | undefined {
    return this.#queriesOf(connection.id).find(
      ({ record }) => record.state === 'live' && record.sqlIdentity === sqlIdentity,
    )
  }

  /** Of the request. The answer does not reveal whether there is one that leads to another database. */
  #sameConnection({ namespace, name, connectionString }: ConnectionRequest): ConnectionView {
    const { captures } = this.#parts
    const connection = captures.find(namespace, name)
    if (connection !== undefined && captures.isSameDatabase(connection.id, connectionString))
      return connection
    throw new CaptureError(
      'not_found',
      `there is no connection ${name} to this database in namespace ${namespace}`,
    )
  }

  #assertCapacity(connection: ConnectionView | undefined, sqlIdentity: string): void {
    const { queriesMax } = this.#parts
    if (connection !== undefined && this.#withSql(connection, sqlIdentity) !== undefined) return
    if (this.#queries.size < queriesMax) return
    throw new CaptureError(
      'limit',
      `there are ${queriesMax} cached queries; delete one, or raise --max-cached-queries`,
    )
  }

  #connectionView(connection: ConnectionView): ConnectionStatusView {
    const { jobs } = this.#parts
    const queries = this.#queriesOf(connection.id).filter(({ record }) => record.state !== 'deleting')
    return {
      connection,
      jobs: queries.flatMap(({ record: { jid } }) => {
        const job = jobs.find(jid)
        return job === undefined ? [] : [{ jid, name: job.name, state: job.state }]
      }),
      queries: queries.map((query) => this.#viewOf(query)),
    }
  }

  #statusOf({ record, result }: LiveQuery): StatusOfQuery {
    const { captures, jobs } = this.#parts
    return statusOf({
      record,
      connection: captures.get(record.connection),
      captured: captures.captured(record.connection),
      job: jobs.find(record.jid),
      isReady: result.asOf !== undefined,
    })
  }

  #viewOf(query: LiveQuery): QueryView {
    const { record, result } = query
    const { id, namespace, connection, jid, sqlQuery, createdMs, plan } = record
    return {
      ...{
        id,
        namespace,
        name: nameOf(record),
        ...this.#statusOf(query),
        connection,
        stream: streamOf(record),
      },
      ...{ jid, columns: plan.columns, sqlQuery, warnings: plan.warnings, createdMs },
      primaryKey: plan.keyIsRow ? plan.columns.map(({ name }) => name) : plan.key.map(({ name }) => name),
      ...{ rows: result.size, asOf: result.asOf, lastRefreshMs: result.refreshMs },
    }
  }
}

function writerOf({ environment, jid }: QueryRecord): StreamWriter {
  return { name: `connection ${environment}`, key: jid }
}

/** Those of its tables, and that of its result. */
function usedStreams(record: QueryRecord): readonly StreamId[] {
  const { namespace, environment, tables } = record
  const captured = tables.map((table) => trustedName<StreamName>(streamNameOf(environment, table)))
  return [...captured.map((stream) => ({ namespace, stream })), streamOf(record)]
}

function connectionOf({ namespace, name, connectionString }: ConnectionRequest): ConnectionRequest {
  return { namespace, name, connectionString }
}

function realTimer(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs).unref()
  return () => clearTimeout(timer)
}
