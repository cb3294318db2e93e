/** Errors -> status, sentence and headers: the one place where a status is chosen for an error. Its API shapes the body. */
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { StorageError, type StorageErrorCode } from '../../../storage/storage-error.ts'
import { withoutSecrets } from '../../auth/token-hash.ts'
import { CaptureError, type CaptureErrorCode } from '../../cdc/capture-service.ts'
import {
  DeploymentError,
  type DeploymentReason,
  ValidationError,
} from '../../deployments/deployment-error.ts'
import { QueryProblem } from '../../jobs/plan/query-plan.ts'
import { ServiceError, type ServiceErrorCode } from '../../service-error.ts'
import { SqlProblem } from '../../sql/sql-problem.ts'
import type { Problem, ProblemCode } from '../server/problem.ts'
import { RETRY_AFTER_SECONDS } from '../server/refusals.ts'

const REFUSALS = {
  invalid_id: 400,
  reserved_namespace: 400,
  invalid_properties: 400,
  invalid_range: 400,
  invalid_cursor: 400,
  invalid_parameter: 400,
  duplicate_header: 400,
  malformed_body: 400,
  malformed_batch: 400,
  invalid_query: 400,
  invalid_content_type: 400,
  invalid_table: 400,
  jar_not_found: 400, // as Flink answers
  invalid_jar: 400,
  savepoint_outside: 400,
  savepoint_unreadable: 400,
  invalid_environment_id: 400,
  table_forbidden: 403,
  no_grant: 403,
  stream_written: 403,
  shutdown_disabled: 403,
  cross_site: 403,
  principal_mismatch: 403,
  reset_disabled: 403,
  stream_not_found: 404,
  view_not_found: 404,
  namespace_not_found: 404,
  service_not_found: 404,
  integration_not_found: 404,
  secret_not_found: 404,
  table_not_found: 404,
  job_not_found: 404,
  part_not_found: 404,
  operation_not_found: 404,
  missing_content_type: 406,
  unsupported_content_type: 406,
  not_acceptable: 406,
  table_exists: 409,
  table_in_use: 409,
  job_ended: 409,
  integration_in_use: 409,
  integration_built_in: 409,
  job_exists: 409,
  state_not_restorable: 409,
  cursor_gone: 410,
  event_too_large: 413,
  batch_too_large: 413,
  document_too_large: 413,
  jar_too_large: 413,
  expands_too_much: 413,
  unsupported_encoding: 415,
  unsupported_media_type: 415,
  unsupported_charset: 415,
  headers_too_large: 431,
  unsupported: 501,
  secret_unusable: 503,
  tokens_unusable: 503,
  coordinator_away: 503,
  unhealthy: 503,
  job_slots: 503,
  state_elsewhere: 503,
  overloaded: 503,
  query_not_ready: 503,
  not_yet: 504,
  disk_low: 507,
  jars_full: 507,
} as const satisfies Record<ServiceErrorCode, number>

/** Of databases that are captured. */
const CAPTURE = {
  invalid_connection_string: 400,
  no_primary_key: 400,
  schema_mismatch: 400,
  not_found: 404,
  conflict: 409,
  database_unreachable: 502,
  database_rejected: 502,
  replication_not_enabled: 502,
  insufficient_privilege: 502,
  no_free_slot: 502,
  limit: 503,
} as const satisfies Record<CaptureErrorCode, number>

/** Of deployments and what belongs to them. */
const DEPLOYMENTS = {
  InvalidLabelSelector: 400,
  SqlError: 400,
  DeploymentNotFound: 404,
  DeploymentTargetNotFound: 404,
  JobNotFound: 404,
  SavepointNotFound: 404,
  SecretValueNotFound: 404,
  ApiTokenNotFound: 404,
  DeploymentNotCancelled: 409,
  DeploymentTargetInUse: 409,
  NameAlreadyExists: 409,
  AmbiguousName: 409,
  NoRunningJob: 409,
  SavepointInProgress: 409,
  SavepointInUse: 409,
  StateNotRestorable: 409,
  NamespaceNotEmpty: 409,
  TooManyResources: 409,
  NotImplemented: 501,
} as const satisfies Record<DeploymentReason, number>

const FAILURES = {
  unavailable: 503,
  full: 503,
  unknown: 503,
  closed: 503,
  locked: 503,
  dropped: 500,
  corrupt: 500,
  format: 500,
} as const satisfies Record<StorageErrorCode, number>

/** Seconds after which a client may retry while the store cannot write: the supervisor reopens it, or an operator frees disk space. */
const RETRY_AFTER: Readonly<Record<number, { readonly 'Retry-After': string }>> = {
  503: { 'Retry-After': '5' },
  507: { 'Retry-After': '30' },
}
/** Overload ends sooner. */
const SOON: ReadonlySet<ServiceErrorCode> = new Set(['overloaded', 'query_not_ready'])
const RETRY_SOON = { 'Retry-After': `${RETRY_AFTER_SECONDS}` }

export type ReportFailure = (error: unknown) => void

/** Counts the answers with each code since the start. */
export class ProblemCounts {
  readonly #counts = new Map<string, number>()

  count(code: string): void {
    this.#counts.set(code, (this.#counts.get(code) ?? 0) + 1)
  }

  byCode(): Iterable<readonly [code: string, total: number]> {
    return this.#counts
  }
}

function codeOf(error: unknown): ProblemCode {
  if (error instanceof SqlProblem) return 'invalid_query'
  if (error instanceof ValidationError) return 'invalid_attributes'
  if (error instanceof DeploymentError) return error.reason
  if (error instanceof ServiceError || error instanceof CaptureError || error instanceof QueryProblem)
    return error.code
  return error instanceof StorageError ? `storage_${error.code}` : 'internal'
}

/** What a handler threw, as a problem; a failure of the server is reported as well. */
export function problemOfError(error: unknown, report: ReportFailure, counts?: ProblemCounts): Problem {
  const code = codeOf(error)
  counts?.count(code)
  if (error instanceof ServiceError) {
    const { message, retryAfterSeconds } = error
    const retry = retryAfterSeconds === undefined ? undefined : { 'Retry-After': `${retryAfterSeconds}` }
    const headers = retry ?? (SOON.has(error.code) ? RETRY_SOON : undefined)
    return problem(error, code, REFUSALS[error.code], message, headers)
  }
  if (error instanceof SqlProblem) return problem(error, code, REFUSALS.invalid_query, error.message)
  if (error instanceof CaptureError) return problem(error, code, CAPTURE[error.code], error.message)
  if (error instanceof QueryProblem || error instanceof ValidationError)
    return problem(error, code, 400, error.message)
  if (error instanceof DeploymentError) return problem(error, code, DEPLOYMENTS[error.reason], error.message)
  report(error)
  if (error instanceof StorageError) return problem(error, code, FAILURES[error.code], error.message)
  return problem(error, code, 500, 'the server failed at this request; its log says how')
}

function problem(
  error: unknown,
  code: ProblemCode,
  status: ContentfulStatusCode,
  text: string,
  headers = RETRY_AFTER[status],
): Problem {
  // The sentence may repeat what the client sent.
  return { error, code, status, text: withoutSecrets(text), ...(headers && { headers }) }
}
