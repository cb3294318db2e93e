/**
 * A store in memory that several nodes open at the same time. Its catalog is a history of commits that every node replays on its
 * own, some time later. Tests decide which node is cut off, stopped, or dead for the others; no time passes by itself.
 */
import type { DocumentVersion } from '../../../storage/catalog.ts'
import type { LeaseHolder } from '../../../storage/store-cluster.ts'
import { Pace } from '../weak-engine/pace.ts'
import type { WeakData } from '../weak-engine/weak-data.ts'
import { newWeakData } from '../weak-engine/weak-storage.ts'
import type { Link } from './link.ts'

export interface StoredChange {
  readonly key: string
  readonly json: string | undefined
  readonly version: DocumentVersion | undefined
}

export interface HistoryEntry {
  readonly nodeId: string
  readonly changes: readonly StoredChange[]
}

/** What the store knows of an open node. */
export interface NodeState {
  readonly id: string
  /** A test sets it when the node listens. */
  url: string | undefined
  readonly link: Link
  /** Commits that the node has replayed. */
  applied: number
  /** The node knows that its heartbeats are not acknowledged. */
  isExpired: boolean
  /** The others do not wait for it any more. */
  isDead: boolean
  /** Replays up to this length of the history, unless the link is not open. */
  replay(length: number): void
}

interface Lease {
  holder: NodeState | undefined
  term: number
  readonly wanting: Map<NodeState, LeaseHolder>
  /** Those that have been told that they hold it. */
  readonly told: Set<NodeState>
}

export interface SharedStoreOptions {
  readonly seed?: number
  /**
   * False: `fresh` resolves at once. For tests that have to fail without it. 'certain': only a certain one waits, as while a leader
   * that has been replaced still answers.
   */
  readonly barrier?: boolean | 'certain'
  /** False: `appliedEverywhere` resolves at once. */
  readonly confirmation?: boolean
  /** Turns of the event loop after which the other nodes have replayed a commit, at most. */
  readonly lagTurns?: number
}

export class SharedStore {
  readonly data: WeakData = newWeakData()
  readonly history: HistoryEntry[] = []
  readonly nodes = new Map<string, NodeState>()
  readonly options: Required<SharedStoreOptions>
  readonly #pace: Pace
  readonly #leases = new Map<string, Lease>()
  readonly #waiting = new Set<() => void>()

  constructor({ seed = 1, barrier = true, confirmation = true, lagTurns = 40 }: SharedStoreOptions = {}) {
    this.options = { seed, barrier, confirmation, lagTurns }
    this.#pace = new Pace(seed)
  }

  /** Adds a commit. Nodes replay it some turns later. */
  record(nodeId: string, changes: readonly StoredChange[]): number {
    this.history.push({ nodeId, changes })
    const { length } = this.history
    for (const node of this.nodes.values()) void this.#replayLater(node, length)
    return length
  }

  async #replayLater(node: NodeState, length: number): Promise<void> {
    for (let turns = this.#pace.below(this.options.lagTurns); turns > 0; turns--)
      await new Promise((resolve) => setImmediate(resolve))
    node.replay(length)
  }

  /** Requests of this node fail from now on: reads with 'unavailable', writes also with 'unknown'. */
  cut(id: string): void {
    this.#node(id).link.cut()
  }

  /** Stops the node with all that it has begun. */
  pause(id: string): void {
    this.#node(id).link.pause()
  }

  resume(id: string): void {
    const node = this.#node(id)
    node.link.resume()
    if (node.isExpired) this.#loseLeases(node)
    node.replay(this.history.length)
  }

  /** The node notices that its heartbeats have not been acknowledged for too long. */
  expire(id: string): void {
    const node = this.#node(id)
    node.isExpired = true
    if (!node.link.isPaused) this.#loseLeases(node)
  }

  /** The other nodes have not seen a heartbeat of this one for too long. */
  bury(id: string): void {
    this.#node(id).isDead = true
    this.changed()
  }

  /** The node reaches the store again, and its heartbeats are acknowledged. */
  mend(id: string): void {
    const node = this.#node(id)
    node.link.mend()
    node.link.resume()
    if (node.isExpired) this.#loseLeases(node)
    node.isExpired = false
    node.isDead = false
    node.replay(this.history.length)
    this.changed()
  }

  /** The process ends without a word. */
  kill(id: string): void {
    const node = this.#node(id)
    node.link.close()
    node.isDead = true
    this.nodes.delete(id)
    for (const lease of this.#leases.values()) lease.wanting.delete(node)
    this.changed()
  }

  join(node: NodeState): void {
    if (this.nodes.has(node.id)) throw new Error(`node ${node.id} is open already`)
    this.nodes.set(node.id, node)
  }

  leave(node: NodeState): void {
    for (const lease of this.#leases.values()) {
      lease.wanting.delete(node)
      lease.told.delete(node)
    }
    this.nodes.delete(node.id)
    node.isDead = true
    this.changed()
  }

  want(node: NodeState, name: string, holder: LeaseHolder): void {
    this.#lease(name).wanting.set(node, holder)
    setImmediate(() => this.changed())
  }

  release(node: NodeState, name: string): void {
    const lease = this.#lease(name)
    const holder = lease.wanting.get(node)
    lease.wanting.delete(node)
    if (lease.holder === node) lease.holder = undefined
    if (lease.told.delete(node)) holder?.lost()
    this.changed()
  }

  holder(name: string): NodeState | undefined {
    const holder = this.#leases.get(name)?.holder
    return holder === undefined || holder.isDead ? undefined : holder
  }

  /** Call it when a node has replayed commits, or its state has changed. */
  changed(): void {
    for (const [, lease] of this.#leases) this.#assign(lease)
    for (const resolve of [...this.#waiting]) resolve()
    this.#waiting.clear()
  }

  nextChange(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve))
  }

  #assign(lease: Lease): void {
    if (lease.holder !== undefined && !lease.holder.isDead && lease.wanting.has(lease.holder)) return
    lease.holder = undefined
    for (const [node, holder] of lease.wanting) {
      if (node.isDead || node.isExpired || !node.link.isOpen) continue
      lease.holder = node
      lease.term++
      lease.told.add(node)
      holder.gained(lease.term)
      return
    }
  }

  #loseLeases(node: NodeState): void {
    for (const lease of this.#leases.values()) {
      if (lease.holder === node) lease.holder = undefined
      if (lease.told.delete(node)) lease.wanting.get(node)?.lost()
    }
    this.changed()
  }

  #lease(name: string): Lease {
    let lease = this.#leases.get(name)
    if (lease === undefined) {
      lease = { holder: undefined, term: 0, wanting: new Map(), told: new Set() }
      this.#leases.set(name, lease)
    }
    return lease
  }

  #node(id: string): NodeState {
    const node = this.nodes.get(id)
    if (node === undefined) throw new Error(`node ${id} is not open`)
    return node
  }
}
