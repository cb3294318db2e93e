/**
 * The documents of the catalog in memory, as JSON text: by key, and by collection in byte order of their ids.
 *
 * The sorted ids of a collection are made when they are needed. New ids are merged into them with the next visit.
 */
import assert from 'node:assert'
import type { DocumentKey, Offset } from './change-codec.ts'

export interface StoredDocument {
  readonly text: string
  readonly version: Offset
}

export function documentKey(collection: string, id: string): DocumentKey {
  assert(!collection.includes('/'), `the collection ${collection} has a slash in its name`)
  return `${collection}/${id}`
}

export function splitKey(key: DocumentKey): { collection: string; id: string } {
  const slash = key.indexOf('/')
  assert(slash > 0, `the key ${key} has no collection`)
  return { collection: key.slice(0, slash), id: key.slice(slash + 1) }
}

interface Collection {
  readonly documents: Map<string, StoredDocument>
  /** Ascending; some may be deleted. */
  sorted: string[]
  /** Not in `sorted` yet. */
  added: Set<string>
}

export class DocumentTree {
  readonly #collections = new Map<string, Collection>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(key: DocumentKey): StoredDocument | undefined {
    const { collection, id } = splitKey(key)
    return this.#collections.get(collection)?.documents.get(id)
  }

  put(key: DocumentKey, document: StoredDocument): void {
    const { collection, id } = splitKey(key)
    let found = this.#collections.get(collection)
    if (found === undefined) {
      found = { documents: new Map(), sorted: [], added: new Set() }
      this.#collections.set(collection, found)
    }
    if (!found.documents.has(id)) {
      found.added.add(id)
      this.#size++
    }
    found.documents.set(id, document)
  }

  /** Whether it existed. */
  delete(key: DocumentKey): boolean {
    const { collection, id } = splitKey(key)
    const isGone = this.#collections.get(collection)?.documents.delete(id) ?? false
    if (isGone) this.#size--
    return isGone
  }

  /** The documents of a collection whose ids begin with `prefix`, in byte order of their ids, as of now. */
  list(collection: string, prefix = ''): { readonly id: string; readonly document: StoredDocument }[] {
    const found = this.#collections.get(collection)
    if (found === undefined) return []
    merge(found)
    const { sorted, documents } = found
    const listed: { id: string; document: StoredDocument }[] = []
    for (let i = firstAtLeast(sorted, prefix); i < sorted.length; i++) {
      const id = sorted[i]!
      if (!id.startsWith(prefix)) break
      const document = documents.get(id)
      if (document !== undefined) listed.push({ id, document })
    }
    return listed
  }

  /** All documents, in no particular order. The array is not changed by later changes of the catalog. */
  all(): (readonly [key: DocumentKey, document: StoredDocument])[] {
    const listed: (readonly [DocumentKey, StoredDocument])[] = []
    for (const [collection, { documents }] of this.#collections)
      for (const [id, document] of documents) listed.push([`${collection}/${id}`, document])
    return listed
  }
}

function merge(collection: Collection): void {
  const { documents, sorted, added } = collection
  if (added.size === 0) return
  // An id that was deleted and put again may stand in both.
  const fresh = [...added].filter((id) => documents.has(id)).sort(byBytes)
  const merged: string[] = []
  let next = 0
  for (const id of sorted) {
    if (added.has(id) || !documents.has(id)) continue
    while (next < fresh.length && byBytes(fresh[next]!, id) < 0) merged.push(fresh[next++]!)
    merged.push(id)
  }
  while (next < fresh.length) merged.push(fresh[next++]!)
  collection.sorted = merged
  collection.added = new Set()
}

function firstAtLeast(sorted: readonly string[], prefix: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (byBytes(sorted[middle]!, prefix) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** The order of the UTF-8 bytes, which is that of code points: surrogates come after all other code units. */
export function byBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (x === y) continue
    const [isHighX, isHighY] = [isSurrogate(x), isSurrogate(y)]
    if (isHighX !== isHighY) return isHighX ? 1 : -1
    return x - y
  }
  return a.length - b.length
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}
