/** What the model of jobs does for the jobs of cached queries: their definitions come from the module that owns the queries. */
import { ServiceError } from '../service-error.ts'
import type { Streams } from '../streams/streams.ts'
import type { JobRun } from './job-engine.ts'
import type { JobRecord } from './job-record.ts'
import type { QueryJobSource } from './query-job.ts'

export interface QueryJobsParts {
  readonly streams: Streams
  /** Jobs of queries that have not ended, at a time. */
  readonly queriesMax?: number
}

const QUERIES_MAX = 256

export class QueryJobs {
  readonly #parts: QueryJobsParts
  source: QueryJobSource | undefined

  constructor(parts: QueryJobsParts) {
    this.#parts = parts
  }

  get jobsMax(): number {
    return this.#parts.queriesMax ?? QUERIES_MAX
  }

  /** Rejects with ServiceError 'job_not_found' if the query does not exist any more. */
  async prepare({ jid, statement }: JobRecord): Promise<JobRun> {
    const { streams } = this.#parts
    if (this.source === undefined) throw new ServiceError('overloaded', 'cached queries are not ready yet')
    const query = await this.source.definition(jid)
    if (query === undefined)
      throw new ServiceError('job_not_found', 'the query of this job does not exist any more')
    const results = new Set(query.plan.inserts.map(({ sink }) => sink.tableId))
    for (const { id, stream } of query.tables)
      if (stream !== undefined && results.has(id) && !streams.has(stream)) await streams.create(stream, {})
    return { jid, statement, tables: [], connected: query.tables, query }
  }

  entered({ jid, isQuery, state }: JobRecord): void {
    if (isQuery) this.source?.stateChanged(jid, state)
  }
}

/**
 * Throws ServiceError 'unsupported' for the job of a query. A savepoint of it would be of no use: no statement can be started
 * from it, and a new query reads its tables from the beginning.
 */
export function assertSavable({ jid, isQuery }: JobRecord): void {
  if (!isQuery) return
  throw new ServiceError(
    'unsupported',
    `job ${jid} keeps a cached query, which has no savepoints; delete the query to end the job`,
  )
}
