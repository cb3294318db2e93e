/** A topic of catalog records in memory, with transactions, and nodes that replay it at their own speed. */
import { createHash } from 'node:crypto'
import { CatalogReplay, type Outcome, type ReplayState } from '../../storage/kafka/catalog-replay.ts'
import {
  type CatalogRecord,
  decodeRecord,
  encodeRecord,
  type Sender,
} from '../../storage/kafka/change-codec.ts'
import { DocumentTree } from '../../storage/kafka/document-tree.ts'

type Entry =
  | { readonly value: Buffer; readonly producerId?: number }
  | { readonly producerId: number; readonly end: 'commit' | 'abort' }

export class SharedRecords {
  readonly entries: Entry[] = []

  add(record: CatalogRecord, producerId?: number): void {
    this.entries.push({ value: encodeRecord(record), ...(producerId !== undefined && { producerId }) })
  }

  end(producerId: number, end: 'commit' | 'abort'): void {
    this.entries.push({ producerId, end })
  }
}

export class ReplayingNode {
  readonly id: string
  readonly #topic: SharedRecords
  replay: CatalogReplay
  readonly outcomes = new Map<number, Outcome[]>()
  #n = 0

  constructor(id: string, topic: SharedRecords) {
    this.id = id
    this.#topic = topic
    this.replay = new CatalogReplay(this.#observer())
  }

  sender(): Sender {
    return { node: this.id, life: 1, n: ++this.#n }
  }

  /** Applies up to `most` further entries. */
  catchUp(most = Number.POSITIVE_INFINITY): void {
    const { entries } = this.#topic
    for (let i = 0; i < most && this.replay.next < entries.length; i++) {
      const offset = this.replay.next
      const entry = entries[offset]!
      if ('end' in entry) this.replay.end(offset, entry.producerId, entry.end)
      else if (entry.producerId === undefined)
        this.replay.apply(offset, decodeRecord(entry.value, 'a record'))
      else this.replay.hold(offset, entry.producerId, 0, decodeRecord(entry.value, 'a record'))
    }
  }

  outcome(n: number): Outcome | undefined {
    return this.outcomes.get(n)?.at(-1)
  }

  /** Continues from a copy of another node's state, as from a snapshot. */
  load(other: ReplayingNode): void {
    const state = JSON.parse(JSON.stringify(other.replay.state())) as ReplayState
    const documents = new DocumentTree()
    for (const [key, document] of other.replay.documents.all()) documents.put(key, document)
    this.replay = new CatalogReplay(this.#observer(), state, documents)
  }

  #observer() {
    return {
      decided: ({ node, n }: Sender, outcome: Outcome) => {
        if (node === this.id) this.outcomes.set(n, [...(this.outcomes.get(n) ?? []), outcome])
      },
      beat() {},
      asked() {},
    }
  }
}

/** Equal for equal states. */
export function hashOf(replay: CatalogReplay): string {
  const documents = replay.documents.all().sort(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256')
    .update(JSON.stringify([replay.state(), documents]))
    .digest('hex')
}
