/**
 * Changes of the registry on a store that other nodes change too. All nodes run them one after another, as one process does with a
 * mutex, without a lock: each change is stored on the condition that no other was stored since it began, and begins again
 * otherwise.
 *
 *   catalog:  changes/registry   {"number": changes so far, "node": the node that made the last one}
 *
 * A change decides by what is in memory, and memory follows the catalog in the order of its commits. So the version of this one
 * document stands for all documents that the change has read.
 */
import type { Catalog, CatalogChange, DocumentVersion, ObservedChange } from '../../storage/catalog.ts'
import { ServiceError } from '../service-error.ts'
import type { Sharing } from './sharing.ts'

const COLLECTION = 'changes'
const ID = 'registry'
/** A change that other nodes were faster than so often is refused. */
const TRIES_MAX = 50

/** Another node has made a change since this one began: thrown by `commit`, and caught by `run`. */
class ChangedMeanwhile extends Error {}

/** The last change that memory reflects. */
interface LastChange {
  readonly version: DocumentVersion | undefined
  readonly number: number
}

export class SharedChanges {
  readonly #catalog: Catalog
  readonly #sharing: Sharing
  #last: LastChange = { version: undefined, number: 0 }
  /** The last change when the present one began, or after its own last commit. */
  #base = this.#last
  /** Documents that other nodes have changed during a commit of this one: `<collection>/<id>`. */
  #observed: Set<string> | undefined

  private constructor(catalog: Catalog, sharing: Sharing) {
    this.#catalog = catalog
    this.#sharing = sharing
  }

  /** Call it before the documents of the registry are loaded: what changes afterwards is observed. */
  static async load(catalog: Catalog, sharing: Sharing): Promise<SharedChanges> {
    const changes = new SharedChanges(catalog, sharing)
    const found = await catalog.get(COLLECTION, ID)
    if (found !== undefined) changes.#last = { version: found.version, number: numberOf(found.document) }
    return changes
  }

  /** Call it with every change of another node, after memory has followed it. */
  observe({ collection, id, document, version }: ObservedChange): void {
    this.#observed?.add(`${collection}/${id}`)
    if (collection === COLLECTION && id === ID) this.#last = { version, number: numberOf(document) }
  }

  /**
   * Runs `change`, one at a time, perhaps several times. A refusal is decided by memory alone, so it is checked against the catalog
   * before it is passed on.
   */
  async run<T>(change: () => Promise<T>): Promise<T> {
    await this.#sharing.fresh()
    for (let tries = 1; ; tries++) {
      this.#base = this.#last
      try {
        return await change()
      } catch (error) {
        if (error instanceof ChangedMeanwhile) await this.#beforeNextTry(tries)
        else if (!(error instanceof ServiceError) || (await this.#isConfirmed())) throw error
      }
    }
  }

  /**
   * Stores the changes. Only inside `run`. Resolves with the documents (`<collection>/<id>`) that other nodes have changed after
   * that: memory shows their changes already.
   */
  async commit(changes: readonly CatalogChange[], catalog = this.#catalog): Promise<ReadonlySet<string>> {
    const { version, number } = this.#base
    const document = { number: number + 1, node: this.#sharing.cluster.nodeId }
    const observed = new Set<string>()
    this.#observed = observed
    try {
      const outcome = await catalog.commit(
        [...changes, { collection: COLLECTION, id: ID, document }],
        [{ collection: COLLECTION, id: ID, version }],
      )
      if (outcome === 'conflict') throw new ChangedMeanwhile()
      await this.#noteOwn(document.number)
      return new Set(observed)
    } finally {
      this.#observed = undefined
    }
  }

  /** Another node may have made the next change since. It is observed, if it has not been yet. */
  async #noteOwn(number: number): Promise<void> {
    const found = await this.#catalog.get(COLLECTION, ID)
    if (this.#last.number > number) return
    if (found !== undefined && numberOf(found.document) === number)
      this.#last = { version: found.version, number }
    this.#base = this.#last
  }

  async #beforeNextTry(tries: number): Promise<void> {
    if (tries >= TRIES_MAX) {
      throw new ServiceError(
        'overloaded',
        `other nodes were faster with ${tries} changes in turn; send the request again`,
      )
    }
    await this.#sharing.fresh()
  }

  /** Whether memory was up to date when the present change began. */
  async #isConfirmed(): Promise<boolean> {
    const { number } = this.#base
    await this.#sharing.fresh(true)
    return this.#last.number === number
  }
}

function numberOf(document: unknown): number {
  return (document as { readonly number: number }).number
}
