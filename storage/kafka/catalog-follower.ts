/**
 * Follows the catalog's topic: applies its records to the replay of this node, and tells those who wait for one.
 *
 * If records that it has not read were removed, it continues from the newest snapshot. If a record has an unknown format, it
 * stops, and so does the service.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { StorageError } from '../storage-error.ts'
import { CatalogReplay, type ReplayObserver } from './catalog-replay.ts'
import type { CatalogTopic, TopicEntry } from './catalog-topic.ts'
import { decodeRecord, type Offset } from './change-codec.ts'
import { KafkaRequestError } from './error-codes.ts'

export interface FollowerParts {
  readonly topic: CatalogTopic
  readonly observer: ReplayObserver
  /** The newest snapshot as a replay; undefined if there is none. */
  readonly snapshot: (observer: ReplayObserver) => Promise<CatalogReplay | undefined>
  /** The replay was replaced by a snapshot. */
  readonly replaced: (before: CatalogReplay, now: CatalogReplay) => void
  /** Whether a caller of this node has been answered since the last call: it continues before more is applied. */
  readonly hasAnswered: () => boolean
  /** Called after every poll that was answered. */
  readonly polled: (isAtEnd: boolean) => void
  readonly report: (error: Error) => void
}

const POLL_MS = 500
const PAUSE_MIN_MS = 20
const PAUSE_MAX_MS = 500
/** Entries that are applied in one iteration of the event loop. */
const SLICE = 500

interface Waiter {
  readonly offset: Offset
  resolve(): void
  reject(error: StorageError): void
}

export class CatalogFollower {
  readonly #parts: FollowerParts
  readonly #stopping = new AbortController()
  #replay: CatalogReplay
  #waiters: Waiter[] = []
  #running: Promise<void> | undefined
  #failure: StorageError | undefined
  /** The last problem, while polls fail. */
  #problem: string | undefined

  constructor(parts: FollowerParts) {
    this.#parts = parts
    this.#replay = new CatalogReplay(parts.observer)
  }

  get replay(): CatalogReplay {
    return this.#replay
  }

  /** Why it has stopped. */
  failure(): StorageError | undefined {
    return this.#failure
  }

  /** Loads the newest snapshot, then follows. */
  async start(): Promise<void> {
    const snapshot = await this.#parts.snapshot(this.#parts.observer)
    if (snapshot !== undefined) this.#replay = snapshot
    this.#running = this.#run()
  }

  /** Resolves when the record at this offset, and all before it, have been applied. Rejects with StorageError. */
  reached(offset: Offset, timeoutMs: number): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (this.#replay.next > offset) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => waiter.reject(this.#late()), timeoutMs)
      const settled = () => {
        clearTimeout(timer)
        this.#waiters = this.#waiters.filter((other) => other !== waiter)
      }
      const waiter: Waiter = {
        offset,
        resolve() {
          settled()
          resolve()
        },
        reject(error) {
          settled()
          reject(error)
        },
      }
      this.#waiters.push(waiter)
    })
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#fail(new StorageError('closed', 'the store is closed'))
  }

  #late(): StorageError {
    return new StorageError(
      'unavailable',
      `the catalog is not read up to now: ${this.#problem ?? 'the brokers are slow'}`,
    )
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    let pauseMs = PAUSE_MIN_MS
    while (!signal.aborted && this.#failure === undefined) {
      try {
        await this.#poll(signal)
        this.#problem = undefined
        pauseMs = PAUSE_MIN_MS
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof StorageError && error.code !== 'unavailable') {
          this.#parts.report(error)
          this.#fail(error)
          return
        }
        this.#problem = error instanceof Error ? error.message : String(error)
        if (!(error instanceof KafkaRequestError)) this.#parts.report(error as Error)
        await sleep(pauseMs, undefined, { signal }).catch(() => {})
        pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)
      }
    }
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const result = await this.#parts.topic.poll(this.#replay.next, POLL_MS, signal)
    if (result.kind === 'trimmed') return this.#reload()
    const { entries, next, isAtEnd } = result
    let applied = 0
    for (const entry of entries) {
      apply(this.#replay, entry)
      if (!this.#parts.hasAnswered() && ++applied < SLICE) continue
      applied = 0
      this.#tellWaiters()
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#replay.skipTo(next)
    this.#tellWaiters()
    this.#parts.polled(isAtEnd)
  }

  async #reload(): Promise<void> {
    const replay = await this.#parts.snapshot(this.#parts.observer)
    if (replay === undefined || replay.next <= this.#replay.next) {
      throw new StorageError(
        'corrupt',
        `the catalog has no record ${this.#replay.next} and no snapshot behind it; its topics were changed by another program`,
      )
    }
    const before = this.#replay
    this.#replay = replay
    this.#parts.replaced(before, replay)
    this.#tellWaiters()
  }

  #tellWaiters(): void {
    if (this.#waiters.length === 0) return
    const { next } = this.#replay
    for (const waiter of this.#waiters) if (waiter.offset < next) waiter.resolve()
  }

  #fail(error: StorageError): void {
    this.#failure ??= error
    for (const waiter of this.#waiters) waiter.reject(error)
  }
}

function apply(replay: CatalogReplay, entry: TopicEntry): void {
  const { offset } = entry
  if (entry.kind === 'end') {
    replay.end(offset, entry.producerId, entry.outcome)
    return
  }
  const record = decodeRecord(entry.value, `record ${offset} of the catalog`)
  if (entry.transaction === undefined) replay.apply(offset, record)
  else replay.hold(offset, entry.transaction.producerId, entry.transaction.epoch, record)
}
