/**
 * The term of the coordinator, as a document. Every commit of its modules holds only while this document is as they have written it. A
 * process that stood still may go on when another node has the coordinator: its commits are conflicts then, whatever it knows.
 *
 *   coordinator/term   {"term": of the lease, "node": the node that has it}
 *
 * A term begins before its modules load, so they see every commit of earlier terms.
 */
import type { Catalog, CatalogCondition, CommitOutcome } from '../storage/catalog.ts'
import type { Storage } from '../storage/storage.ts'
import { StorageError } from '../storage/storage-error.ts'

const COLLECTION = 'coordinator'
const ID = 'term'

interface TermDocument {
  readonly term: number
  readonly node: string
}

/** Resolves with the storage for the modules of this term. Rejects with StorageError 'unavailable' if a later one has begun. */
export async function beginTerm(storage: Storage, term: number, node: string): Promise<Storage> {
  const { catalog } = storage
  for (;;) {
    const found = await catalog.get(COLLECTION, ID)
    const last = found?.document as TermDocument | undefined
    if (last !== undefined && (last.term > term || (last.term === term && last.node !== node))) throw ended()
    const outcome = await catalog.commit(
      [{ collection: COLLECTION, id: ID, document: { term, node } satisfies TermDocument }],
      [{ collection: COLLECTION, id: ID, version: found?.version }],
    )
    if (outcome === 'conflict') await catalog.fresh(true)
    else break
  }
  const begun = await catalog.get(COLLECTION, ID)
  const now = begun?.document as TermDocument | undefined
  if (now?.term !== term || now.node !== node) throw ended()
  return ofTerm(storage, { collection: COLLECTION, id: ID, version: begun!.version })
}

/** The storage, whose commits and writes of documents have one condition more. */
function ofTerm(storage: Storage, condition: CatalogCondition): Storage {
  const { catalog } = storage
  /** A conflict is that of the caller's conditions, unless the term is over. */
  async function checked<T extends { readonly outcome: CommitOutcome }>(result: T): Promise<T> {
    if (result.outcome === 'conflict') {
      const found = await catalog.get(COLLECTION, ID)
      if (found?.version !== condition.version) throw ended()
    }
    return result
  }
  const fenced: Catalog = {
    each: (...query) => catalog.each(...query),
    get: (...place) => catalog.get(...place),
    fresh: (isCertain) => catalog.fresh(isCertain),
    watch: (onChange) => catalog.watch(onChange),
    async commit(changes, conditions = []) {
      if (changes.length + conditions.length === 0) return 'done'
      const { outcome } = await checked({
        outcome: await catalog.commit(changes, [...conditions, condition]),
      })
      return outcome
    },
  }
  return {
    ...{ log: storage.log, catalog: fenced, promises: storage.promises, remarks: storage.remarks },
    ...(storage.cluster && { cluster: storage.cluster }),
    async write(write) {
      const { changes = [], conditions = [] } = write
      if (changes.length + conditions.length === 0) return storage.write(write)
      return checked(await storage.write({ ...write, conditions: [...conditions, condition] }))
    },
    freeBytesAtFailure: () => storage.freeBytesAtFailure?.(),
    close: () => storage.close(),
  }
}

function ended(): StorageError {
  return new StorageError(
    'unavailable',
    'another node runs tables, jobs and queries by now, so the change was not made; send the request again',
  )
}
