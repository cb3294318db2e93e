/** Refusals and failures -> status and text: the one place where a status is chosen for an error. */
import { StorageError, type StorageErrorCode } from '../../storage/storage-error.ts'
import { ServiceError, type ServiceErrorCode } from '../service-error.ts'
import { answerText } from './answers.ts'
import type { HttpContext } from './bindings.ts'

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
  principal_mismatch: 403,
  reset_disabled: 403,
  stream_not_found: 404,
  namespace_not_found: 404,
  missing_content_type: 406,
  unsupported_content_type: 406,
  event_too_large: 413,
  document_too_large: 413,
  unsupported_encoding: 415,
} as const satisfies Record<ServiceErrorCode, number>

const FAILURES = {
  unavailable: 503,
  full: 503,
  closed: 503,
  locked: 503,
  dropped: 500,
  corrupt: 500,
  format: 500,
} as const satisfies Record<StorageErrorCode, number>

/** Seconds after which a client may try again when the store cannot write. */
const RETRY_AFTER_SECONDS = 5

export type ReportFailure = (error: unknown) => void

/** The answer to anything a handler throws; what is the server's fault is reported as well. */
export function answerProblem(error: unknown, c: HttpContext, report: ReportFailure): Response {
  if (error instanceof ServiceError) return answerText(c, error.message, REFUSALS[error.code])
  report(error)
  if (error instanceof StorageError) {
    const status = FAILURES[error.code]
    return answerText(
      c,
      error.message,
      status,
      status === 503 ? { 'Retry-After': `${RETRY_AFTER_SECONDS}` } : {},
    )
  }
  return answerText(c, 'the server failed at this request; its log says how', 500)
}
