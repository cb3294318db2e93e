/**
 * The writers of streams (Registry.setWriter), where several nodes share a store. The coordinator's parts of the service write
 * streams, and every node refuses the writes of clients to them.
 *
 *   stream-writers/<namespace>:<stream>   {"name"}: for messages, `connection env1`
 *
 * A part writes to a stream only after all nodes know that: see `known`.
 */
import type { Catalog } from '../../storage/catalog.ts'
import { Mutex } from '../../storage/mutex.ts'
import type { StoreCluster } from '../../storage/store-cluster.ts'
import { type NamespaceName, type StreamId, type StreamName, streamKey, trustedName } from './names.ts'
import type { Registry, StreamWriter } from './registry.ts'

const COLLECTION = 'stream-writers'
/** No part has it: the writer is on another node. */
const KEY_ELSEWHERE = 'another node'

interface WriterDocument {
  readonly name: string
}

export interface SharedWritersParts {
  readonly catalog: Catalog
  readonly registry: Registry
  readonly cluster: Pick<StoreCluster, 'appliedEverywhere'>
  readonly report: (error: unknown) => void
}

export class SharedWriters {
  readonly #parts: SharedWritersParts
  readonly #publishing = new Mutex()
  /** Names as they are in the catalog, by streamKey. */
  readonly #stored = new Map<string, string>()
  /** Rejects if the last writer could not be published. */
  #published: Promise<void> = Promise.resolve()
  /** Undefined while this node does not have the coordinator. */
  #own: Map<string, { readonly id: StreamId; readonly writer: StreamWriter | undefined }> | undefined
  /** For commits while this node has it. */
  #catalog: Catalog

  private constructor(parts: SharedWritersParts) {
    this.#parts = parts
    this.#catalog = parts.catalog
  }

  static async load(parts: SharedWritersParts): Promise<SharedWriters> {
    const { catalog, registry } = parts
    const writers = new SharedWriters(parts)
    catalog.watch(({ collection, id, document }) => {
      if (collection === COLLECTION) writers.#follow(id, document as WriterDocument | undefined)
    })
    await catalog.each(COLLECTION, (id, document) => writers.#follow(id, document as WriterDocument))
    registry.onWriter((id, writer) => writers.#set(id, writer))
    return writers
  }

  /** This node has the coordinator: the writers that its parts set from now on are published, with commits to `catalog`. */
  begin(catalog: Catalog): void {
    this.#own = new Map()
    this.#catalog = catalog
  }

  /** Its parts are loaded: streams that had a writer before, and have none now, are free. */
  loaded(): void {
    const free = [...this.#stored.keys()].filter((key) => this.#own?.has(key) === false)
    for (const key of free) this.#parts.registry.setWriter(idOf(key), undefined)
  }

  /** Another node may have the coordinator now. */
  end(): void {
    const own = this.#own ?? new Map<string, unknown>()
    this.#own = undefined
    for (const key of new Set([...own.keys(), ...this.#stored.keys()])) {
      const name = this.#stored.get(key)
      this.#parts.registry.setWriter(idOf(key), name === undefined ? undefined : elsewhere(name))
    }
  }

  /** Resolves when all nodes know the writers that have been set. Rejects with StorageError. */
  async known(): Promise<void> {
    if (this.#own === undefined) return
    try {
      await this.#published
    } catch {
      this.#publish() // once more
      await this.#published
    }
  }

  #follow(key: string, document: WriterDocument | undefined): void {
    if (document === undefined) this.#stored.delete(key)
    else this.#stored.set(key, document.name)
    if (this.#own === undefined)
      this.#parts.registry.setWriter(idOf(key), document && elsewhere(document.name))
  }

  #set(id: StreamId, writer: StreamWriter | undefined): void {
    if (this.#own === undefined) return
    this.#own.set(streamKey(id), { id, writer })
    if (this.#stored.get(streamKey(id)) !== writer?.name) this.#publish()
  }

  #publish(): void {
    this.#published = this.#publishing.run(() => this.#write())
    this.#published.catch(this.#parts.report)
  }

  async #write(): Promise<void> {
    const { cluster } = this.#parts
    const changed = [...(this.#own ?? [])].filter(
      ([key, { writer }]) => this.#stored.get(key) !== writer?.name,
    )
    if (changed.length === 0) return
    await this.#catalog.commit(
      changed.map(([id, { writer }]) => ({
        ...{ collection: COLLECTION, id },
        document: writer && { name: writer.name },
      })),
    )
    for (const [key, { writer }] of changed) {
      if (writer === undefined) this.#stored.delete(key)
      else this.#stored.set(key, writer.name)
    }
    await cluster.appliedEverywhere()
  }
}

function elsewhere(name: string): StreamWriter {
  return { name, key: KEY_ELSEWHERE }
}

function idOf(key: string): StreamId {
  const colon = key.indexOf(':')
  return {
    namespace: trustedName<NamespaceName>(key.slice(0, colon)),
    stream: trustedName<StreamName>(key.slice(colon + 1)),
  }
}
