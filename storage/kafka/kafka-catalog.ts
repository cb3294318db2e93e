/** Catalog on Kafka: reads are of the replay of this node, commits are records of the catalog's topic. */
import type {
  Catalog,
  CatalogChange,
  CatalogCondition,
  CatalogDocument,
  CommitOutcome,
  DocumentVersion,
  ObservedChange,
} from '../catalog.ts'
import { StorageError } from '../storage-error.ts'
import type { CatalogBarrier } from './catalog-barrier.ts'
import type { CatalogFollower } from './catalog-follower.ts'
import type { Applied, CatalogReplay, Outcome } from './catalog-replay.ts'
import type { CatalogWriter, WrittenRecord } from './catalog-writer.ts'
import {
  ABSENT,
  type CatalogRecord,
  type Conditions,
  type DocumentKey,
  type Offset,
  type Puts,
  type Sender,
} from './change-codec.ts'
import type { CallDocuments, DocumentOrder } from './document-order.ts'
import { documentKey, splitKey } from './document-tree.ts'
import type { Outcomes } from './outcomes.ts'

export interface KafkaCatalogParts {
  readonly writer: CatalogWriter
  readonly follower: CatalogFollower
  readonly barrier: CatalogBarrier
  readonly order: DocumentOrder
  readonly outcomes: Outcomes
  /** Why this node takes no requests; undefined if it does. */
  readonly refusal: () => StorageError | undefined
}

/** How long a commit waits until it is applied here. */
export const APPLY_MS = 10_000
/** How long a commit waits for a write of another node that has locked its documents. That node may have died. */
const LOCK_MS = 60_000

export class KafkaCatalog implements Catalog {
  readonly #parts: KafkaCatalogParts
  readonly #watchers: ((change: ObservedChange) => void)[] = []

  constructor(parts: KafkaCatalogParts) {
    this.#parts = parts
  }

  async each(
    collection: string,
    visit: (id: string, document: unknown, version: DocumentVersion) => void,
    prefix = '',
  ): Promise<void> {
    this.#assertOpen()
    for (const { id, document } of this.#replay.documents.list(collection, prefix))
      visit(id, JSON.parse(document.text), String(document.version))
  }

  async get(collection: string, id: string): Promise<CatalogDocument | undefined> {
    this.#assertOpen()
    const found = this.#replay.documents.get(documentKey(collection, id))
    return found && { document: JSON.parse(found.text), version: String(found.version) }
  }

  async commit(
    changes: readonly CatalogChange[],
    conditions: readonly CatalogCondition[] = [],
  ): Promise<CommitOutcome> {
    this.#assertOpen()
    const reads = readsOf(conditions)
    if (reads === undefined) return 'conflict'
    const puts = putsOf(changes)
    const outcome = await this.#parts.order.commit(documentsOf(reads, puts), () =>
      this.decide((from) => ({ kind: 'change', from, reads, ...puts })),
    )
    return outcome === 'conflict' ? 'conflict' : 'done'
  }

  async fresh(isCertain = false): Promise<void> {
    this.#assertOpen()
    await this.#parts.barrier.fresh(isCertain)
  }

  watch(onChange: (change: ObservedChange) => void): void {
    this.#watchers.push(onChange)
  }

  /** Tells the watchers of changes that no caller of this node waits for. */
  observed(changed: readonly Applied[]): void {
    for (const { key, text, version } of changed) {
      const { collection, id } = splitKey(key)
      const document: unknown = text === undefined ? undefined : JSON.parse(text)
      const change = {
        collection,
        id,
        document,
        version: text === undefined ? undefined : String(version),
      }
      for (const watcher of this.#watchers) {
        try {
          watcher(change)
        } catch {}
      }
    }
  }

  /** The replay was replaced by a later one: tells the watchers of what differs. */
  replaced(before: CatalogReplay, now: CatalogReplay): void {
    const changed: Applied[] = []
    for (const [key, { text, version }] of now.documents.all()) {
      if (before.documents.get(key)?.version !== version) changed.push({ key, text, version })
    }
    for (const [key] of before.documents.all()) {
      if (now.documents.get(key) === undefined) changed.push({ key, text: undefined, version: ABSENT })
    }
    this.observed(changed)
  }

  /** Writes a record that is decided by the replay, and resolves with how. Rejects with StorageError. */
  async decide(make: (from: Sender) => CatalogRecord): Promise<Outcome> {
    const { outcomes, writer } = this.#parts
    const { from, stored } = writer.write(make)
    const decided = outcomes.expect(from)
    try {
      await this.#applied(stored, from)
      return await within(decided, LOCK_MS)
    } catch (error) {
      outcomes.forget(from)
      throw error
    }
  }

  /** Writes a record that changes no documents, and resolves with its offset when this node has applied it. */
  async mark(make: (from: Sender) => CatalogRecord): Promise<Offset> {
    const { writer, follower } = this.#parts
    const { offset } = await writer.write(make).stored
    await follower.reached(offset, APPLY_MS)
    return offset
  }

  /** Resolves when the record has been applied here, or waits for a lock. */
  async #applied(stored: WrittenRecord['stored'], from: Sender): Promise<void> {
    const { follower } = this.#parts
    let offset: Offset
    try {
      ;({ offset } = await stored)
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== 'unknown') throw error
      return this.#resolveDoubt(from, error)
    }
    try {
      await follower.reached(offset, APPLY_MS)
    } catch (cause) {
      throw new StorageError('unknown', `a change of the catalog is stored, and may be applied: ${cause}`, {
        cause,
      })
    }
  }

  /** Behind a later record of this node the one in doubt has no effect any more, so it is known then. */
  async #resolveDoubt(from: Sender, doubt: StorageError): Promise<void> {
    try {
      await this.mark((sender) => ({ kind: 'barrier', from: sender, ask: false }))
    } catch {
      throw doubt
    }
    if (this.#parts.outcomes.isExpected(from) && !this.#replay.isWaiting(from))
      throw new StorageError('unavailable', `${doubt.message}; it was not stored`, { cause: doubt })
  }

  /** Whether a document certainly has another version, so that the conditions can never hold again. */
  isOutdated(reads: Conditions['reads']): boolean {
    const { documents, next } = this.#replay
    return reads.some(
      ([key, version]) => version >= 0 && version < next && documents.get(key)?.version !== version,
    )
  }

  get #replay(): CatalogReplay {
    return this.#parts.follower.replay
  }

  #assertOpen(): void {
    const refusal = this.#parts.refusal()
    if (refusal !== undefined) throw refusal
  }
}

/** Undefined if a version is none that this engine has given, so it holds for no document. */
export function readsOf(conditions: readonly CatalogCondition[]): Conditions['reads'] | undefined {
  const reads: (readonly [DocumentKey, Offset])[] = []
  for (const { collection, id, version } of conditions) {
    const offset = version === undefined ? ABSENT : Number(version)
    if (!Number.isSafeInteger(offset) || (version !== undefined && offset < 0)) return undefined
    reads.push([documentKey(collection, id), offset])
  }
  return reads
}

/** Copies: what a caller changes in a document afterwards does not count. Of several changes of a document the last counts. */
export function putsOf(changes: readonly CatalogChange[]): Puts {
  const last = new Map<DocumentKey, string | undefined>()
  for (const { collection, id, document } of changes) {
    const key = documentKey(collection, id)
    last.set(key, document === undefined ? undefined : JSON.stringify(document))
  }
  const puts: [DocumentKey, unknown][] = []
  const deletes: DocumentKey[] = []
  for (const [key, text] of last) {
    if (text === undefined) deletes.push(key)
    else puts.push([key, JSON.parse(text)])
  }
  return { puts, deletes }
}

export function documentsOf(
  reads: readonly (readonly [DocumentKey, Offset])[],
  { puts, deletes }: Puts,
): CallDocuments {
  const writes = new Set([...puts.map(([key]) => key), ...deletes])
  const onlyRead = new Set(reads.map(([key]) => key).filter((key) => !writes.has(key)))
  return { reads: [...onlyRead], writes: [...writes] }
}

export async function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          new StorageError(
            'unknown',
            'a change of the catalog waits for a write of another node, and may be applied later',
          ),
        ),
      timeoutMs,
    )
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
