/** Errors of the requests of a worker, as it gets them: whether the job may try again. */
import { StorageError } from '../../../storage/storage-error.ts'
import { ServiceError } from '../../service-error.ts'
import { type Failure, failureOf } from '../../worker/failure.ts'

export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly passing: boolean

  constructor(message: string, passing: boolean) {
    super(message)
    this.passing = passing
  }
}

export function requestFailure(error: unknown): Failure & { readonly passing: boolean } {
  return { ...failureOf(error), passing: isPassing(error) }
}

/** A store that refuses writes, or is closed, works again when it is opened again. Damage stays. */
function isPassing(error: unknown): boolean {
  if (error instanceof RequestError) return error.passing
  if (error instanceof StorageError) return error.code !== 'corrupt' && error.code !== 'format'
  return !(error instanceof ServiceError) || error.code === 'disk_low' || error.code === 'overloaded'
}
