/**
 * Files of savepoints that the service has taken on its own and that no resource names any more. What is to be deleted is written
 * in the change that deletes the resource, so that it is deleted after a crash, too.
 *
 *   catalog:  savepoint-disposals/<namespace>:<id>   {"location"}
 */
import { setTimeout } from 'node:timers/promises'
import type { Catalog, CatalogChange } from '../../storage/catalog.ts'
import type { JobService } from '../jobs/job-service.ts'
import { ServiceError } from '../service-error.ts'
import type { ResourceChange } from './resource-store.ts'
import type { SavepointOrigin, SavepointResource } from './resources.ts'

export interface SavepointDisposalsParts {
  readonly catalog: Catalog
  readonly jobs: Pick<JobService, 'disposeSavepoint' | 'disposal'>
  readonly report: (error: unknown) => void
}

const DISPOSALS = 'savepoint-disposals'
const POLL_MS = 50
/** Their files belong to the client, who has asked for them or named them. */
const OF_CLIENT: ReadonlySet<SavepointOrigin> = new Set(['USER_REQUEST', 'COPIED'])

export class SavepointDisposals {
  readonly #parts: SavepointDisposalsParts
  /** One disposal after another. */
  #disposing: Promise<void> = Promise.resolve()
  #closed = false

  constructor(parts: SavepointDisposalsParts) {
    this.#parts = parts
  }

  /** Deletes files that are to be deleted, those of an earlier start of the service too. Call it when the change is durable. */
  dispose(): void {
    this.#disposing = this.#disposing.then(() => this.#disposeAll()).catch(this.#parts.report)
  }

  close(): Promise<void> {
    this.#closed = true
    return this.#disposing
  }

  async #disposeAll(): Promise<void> {
    const found: [string, string][] = []
    await this.#parts.catalog.each(DISPOSALS, (id, document) => {
      found.push([id, (document as DisposalDocument).location])
    })
    for (const [id, location] of found) {
      await this.#disposeOne(location)
      if (this.#closed) return
      await this.#parts.catalog.commit([{ collection: DISPOSALS, id, document: undefined }])
    }
  }

  /** What cannot be deleted, because it is gone or outside of the savepoint directories, is not tried again. */
  async #disposeOne(location: string): Promise<void> {
    const { jobs } = this.#parts
    try {
      const triggerId = await jobs.disposeSavepoint(location)
      while (!this.#closed && jobs.disposal(triggerId).state === 'in-progress') await setTimeout(POLL_MS)
    } catch (error) {
      if (!(error instanceof ServiceError && error.code.startsWith('savepoint_'))) throw error
    }
  }
}

interface DisposalDocument {
  readonly location: string
}

/** Deletes the resource, and with it the files, unless they are a client's or another savepoint is at the same place. */
export function deleteWithFiles(change: ResourceChange, savepoint: SavepointResource): void {
  change.deleteSavepoint(savepoint)
  const { savepointLocation } = savepoint.spec
  const disposal = disposalOf(savepoint)
  const isShared = change
    .savepoints(savepoint.metadata.namespace)
    .some(({ spec }) => spec.savepointLocation === savepointLocation)
  if (disposal !== undefined && !isShared) change.also(disposal)
}

/** Undefined: no files of the service. */
export function disposalOf({ metadata, spec }: SavepointResource): CatalogChange | undefined {
  const { id, namespace, origin } = metadata
  const { savepointLocation: location } = spec
  if (location === undefined || OF_CLIENT.has(origin)) return undefined
  return { collection: DISPOSALS, id: `${namespace}:${id}`, document: { location } }
}

/** Whether a client has made it. */
export function isOfClient({ metadata: { origin } }: SavepointResource): boolean {
  return OF_CLIENT.has(origin)
}
