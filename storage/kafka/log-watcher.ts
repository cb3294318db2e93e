/**
 * Callers that wait for events of a log. For each broker that leads such logs, one fetch at a time waits for new records, on a
 * connection of its own. Logs without waiters have no cost.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogId } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { isStaleLeader, KAFKA_ERRORS } from './error-codes.ts'
import type { FetchedPart } from './fetch.ts'
import type { LeaderCalls } from './leader-calls.ts'
import type { OffsetLookup } from './offset-lookup.ts'
import { AbortedBatches, readBatches } from './record-batch-reader.ts'
import type { TopicNames } from './settings.ts'

/** A caller that comes while a fetch waits joins the next one, so this is also the latest time at which it is noticed. */
const WAIT_MS = 500
const TOGETHER_MAX = 1_000
const PAUSE_MS = 100
/** Logs without topic or leader are looked for again after this time: another node may write the first event. */
const UNKNOWN_PAUSE_MS = 500

interface Watch {
  readonly log: LogId
  readonly topic: string
  /** Where the next fetch begins: no visible event is between the sequence that is waited for and this offset. */
  offset: number
  readonly resolve: () => void
  readonly reject: (error: StorageError) => void
  isEnded: boolean
}

export class LogWatcher {
  readonly #calls: LeaderCalls
  readonly #lookup: OffsetLookup
  readonly #names: TopicNames
  readonly #watches = new Map<LogId, Set<Watch>>()
  /** Watches by the broker that is asked about them. */
  readonly #polls = new Map<number, Set<Watch>>()
  /** Watches without a broker to ask. */
  readonly #leaderless = new Set<Watch>()
  #isSeeking = false
  #closed = false

  constructor(calls: LeaderCalls, lookup: OffsetLookup, names: TopicNames) {
    this.#calls = calls
    this.#lookup = lookup
    this.#names = names
  }

  /** Resolves when the log may have an event with this sequence or a higher one, or when `signal` is aborted. */
  wait(log: LogId, sequence: number, signal: AbortSignal): Promise<void> {
    if (this.#closed) return Promise.reject(closedError())
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const end = () => {
        watch.isEnded = true
        signal.removeEventListener('abort', watch.resolve)
        this.#remove(watch)
      }
      const watch: Watch = {
        log,
        topic: this.#names.log(log),
        offset: Math.max(0, sequence),
        resolve: () => {
          end()
          resolve()
        },
        reject: (error) => {
          end()
          reject(error)
        },
        isEnded: false,
      }
      signal.addEventListener('abort', watch.resolve)
      const watches = this.#watches.get(log)
      if (watches === undefined) this.#watches.set(log, new Set([watch]))
      else watches.add(watch)
      void this.#assign(watch, false)
    })
  }

  /** This process has written all events of the log below `nextSequence`. */
  grown(log: LogId, nextSequence: number): void {
    const watches = this.#watches.get(log)
    if (watches === undefined) return
    for (const watch of [...watches]) if (watch.offset < nextSequence) watch.resolve()
  }

  /** The log is gone: its callers read again, and see that. */
  dropped(log: LogId): void {
    for (const watch of [...(this.#watches.get(log) ?? [])]) watch.resolve()
  }

  close(): void {
    this.#closed = true
    for (const watches of [...this.#watches.values()])
      for (const watch of [...watches]) watch.reject(closedError())
  }

  #remove(watch: Watch): void {
    const watches = this.#watches.get(watch.log)
    watches?.delete(watch)
    if (watches?.size === 0) this.#watches.delete(watch.log)
  }

  /** Finds the leader, and has it asked. It never rejects. */
  async #assign(watch: Watch, refresh: boolean): Promise<void> {
    const leader = await this.#calls.requests.leader(watch.topic, { refresh }).catch(() => undefined)
    if (watch.isEnded) return
    if (leader === undefined) {
      this.#leaderless.add(watch)
      if (!this.#isSeeking) void this.#seek()
      return
    }
    const polled = this.#polls.get(leader.node)
    if (polled !== undefined) polled.add(watch)
    else void this.#poll(leader.node, new Set([watch]))
  }

  async #seek(): Promise<void> {
    this.#isSeeking = true
    while (this.#leaderless.size > 0) {
      await sleep(UNKNOWN_PAUSE_MS, undefined, { ref: false })
      const watches = [...this.#leaderless].filter(({ isEnded }) => !isEnded)
      this.#leaderless.clear()
      await Promise.all(watches.map((watch) => this.#assign(watch, true)))
    }
    this.#isSeeking = false
  }

  async #poll(node: number, watches: Set<Watch>): Promise<void> {
    this.#polls.set(node, watches)
    for (;;) {
      for (const watch of watches) if (watch.isEnded) watches.delete(watch)
      if (watches.size === 0) break
      // The first of each topic; a set keeps its order, so those that were asked go to its end.
      const asked = firstOfTopics(watches)
      for (const watch of asked) {
        watches.delete(watch)
        watches.add(watch)
      }
      const stale = await this.#ask(node, asked)
      for (const watch of stale) {
        watches.delete(watch)
        void this.#assign(watch, true)
      }
      if (stale.length > 0) await sleep(PAUSE_MS, undefined, { ref: false })
    }
    this.#polls.delete(node)
  }

  /** Returns the watches whose leader has to be found again. */
  async #ask(node: number, asked: readonly Watch[]): Promise<readonly Watch[]> {
    let parts: readonly FetchedPart[]
    try {
      parts = await this.#calls.requests.fetch(node, {
        parts: asked.map(({ topic, offset }) => ({ topic, offset, maxBytes: 1 })),
        isolation: 'committed',
        minBytes: 1,
        maxWaitMs: WAIT_MS,
        maxBytes: 1,
        purpose: 'long-poll',
      })
    } catch {
      return asked
    }
    const stale: Watch[] = []
    for (const [i, watch] of asked.entries()) {
      const part = parts[i]!
      if (watch.isEnded) continue
      if (part.errorCode === KAFKA_ERRORS.none) {
        if (part.lastStableOffset > watch.offset) this.#advance(watch, part)
      } else if (part.errorCode === KAFKA_ERRORS.offsetOutOfRange) {
        if (await this.#isTrimmed(watch)) watch.resolve()
        else stale.push(watch)
      } else if (isStaleLeader(part.errorCode)) stale.push(watch)
      else watch.resolve() // the read of the caller reports the error
    }
    return stale
  }

  /** Skips what no reader sees, and resolves at an event, or where the answer does not tell. */
  #advance(watch: Watch, { topic, records, aborted }: FetchedPart): void {
    try {
      const batches = readBatches(records, topic)
      const hidden = new AbortedBatches(aborted)
      for (const batch of batches) {
        if (hidden.has(batch, topic) || batch.isControl || batch.lastOffset < watch.offset) continue
        this.grown(watch.log, batch.lastOffset + 1)
        return
      }
      const last = batches.at(-1)
      if (last === undefined) watch.resolve()
      else watch.offset = Math.max(watch.offset, last.lastOffset + 1)
    } catch {
      watch.resolve() // the read of the caller reports the damage
    }
  }

  /** Whether the offset is below the first one; otherwise it is above the last one, so an event may come. */
  async #isTrimmed({ topic, offset }: Watch): Promise<boolean> {
    const earliest = await this.#lookup.find(topic, 'earliest').catch(() => undefined)
    return earliest !== undefined && earliest.offset > offset
  }
}

/** Brokers refuse a topic that stands in a request twice. */
function firstOfTopics(watches: Iterable<Watch>): Watch[] {
  const byTopic = new Map<string, Watch>()
  for (const watch of watches) {
    const other = byTopic.get(watch.topic)
    if (other === undefined ? byTopic.size < TOGETHER_MAX : watch.offset < other.offset)
      byTopic.set(watch.topic, watch)
  }
  return [...byTopic.values()]
}

function closedError(): StorageError {
  return new StorageError('closed', 'the store is closed')
}
