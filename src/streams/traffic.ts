/**
 * The totals of each stream since its creation, counted when its events are durable. Counting is plain additions,
 * because it happens with every event. Truncating does not reset the totals.
 *
 * Streams counted since the last poll are listed, so that src/metrics/ processes only those.
 */
import type { LogId } from '../../storage/log.ts'
import type { StreamId } from './names.ts'

/** Totals of one stream. */
export class StreamCounts {
  readonly id: StreamId
  /** Distinguishes this stream from earlier and later ones of the same name: its first log, because LogIds are never reused. */
  incarnation: LogId
  events = 0
  /** Bytes of event bodies. */
  bytes = 0
  /** Events of `/async` that arrived when the queue was full, so that their request waited for the disk. */
  asyncRejected = 0
  /** Events that could not be written after they were answered 202. */
  asyncLost = 0
  /** Events and batches that were refused because the store could not take them. */
  failed = 0
  /** Whether the stream was counted since the last poll. */
  touched = false
  /** Totals of other nodes that share the store, as of their last report. Undefined without any. */
  #elsewhere: Map<string, Totals> | undefined

  constructor(id: StreamId, incarnation: LogId) {
    this.id = id
    this.incarnation = incarnation
  }

  setElsewhere(node: string, totals: Totals): void {
    this.#elsewhere ??= new Map()
    this.#elsewhere.set(node, totals)
  }

  /** The other nodes that have reported totals. */
  nodesElsewhere(): readonly string[] {
    return [...(this.#elsewhere?.keys() ?? [])]
  }

  /** The totals of all nodes, in the order of COUNTED. */
  whole(): Totals {
    const own = totalsOf(this)
    if (this.#elsewhere === undefined) return own
    return own.map((total, i) =>
      [...this.#elsewhere!.values()].reduce((sum, totals) => sum + totals[i]!, total),
    )
  }

  /** Bytes of event bodies that all nodes have written. */
  get wholeBytes(): number {
    return this.#elsewhere === undefined ? this.bytes : this.whole()[COUNTED.indexOf('bytes')]!
  }
}

export const COUNTED = ['events', 'bytes', 'asyncRejected', 'asyncLost', 'failed'] as const
/** The totals, in the order of COUNTED. */
export type Totals = readonly number[]

export function totalsOf({ events, bytes, asyncRejected, asyncLost, failed }: StreamCounts): Totals {
  return [events, bytes, asyncRejected, asyncLost, failed]
}

/** A stream that was counted, and its totals at the previous poll. */
export interface Touched {
  readonly counts: StreamCounts
  readonly before: Totals
}

export class Traffic {
  #touched: Touched[] = []
  /** Totals of streams that have been deleted. */
  gone: Totals = COUNTED.map(() => 0)

  /** Call it when events have become durable. */
  wrote(counts: StreamCounts, events: number, bytes: number): void {
    if (!counts.touched) this.#touch(counts)
    counts.events += events
    counts.bytes += bytes
  }

  rejectedAsync(counts: StreamCounts): void {
    if (!counts.touched) this.#touch(counts)
    counts.asyncRejected++
  }

  lostAsync(counts: StreamCounts): void {
    if (!counts.touched) this.#touch(counts)
    counts.asyncLost++
  }

  failed(counts: StreamCounts): void {
    if (!counts.touched) this.#touch(counts)
    counts.failed++
  }

  /** The streams counted since the last call. */
  poll(): readonly Touched[] {
    const touched = this.#touched
    if (touched.length === 0) return touched
    this.#touched = []
    for (const { counts } of touched) counts.touched = false
    return touched
  }

  /** Call it when the stream has been deleted. */
  ended(counts: StreamCounts): void {
    const totals = totalsOf(counts)
    this.gone = this.gone.map((total, i) => total + totals[i]!)
  }

  #touch(counts: StreamCounts): void {
    counts.touched = true
    this.#touched.push({ counts, before: totalsOf(counts) })
  }
}
