/**
 * The catalog as a pure function of the records of its topic: documents, locks, and the state of the nodes. Every node
 * applies the same records in the same order, so all of them decide alike which changes are applied.
 *
 * - A change is applied if its conditions hold, else it is a conflict.
 * - An intent locks the documents of one write with events, if its conditions hold. The lock ends with the `settle` of that
 *   write, which changes documents, or with a `release`.
 * - A change or an intent that meets a lock waits until the lock has ended, and is decided then. It waits behind those
 *   before it that share documents with it. So a change is never decided on documents that a write under way will change.
 * - A record of a node that is not newer than one applied before, by its number, is ignored. So a record may be sent twice, and one
 *   that arrives late is without effect as soon as a later one of the same node is stored.
 * - The records of a transaction count at its end, if that is a commit.
 *
 * The version of a document is the offset of the record that wrote it.
 */
import assert from 'node:assert'
import {
  ABSENT,
  type BeatRecord,
  type CatalogRecord,
  type ChangeRecord,
  type Conditions,
  type DocumentKey,
  decodeRecord,
  encodeRecord,
  type IntentRecord,
  type Offset,
  type Puts,
  type Sender,
  type SettleRecord,
} from './change-codec.ts'
import { DocumentTree } from './document-tree.ts'

/** 'locked': of an intent. 'released': of a write whose lock has ended without its changes. */
export type Outcome = 'done' | 'conflict' | 'locked' | 'released'

export interface NodeState {
  readonly life: number
  /** Number of its last record. */
  readonly n: number
  /** Offset of its last heartbeat; -1 if it has sent none, or has said that it stops. */
  readonly beat: Offset
  readonly applied: Offset
  readonly url: string | undefined
}

export interface Lock {
  readonly from: Sender
  readonly transaction: string
  readonly offset: Offset
}

/** A document after a change; `text` is undefined if it was deleted. */
export interface Applied {
  readonly key: DocumentKey
  readonly text: string | undefined
  readonly version: Offset
}

/** Called while records are applied. It must not call the replay. */
export interface ReplayObserver {
  /** A change, an intent or a settle of this sender has been decided; `changed`: the documents that it has changed. */
  decided(from: Sender, outcome: Outcome, changed: readonly Applied[]): void
  beat(node: string, state: NodeState): void
  /** A node asks for heartbeats. */
  asked(): void
}

interface HeldLock extends Lock {
  readonly record: IntentRecord
  readonly footprint: Footprint
}

type Waiting = (ChangeRecord | IntentRecord | SettleRecord) & { readonly offset: Offset }

interface OpenTransaction {
  readonly epoch: number
  readonly records: { readonly offset: Offset; readonly record: CatalogRecord }[]
}

/** Everything that a node needs to continue behind `upTo`. JSON values. */
export interface ReplayState {
  /** The next record has this offset, or a higher one. */
  readonly upTo: Offset
  readonly nodes: readonly (readonly [node: string, state: NodeState])[]
  /** Intents that hold locks, and records that wait, each as its record. */
  readonly locks: readonly (readonly [offset: Offset, record: string])[]
  readonly waiting: readonly (readonly [offset: Offset, record: string])[]
  readonly open: readonly (readonly [
    producerId: number,
    epoch: number,
    records: readonly (readonly [Offset, string])[],
  ])[]
}

const NO_OBSERVER: ReplayObserver = { decided() {}, beat() {}, asked() {} }

export class CatalogReplay {
  readonly documents: DocumentTree
  readonly #observer: ReplayObserver
  readonly #nodes = new Map<string, NodeState>()
  readonly #locks = new Map<string, HeldLock>()
  #waiting: Waiting[] = []
  readonly #open = new Map<number, OpenTransaction>()
  #next: Offset = 0

  constructor(
    observer: ReplayObserver = NO_OBSERVER,
    state?: ReplayState,
    documents: DocumentTree = new DocumentTree(),
  ) {
    this.#observer = observer
    this.documents = documents
    if (state !== undefined) this.#restore(state)
  }

  /** Every record before this offset has been applied. */
  get next(): Offset {
    return this.#next
  }

  nodes(): ReadonlyMap<string, NodeState> {
    return this.#nodes
  }

  locks(): readonly Lock[] {
    return [...this.#locks.values()]
  }

  /** Whether a record of this sender waits for a lock to end. */
  isWaiting({ node, life, n }: Sender): boolean {
    return this.#waiting.some(({ from }) => from.node === node && from.life === life && from.n === n)
  }

  /** Applies one record that belongs to no transaction. Offsets ascend; those below `next` are ignored. */
  apply(offset: Offset, record: CatalogRecord): void {
    if (offset < this.#next) return
    this.#next = offset + 1
    this.#applyNow(offset, record)
  }

  /** A record of a transaction that is not ended yet. */
  hold(offset: Offset, producerId: number, epoch: number, record: CatalogRecord): void {
    if (offset < this.#next) return
    this.#next = offset + 1
    const open = this.#open.get(producerId)
    if (open?.epoch === epoch) open.records.push({ offset, record })
    else this.#open.set(producerId, { epoch, records: [{ offset, record }] })
  }

  /** The end of a transaction: a marker. */
  end(offset: Offset, producerId: number, outcome: 'commit' | 'abort'): void {
    if (offset < this.#next) return
    this.#next = offset + 1
    const open = this.#open.get(producerId)
    this.#open.delete(producerId)
    if (outcome === 'abort' || open === undefined) return
    for (const { offset: own, record } of open.records) this.#applyNow(own, record)
  }

  /** Moves on to an offset without records, such as the end of the topic. */
  skipTo(offset: Offset): void {
    if (offset > this.#next) this.#next = offset
  }

  #applyNow(offset: Offset, record: CatalogRecord): void {
    if (record.kind !== 'settle' && !this.#isNew(record.from)) return
    if (record.kind === 'barrier') {
      if (record.ask) this.#observer.asked()
    } else if (record.kind === 'beat') {
      this.#beat(offset, record)
    } else if (record.kind === 'release') {
      this.#release(record.lock)
    } else if (record.kind === 'settle' && record.locked) {
      this.#settle(offset, record)
    } else {
      this.#arrive({ ...record, offset })
    }
  }

  #arrive(record: Waiting): void {
    if (this.#isBlocked(record, this.#waiting.length)) this.#waiting.push(record)
    else this.#decide(record)
  }

  /** Notes the number of a record; false if it is not above that of the record before. */
  #isNew({ node, life, n }: Sender): boolean {
    const last = this.#nodes.get(node)
    if (last !== undefined && (life < last.life || (life === last.life && n <= last.n))) return false
    if (last?.life === life) this.#nodes.set(node, { ...last, n })
    else this.#nodes.set(node, { life, n, beat: ABSENT, applied: 0, url: undefined })
    return true
  }

  #beat(offset: Offset, { from: { node, life, n }, applied, url, bye }: BeatRecord): void {
    const state = { life, n, beat: bye ? ABSENT : offset, applied, url }
    this.#nodes.set(node, state)
    this.#observer.beat(node, state)
  }

  #decide(record: Waiting): void {
    if (record.kind !== 'settle' && !this.#holds(record)) {
      this.#observer.decided(record.from, 'conflict', [])
      return
    }
    if (record.kind === 'intent') {
      this.#locks.set(lockName(record.from), heldLock(record))
      this.#observer.decided(record.from, 'locked', [])
      return
    }
    this.#observer.decided(record.from, 'done', this.#put(record, record.offset))
  }

  #settle(offset: Offset, record: SettleRecord): void {
    // Without its lock the write was ended by another node, which has fenced its transaction before.
    if (!this.#locks.delete(lockName(record.from))) return
    this.#observer.decided(record.from, 'done', this.#put(record, offset))
    this.#decideWaiting()
  }

  #release(lock: Sender): void {
    if (!this.#locks.delete(lockName(lock))) return
    this.#observer.decided(lock, 'released', [])
    this.#decideWaiting()
  }

  #decideWaiting(): void {
    for (let i = 0; i < this.#waiting.length; ) {
      const waiting = this.#waiting[i]!
      if (this.#isBlocked(waiting, i)) {
        i++
      } else {
        this.#waiting.splice(i, 1)
        this.#decide(waiting)
      }
    }
  }

  /** Whether a lock, or one of the first `before` records that wait, shares documents with this record. */
  #isBlocked(record: Waiting, before: number): boolean {
    if (this.#locks.size === 0 && before === 0) return false
    const own = footprintOf(record)
    for (const lock of this.#locks.values()) if (meet(own, lock.footprint)) return true
    for (let i = 0; i < before; i++) if (meet(own, footprintOf(this.#waiting[i]!))) return true
    return false
  }

  #holds({ reads }: Conditions): boolean {
    return reads.every(([key, version]) => (this.documents.get(key)?.version ?? ABSENT) === version)
  }

  #put({ puts, deletes }: Puts, version: Offset): Applied[] {
    const changed: Applied[] = []
    for (const [key, document] of puts) {
      const text = JSON.stringify(document)
      this.documents.put(key, { text, version })
      changed.push({ key, text, version })
    }
    for (const key of deletes) {
      if (this.documents.delete(key)) changed.push({ key, text: undefined, version })
    }
    return changed
  }

  /** The state without the documents, which `documents` has. */
  state(): ReplayState {
    const records = (held: readonly { readonly offset: Offset; readonly record: CatalogRecord }[]) =>
      held.map(({ offset, record }) => [offset, encodeRecord(record).toString('utf8')] as const)
    return {
      upTo: this.#next,
      nodes: [...this.#nodes],
      locks: records([...this.#locks.values()]),
      waiting: records(this.#waiting.map((record) => ({ offset: record.offset, record }))),
      open: [...this.#open].map(([id, { epoch, records: held }]) => [id, epoch, records(held)] as const),
    }
  }

  #restore({ upTo, nodes, locks, waiting, open }: ReplayState): void {
    this.#next = upTo
    for (const [node, state] of nodes) this.#nodes.set(node, { ...state, url: state.url })
    for (const [offset, text] of locks) {
      const record = recordOf(text)
      assert(record.kind === 'intent')
      this.#locks.set(lockName(record.from), heldLock({ ...record, offset }))
    }
    this.#waiting = waiting.map(([offset, text]) => ({ ...(recordOf(text) as Waiting), offset }))
    for (const [id, epoch, held] of open) {
      const records = held.map(([offset, text]) => ({ offset, record: recordOf(text) }))
      this.#open.set(id, { epoch, records })
    }
  }
}

function recordOf(text: string): CatalogRecord {
  return decodeRecord(Buffer.from(text, 'utf8'), 'a record of a snapshot')
}

export function lockName({ node, life, n }: Sender): string {
  return `${node} ${life} ${n}`
}

interface Footprint {
  readonly reads: ReadonlySet<DocumentKey>
  readonly writes: ReadonlySet<DocumentKey>
}

function footprintOf(record: Waiting): Footprint {
  const reads = record.kind === 'settle' ? [] : record.reads
  return {
    reads: new Set(reads.map(([key]) => key)),
    writes: new Set(
      record.kind === 'intent' ? record.writes : [...record.puts.map(([key]) => key), ...record.deletes],
    ),
  }
}

/** Whether one of them writes what the other reads or writes. */
function meet(a: Footprint, b: Footprint): boolean {
  return writesInto(a, b) || writesInto(b, a)
}

function writesInto({ writes }: Footprint, other: Footprint): boolean {
  for (const key of writes) {
    if (other.writes.has(key) || other.reads.has(key)) return true
  }
  return false
}

function heldLock(record: IntentRecord & { readonly offset: Offset }): HeldLock {
  const { from, transaction, offset } = record
  return { from, transaction, offset, record, footprint: footprintOf(record) }
}
