/**
 * What the service keeps of a cached query, in memory and as a catalog document.
 *
 *   cached-queries/<id>   {"namespace", "environment", "connection": id, "jid", "sqlQuery", "sqlIdentity", "models": […], "tables": […], "plan": {…},
 *                          "version": of the service that planned it, "database": name, "createdMs", "state": "new" | "live" | "deleting",
 *                          "purges"?: true, "failure"?: {"code", "message"}}
 *
 * The document is durable before the job of the query exists. Of the schema the names of the models that the query reads, and of their fields, are stored: its text
 * may have a connection string in it.
 */
import assert from 'node:assert'
import { createHash } from 'node:crypto'
import type { CatalogChange } from '../../storage/catalog.ts'
import type { QueryPlan, QuerySource, QueryTable } from '../jobs/plan/query-plan.ts'
import type { JobId } from '../jobs/worker/job-worker-protocol.ts'
import { type NamespaceName, type StreamId, type StreamName, trustedName } from '../streams/names.ts'
import { normalSql } from './normal-sql.ts'
import type { QueryError } from './query-service.ts'

export const CACHED_QUERIES = 'cached-queries'

export interface QueryRecord {
  readonly id: number
  readonly namespace: NamespaceName
  /** Name of the connection. */
  readonly environment: string
  readonly connection: number
  /** Another one after a change of the tables, because the state of the job does not fit any more. */
  jid: JobId
  readonly sqlQuery: string
  readonly sqlIdentity: string
  models: QuerySource['models']
  /** The tables that the query reads, as they were when it was planned. */
  tables: readonly QueryTable[]
  plan: QueryPlan
  /** Of the service that made the plan. */
  version: string
  /** Name of the database, for the events of the result. */
  readonly database: string
  readonly createdMs: number
  /** `new`: its job may not exist yet. */
  state: 'new' | 'live' | 'deleting'
  purges?: true
  failure?: QueryError
}

export function nameOf({ environment, id }: Pick<QueryRecord, 'environment' | 'id'>): string {
  return `${environment}-q${id}`
}

export function streamOf(record: Pick<QueryRecord, 'namespace' | 'environment' | 'id'>): StreamId {
  return { namespace: record.namespace, stream: trustedName<StreamName>(nameOf(record)) }
}

/** Queries of a connection with the same one are the same query. It takes long for a long text: call it once. */
export function sqlIdentityOf(sqlQuery: string): string {
  return createHash('sha256').update(normalSql(sqlQuery)).digest('hex')
}

export function documentChange({ id, ...document }: QueryRecord): CatalogChange {
  return { collection: CACHED_QUERIES, id: String(id), document }
}

export function removalChange({ id }: Pick<QueryRecord, 'id'>): CatalogChange {
  return { collection: CACHED_QUERIES, id: String(id), document: undefined }
}

/** Throws an Error for a document that is not one of a query. */
export function decodeRecord(id: string, document: unknown): QueryRecord {
  assert(isDocument(document), `catalog document of cached query ${id} has no plan`)
  return {
    ...document,
    id: Number(id),
    sqlIdentity: document.sqlIdentity ?? sqlIdentityOf(document.sqlQuery),
  }
}

function isDocument(document: unknown): document is Omit<QueryRecord, 'id'> {
  return typeof document === 'object' && document !== null && 'plan' in document && 'state' in document
}
