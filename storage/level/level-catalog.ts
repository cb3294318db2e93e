/**
 * Catalog on LevelDB: one JSON value per document, written by the same group commits as events, with fsync.
 *
 * The version of a document is the text under its key, checksum included. LevelDB stores no other version, and equal
 * texts are equal documents. A commit with conditions is a joint write (joint-write.ts).
 */
import type {
  Catalog,
  CatalogChange,
  CatalogCondition,
  CatalogDocument,
  CommitOutcome,
  DocumentVersion,
} from '../catalog.ts'
import { StorageError } from '../storage-error.ts'
import { encodeDocument, readDocument } from './document-codec.ts'
import type { GroupCommit, GroupMember } from './group-commit.ts'
import { JointWrite } from './joint-write.ts'
import { collectionRange, documentKey, idOfDocumentKey } from './keys.ts'
import type { Batch, Level } from './level.ts'
import { storageErrorOf } from './level-error.ts'
import { walkText } from './walk.ts'

export class LevelCatalog implements Catalog {
  readonly #db: Level
  readonly #commit: GroupCommit
  /** The last commit without conditions. All commits before it are staged before it, or together with it. */
  #last: CatalogCommit | undefined

  constructor(db: Level, commit: GroupCommit) {
    this.#db = db
    this.#commit = commit
  }

  async each(
    collection: string,
    visit: (id: string, document: unknown, version: DocumentVersion) => void,
    prefix = '',
  ): Promise<void> {
    for await (const round of walkText(this.#db, collectionRange(collection, prefix))) {
      for (const [key, value] of round) {
        const id = idOfDocumentKey(collection, key)
        visit(id, parseDocument(collection, id, key, value), value)
      }
    }
  }

  async get(collection: string, id: string): Promise<CatalogDocument | undefined> {
    const key = documentKey(collection, id).toString('utf8')
    let version: string | undefined
    try {
      version = await this.#db.get<string, string>(key, { keyEncoding: 'utf8', valueEncoding: 'utf8' })
    } catch (error) {
      throw storageErrorOf(error)
    }
    return version === undefined
      ? undefined
      : { document: parseDocument(collection, id, key, version), version }
  }

  commit(
    changes: readonly CatalogChange[],
    conditions: readonly CatalogCondition[] = [],
  ): Promise<CommitOutcome> {
    const refusal = this.#commit.refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    // To keep the order of the calls, a commit after a waiting joint write becomes a joint write, too.
    if (conditions.length > 0 || this.#commit.hasJoints) return this.#commitJointly(changes, conditions)
    return new Promise((resolve, reject) => {
      this.#last = new CatalogCommit(changes, resolve, reject)
      this.#commit.join(this.#last)
    })
  }

  /** Resolves at once: one process owns the store, and reads see all durable changes. */
  fresh(): Promise<void> {
    return Promise.resolve()
  }

  /** Has no effect: no other process changes documents. */
  watch(): void {}

  /**
   * Returns a function: whether every commit called before `order` has been staged. Joint writes with documents wait
   * for that.
   */
  order(): () => boolean {
    const last = this.#last
    return () => last === undefined || last.staged
  }

  async #commitJointly(
    changes: readonly CatalogChange[],
    conditions: readonly CatalogCondition[],
  ): Promise<CommitOutcome> {
    const joint = new JointWrite({ logChanges: [], changes, conditions, isNext: this.order() })
    this.#commit.joinJoint(joint)
    return (await joint.result).outcome
  }
}

class CatalogCommit implements GroupMember {
  readonly #changes: readonly CatalogChange[]
  readonly #resolve: (outcome: CommitOutcome) => void
  readonly #reject: (error: StorageError) => void
  staged = false

  constructor(
    changes: readonly CatalogChange[],
    resolve: (outcome: CommitOutcome) => void,
    reject: (error: StorageError) => void,
  ) {
    this.#changes = changes
    this.#resolve = resolve
    this.#reject = reject
  }

  stage(batch: Batch): { changes: number; bytes: number; more: boolean } {
    this.staged = true
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
    if (error === undefined) this.#resolve('done')
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
