/** Why an attempt to capture has ended, and whether the next one may succeed by itself. */
import { StorageError } from '../../storage/storage-error.ts'
import { ServiceError } from '../service-error.ts'
import { SecretProblem } from '../tables/secret-key.ts'
import { CallRefusal } from './capture-process.ts'
import { CaptureError, type CaptureErrorCode } from './capture-service.ts'
import { PositionConflict } from './connection-writes.ts'

export interface CaptureFailure {
  readonly kind: 'failed'
  readonly passing: boolean
  readonly code: CaptureErrorCode
  /** For clients. */
  readonly message: string
}

/** Codes of refusals after which the database may take the next attempt as it is. */
const PASSING: readonly CallRefusal['code'][] = ['internal', 'ended', 'database_unreachable', 'no_free_slot']

export function failureOf(error: unknown): CaptureFailure {
  if (error instanceof CallRefusal) {
    const code = error.code === 'internal' || error.code === 'ended' ? 'database_unreachable' : error.code
    return { kind: 'failed', passing: PASSING.includes(error.code), code, message: error.message }
  }
  if (error instanceof CaptureError) return lasting(error.code, error.message)
  if (error instanceof SecretProblem) {
    const mend = 'restore that file and restart, or send createDatabaseConnection again'
    return lasting('database_rejected', `the connection string cannot be read: ${error.message}; ${mend}`)
  }
  if (error instanceof PositionConflict) return passing(error.message)
  if (error instanceof ServiceError) {
    const isLasting = error.code === 'event_too_large'
    return isLasting ? lasting('schema_mismatch', error.message) : passing(error.message)
  }
  if (error instanceof StorageError) return failureOfStore(error)
  return passing(error instanceof Error ? error.message : String(error))
}

/** As clients of a call get it. */
export function captureErrorOf(error: unknown): unknown {
  if (!(error instanceof CallRefusal)) return error
  return new CaptureError(failureOf(error).code, error.message)
}

function failureOfStore(error: StorageError): CaptureFailure {
  if (error.code === 'corrupt') return lasting('schema_mismatch', `the store is damaged: ${error.message}`)
  return passing(
    'events cannot be stored, because the store refuses writes; capture goes on when it takes them',
  )
}

function passing(message: string): CaptureFailure {
  return { kind: 'failed', passing: true, code: 'database_unreachable', message }
}

function lasting(code: CaptureErrorCode, message: string): CaptureFailure {
  return { kind: 'failed', passing: false, code, message }
}
