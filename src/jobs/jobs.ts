/**
 * The jobs of all namespaces: creates and cancels them, keeps those that have ended for a while, and starts those that have
 * not ended again when the service starts.
 *
 * A job runs with the grants of the token of the name that created it. They are checked when the job is created, at each
 * start, at each write (`refusal`), and GRANT_POLL_MS after they have changed.
 */
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import { Semaphore } from '../../storage/semaphore.ts'
import { ServiceError } from '../service-error.ts'
import type { NamespaceName, StreamId } from '../streams/names.ts'
import type { Registry, RemovalHook, Stream } from '../streams/registry.ts'
import type { Streams } from '../streams/streams.ts'
import type { UsageRegistry } from '../streams/usage.ts'
import type { TableService } from '../tables/table-service.ts'
import { type CheckpointHistory, NO_CHECKPOINTS } from './checkpoint-history.ts'
import { isTerminal, type JobView } from './job.ts'
import { type JobRole, missingGrant, type OthersMayCreateJobs, type TokenNamed } from './job-access.ts'
import { JobDocuments, type Timer } from './job-documents.ts'
import type { JobEngine, JobRun } from './job-engine.ts'
import { JobGrants } from './job-grants.ts'
import { removable } from './job-history.ts'
import { JobList } from './job-list.ts'
import { JobPlanning } from './job-planning.ts'
import type { VertexRates } from './job-rates.ts'
import { enterState, hasRun, type JobRecord, removalChanges, tableIdsOf, viewOf } from './job-record.ts'
import type { JobOutlineView, JobOwner, JobRequest, JobService } from './job-service.ts'
import { assertSlot } from './job-slots.ts'
import { stateAfter } from './job-states.ts'
import { connected, streamOf } from './job-tables.ts'
import { JobUsage, programOf } from './job-usage.ts'
import { JobWatches } from './job-watches.ts'
import { LiveJob, type LiveJobParts } from './live-job.ts'
import {
  assertName,
  defaultName,
  NewJobIds,
  newRecord,
  restoredEpochs,
  restoreState,
  savepointOf,
} from './new-job.ts'
import type { DescribedQuery } from './plan/planner-protocol.ts'
import type { NewQueryJob, QueryJobSource } from './query-job.ts'
import { assertSavable, QueryJobs } from './query-jobs.ts'
import { JobSavepoints } from './savepoints/job-savepoints.ts'
import { isRetaining, RetainedStates } from './savepoints/retained-states.ts'
import type { Operation, SavepointRequest, SavepointSubject, StopRequest } from './savepoints/savepoint.ts'
import type { SavepointPlaces } from './savepoints/savepoint-places.ts'
import { elsewhere, type StatePlace } from './state-place.ts'
import type { TemporaryDefinition } from './temporary-definition.ts'
import type { JobId } from './worker/job-worker-protocol.ts'
import type { ThreadDump, WorkerView } from './worker-view.ts'

export interface JobsParts {
  readonly catalog: Catalog
  readonly registry: Registry
  readonly streams: Streams
  readonly tables: TableService
  readonly engine: JobEngine
  readonly usage: UsageRegistry
  readonly nowMs: () => number
  /** A number from 0 to 1. */
  readonly random: () => number
  readonly report: (error: unknown) => void
  /** Jobs that have not ended, at a time. */
  readonly jobsMax: number
  /** Of these the jobs of cached queries have a number of their own. */
  readonly queriesMax?: number
  /** Undefined: tokens are not required. */
  readonly named: TokenNamed
  readonly othersMayCreateJobs?: OthersMayCreateJobs
  readonly places: SavepointPlaces
  /** Of the service, for savepoints. */
  readonly version: string
  /** Where several nodes may run jobs: this one, and its folder of states. */
  readonly statePlace?: StatePlace | undefined
  /** By default a real timer that does not keep the process running. */
  readonly timer?: Timer
}

/** Planning and opening connectors takes memory and processor time, and other jobs wait. */
const STARTS_AT_A_TIME = 4
/** Token files are polled every second, so a job ends within about two seconds after its token has lost a grant. */
const GRANT_POLL_MS = 500
const HISTORY_POLL_MS = 60_000
/** Jobs that one write removes. */
const REMOVED_AT_A_TIME = 100

export class Jobs implements JobService, RemovalHook {
  readonly #parts: JobsParts
  readonly #timer: Timer
  readonly #documents: JobDocuments
  readonly #jobs = new JobList()
  readonly #live = new Map<JobId, LiveJob>()
  readonly #watches = new JobWatches()
  readonly #usage: JobUsage
  readonly #savepoints: JobSavepoints
  readonly #retained: RetainedStates
  readonly #grants: JobGrants
  readonly #planning: JobPlanning
  readonly #newIds: NewJobIds
  readonly #queries: QueryJobs
  readonly #liveParts: LiveJobParts
  readonly #cancelTimers: (() => void)[] = []
  #tidying = false
  #closed = false
  /** A text without the secrets of a namespace: jobs fail with what systems answer, which may repeat one. Set it before `start`. */
  hideSecrets: (namespace: NamespaceName, text: string) => string = (_, text) => text

  private constructor(parts: JobsParts) {
    const { catalog, registry, engine, nowMs, report } = parts
    this.#parts = parts
    this.#timer = parts.timer ?? realTimer
    this.#usage = new JobUsage(parts.usage)
    this.#grants = new JobGrants(parts)
    this.#planning = new JobPlanning({ tables: parts.tables, engine, grants: this.#grants })
    const has = (jid: JobId) => this.#jobs.has(jid)
    this.#queries = new QueryJobs(parts)
    this.#newIds = new NewJobIds({ engine, random: parts.random, report, has })
    const exists = (record: JobRecord) => this.#jobs.find(record.namespace, record.jid) === record
    this.#documents = new JobDocuments({ catalog, registry, exists, report, timer: this.#timer })
    this.#savepoints = new JobSavepoints({
      ...{ places: parts.places, nowMs, random: parts.random },
      record: (namespace, jid) => this.#record(namespace, jid),
      live: (jid) => this.#live.get(jid),
      subject: (record) => this.#subject(record),
      savepointed: (jid, savepoint) => this.#watches.savepointed(jid, savepoint),
    })
    this.#retained = new RetainedStates({
      ...{ engine, places: parts.places, timer: this.#timer },
      prepare: (record) => this.#prepare(record),
      subject: (record) => this.#subject(record),
    })
    this.#liveParts = {
      ...{ engine, nowMs, report, timer: this.#timer },
      hide: (namespace, text) => this.hideSecrets(namespace, text),
      starts: new Semaphore(STARTS_AT_A_TIME),
      prepare: (record) => this.#prepare(record),
      save: (record) => this.#documents.save(record),
      contacted: (record, failure) => this.#planning.contacted(record, failure),
      entered: (record) => this.#queries.entered(record),
      ended: (job) => this.#ended(job),
    }
  }

  /** Reads the documents. `start` starts the jobs that have not ended. */
  static async load(parts: JobsParts): Promise<Jobs> {
    const jobs = new Jobs(parts)
    const records = await JobDocuments.load(parts.catalog)
    for (const record of records.sort((a, b) => a.number - b.number)) jobs.#jobs.add(record)
    parts.registry.onRemoval(jobs)
    parts.tables.onUseOf((tableId) => jobs.#usersOf(tableId))
    parts.tables.sql.onViewTypes((namespace, view) => jobs.#planning.typesOfView(namespace, view))
    for (const record of jobs.#jobs.all()) if (!isTerminal(record.state)) jobs.#recover(record)
    return jobs
  }

  /** Starts the jobs that have not ended, oldest first, a few at a time. Call it when the service answers requests. */
  start(): void {
    this.#every(GRANT_POLL_MS, () => this.pollGrants())
    this.#every(HISTORY_POLL_MS, () => void this.tidy())
    const retaining = [...this.#jobs.all()].filter(isRetaining)
    const needed = new Set([...this.#live.keys(), ...retaining.map(({ jid }) => jid)])
    this.#parts.engine.removeOtherStates?.(needed).catch(this.#parts.report)
    for (const record of retaining) void this.#removeState(record)
    this.#fillSlots()
  }

  async create(namespace: NamespaceName, request: JobRequest, owner: JobOwner): Promise<JobView> {
    const { streams, registry, places, engine, tables, nowMs } = this.#parts
    const { statement, restore } = request
    streams.assertNamespace(namespace)
    this.#assertSlot(owner)
    const planned = await this.#planning.permitted(namespace, request, owner)
    const name = request.name ?? defaultName(planned.outline, planned.tables)
    assertName(name)
    const warnings = [...(await this.#contact(namespace, planned))]
    const { signature } = planned.outline
    const savepoint = await savepointOf(restore, { namespace, signature }, places, warnings)
    const outline = { ...planned.outline, warnings }
    const record = await this.#newIds.reserve(request.jid, async (jid) => {
      if (savepoint !== undefined) await restoreState(engine, jid, savepoint)
      return registry.change(async () => {
        streams.assertNamespace(namespace) // it may have been deleted since, and the tables too
        const present = planned.catalog.tablesOf([...outline.reads, ...outline.writes])
        this.#assertSlot(owner)
        const created = newRecord({
          ...{
            jid,
            number: this.#jobs.lastNumber + 1,
            namespace,
            name,
            statement,
            temporary: [...(request.temporary ?? []), ...planned.catalog.kept(outline.views ?? [])],
            outline,
            owner,
            savepoint,
          },
          ...{ retains: request.retains, settings: request.settings },
          startMs: nowMs(),
        })
        await this.#documents.create(created, restoredEpochs(created, present, tables, savepoint))
        this.#jobs.add(created)
        this.#addLive(created)
        return created
      })
    })
    this.#fillSlots()
    return viewOf(record)
  }

  /** Owns the definitions of jobs of cached queries. Set it before `start`. */
  set querySource(source: QueryJobSource | undefined) {
    this.#queries.source = source
  }

  get querySource(): QueryJobSource | undefined {
    return this.#queries.source
  }

  /**
   * Creates the job of a cached query. Resolves when it is durably recorded. Rejects with ServiceError 'job_slots', 'job_exists',
   * 'namespace_not_found'.
   */
  async createQuery(query: NewQueryJob, owner: JobOwner): Promise<JobView> {
    const { streams, registry, nowMs } = this.#parts
    const { namespace, name, statement, plan } = query
    assertName(name)
    const record = await this.#newIds.reserve(query.jid, (jid) =>
      registry.change(async () => {
        streams.assertNamespace(namespace)
        this.#assertSlot(owner, true)
        const outline = { reads: [], writes: [], vertices: plan.vertices, warnings: [] }
        const number = this.#jobs.lastNumber + 1
        const created = newRecord({
          ...{ jid, number, namespace, name, statement, outline, owner, isQuery: true },
          ...{ savepoint: undefined, startMs: nowMs() },
        })
        await this.#documents.create(created, [])
        this.#jobs.add(created)
        this.#addLive(created)
        return created
      }),
    )
    this.#fillSlots()
    return viewOf(record)
  }

  /**
   * Ends the job of a query that is deleted: cancels it, and resolves when nothing of it runs any more. It stays among the jobs that
   * have ended. `removes`: nothing is left of it, because its query was not created. No effect if there is no such job.
   */
  async endQuery(jid: JobId, { removes = false } = {}): Promise<void> {
    const record = this.#jobs.withId(jid)
    if (!record?.isQuery) return
    const live = this.#live.get(jid)
    await live?.cancel()
    await live?.stopped()
    if (removes) await this.#documents.remove([record], (ended) => this.#remove(ended))
  }

  async validate(
    namespace: NamespaceName,
    request: Omit<JobRequest, 'name'>,
    owner: JobOwner,
  ): Promise<void> {
    this.#parts.streams.assertNamespace(namespace)
    await this.#contact(namespace, await this.#planning.permitted(namespace, request, owner))
  }

  async #contact(...given: Parameters<JobPlanning['contact']>): ReturnType<JobPlanning['contact']> {
    try {
      return await this.#planning.contact(...given)
    } catch (cause) {
      if (!(cause instanceof ServiceError)) throw cause
      throw new ServiceError(cause.code, this.hideSecrets(given[0], cause.message), { cause })
    }
  }

  async outline(namespace: NamespaceName, request: JobRequest): Promise<JobOutlineView> {
    this.#parts.streams.assertNamespace(namespace)
    const { outline, tables } = await this.#planning.plan(namespace, request)
    return { name: request.name ?? defaultName(outline, tables), vertices: outline.vertices }
  }

  async describe(
    namespace: NamespaceName,
    query: string,
    temporary?: readonly TemporaryDefinition[],
  ): Promise<DescribedQuery> {
    this.#parts.streams.assertNamespace(namespace)
    return this.#planning.describe(namespace, query, temporary)
  }

  async fits(namespace: NamespaceName, jid: string, request: JobRequest): Promise<boolean> {
    const { statement, temporary } = this.#record(namespace, jid)
    const present = await this.#planning.plan(namespace, { statement, temporary, tableIds: [] })
    const wanted = await this.#planning.plan(namespace, request)
    return present.outline.signature === wanted.outline.signature
  }

  async settled(namespace: NamespaceName, jid: string): Promise<void> {
    await this.#documents.save(this.#record(namespace, jid))
  }

  list(namespace: NamespaceName): readonly Pick<JobView, 'jid' | 'state'>[] {
    const ofStatements = this.#jobs.of(namespace).filter(({ isQuery }) => !isQuery)
    return ofStatements.map(({ jid, state }) => ({ jid, state }))
  }

  get(namespace: NamespaceName, jid: string): JobView {
    return viewOf(this.#record(namespace, jid))
  }

  async cancel(namespace: NamespaceName, jid: string): Promise<void> {
    this.#record(namespace, jid)
    await this.#live.get(jid)?.cancel()
  }

  checkpoints(namespace: NamespaceName, jid: string): CheckpointHistory {
    this.#record(namespace, jid)
    const inProgress = this.#savepoints.running(jid)
    return this.#watches.find(jid)?.checkpoints.view(inProgress) ?? NO_CHECKPOINTS
  }

  rates(namespace: NamespaceName, jid: string): readonly VertexRates[] {
    this.#record(namespace, jid)
    return this.#watches.find(jid)?.rates.at(this.#parts.nowMs()) ?? []
  }

  worker(): WorkerView | undefined {
    return this.#parts.engine.worker?.()
  }

  async threadDump(): Promise<readonly ThreadDump[]> {
    return (await this.#parts.engine.threadDump?.()) ?? []
  }

  slots(): { readonly total: number; readonly available: number } {
    const { jobsMax } = this.#parts
    const queries = this.#liveOf(true).length
    const available = Math.max(0, jobsMax - this.#liveOf(false).length)
    return { total: jobsMax + queries, available }
  }

  find(jid: string): JobView | undefined {
    const record = this.#jobs.withId(jid)
    return record && viewOf(record)
  }

  *all(namespaces?: ReadonlySet<NamespaceName>): Generator<JobView> {
    for (const record of [...this.#jobs.all()].reverse())
      if (namespaces === undefined || namespaces.has(record.namespace)) yield viewOf(record)
  }

  async savepoint(namespace: NamespaceName, jid: string, request: SavepointRequest): Promise<string> {
    assertSavable(this.#record(namespace, jid))
    return this.#savepoints.savepoint(namespace, jid, request)
  }

  async stop(namespace: NamespaceName, jid: string, request: StopRequest): Promise<string> {
    assertSavable(this.#record(namespace, jid))
    return this.#savepoints.stop(namespace, jid, request)
  }

  checkpoint(namespace: NamespaceName, jid: string, triggerId: string | undefined): Promise<string> {
    return this.#savepoints.checkpoint(namespace, jid, triggerId)
  }

  operation(namespace: NamespaceName, jid: string, triggerId: string): Operation {
    return this.#savepoints.operation(namespace, jid, triggerId)
  }

  disposeSavepoint(location: string): Promise<string> {
    return this.#savepoints.dispose(location)
  }

  disposal(triggerId: string): Operation {
    return this.#savepoints.disposal(triggerId)
  }

  /** Views of the jobs that have not ended. */
  live(): readonly JobView[] {
    return [...this.#live.values()].map(({ record }) => viewOf(record))
  }

  /** Numbers of jobs by their state; of all states that some job has. */
  byState(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>()
    for (const { state } of this.#jobs.all()) counts.set(state, (counts.get(state) ?? 0) + 1)
    return counts
  }

  /** Why the job may not use the stream now, as a sentence; undefined if it may. */
  refusal(jid: JobId, role: JobRole, stream: StreamId): string | undefined {
    const job = this.#live.get(jid)
    if (job === undefined || job.record.state === 'FAILING') return 'the job has ended'
    if (job.record.isQuery) return undefined // its tables are those of its environment
    return missingGrant(job.record.owner, [{ role, stream }], this.#parts.named)
  }

  /** Fails the jobs whose token has been revoked or has lost a grant. */
  pollGrants(): void {
    for (const job of [...this.#live.values()]) {
      if (job.record.owner === undefined || job.record.isQuery) continue
      const missing = this.#grants.missing(job.record, this.#planning.presentTables(job.record))
      if (missing !== undefined) job.fail(missing)
    }
  }

  /** Removes the oldest of the jobs that have ended, in bounded steps. Never rejects. */
  async tidy(): Promise<void> {
    if (this.#tidying) return
    this.#tidying = true
    try {
      for (;;) {
        const oldest = removable(this.#jobs.all(), this.#parts.nowMs()).slice(0, REMOVED_AT_A_TIME)
        if (oldest.length === 0 || this.#closed) return
        await this.#documents.remove(oldest, (record) => this.#remove(record))
      }
    } catch (error) {
      if (!this.#closed) this.#parts.report(error)
    } finally {
      this.#tidying = false
    }
  }

  /** Starts no job any more: the engine is closed next. Jobs keep their states. */
  halt(): void {
    this.#closed = true
    for (const cancel of this.#cancelTimers.splice(0)) cancel()
    for (const job of this.#live.values()) job.close()
  }

  /** After `halt`, when the engine is closed. Resolves when no document is being written any more. */
  async close(): Promise<void> {
    this.halt()
    this.#usage.clear()
    await this.#documents.close()
  }

  /** Cancels the jobs of the namespace and waits until they have ended. */
  async beforeRemoval(namespace: NamespaceName): Promise<void> {
    const jobs = [...this.#live.values()].filter(({ record }) => record.namespace === namespace)
    for (const job of jobs) job.cancel().catch(() => {}) // its document is removed next
    await Promise.all(jobs.map((job) => job.stopped()))
  }

  changesOnRemoval(_: readonly Stream[], namespace: NamespaceName | undefined): readonly CatalogChange[] {
    return namespace === undefined ? [] : this.#jobs.of(namespace).flatMap(removalChanges)
  }

  removed(_: readonly Stream[], namespace: NamespaceName | undefined): void {
    if (namespace === undefined) return
    for (const record of this.#jobs.of(namespace)) {
      this.#remove(record)
      const job = this.#live.get(record.jid)
      if (job !== undefined) void this.#abandon(job)
    }
  }

  #remove(record: JobRecord): void {
    this.#jobs.remove(record)
    this.#watches.remove(record.jid)
  }

  async #abandon(job: LiveJob): Promise<void> {
    this.#live.delete(job.record.jid)
    this.#usage.remove(job.record.jid)
    try {
      await job.abandon()
      await this.#parts.engine.removeState(job.record.jid)
    } catch (error) {
      this.#parts.report(error)
    }
    this.#fillSlots()
  }

  #every(intervalMs: number, run: () => void): void {
    let cancel: () => void = () => {}
    const again = () => {
      if (!this.#closed) cancel = this.#timer(intervalMs, tick)
    }
    const tick = () => {
      run()
      again()
    }
    again()
    this.#cancelTimers.push(() => cancel())
  }

  /** The service has started again. */
  #recover(record: JobRecord): void {
    const state = stateAfter(record.state, 'recover')!
    enterState(record, state, this.#parts.nowMs(), !isTerminal(state))
    if (isTerminal(state)) {
      record.stopping = undefined
      this.#documents.save(record).catch(() => {}) // written again later
    } else {
      this.#addLive(record)
      if (record.stopping !== undefined) this.#savepoints.resume(this.#live.get(record.jid)!, record.stopping)
    }
  }

  #addLive(record: JobRecord): void {
    this.#live.set(record.jid, new LiveJob(record, this.#liveParts, this.#watches.add(record.jid)))
    this.#usage.add(record.jid, programOf(record.namespace, record.name), this.#streamsOf(record))
  }

  #fillSlots(): void {
    if (this.#closed) return
    this.#fill(this.#liveOf(false), this.#parts.jobsMax)
    this.#fill(this.#liveOf(true), this.#queries.jobsMax)
  }

  #fill(live: readonly LiveJob[], jobsMax: number): void {
    const waiting = live.filter(({ record }) => record.state === 'INITIALIZING')
    let free = jobsMax - (live.length - waiting.length)
    for (const job of waiting) if (free-- > 0) job.start()
  }

  /** Those of cached queries, or the others. */
  #liveOf(queries: boolean): readonly LiveJob[] {
    return [...this.#live.values()].filter(({ record }) => (record.isQuery === true) === queries)
  }

  #ended({ record }: LiveJob): void {
    this.#live.delete(record.jid)
    this.#watches.ended(record.jid)
    this.#usage.remove(record.jid)
    void this.#removeState(record)
    this.#fillSlots()
  }

  /** When the end of the job is durable: a job that has to go on after a restart of the service needs its state. */
  async #removeState(record: JobRecord): Promise<void> {
    try {
      await this.#documents.save(record)
    } catch {
      return // the store refuses writes: the next start of the service removes the state
    }
    if (isRetaining(record) && !(await this.#retain(record))) return
    await this.#parts.engine.removeState(record.jid).catch(this.#parts.report)
  }

  /** Resolves with whether the outcome is durable. */
  async #retain(record: JobRecord): Promise<boolean> {
    const retained = await this.#liveParts.starts.run(() => this.#retained.retain(record))
    if (this.#closed) return false // done again when the service starts
    record.retained = retained
    return this.#documents.save(record).then(
      () => true,
      () => false, // written again later
    )
  }

  #record(namespace: NamespaceName, jid: string): JobRecord {
    const record = this.#jobs.find(namespace, jid)
    if (record === undefined) throw new ServiceError('job_not_found', `Job ${jid} does not exist`)
    return record
  }

  #usersOf(tableId: string): readonly Pick<JobView, 'name' | 'jid'>[] {
    return [...this.#live.values()]
      .filter(({ record }) => tableIdsOf(record).includes(tableId))
      .map(({ record: { name, jid } }) => ({ name, jid }))
  }

  #assertSlot(owner: JobOwner, isQuery = false): void {
    const { othersMayCreateJobs } = this.#parts
    const jobsMax = isQuery ? this.#queries.jobsMax : this.#parts.jobsMax
    const owners = this.#liveOf(isQuery).map(({ record }) => record.owner)
    const hasOthers = owner !== undefined && othersMayCreateJobs?.(owner.name) === true
    assertSlot({ jobsMax, owners }, owner?.name, hasOthers)
  }

  #streamsOf(record: JobRecord): readonly StreamId[] {
    const { tables } = this.#parts
    return this.#planning.presentTables(record).flatMap((table) => streamOf(table, tables) ?? [])
  }

  async #prepare(record: JobRecord): Promise<JobRun> {
    await this.#placeState(record)
    if (record.isQuery) return this.#queries.prepare(record)
    const { tables, streams } = this.#parts
    const { jid, statement } = record
    const catalog = this.#planning.catalogOf(record)
    const ofJob = catalog.tablesOf(tableIdsOf(record))
    this.#grants.assert(record.owner, ofJob, record)
    // A stream that was deleted after the job had read it is not created again: its events are missing.
    const created = new Set(hasRun(record.enteredMs) ? record.writes : tableIdsOf(record))
    for (const table of ofJob) {
      const stream = created.has(table.id) ? streamOf(table, tables) : undefined
      if (stream !== undefined && !streams.has(stream)) await streams.create(stream, {})
    }
    const order = await this.#savepoints.orderOf(record)
    const connectedTables = ofJob.map((table) => connected(table, tables))
    const run = { jid, statement, tables: ofJob, views: catalog.views(), connected: connectedTables }
    const { checkpointIntervalMs } = record.settings ?? {}
    return { ...run, ...(order && { order }), ...(checkpointIntervalMs && { checkpointIntervalMs }) }
  }

  /** The job's document names the folder of its state before there is one. Rejects with ServiceError 'state_elsewhere'. */
  async #placeState(record: JobRecord): Promise<void> {
    const { statePlace } = this.#parts
    if (statePlace === undefined) return
    if (record.stateIn === undefined) {
      record.stateIn = { folder: statePlace.folder, node: statePlace.node }
      await this.#documents.save(record)
    }
    const text = elsewhere(record.stateIn, statePlace)
    if (text !== undefined) throw new ServiceError('state_elsewhere', text)
  }

  #subject(record: JobRecord): SavepointSubject {
    const { namespace, name, statement } = record
    const tables = this.#planning.presentTables(record)
    const schemas = Object.fromEntries(tables.map((table) => [table.name, table.definitionSql]))
    return { namespace, name, statement, schemas, version: this.#parts.version }
  }
}

const realTimer: Timer = (delayMs, run) => {
  const timer = setTimeout(run, delayMs).unref()
  return () => clearTimeout(timer)
}
