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
import type { ContactState, Table } from '../tables/table.ts'
import type { TableService } from '../tables/table-service.ts'
import { type CheckpointHistory, NO_CHECKPOINTS } from './checkpoint-history.ts'
import { isTerminal, type JobView } from './job.ts'
import {
  type JobRole,
  missingGrant,
  type NeededGrant,
  type OthersMayCreateJobs,
  type TokenNamed,
} from './job-access.ts'
import { JobDocuments, type Timer } from './job-documents.ts'
import type { JobEngine, JobOutline, JobRun } from './job-engine.ts'
import { removable } from './job-history.ts'
import { newJobId } from './job-id.ts'
import { JobList } from './job-list.ts'
import type { VertexRates } from './job-rates.ts'
import { enterState, type JobRecord, removalChanges, tableIdsOf, viewOf } from './job-record.ts'
import type { JobOwner, JobRequest, JobService } from './job-service.ts'
import { assertSlot } from './job-slots.ts'
import { stateAfter } from './job-states.ts'
import { assertWritable, connected, streamOf } from './job-tables.ts'
import { JobUsage, programOf } from './job-usage.ts'
import { JobWatches } from './job-watches.ts'
import { LiveJob, type LiveJobParts } from './live-job.ts'
import type { JobFailure, JobId } from './worker/job-worker-protocol.ts'
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
  /** Undefined: tokens are not required. */
  readonly named: TokenNamed
  readonly othersMayCreateJobs?: OthersMayCreateJobs
  /** By default a real timer that does not keep the process running. */
  readonly timer?: Timer
}

const NAME_CHARACTERS_MAX = 1_000
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
  readonly #liveParts: LiveJobParts
  readonly #cancelTimers: (() => void)[] = []
  #tidying = false
  #closed = false

  private constructor(parts: JobsParts) {
    const { catalog, registry, engine, nowMs, report } = parts
    this.#parts = parts
    this.#timer = parts.timer ?? realTimer
    this.#usage = new JobUsage(parts.usage)
    const exists = (record: JobRecord) => this.#jobs.find(record.namespace, record.jid) === record
    this.#documents = new JobDocuments({ catalog, registry, exists, report, timer: this.#timer })
    this.#liveParts = {
      ...{ engine, nowMs, report, timer: this.#timer },
      starts: new Semaphore(STARTS_AT_A_TIME),
      prepare: (record) => this.#prepare(record),
      save: (record) => this.#documents.save(record),
      contacted: (record, failure) => this.#contacted(record, failure),
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
    for (const record of jobs.#jobs.all()) if (!isTerminal(record.state)) jobs.#recover(record)
    return jobs
  }

  /** Starts the jobs that have not ended, oldest first, a few at a time. Call it when the service answers requests. */
  start(): void {
    this.#every(GRANT_POLL_MS, () => this.pollGrants())
    this.#every(HISTORY_POLL_MS, () => void this.tidy())
    const live = new Set(this.#live.keys())
    this.#parts.engine.removeOtherStates?.(live).catch(this.#parts.report)
    this.#fillSlots()
  }

  async create(namespace: NamespaceName, request: JobRequest, owner: JobOwner): Promise<JobView> {
    this.#parts.streams.assertNamespace(namespace)
    this.#assertSlot(owner)
    const { outline, tables } = await this.#permitted(namespace, request, owner)
    const name = request.name ?? defaultName(outline, tables)
    assertName(name)
    const warnings = await this.#checkTables(namespace, outline, tables)
    const record = await this.#parts.registry.change(async () => {
      this.#parts.streams.assertNamespace(namespace) // it may have been deleted since, and the tables too
      this.#tablesOf(namespace, outline)
      this.#assertSlot(owner)
      const created = this.#newRecord(namespace, name, request.statement, { ...outline, warnings }, owner)
      await this.#documents.create(created)
      this.#jobs.add(created)
      this.#addLive(created)
      return created
    })
    this.#fillSlots()
    return viewOf(record)
  }

  async validate(
    namespace: NamespaceName,
    request: Omit<JobRequest, 'name'>,
    owner: JobOwner,
  ): Promise<void> {
    this.#parts.streams.assertNamespace(namespace)
    const { outline, tables } = await this.#permitted(namespace, request, owner)
    await this.#checkTables(namespace, outline, tables)
  }

  list(namespace: NamespaceName): readonly Pick<JobView, 'jid' | 'state'>[] {
    return this.#jobs.of(namespace).map(({ jid, state }) => ({ jid, state }))
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
    return this.#watches.find(jid)?.checkpoints.view() ?? NO_CHECKPOINTS
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
    return { total: jobsMax, available: Math.max(0, jobsMax - this.#live.size) }
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
    return missingGrant(job.record.owner, [{ role, stream }], this.#parts.named)
  }

  /** Fails the jobs whose token has been revoked or has lost a grant. */
  pollGrants(): void {
    for (const job of [...this.#live.values()]) {
      if (job.record.owner === undefined) continue
      const missing = this.#missingGrant(job.record)
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
  stop(): void {
    this.#closed = true
    for (const cancel of this.#cancelTimers.splice(0)) cancel()
    for (const job of this.#live.values()) job.close()
  }

  /** After `stop`, when the engine is closed. Resolves when no document is being written any more. */
  async close(): Promise<void> {
    this.stop()
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
      this.#documents.save(record).catch(() => {}) // written again later
    } else {
      this.#addLive(record)
    }
  }

  #addLive(record: JobRecord): void {
    this.#live.set(record.jid, new LiveJob(record, this.#liveParts, this.#watches.add(record.jid)))
    this.#usage.add(record.jid, programOf(record.namespace, record.name), this.#streamsOf(record))
  }

  #fillSlots(): void {
    if (this.#closed) return
    const waiting = [...this.#live.values()].filter(({ record }) => record.state === 'INITIALIZING')
    let free = this.#parts.jobsMax - (this.#live.size - waiting.length)
    for (const job of waiting) if (free-- > 0) job.start()
  }

  #ended({ record }: LiveJob): void {
    this.#live.delete(record.jid)
    this.#watches.ended(record.jid)
    this.#usage.remove(record.jid)
    this.#parts.engine.removeState(record.jid).catch(this.#parts.report)
    this.#fillSlots()
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

  #assertSlot(owner: JobOwner): void {
    const { jobsMax, othersMayCreateJobs } = this.#parts
    const owners = [...this.#live.values()].map(({ record }) => record.owner)
    const hasOthers = owner !== undefined && othersMayCreateJobs?.(owner.name) === true
    assertSlot({ jobsMax, owners }, owner?.name, hasOthers)
  }

  /** The outline of a statement whose tables the owner may use. */
  async #permitted(
    namespace: NamespaceName,
    request: Omit<JobRequest, 'name'>,
    owner: JobOwner,
  ): Promise<{ readonly outline: JobOutline; readonly tables: readonly Table[] }> {
    const outline = await this.#outline(namespace, request)
    const tables = this.#tablesOf(namespace, outline)
    this.#assertGrants(tables, outline, owner?.name)
    return { outline, tables }
  }

  async #outline(namespace: NamespaceName, request: Omit<JobRequest, 'name'>): Promise<JobOutline> {
    const { tables, engine } = this.#parts
    const { statement, tableIds } = request
    const all = tables.list(namespace)
    const listed =
      tableIds.length === 0 ? new Set(all) : new Set(tableIds.map((id) => tables.get(namespace, id)))
    const others = all.filter((table) => !listed.has(table))
    const outline = await engine.validate(
      statement,
      [...listed],
      others.map(({ name }) => name),
      namespace,
    )
    for (const table of this.#tablesOf(namespace, { reads: [], writes: outline.writes }))
      assertWritable(table, tables)
    return outline
  }

  /** Contacts other systems. Returns all warnings of the statement. */
  async #checkTables(
    namespace: NamespaceName,
    outline: JobOutline,
    tables: readonly Table[],
  ): Promise<readonly string[]> {
    const { tables: all, engine } = this.#parts
    const connectedTables = tables.map((table) => connected(table, all))
    const onContact = (id: string, problem: string | undefined) => all.contacted(id, contactState(problem))
    const warnings = await engine.checkTables?.(outline, connectedTables, onContact, namespace)
    return [...outline.warnings, ...(warnings ?? [])]
  }

  /** The job runs, so all its systems have answered; or it has failed, perhaps because one of them did not. */
  #contacted(record: JobRecord, failure: JobFailure | undefined): void {
    const { tables } = this.#parts
    if (failure === undefined) {
      const used = new Set(tableIdsOf(record))
      for (const { id, integrationId } of tables.list(record.namespace))
        if (used.has(id)) tables.contacted(integrationId, contactState(undefined))
    } else if (failure.unreachable !== undefined) {
      tables.contacted(failure.unreachable, contactState(failure.message))
    }
  }

  #tablesOf(
    namespace: NamespaceName,
    { reads, writes }: Pick<JobOutline, 'reads' | 'writes'>,
  ): readonly Table[] {
    return [...new Set([...reads, ...writes])].map((id) => this.#parts.tables.get(namespace, id))
  }

  #assertGrants(tables: readonly Table[], outline: JobOutline, owner: string | undefined): void {
    const missing = missingGrant(owner, this.#neededGrants(tables, outline), this.#parts.named)
    if (missing !== undefined) throw new ServiceError('no_grant', missing)
  }

  #missingGrant(record: JobRecord): string | undefined {
    const { tables, named } = this.#parts
    const ofJob: Table[] = []
    for (const id of tableIdsOf(record)) {
      const table = tables.list(record.namespace).find((one) => one.id === id)
      if (table !== undefined) ofJob.push(table)
    }
    // A stream that is deleted while the job runs is not created again.
    const needed = this.#neededGrants(ofJob, record).filter(({ role }) => role !== 'admin')
    return missingGrant(record.owner, needed, named)
  }

  /** In the order of the statement: reads, then writes. */
  #neededGrants(
    tables: readonly Table[],
    { reads, writes, enteredMs }: Pick<JobRecord, 'reads' | 'writes'> & Partial<Pick<JobRecord, 'enteredMs'>>,
  ): NeededGrant[] {
    const streamOfTable = (id: string) => {
      const table = tables.find((one) => one.id === id)
      return table && streamOf(table, this.#parts.tables)
    }
    const isMissing = (stream: StreamId) => !this.#parts.streams.has(stream)
    const needed: NeededGrant[] = []
    for (const id of reads) {
      const stream = streamOfTable(id)
      if (stream === undefined) continue
      needed.push({ role: 'read', stream })
      if (!hasRun(enteredMs) && isMissing(stream)) needed.push({ role: 'admin', stream })
    }
    for (const id of writes) {
      const stream = streamOfTable(id)
      if (stream === undefined) continue
      needed.push({ role: 'write', stream })
      if (isMissing(stream)) needed.push({ role: 'admin', stream })
    }
    return needed
  }

  #streamsOf(record: JobRecord): readonly StreamId[] {
    const { tables } = this.#parts
    const used = new Set(tableIdsOf(record))
    return tables
      .list(record.namespace)
      .filter(({ id }) => used.has(id))
      .flatMap((table) => streamOf(table, tables) ?? [])
  }

  async #prepare(record: JobRecord): Promise<JobRun> {
    const { tables, streams, named } = this.#parts
    const { jid, statement } = record
    const ofJob = this.#tablesOf(record.namespace, record)
    const missing = missingGrant(record.owner, this.#neededGrants(ofJob, record), named)
    if (missing !== undefined) throw new ServiceError('no_grant', missing)
    // A stream that was deleted after the job had read it is not created again: its events are missing.
    const created = new Set(hasRun(record.enteredMs) ? record.writes : tableIdsOf(record))
    for (const table of ofJob) {
      const stream = created.has(table.id) ? streamOf(table, tables) : undefined
      if (stream !== undefined && !streams.has(stream)) await streams.create(stream, {})
    }
    return { jid, statement, tables: ofJob, connected: ofJob.map((table) => connected(table, tables)) }
  }

  #newRecord(
    namespace: NamespaceName,
    name: string,
    statement: string,
    { reads, writes, vertices, warnings }: JobOutline,
    owner: JobOwner,
  ): JobRecord {
    const startMs = this.#parts.nowMs()
    return {
      jid: newJobId(this.#parts.random, (jid) => this.#jobs.has(jid)),
      ...{ namespace, number: this.#jobs.lastNumber + 1, name, statement, reads, writes, vertices, warnings },
      ...{ owner: owner?.name, startMs, endMs: undefined, attempt: 0, figures: undefined },
      ...{ state: 'INITIALIZING', enteredMs: { INITIALIZING: startMs }, exceptions: [], badRecords: [] },
      attemptStates: [{ state: 'INITIALIZING', atMs: startMs }],
    }
  }
}

function contactState(problem: string | undefined): ContactState {
  return problem === undefined ? { active: true } : { active: false, state: 'UNREACHABLE', reason: problem }
}

function defaultName({ writes }: JobOutline, tables: readonly Table[]): string {
  const names = writes.map((id) => tables.find((table) => table.id === id)!.name)
  return `insert-into_${[...new Set(names)].join(',')}`.slice(0, NAME_CHARACTERS_MAX)
}

function assertName({ length }: string): void {
  if (length >= 1 && length <= NAME_CHARACTERS_MAX) return
  throw new ServiceError(
    'invalid_parameter',
    `job_name has ${length} characters; use 1 to ${NAME_CHARACTERS_MAX}`,
  )
}

const realTimer: Timer = (delayMs, run) => {
  const timer = setTimeout(run, delayMs).unref()
  return () => clearTimeout(timer)
}

function hasRun(enteredMs: JobRecord['enteredMs'] | undefined): boolean {
  return enteredMs?.RUNNING !== undefined
}
