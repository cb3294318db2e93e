/**
 * Errors of this API: `{"error":{"code":"invalid_sql","message":"…","line":1,"column":8}}`. Line and column are those of the place in
 * the schema or the query, where there is one.
 */
import { QueryProblem } from '../../jobs/plan/query-plan.ts'
import { SqlProblem } from '../../sql/sql-problem.ts'
import type { Problem, ProblemCode, ProblemShape } from '../server/problem.ts'

export const cachedQueriesProblemShape: ProblemShape = (problem) => ({
  contentType: 'application/json',
  text: JSON.stringify({ error: errorOf(problem) }),
})

function errorOf({ status, code, text, error }: Problem) {
  if (error instanceof SqlProblem) return { code: 'invalid_sql', message: error.reason, ...placeOf(error) }
  if (error instanceof QueryProblem) return { code, message: text, ...placeOf(error) }
  return { code: OWN[code] ?? BY_STATUS[status] ?? 'internal', message: text }
}

function placeOf({ place }: SqlProblem | QueryProblem) {
  return place && { line: place.line, column: place.column }
}

/** Codes of which clients learn more than the status says. */
const OWN: Readonly<Partial<Record<ProblemCode, string>>> = {
  invalid_environment_id: 'invalid_environment_id',
  invalid_connection_string: 'invalid_connection_string',
  no_primary_key: 'no_primary_key',
  schema_mismatch: 'schema_mismatch',
  database_unreachable: 'database_unreachable',
  database_rejected: 'database_rejected',
  replication_not_enabled: 'replication_not_enabled',
  insufficient_privilege: 'insufficient_privilege',
  no_free_slot: 'no_free_slot',
  limit: 'limit',
  job_slots: 'limit',
  query_not_ready: 'not_ready',
  storage_unavailable: 'unavailable',
  storage_full: 'unavailable',
  storage_unknown: 'unavailable',
  storage_closed: 'unavailable',
  storage_locked: 'unavailable',
  secret_unusable: 'unavailable',
}

const BY_STATUS: Readonly<Partial<Record<number, string>>> = {
  400: 'invalid_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  406: 'not_acceptable',
  408: 'timeout',
  409: 'conflict',
  410: 'conflict',
  413: 'too_large',
  415: 'unsupported_media_type',
  429: 'too_many_requests',
  431: 'too_large',
  501: 'unsupported',
  503: 'overloaded',
  504: 'not_yet',
  507: 'disk_low',
}
