/** Finds the savepoint from which a new job starts, and checks that it fits, before anything is created. */
import { ServiceError } from '../../service-error.ts'
import type { NamespaceName } from '../../streams/names.ts'
import { readSavepoint } from './savepoint-files.ts'
import { MetadataProblem, type SavepointMetadata } from './savepoint-metadata.ts'
import { locationOf, type SavepointPlaces } from './savepoint-places.ts'

/** What a client asks for. */
export interface RestoreRequest {
  /** A path or `file:` URI of a savepoint, inside of the savepoint directories. */
  readonly location: string
  /** Start with empty state if the state of the savepoint does not fit the statement. */
  readonly allowNonRestoredState: boolean
}

export interface FoundSavepoint {
  readonly folder: string
  /** As answered to clients. */
  readonly location: string
  readonly metadata: SavepointMetadata
}

/** Rejects with ServiceError 'savepoint_outside' or 'savepoint_unreadable'. */
export async function findSavepoint(places: SavepointPlaces, location: string): Promise<FoundSavepoint> {
  const folder = await places.savepoint(location)
  return { folder, location: locationOf(folder), metadata: await readable(folder, readSavepoint(folder)) }
}

/**
 * Whether the state is restored. Throws ServiceError 'state_not_restorable' if it does not fit and must, or is of another
 * namespace: its rows come from streams of that namespace, for which the job may have no grants.
 */
export function isRestorable(
  { location, metadata }: FoundSavepoint,
  { namespace, signature }: { readonly namespace: NamespaceName; readonly signature: string },
  { allowNonRestoredState }: RestoreRequest,
): boolean {
  if (metadata.namespace !== namespace) {
    const text = `savepoint ${location} is not of namespace ${namespace}; a job starts from a savepoint of its own namespace`
    throw new ServiceError('state_not_restorable', text)
  }
  if (metadata.signature === signature) return true
  if (allowNonRestoredState) return false
  const short = (text: string) => text.slice(0, 12)
  throw new ServiceError(
    'state_not_restorable',
    `the state of savepoint ${location} is of another statement (signature ${short(metadata.signature)}, wanted ${short(signature)}); ` +
      'run the statement that it was taken from, or allow non-restored state to start without it',
  )
}

/** Rejects with ServiceError 'savepoint_unreadable' where the work finds the savepoint damaged. */
export async function readable<T>(folder: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    if (!(cause instanceof MetadataProblem)) throw cause
    const text = `savepoint ${locationOf(folder)} cannot be restored: ${cause.message}`
    throw new ServiceError('savepoint_unreadable', text, { cause })
  }
}
