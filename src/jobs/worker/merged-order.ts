/**
 * The order of the events of all sources of a job: by ingestion time in milliseconds, order of the sources in the statement,
 * and place in the source. It does not depend on the size of ticks.
 *
 * With one source the place in the tick is the order. With several, the order of an event is
 *
 *   ((timestampMs - baseMs) * sources + source) * ORDERS_PER_MS_MAX + place in the source in this millisecond
 *
 * A tick takes events up to the last order that is known to be complete in all sources: up to the last event that was read
 * of a source where more is waiting, and up to the end of the last closed millisecond of a source that was read to its end.
 */
import type { EventPlace } from '../connectors/connector.ts'

/** More than the orders of a tick: an event of a table with changes has two. */
export const ORDERS_PER_MS_MAX = 262_144
/** So many sources fit into 63 bits with times until 2100. */
export const SOURCES_MAX = 8

/** Events with consecutive orders, of one source and one millisecond. */
export interface Span {
  readonly firstOrder: bigint
  /** Events, unfit ones too: they have an order and no row. */
  readonly events: number
  /** Orders of one event: each row that it may give has its own. */
  readonly stride: number
  readonly partition: number
  readonly firstSequence: number
  readonly timestampMs: number
  readonly bytes: number
}

/** Gives the orders of events. */
export interface EventOrders {
  /** The first of `orders` orders of a source for events that follow one another in one millisecond. */
  take(source: number, timestampMs: number, orders: number): bigint
}

/** Of sources that do not depend on one another: the order of an event is its place among those of its source in the tick. */
export class OwnOrders implements EventOrders {
  readonly #next: number[]

  constructor(sources: number) {
    this.#next = new Array(sources).fill(0)
  }

  take(source: number, _timestampMs: number, orders: number): bigint {
    const first = this.#next[source]!
    this.#next[source] = first + orders
    return BigInt(first)
  }
}

export class MergedOrder implements EventOrders {
  readonly #sources: number
  readonly #baseMs: number
  /** Of the only source. */
  #next = 0
  readonly #places: { ms: number; place: number }[]

  constructor(sources: number, baseMs: number) {
    this.#sources = sources
    this.#baseMs = baseMs
    this.#places = Array.from({ length: sources }, () => ({ ms: -1, place: 0 }))
  }

  take(source: number, timestampMs: number, orders: number): bigint {
    if (this.#sources === 1) {
      const first = this.#next
      this.#next += orders
      return BigInt(first)
    }
    const last = this.#places[source]!
    const place = last.ms === timestampMs ? last.place : 0
    this.#places[source] = { ms: timestampMs, place: place + orders }
    return this.#startOf(timestampMs, source) + BigInt(place)
  }

  /** The last order before this millisecond. */
  before(timestampMs: number): bigint {
    return this.#startOf(timestampMs, 0) - 1n
  }

  #startOf(timestampMs: number, source: number): bigint {
    return (
      (BigInt(timestampMs - this.#baseMs) * BigInt(this.#sources) + BigInt(source)) *
      BigInt(ORDERS_PER_MS_MAX)
    )
  }
}

/** The place of the event with this order; undefined if no span has it. Spans ascend. */
export function placeOf(spans: readonly Span[], order: bigint): EventPlace | undefined {
  let [from, to] = [0, spans.length]
  while (from < to) {
    const middle = (from + to) >>> 1
    if (spans[middle]!.firstOrder <= order) from = middle + 1
    else to = middle
  }
  const span = spans[from - 1]
  if (span === undefined || order >= span.firstOrder + BigInt(span.events * span.stride)) return undefined
  const sequence = span.firstSequence + Math.floor(Number(order - span.firstOrder) / span.stride)
  return { partition: span.partition, sequence, timestampMs: span.timestampMs }
}

export function lastPlace(span: Span | undefined): EventPlace | undefined {
  if (span === undefined) return undefined
  const { partition, firstSequence, events, timestampMs } = span
  return { partition, sequence: firstSequence + events - 1, timestampMs }
}
