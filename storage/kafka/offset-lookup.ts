/**
 * ListOffsets for all callers of this node: the queries that wait for a broker share its next request.
 *
 * A query is sent after the call, so its answer is not older than the call.
 */
import type { LeaderCalls } from './leader-calls.ts'
import type { FoundOffset, OffsetQuery } from './list-offsets.ts'

/** Kafka's number for the first record that has the highest time. */
const HIGHEST_TIME = -3
/** Queries in one request. */
const TOGETHER_MAX = 1_000

export type LookedUp =
  /** The first record of the topic. */
  | 'earliest'
  /** Behind the last record that a reader of committed records sees. */
  | 'stable'
  /** Behind the last record that all in-sync replicas have. */
  | 'latest'
  /** The first record with the highest time. It may be above 'stable'. */
  | 'highest time'
  /** The first record that is not older than this time, and below 'stable'. */
  | number

export interface Found {
  /** -1 if there is no such record. */
  readonly offset: number
  readonly timestampMs: number
}

interface Waiting {
  readonly query: OffsetQuery
  resolve(found: FoundOffset): void
  reject(error: unknown): void
}

export class OffsetLookup {
  readonly #calls: LeaderCalls
  /** What waits, by broker and isolation; the entry exists while a request is under way. */
  readonly #queues = new Map<string, Waiting[]>()

  constructor(calls: LeaderCalls) {
    this.#calls = calls
  }

  /** Undefined: the topic does not exist. Rejects as LeaderCalls.call does. */
  async find(topic: string, wanted: LookedUp): Promise<Found | undefined> {
    const at =
      wanted === 'stable' || wanted === 'latest'
        ? 'latest'
        : wanted === 'highest time'
          ? HIGHEST_TIME
          : wanted
    const isolation = wanted === 'latest' || wanted === 'highest time' ? 'uncommitted' : 'committed'
    return this.#calls.call(topic, (node) => this.#enqueue(node, isolation, { topic, at }))
  }

  #enqueue(node: number, isolation: 'committed' | 'uncommitted', query: OffsetQuery): Promise<FoundOffset> {
    return new Promise((resolve, reject) => {
      const key = `${node} ${isolation}`
      const waiting = this.#queues.get(key)
      const entry = { query, resolve, reject }
      if (waiting !== undefined) waiting.push(entry)
      else {
        const queue = [entry]
        this.#queues.set(key, queue)
        void this.#run(key, node, isolation, queue)
      }
    })
  }

  async #run(
    key: string,
    node: number,
    isolation: 'committed' | 'uncommitted',
    queue: Waiting[],
  ): Promise<void> {
    await Promise.resolve() // queries of one turn share a request
    while (queue.length > 0) {
      const taken = queue.splice(0, TOGETHER_MAX)
      try {
        const parts = taken.map(({ query }) => query)
        const found = await this.#calls.requests.listOffsets(node, { parts, isolation })
        for (const [i, { resolve }] of taken.entries()) resolve(found[i]!)
      } catch (error) {
        for (const { reject } of taken) reject(error)
      }
    }
    this.#queues.delete(key)
  }
}
