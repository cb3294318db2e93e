/** Catalog on LevelDB: one JSON value per document, written by the same group commits as events, with fsync. */
import type { Catalog, CatalogChange, CatalogEntry } from '../catalog.ts'
import { StorageError } from '../storage-error.ts'
import type { GroupCommit, GroupMember } from './group-commit.ts'
import { collectionRange, documentKey, idOfDocumentKey } from './keys.ts'
import type { Batch, Level } from './level.ts'
import { storageErrorOf } from './level-error.ts'

const ROUND_ENTRIES = 1024
const ROUND_BYTES = 256 * 1024

export class LevelCatalog implements Catalog {
  readonly #db: Level
  readonly #commit: GroupCommit

  constructor(db: Level, commit: GroupCommit) {
    this.#db = db
    this.#commit = commit
  }

  async list(collection: string): Promise<CatalogEntry[]> {
    const entries: CatalogEntry[] = []
    const { gte, lt } = collectionRange(collection)
    // As text, for thousands of small buffers would cost more memory than all that is made of them.
    const text = { keyEncoding: 'utf8', valueEncoding: 'utf8' } as const
    const options = { gte: gte.toString(), lt: lt.toString(), ...text, highWaterMarkBytes: ROUND_BYTES }
    const iterator = this.#db.iterator<string, string>(options)
    try {
      for (;;) {
        const round = await iterator.nextv(ROUND_ENTRIES)
        if (round.length === 0) return entries
        for (const [key, value] of round) {
          const id = idOfDocumentKey(collection, key)
          entries.push({ id, document: parseDocument(collection, id, value) })
        }
      }
    } catch (error) {
      throw storageErrorOf(error)
    } finally {
      await iterator.close()
    }
  }

  commit(changes: readonly CatalogChange[]): Promise<void> {
    const refusal = this.#commit.refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    return new Promise((resolve, reject) => {
      this.#commit.join(new CatalogCommit(changes, resolve, reject))
    })
  }
}

class CatalogCommit implements GroupMember {
  readonly #changes: readonly CatalogChange[]
  readonly #resolve: () => void
  readonly #reject: (error: StorageError) => void

  constructor(changes: readonly CatalogChange[], resolve: () => void, reject: (error: StorageError) => void) {
    this.#changes = changes
    this.#resolve = resolve
    this.#reject = reject
  }

  stage(batch: Batch): { bytes: number; more: boolean } {
    let bytes = 0
    for (const { collection, id, document } of this.#changes) {
      const key = documentKey(collection, id)
      if (document === undefined) {
        batch.del(key)
      } else {
        const value = Buffer.from(JSON.stringify(document), 'utf8')
        batch.put(key, value)
        bytes += value.length
      }
    }
    return { bytes, more: false }
  }

  settle(error?: StorageError): void {
    if (error === undefined) this.#resolve()
    else this.#reject(error)
  }

  refuse(error: StorageError): void {
    this.#reject(error)
  }
}

function parseDocument(collection: string, id: string, value: string): unknown {
  try {
    return JSON.parse(value)
  } catch (cause) {
    throw new StorageError('corrupt', `document ${id} of collection ${collection} is not JSON`, { cause })
  }
}
