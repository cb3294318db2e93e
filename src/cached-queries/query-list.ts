/**
 * The queries of all namespaces: by id and by job, with their documents, the writers of their streams and the usage of streams that
 * they register.
 */
import type { Catalog } from '../../storage/catalog.ts'
import { streamNameOf } from '../cdc/capture-names.ts'
import { CaptureError, type CaptureService, type ConnectionView } from '../cdc/capture-service.ts'
import { newJobId } from '../jobs/job-id.ts'
import { programOf } from '../jobs/job-usage.ts'
import type { JobId } from '../jobs/worker/job-worker-protocol.ts'
import { type NamespaceName, type StreamId, type StreamName, trustedName } from '../streams/names.ts'
import type { Registry, StreamWriter } from '../streams/registry.ts'
import type { Streams } from '../streams/streams.ts'
import type { UsageRegistry } from '../streams/usage.ts'
import { HeldItems } from './held-items.ts'
import type { JobsOfQueries } from './jobs-of-queries.ts'
import { KeptMemory } from './kept-answers.ts'
import { LiveQuery } from './live-query.ts'
import {
  CACHED_QUERIES,
  decodeRecord,
  documentChange,
  nameOf,
  type QueryRecord,
  removalChange,
  streamOf,
} from './query-record.ts'
import { ResultMemory } from './result-memory.ts'

export interface QueryListParts {
  readonly catalog: Catalog
  readonly registry: Registry
  readonly streams: Streams
  readonly captures: CaptureService
  readonly jobs: JobsOfQueries
  readonly usage: UsageRegistry
  readonly queriesMax: number
  readonly resultBytesMax: number
  readonly allResultsBytesMax: number
  /** Of what slow readers of changes hold. */
  readonly heldBytesMax?: number
  readonly nowMs: () => number
  readonly random: () => number
}

export class QueryList {
  readonly #parts: QueryListParts
  readonly #memory: ResultMemory
  readonly #held: HeldItems
  readonly #kept = new KeptMemory()
  /** By id, in order of creation. */
  readonly #queries = new Map<number, LiveQuery>()
  readonly #byJob = new Map<JobId, LiveQuery>()
  readonly #process: string

  private constructor(parts: QueryListParts) {
    this.#parts = parts
    this.#process = Math.floor(parts.random() * 36 ** 10).toString(36)
    this.#memory = new ResultMemory({
      resultBytesMax: parts.resultBytesMax,
      allBytesMax: parts.allResultsBytesMax,
    })
    this.#held = new HeldItems(parts.heldBytesMax)
  }

  /** Reads the documents. */
  static async load(parts: QueryListParts): Promise<QueryList> {
    const list = new QueryList(parts)
    const records: QueryRecord[] = []
    await parts.catalog.each(CACHED_QUERIES, (id, document) => {
      records.push(decodeRecord(id, document))
    })
    for (const record of records.sort((a, b) => a.id - b.id)) list.add(record)
    return list
  }

  /** In order of creation. */
  all(): readonly LiveQuery[] {
    return [...this.#queries.values()]
  }

  /** Throws CaptureError 'not_found', also for a query that is being deleted. */
  get(id: number): LiveQuery {
    const query = this.#queries.get(id)
    if (query !== undefined && query.record.state !== 'deleting') return query
    throw queryNotFound(id)
  }

  ofJob(jid: JobId): LiveQuery | undefined {
    return this.#byJob.get(jid)
  }

  ofConnection(connection: number): readonly LiveQuery[] {
    return [...this.#queries.values()].filter(({ record }) => record.connection === connection)
  }

  ofNamespace(namespace: NamespaceName): readonly LiveQuery[] {
    return this.all().filter(({ record }) => record.namespace === namespace)
  }

  withSql(connection: ConnectionView, sqlIdentity: string): LiveQuery | undefined {
    return this.ofConnection(connection.id).find(
      ({ record }) => record.state === 'live' && record.sqlIdentity === sqlIdentity,
    )
  }

  /** Throws CaptureError 'limit' if there is no place for one more. */
  assertCapacity(connection: ConnectionView | undefined, sqlIdentity: string): void {
    const { queriesMax } = this.#parts
    if (connection !== undefined && this.withSql(connection, sqlIdentity) !== undefined) return
    if (this.#queries.size < queriesMax) return
    throw new CaptureError(
      'limit',
      `there are ${queriesMax} cached queries; delete one, or raise --max-cached-queries`,
    )
  }

  /** Bytes of all results. */
  get resultBytes(): number {
    return this.#memory.total
  }

  /** A number whose stream does not exist. */
  async newId(namespace: NamespaceName, environment: string): Promise<number> {
    const { captures, streams } = this.#parts
    for (;;) {
      const id = await captures.newId()
      if (!streams.has(streamOf({ namespace, environment, id }))) return id
    }
  }

  newJobId(): JobId {
    const { random, jobs } = this.#parts
    return newJobId(random, (jid) => jobs.find(jid) !== undefined || this.#byJob.has(jid))
  }

  add(record: QueryRecord): LiveQuery {
    const { captures, nowMs, registry, usage } = this.#parts
    const query = new LiveQuery(record, captures, {
      ...{ memory: this.#memory, held: this.#held, kept: this.#kept, process: this.#process, nowMs },
    })
    this.#queries.set(record.id, query)
    this.#byJob.set(record.jid, query)
    registry.setWriter(streamOf(record), writerOf(record))
    const program = programOf(record.namespace, nameOf(record))
    for (const stream of usedStreams(record)) usage.register(program, stream)
    return query
  }

  /** The document is written first. */
  async save(record: QueryRecord, change: Partial<QueryRecord>): Promise<void> {
    await this.#parts.catalog.commit([documentChange({ ...record, ...change })])
    Object.assign(record, change)
  }

  /** The query has another job from now on. */
  async replace(query: LiveQuery, change: Partial<QueryRecord> & Pick<QueryRecord, 'jid'>): Promise<void> {
    const { record } = query
    this.#byJob.delete(record.jid)
    await this.save(record, change)
    this.#byJob.set(record.jid, query)
    this.#parts.registry.setWriter(streamOf(record), writerOf(record))
  }

  async markDeleting(queries: readonly LiveQuery[], purges: boolean): Promise<void> {
    for (const { record } of queries) {
      record.state = 'deleting'
      if (purges) record.purges = true
    }
    await this.#parts.catalog.commit(queries.map(({ record }) => documentChange(record)))
    for (const query of queries) query.end('deleted')
  }

  /** Ends the job, then removes the document. */
  async remove(query: LiveQuery, { removesJob = false } = {}): Promise<void> {
    const { jobs, catalog, streams, registry } = this.#parts
    const { record } = query
    await jobs.endQuery(record.jid, { removes: removesJob })
    const stream = streamOf(record)
    registry.setWriter(stream, undefined)
    if ((removesJob || record.purges) && streams.has(stream)) await streams.delete(stream)
    await catalog.commit([removalChange(record)])
    this.forget(query)
  }

  forget(query: LiveQuery): void {
    const { record } = query
    query.end('deleted')
    query.result.free()
    this.#queries.delete(record.id)
    this.#byJob.delete(record.jid)
    const program = programOf(record.namespace, nameOf(record))
    for (const stream of usedStreams(record)) this.#parts.usage.unregister(program, stream)
    this.#parts.registry.setWriter(streamOf(record), undefined)
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

export function queryNotFound(id: number): CaptureError {
  return new CaptureError('not_found', `query ${id} does not exist`)
}
