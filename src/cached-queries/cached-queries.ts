import { CaptureError, type ConnectionView } from '../cdc/capture-service.ts'
import type { JobState } from '../jobs/job.ts'
import type { JobOwner } from '../jobs/job-service.ts'
import type { QueryBoundary, QueryJobDefinition, QueryJobSource, ResultUpdate } from '../jobs/query-job.ts'
import type { JobId } from '../jobs/worker/job-worker-protocol.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { RemovalHook, Stream } from '../streams/registry.ts'
import { ConnectionOrder } from './connection-order.ts'
import { changesOf } from './query-changes.ts'
import { boundConnection, databaseNameOf, jobOf, QueryCreation } from './query-creation.ts'
import { definitionOf } from './query-definition.ts'
import { QueryList, type QueryListParts } from './query-list.ts'
import type { QueryPlanner } from './query-planner.ts'
import { type QueryRecord, removalChange } from './query-record.ts'
import { isStopped, QueryRenewal } from './query-renewal.ts'
import type {
  ChangesRequest,
  ConnectionRequest,
  ConnectionStatusView,
  DeletedConnection,
  NewConnectionRequest,
  NewQueryRequest,
  QueryItem,
  QueryService,
  QueryView,
  RowsPage,
  RowsRequest,
} from './query-service.ts'
import { tablesOf } from './query-status.ts'
import { QueryViews } from './query-views.ts'
import { ResultTooLarge } from './result-memory.ts'
import { rowsOf, type Timer } from './rows-page.ts'

export interface CachedQueriesParts extends QueryListParts {
  readonly planner: QueryPlanner
  /** Throws CaptureError 'invalid_connection_string'. */
  readonly assertConnectionString: (text: string) => void
  /** Of the service. */
  readonly version: string
  readonly report: (error: unknown) => void
  /** By default a real timer that does not keep the process running. */
  readonly timer?: Timer
}

/** How often old answers are dropped, and statuses are read that no event announces. */
const TIDY_MS = 1_000

export class CachedQueries implements QueryService, QueryJobSource, RemovalHook {
  readonly #parts: CachedQueriesParts
  readonly #timer: Timer
  readonly #creation: QueryCreation
  readonly #list: QueryList
  readonly #views: QueryViews
  readonly #renewal: QueryRenewal
  readonly #order = new ConnectionOrder()
  #unlisten: () => void = () => {}
  #cancelTidy: () => void = () => {}
  #closed = false

  private constructor(parts: CachedQueriesParts, list: QueryList) {
    this.#parts = parts
    this.#list = list
    this.#timer = parts.timer ?? realTimer
    this.#views = new QueryViews(parts, list)
    this.#renewal = new QueryRenewal(parts, list, this.#order)
    this.#creation = new QueryCreation({
      ...parts,
      assertCapacity: (connection, sqlIdentity) => list.assertCapacity(connection, sqlIdentity),
    })
  }

  /** Reads the documents. Jobs must be loaded, and not started. */
  static async load(parts: CachedQueriesParts): Promise<CachedQueries> {
    const queries = new CachedQueries(parts, await QueryList.load(parts))
    parts.registry.onRemoval(queries)
    queries.#unlisten = parts.captures.listen((connection) => queries.#renewal.captured(connection))
    return queries
  }

  /** Completes what a crash has interrupted. Call it when the service answers requests. */
  async start(): Promise<void> {
    const tidy = () => {
      if (this.#closed) return
      for (const query of this.#list.all()) {
        query.result.tidy()
        if (query.result.isFollowed) query.result.wake()
      }
      this.#cancelTidy = this.#timer(TIDY_MS, tidy)
    }
    tidy()
    for (const query of this.#list.all()) {
      const { record } = query
      try {
        if (record.state === 'deleting') await this.#list.remove(query)
        else if (record.state === 'new' && this.#parts.jobs.find(record.jid) !== undefined)
          await this.#list.save(record, { state: 'live' })
        else if (record.state === 'new') await this.#list.remove(query, { removesJob: true })
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
    return this.#order.run(request, () => {
      boundConnection(captures, request)
      return captures.create(request)
    })
  }

  async createQuery(request: NewQueryRequest, owner: JobOwner): Promise<QueryView> {
    const { captures, streams } = this.#parts
    streams.assertNamespace(request.namespace)
    const checked = await this.#creation.check(request, owner)
    return this.#order.run(request, async () => {
      const existing = boundConnection(captures, request)
      const { sqlIdentity } = checked
      this.#list.assertCapacity(existing, sqlIdentity)
      const connection = await captures.create(connectionOf(request))
      const present = this.#list.withSql(connection, sqlIdentity)
      if (present !== undefined) {
        const { models } = checked
        if (JSON.stringify(models) !== JSON.stringify(present.record.models))
          await this.#list.save(present.record, { models })
        return this.#views.query(present)
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
    return this.#order.run(request, async () => {
      const { id } = this.#sameConnection(request)
      const queries = this.#list.ofConnection(id)
      await this.#list.markDeleting(queries, purge)
      for (const query of queries) await this.#list.remove(query)
      const { connectionString } = request
      const connection = await this.#parts.captures.delete(id, { purge, connectionString })
      return { connection, queries: queries.map(({ record }) => record.id) }
    })
  }

  async check(request: ConnectionRequest): Promise<ConnectionStatusView> {
    this.#parts.assertConnectionString(request.connectionString)
    const connection = this.#sameConnection(request)
    await this.advance({ connection: connection.id })
    return this.#views.connection(this.#sameConnection(request))
  }

  async advance({ query, connection }: { query?: number; connection?: number } = {}): Promise<void> {
    const named = this.#list
      .all()
      .filter(
        ({ record }) =>
          (query === undefined || record.id === query) &&
          (connection === undefined || record.connection === connection),
      )
    await Promise.all(named.map((one) => one.advance()))
  }

  connections(): readonly ConnectionStatusView[] {
    return this.#parts.captures.list().map((connection) => this.#views.connection(connection))
  }

  connection(id: number): ConnectionStatusView {
    const connection = this.#parts.captures.get(id)
    if (connection === undefined) throw new CaptureError('not_found', `connection ${id} does not exist`)
    return this.#views.connection(connection)
  }

  queries(): readonly QueryView[] {
    return this.#list
      .all()
      .filter(({ record }) => record.state !== 'deleting')
      .map((query) => this.#views.query(query))
  }

  query(id: number): QueryView {
    return this.#views.query(this.#list.get(id))
  }

  async deleteQuery(id: number, { purge }: { readonly purge: boolean }): Promise<QueryView> {
    const { record } = this.#list.get(id)
    return this.#order.run({ namespace: record.namespace, name: record.environment }, async () => {
      const query = this.#list.get(id)
      const view = this.#views.query(query)
      await this.#list.markDeleting([query], purge)
      await this.#list.remove(query)
      return view
    })
  }

  async rows(id: number, request: RowsRequest): Promise<RowsPage> {
    return rowsOf(this.#list.get(id), request, this.#views, this.#timer)
  }

  changes(id: number, { after, signal, tooSlow }: ChangesRequest): AsyncIterable<QueryItem> {
    const query = this.#list.get(id)
    const revision = after === undefined ? undefined : query.result.log.revisionOf(after)
    return changesOf(query, { revision, status: () => this.#views.status(query), signal, tooSlow })
  }

  // Calls of jobs

  async definition(jid: JobId): Promise<QueryJobDefinition | undefined> {
    const query = this.#list.ofJob(jid)
    if (query === undefined || query.record.state === 'deleting') return undefined
    if (!(await this.#renewal.isPresent(query))) return undefined
    return definitionOf(query.record, this.#parts.captures.captured(query.record.connection))
  }

  async boundary(jid: JobId): Promise<QueryBoundary | undefined> {
    const query = this.#list.ofJob(jid)
    if (query === undefined || isStopped(query)) return undefined
    const boundary = await query.boundary()
    // A table that has changed in the same write has other columns there: its job is replaced, or has to end.
    const captured = this.#parts.captures.captured(query.record.connection)
    const tables = tablesOf(query.record, captured).map(({ table }) => table)
    return query.fits(tables) ? boundary : undefined
  }

  publish(jid: JobId, update: ResultUpdate): void {
    const query = this.#list.ofJob(jid)
    if (query === undefined || query.record.state === 'deleting') return
    try {
      query.publish(update)
    } catch (error) {
      if (!(error instanceof ResultTooLarge)) throw error
      void this.#renewal.fail(query, { code: 'result_too_large', message: error.message }, true)
    }
  }

  stateChanged(jid: JobId, _state: JobState): void {
    this.#list.ofJob(jid)?.result.wake()
  }

  // Namespaces

  async beforeRemoval(namespace: NamespaceName): Promise<void> {
    const queries = this.#list.ofNamespace(namespace)
    await this.#list.markDeleting(queries, false)
    for (const query of queries) await this.#list.remove(query)
  }

  changesOnRemoval(_: readonly Stream[], namespace: NamespaceName | undefined) {
    if (namespace === undefined) return []
    return this.#list.ofNamespace(namespace).map(({ record }) => removalChange(record))
  }

  removed(_: readonly Stream[], namespace: NamespaceName | undefined): void {
    if (namespace === undefined) return
    for (const query of this.#list.ofNamespace(namespace)) this.#list.forget(query)
  }

  // The service

  /** Numbers of queries by their status, and the bytes of all results. */
  figures(): { readonly byStatus: ReadonlyMap<string, number>; readonly resultBytes: number } {
    const byStatus = new Map<string, number>()
    for (const { status } of this.queries()) byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
    return { byStatus, resultBytes: this.#list.resultBytes }
  }

  /** Ends those who follow queries. */
  endFollowers(): void {
    for (const query of this.#list.all()) query.end('shutdown')
  }

  close(): void {
    this.#closed = true
    this.#renewal.close()
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
    const { jobs, captures, nowMs, version } = this.#parts
    const { namespace, name: environment, sqlQuery } = request
    const id = await this.#list.newId(namespace, environment)
    this.#list.assertCapacity(connection, checked.sqlIdentity)
    const record: QueryRecord = {
      ...{ id, namespace, environment, connection: connection.id },
      ...{ jid: this.#list.newJobId(), sqlQuery },
      ...{ ...checked, version, database: databaseNameOf(connection), createdMs: nowMs(), state: 'new' },
    }
    const query = this.#list.add(record)
    try {
      await this.#list.save(record, {})
      const planned = await this.#creation.capture(connection.id, sqlQuery, checked)
      if (planned !== checked) {
        await this.#list.save(record, planned)
        query.replanned()
      }
      await jobs.createQuery(jobOf(record), owner)
      await this.#list.save(record, { state: 'live' })
      this.#renewal.followTables(query, captures.captured(connection.id))
      return this.#views.query(query)
    } catch (error) {
      await this.#list.remove(query, { removesJob: true }).catch(this.#parts.report)
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
}

function connectionOf({ namespace, name, connectionString }: ConnectionRequest): ConnectionRequest {
  return { namespace, name, connectionString }
}

function realTimer(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs).unref()
  return () => clearTimeout(timer)
}
