/**
 * The nodes of the store, by their heartbeats, and whether this node is cut off.
 *
 * A node is dead for an observer that has followed the catalog for DEAD_MS without a new heartbeat of it. A node whose last
 * acknowledged heartbeat was sent more than CUT_OFF_MS ago takes no requests. Both are measured on the monotonic clock of the one
 * that decides, and the second is shorter: a node that was paused or cut off knows it before others take its tasks.
 */

import { StorageError } from '../storage-error.ts'
import type { StoreNode } from '../store-cluster.ts'
import type { AcknowledgedBeat } from './catalog-barrier.ts'
import type { NodeState } from './catalog-replay.ts'
import type { WrittenRecord } from './catalog-writer.ts'
import { ABSENT, type Offset } from './change-codec.ts'

export const BEAT_MS = 1_000
export const CUT_OFF_MS = 6_000
export const DEAD_MS = 10_000
/** The time between two polls counts as silence of the others up to this: the observer itself may have been paused. */
const POLL_GAP_MS_MAX = 1_000

interface Observed {
  readonly state: NodeState
  silentMs: number
}

export interface NodesParts {
  readonly nodeId: string
  readonly url: string | undefined
  readonly nowMs: () => number
  /** Writes a heartbeat. */
  readonly beat: (bye: boolean) => WrittenRecord
}

export class Nodes {
  readonly #parts: NodesParts
  readonly #observed = new Map<string, Observed>()
  readonly #listeners = new Set<() => void>()
  #lastPollMs: number | undefined
  #acknowledged: AcknowledgedBeat | undefined
  #timer: NodeJS.Timeout | undefined
  #beating: Promise<void> | undefined
  #again = false
  #stopped = false

  constructor(parts: NodesParts) {
    this.#parts = parts
  }

  /** Sends the first heartbeat; resolves with its offset once it is acknowledged. Then sends one a second. */
  async start(): Promise<Offset> {
    const sentAtMs = this.#parts.nowMs()
    const { offset, leader } = await this.#parts.beat(false).stored
    this.#acknowledged = { sentAtMs, leader }
    this.#timer = setInterval(() => this.#tick(), BEAT_MS)
    return offset
  }

  /** Heartbeats and polls that are not answered tell nothing for many seconds, so being cut off is reported here. */
  #tick(): void {
    this.beatNow()
    if (!this.isLive()) this.#changed()
  }

  /** Sends a heartbeat at once, or as soon as the one under way has ended. */
  beatNow(): void {
    if (this.#stopped || this.#acknowledged === undefined) return
    if (this.#beating !== undefined) {
      this.#again = true
      return
    }
    this.#beating = this.#beat().then(() => {
      this.#beating = undefined
      if (!this.#again) return
      this.#again = false
      this.beatNow()
    })
  }

  async #beat(): Promise<void> {
    const sentAtMs = this.#parts.nowMs()
    try {
      const { leader } = await this.#parts.beat(false).stored
      this.#acknowledged = { sentAtMs, leader }
    } catch {} // the age of the last acknowledged one tells
    this.#changed()
  }

  /** Says that this node stops. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    await this.#beating
    await this.#parts.beat(true).stored.catch(() => {})
  }

  lastBeat(): AcknowledgedBeat | undefined {
    return this.#acknowledged
  }

  isLive(): boolean {
    const last = this.#acknowledged
    return last !== undefined && !this.#stopped && this.#parts.nowMs() - last.sentAtMs <= CUT_OFF_MS
  }

  assertLive(): void {
    if (this.isLive()) return
    throw new StorageError(
      'unavailable',
      'this node has not reached the brokers for some seconds, so other nodes may have changed the store; try again, or ask another node',
    )
  }

  /** The replay has applied a heartbeat, or a node was loaded from a snapshot. */
  observe(node: string, state: NodeState): void {
    this.#observed.set(node, { state, silentMs: 0 })
    this.#changed()
  }

  /** The catalog was polled, and the leader had nothing else. */
  polled(isAtEnd: boolean): void {
    const nowMs = this.#parts.nowMs()
    const gapMs = this.#lastPollMs === undefined ? 0 : Math.min(nowMs - this.#lastPollMs, POLL_GAP_MS_MAX)
    this.#lastPollMs = nowMs
    if (!isAtEnd) return
    for (const observed of this.#observed.values()) observed.silentMs += gapMs
    this.#changed()
  }

  isAlive(node: string): boolean {
    if (node === this.#parts.nodeId) return !this.#stopped
    const observed = this.#observed.get(node)
    return observed !== undefined && observed.state.beat !== ABSENT && observed.silentMs < DEAD_MS
  }

  /** A node that has sent heartbeats and no longer does, without having said that it stops. */
  dead(): string[] {
    return [...this.#observed]
      .filter(
        ([node, { state }]) => node !== this.#parts.nodeId && state.beat !== ABSENT && !this.isAlive(node),
      )
      .map(([node]) => node)
  }

  alive(): StoreNode[] {
    const { nodeId, url } = this.#parts
    const others = [...this.#observed]
      .filter(([node]) => node !== nodeId && this.isAlive(node))
      .map(([id, { state }]) => ({ id, url: state.url }))
    return [...others, { id: nodeId, url }].sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  /** Whether every other live node has applied the record at this offset. */
  haveApplied(offset: Offset): boolean {
    return [...this.#observed].every(
      ([node, { state }]) => node === this.#parts.nodeId || !this.isAlive(node) || state.applied > offset,
    )
  }

  /** Calls the listener after heartbeats and polls, and every second while this node is cut off. Returns a function that ends that. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}
