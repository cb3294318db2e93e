/** Catalog on LevelDB: one JSON value per document, written by the same group commits as events, with fsync. */
import type { Catalog, CatalogChange } from '../catalog.ts'
import { StorageError } from '../storage-error.ts'
import { encodeDocument, readDocument } from './document-codec.ts'
import type { GroupCommit, GroupMember } from './group-commit.ts'
import { collectionRange, documentKey, idOfDocumentKey } from './keys.ts'
import type { Batch, Level } from './level.ts'
import { walkText } from './walk.ts'

export class LevelCatalog implements Catalog {
  readonly #db: Level
  readonly #commit: GroupCommit

  constructor(db: Level, commit: GroupCommit) {
    this.#db = db
    this.#commit = commit
  }

  async each(collection: string, visit: (id: string, document: unknown) => void, prefix = ''): Promise<void> {
    for await (const round of walkText(this.#db, collectionRange(collection, prefix))) {
      for (const [key, value] of round) {
        const id = idOfDocumentKey(collection, key)
        visit(id, parseDocument(collection, id, key, value))
      }
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

  stage(batch: Batch): { changes: number; bytes: number; more: boolean } {
    let bytes = 0
    for (const { collection, id, document } of this.#changes) {
      const key = documentKey(collection, id)
      if (document === undefined) {
        batch.del(key)
      } else {
        const value = encodeDocument(key, document)
        batch.put(key, value)
        bytes += value.length
      }
    }
    return { changes: this.#changes.length, bytes, more: false }
  }

  settle(error?: StorageError): void {
    if (error === undefined) this.#resolve()
    else this.#reject(error)
  }

  refuse(error: StorageError): void {
    this.#reject(error)
  }
}

function parseDocument(collection: string, id: string, key: string, value: string): unknown {
  const { json, sound } = readDocument(key, value)
  if (!sound) {
    throw new StorageError(
      'corrupt',
      `document ${id} of collection ${collection} does not match its checksum; \`millrace repair\` saves the rest`,
    )
  }
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw new StorageError('corrupt', `document ${id} of collection ${collection} is not JSON`, { cause })
  }
}
