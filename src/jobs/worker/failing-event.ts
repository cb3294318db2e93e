/**
 * Finds the event for which the query fails, by running the query over smaller and smaller parts of the tick's input. The
 * sources of a tick have one order, so a part is everything up to a place in it.
 */
import { dataReason, isDataError } from './job-error.ts'
import type { BadRecord } from './job-worker-protocol.ts'
import { placeOf } from './merged-order.ts'
import type { SourceInput } from './tick-input.ts'

/** Halving 2^17 events takes 17 runs. */
const RUNS_MAX = 24
/** The search costs at most this time. */
const SEARCH_MS_MAX = 10_000

export interface FailingEventSearch {
  /** By index of the source. */
  readonly tableNames: readonly string[]
  readonly inputs: readonly SourceInput[]
  /** Runs a SELECT over the events up to this order and discards the rows. */
  probe(sql: string, lastOrder: bigint): Promise<void>
  readonly probes: readonly string[]
}

export async function findFailingEvent(search: FailingEventSearch): Promise<BadRecord | undefined> {
  const orders = new Orders(search.inputs)
  if (orders.count === 0) return undefined
  const endsMs = performance.now() + SEARCH_MS_MAX
  for (const sql of search.probes) {
    const fails = async (events: number) => {
      try {
        await search.probe(sql, orders.at(events - 1))
        return undefined
      } catch (error) {
        if (isDataError(error)) return dataReason(error)
        throw error
      }
    }
    let reason = await fails(orders.count)
    if (reason === undefined) continue
    let good = 0
    let bad = orders.count
    for (let run = 0; bad - good > 1; run++) {
      if (run > RUNS_MAX || performance.now() > endsMs) return undefined
      const middle = good + Math.floor((bad - good) / 2)
      const failed = await fails(middle)
      if (failed === undefined) good = middle
      else {
        bad = middle
        reason = failed
      }
    }
    return recordAt(search, orders.at(bad - 1), reason)
  }
  return undefined
}

function recordAt(
  { inputs, tableNames }: FailingEventSearch,
  order: bigint,
  reason: string,
): BadRecord | undefined {
  for (const [index, { spans }] of inputs.entries()) {
    const place = placeOf(spans, order)
    if (place !== undefined) return { tableName: tableNames[index]!, ...place, reason }
  }
  return undefined
}

/** The orders of all events of a tick, ascending, without a list of them. */
class Orders {
  readonly #spans: readonly { readonly first: bigint; readonly events: number; readonly stride: number }[]
  readonly count: number

  constructor(inputs: readonly SourceInput[]) {
    this.#spans = inputs
      .flatMap(({ spans }) => spans)
      .map(({ firstOrder, events, stride }) => ({ first: firstOrder, events, stride }))
      .sort((a, b) => (a.first < b.first ? -1 : 1))
    this.count = this.#spans.reduce((sum, { events }) => sum + events, 0)
  }

  /** The last order of the event with this index. */
  at(index: number): bigint {
    let rest = index
    for (const { first, events, stride } of this.#spans) {
      if (rest < events) return first + BigInt((rest + 1) * stride - 1)
      rest -= events
    }
    return this.#spans.at(-1)!.first
  }
}
