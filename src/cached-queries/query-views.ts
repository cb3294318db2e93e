/** Queries and connections as APIs show them. */
import type { CaptureService, ConnectionView } from '../cdc/capture-service.ts'
import type { JobsOfQueries } from './jobs-of-queries.ts'
import type { LiveQuery } from './live-query.ts'
import type { QueryList } from './query-list.ts'
import { nameOf, streamOf } from './query-record.ts'
import type { ConnectionStatusView, QueryView } from './query-service.ts'
import { type StatusOfQuery, statusOf } from './query-status.ts'

export interface QueryViewsParts {
  readonly captures: CaptureService
  readonly jobs: JobsOfQueries
}

export class QueryViews {
  readonly #parts: QueryViewsParts
  readonly #list: QueryList

  constructor(parts: QueryViewsParts, list: QueryList) {
    this.#parts = parts
    this.#list = list
  }

  query(query: LiveQuery): QueryView {
    const { record, result } = query
    const { id, namespace, connection, jid, sqlQuery, createdMs, plan } = record
    return {
      ...{
        id,
        namespace,
        name: nameOf(record),
        ...this.status(query),
        connection,
        stream: streamOf(record),
      },
      ...{ jid, columns: plan.columns, sqlQuery, warnings: plan.warnings, createdMs },
      primaryKey: plan.keyIsRow ? plan.columns.map(({ name }) => name) : plan.key.map(({ name }) => name),
      ...{ rows: result.size, asOf: result.asOf, lastRefreshMs: result.refreshMs },
    }
  }

  connection(connection: ConnectionView): ConnectionStatusView {
    const { jobs } = this.#parts
    const queries = this.#list.ofConnection(connection.id).filter(({ record }) => record.state !== 'deleting')
    return {
      connection,
      jobs: queries.flatMap(({ record: { jid } }) => {
        const job = jobs.find(jid)
        return job === undefined ? [] : [{ jid, name: job.name, state: job.state }]
      }),
      queries: queries.map((query) => this.query(query)),
    }
  }

  status({ record, result }: LiveQuery): StatusOfQuery {
    const { captures, jobs } = this.#parts
    return statusOf({
      record,
      connection: captures.get(record.connection),
      captured: captures.captured(record.connection),
      job: jobs.find(record.jid),
      isReady: result.asOf !== undefined,
    })
  }
}
