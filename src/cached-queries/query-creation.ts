/**
 * Creates a query. First come the checks that change nothing, then the steps; if a step fails, those before it are undone.
 *
 *   checks   connection string → schema → SQL against the schema → present connection → limit → database → its tables against the schema
 *   steps    connection → document of the query (state new) → tables are captured → job → document (state live)
 *
 * The document is durable before the job exists. So after a crash the query is known: with a job it is complete, without one it is
 * removed at the next start.
 */
import { CaptureError, type CaptureService, type ConnectionView } from '../cdc/capture-service.ts'
import type { JobOwner } from '../jobs/job-service.ts'
import { namesOf } from '../jobs/plan/prisma/plan-with-schema.ts'
import type { QueryPlan, QuerySource, QueryTable } from '../jobs/plan/query-plan.ts'
import type { NewQueryJob } from '../jobs/query-job.ts'
import type { JobId } from '../jobs/worker/job-worker-protocol.ts'
import { queryTable, tableIdOf } from './query-definition.ts'
import type { QueryPlanner } from './query-planner.ts'
import { nameOf, type QueryRecord, sqlIdentityOf } from './query-record.ts'
import type { NewQueryRequest } from './query-service.ts'
import { checkSchema } from './schema-check.ts'

export interface CheckedQuery {
  readonly models: QuerySource['models']
  /** Those that the query reads, as the database has them. */
  readonly tables: readonly QueryTable[]
  readonly plan: QueryPlan
  readonly sqlIdentity: string
}

export interface CreationParts {
  readonly captures: CaptureService
  readonly planner: QueryPlanner
  /** Throws CaptureError 'invalid_connection_string'. */
  readonly assertConnectionString: (text: string) => void
  /** Throws CaptureError 'limit' if there cannot be one more query. A query with this `sqlIdentityOf` on the connection is none more. */
  readonly assertCapacity: (connection: ConnectionView | undefined, sqlIdentity: string) => void
}

export class QueryCreation {
  readonly #parts: CreationParts

  constructor(parts: CreationParts) {
    this.#parts = parts
  }

  /** All checks. Changes nothing. */
  async check(request: NewQueryRequest, owner: JobOwner): Promise<CheckedQuery> {
    const { captures, planner, assertConnectionString, assertCapacity } = this.#parts
    const { connectionString, sqlQuery: sql, schema } = request
    assertConnectionString(connectionString)
    const expected = await planner.planWithSchema({ sql, schema }, owner?.name)
    const sqlIdentity = sqlIdentityOf(sql) // after the planner has checked its length
    assertCapacity(boundConnection(captures, request), sqlIdentity)
    const names = expected.models.map(({ schema: inSchema, table }) => ({ schema: inSchema, table }))
    const described = await captures.describe(connectionString, names)
    const tables = checkSchema(expected.models, expected.plan, described)
    const models = expected.models.map(namesOf)
    const plan = await planner.planQuery({ sql, tables, models }, owner?.name)
    const warnings = [...plan.warnings, ...collationWarnings(described)]
    return {
      sqlIdentity,
      models,
      tables: tables.filter(({ tableId }) => plan.tables.includes(tableId)),
      plan: { ...plan, warnings },
    }
  }

  /** Captures the tables of the query; returns the query as it is planned for them. */
  async capture(connection: number, sql: string, checked: CheckedQuery): Promise<CheckedQuery> {
    const { captures, planner } = this.#parts
    const isCaptured = (id: string) =>
      captures.captured(connection).some(({ table, lost }) => tableIdOf(table) === id && lost === undefined)
    const missing = checked.tables.filter(({ tableId }) => !isCaptured(tableId))
    if (missing.length > 0)
      await captures.addTables(
        connection,
        missing.map(({ schema, table }) => ({ schema, table })),
      )
    const captured = new Map(
      captures.captured(connection).map(({ table }) => [tableIdOf(table), queryTable(table)]),
    )
    const tables = checked.tables.map((table) => captured.get(table.tableId) ?? table)
    if (JSON.stringify(tables) === JSON.stringify(checked.tables)) return checked
    const { models, sqlIdentity } = checked
    const { warnings } = checked.plan
    return {
      sqlIdentity,
      models,
      tables,
      plan: { ...(await planner.planQuery({ sql, tables, models })), warnings },
    }
  }
}

/** The connection of the request; undefined if there is none. Throws CaptureError 'conflict' if it is that of another database. */
export function boundConnection(
  captures: CaptureService,
  { namespace, name, connectionString }: Pick<NewQueryRequest, 'namespace' | 'name' | 'connectionString'>,
): ConnectionView | undefined {
  const connection = captures.find(namespace, name)
  if (connection === undefined || captures.isSameDatabase(connection.id, connectionString)) return connection
  throw new CaptureError('conflict', `environment ${name} is bound to another database`)
}

export function jobOf(record: QueryRecord): NewQueryJob & { readonly jid: JobId } {
  const { namespace, jid, sqlQuery, plan } = record
  return { namespace, jid, name: nameOf(record), statement: sqlQuery, plan: plan.plan }
}

/** Name of the database of `postgres://app:***@db:5432/shop`. */
export function databaseNameOf({ database }: ConnectionView): string {
  const name =
    database
      .replace(/[?#].*$/, '')
      .split('/')
      .at(-1) ?? ''
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

/** These compare texts by code point. */
const BY_CODE_POINT = /^(C|POSIX|C\.utf-?8|ucs_basic)$/i

function collationWarnings(described: readonly { readonly collation: string }[]): string[] {
  const other = described.find(({ collation }) => !BY_CODE_POINT.test(collation))
  if (other === undefined) return []
  return [
    `the database has the collation ${other.collation}; here texts are compared and sorted by code point, as with collation C`,
  ]
}
