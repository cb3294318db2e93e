/** Why a job could not be created: as a failure of it, or as something that passes. */
import { ServiceError, type ServiceErrorCode } from '../../service-error.ts'
import { SqlProblem } from '../../sql/sql-problem.ts'
import { DeploymentError } from '../deployment-error.ts'
import type { JobFailureFound } from './resource-writes.ts'

/** The same request is refused again, until it or what it names is changed. */
const LASTING: Readonly<Partial<Record<ServiceErrorCode, string>>> = {
  state_not_restorable: 'StateNotRestorable',
  savepoint_outside: 'SavepointNotReadable',
  savepoint_unreadable: 'SavepointNotReadable',
  no_grant: 'Forbidden',
  unsupported: 'NotImplemented',
  invalid_jar: 'InvalidJar',
  invalid_parameter: 'InvalidParameter',
  table_not_found: 'TableNotFound',
  secret_not_found: 'SecretValueNotFound',
}
/** The service is busy. This is no failure of the job. */
const PASSING: ReadonlySet<ServiceErrorCode> = new Set(['overloaded', 'disk_low'])

/** Undefined: try again. */
export function refusalOf(error: unknown): JobFailureFound | undefined {
  if (error instanceof SqlProblem) return { reason: 'SqlError', message: error.message, isLasting: true }
  if (error instanceof DeploymentError)
    return { reason: error.reason, message: error.message, isLasting: true }
  if (!(error instanceof ServiceError) || PASSING.has(error.code)) return undefined
  const reason = LASTING[error.code]
  return { reason: reason ?? 'JobNotCreated', message: error.message, isLasting: reason !== undefined }
}
