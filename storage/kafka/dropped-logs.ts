/**
 * The logs that other nodes have dropped: a node announces its drops in the catalog before it deletes the topics. An append to a
 * topic that is missing is 'dropped' then; without an announcement an operator has deleted it, and it is 'unavailable'.
 *
 *   catalog:  engine-drops/<id of the node>   {"logs": the logs of its last step}
 *
 * A LogId is never used again, so an announcement holds for ever.
 */
import type { Catalog } from '../catalog.ts'
import type { LogId } from '../log.ts'

const COLLECTION = 'engine-drops'
/** The oldest are forgotten: an append to one of them that is still waiting has been given up by then. */
const LOGS_MAX = 100_000

export class DroppedLogs {
  readonly #catalog: Pick<Catalog, 'commit'>
  readonly #nodeId: string
  readonly #logs = new Set<LogId>()

  constructor(catalog: Pick<Catalog, 'commit' | 'watch'>, nodeId: string) {
    this.#catalog = catalog
    this.#nodeId = nodeId
    catalog.watch(({ collection, document }) => {
      if (collection === COLLECTION && document !== undefined) this.#note(document)
    })
  }

  /** By another node. */
  has(log: LogId): boolean {
    return this.#logs.has(log)
  }

  /** Resolves when the announcement is stored. */
  async announce(logs: readonly LogId[]): Promise<void> {
    await this.#catalog.commit([{ collection: COLLECTION, id: this.#nodeId, document: { logs } }])
  }

  #note(document: unknown): void {
    for (const log of (document as { readonly logs: readonly LogId[] }).logs) this.#logs.add(log)
    for (const log of this.#logs) {
      if (this.#logs.size <= LOGS_MAX) break
      this.#logs.delete(log)
    }
  }
}
