/**
 * Ends what nodes that have died or stopped have left open. The live node with the lowest id fences the transactional ids of such
 * a node: then each of its transactions is committed, or never will be. Behind a barrier a lock that is still there belongs to one
 * that was not, and is released. A lock of this node that could not be ended is tried again.
 */
import { type CatalogReplay, type Lock, lockName } from './catalog-replay.ts'
import type { CatalogRecord, Offset, Sender } from './change-codec.ts'
import type { Nodes } from './nodes.ts'

export interface LockKeeperParts {
  readonly nodeId: string
  readonly life: number
  readonly nodes: Pick<Nodes, 'alive' | 'dead' | 'isAlive' | 'isLive'>
  readonly replay: () => CatalogReplay
  /** The transactional ids of a node. */
  readonly idsOf: (node: string) => readonly string[]
  readonly fence: (ids: readonly string[]) => Promise<void>
  /** Writes a record; resolves when it is applied here. */
  readonly mark: (make: (from: Sender) => CatalogRecord) => Promise<Offset>
  readonly report: (error: unknown) => void
}

/** Time between two tries. */
const RETRY_MS = 1_000

/** A lock of a write of this node. */
export type OwnLock = Pick<Lock, 'from' | 'transaction'>

interface Unended {
  readonly lock: OwnLock
  readonly isOver: boolean
}

export class LockKeeper {
  readonly #parts: LockKeeperParts
  /** Dead nodes whose transactions were ended. */
  readonly #fenced = new Set<string>()
  /** Own locks that could not be ended, by their names. */
  readonly #unended = new Map<string, Unended>()
  #running = false
  #notBeforeMs = 0

  constructor(parts: LockKeeperParts) {
    this.#parts = parts
  }

  /** Checks for locks to end: after heartbeats and polls. */
  tick(): void {
    const { nodes, report } = this.#parts
    const dead = nodes.dead()
    for (const node of this.#fenced) if (!dead.includes(node)) this.#fenced.delete(node)
    if (this.#running || performance.now() < this.#notBeforeMs || !nodes.isLive()) return
    const open = this.#openOf(dead)
    const own = [...this.#unended.values()]
    if (open.length + own.length === 0) return
    this.#running = true
    void this.#endAll(open, own)
      .catch((error) => {
        this.#notBeforeMs = performance.now() + RETRY_MS
        report(error)
      })
      .finally(() => {
        this.#running = false
      })
  }

  /** The locks of an earlier life of this node, whose transactions have been ended. */
  async recover(): Promise<void> {
    const { nodeId, life } = this.#parts
    await this.#release((lock) => lock.from.node === nodeId && lock.from.life !== life)
  }

  /**
   * A write of this node has failed: ends its lock, which it may not have yet. `isOver`: its transaction is certainly not
   * committed; otherwise it is ended first. If this rejects, it is tried again until it succeeds.
   */
  async unlock(lock: OwnLock, isOver: boolean): Promise<void> {
    const unended = { lock, isOver }
    this.#unended.set(lockName(lock.from), unended)
    this.#notBeforeMs = performance.now() + RETRY_MS
    await this.#unlock(unended)
  }

  async #unlock({ lock: { from, transaction }, isOver }: Unended): Promise<void> {
    const { fence, mark, replay } = this.#parts
    if (!isOver) await fence([transaction])
    // Behind it an intent whose outcome was not known has been applied, or never will be.
    await mark((sender) => ({ kind: 'barrier', from: sender, ask: false }))
    if (replay().isWaiting(from)) return
    const name = lockName(from)
    await this.#release((lock) => lockName(lock.from) === name)
    this.#unended.delete(name)
  }

  /** Nodes that are dead, and those that have stopped with a lock. Another node does it unless this one has the lowest id. */
  #openOf(dead: readonly string[]): string[] {
    const { nodes, nodeId, replay } = this.#parts
    if (nodes.alive()[0]?.id !== nodeId) return []
    const holders = replay()
      .locks()
      .map(({ from }) => from.node)
      .filter((node) => node !== nodeId && !nodes.isAlive(node))
    return [...new Set([...holders, ...dead.filter((node) => !this.#fenced.has(node))])]
  }

  async #endAll(open: readonly string[], own: readonly Unended[]): Promise<void> {
    for (const unended of own) await this.#unlock(unended)
    if (open.length > 0) await this.#end(open)
    if (this.#unended.size > 0) this.#notBeforeMs = performance.now() + RETRY_MS
  }

  async #end(open: readonly string[]): Promise<void> {
    const { idsOf, fence, mark, nodes, replay } = this.#parts
    // Those that are there before: a node that starts again meanwhile takes others, whose transactions are not ended.
    const locks = replay()
      .locks()
      .filter(({ from }) => open.includes(from.node))
    const ended = new Set(locks.map(({ from }) => lockName(from)))
    await fence(open.flatMap(idsOf))
    await mark((from) => ({ kind: 'barrier', from, ask: false }))
    await this.#release(({ from }) => ended.has(lockName(from)))
    const dead = nodes.dead()
    for (const node of open) if (dead.includes(node)) this.#fenced.add(node)
  }

  async #release(isEnded: (lock: Lock) => boolean): Promise<void> {
    const { replay, mark } = this.#parts
    for (const { from: lock } of replay().locks().filter(isEnded))
      await mark((from) => ({ kind: 'release', from, lock }))
  }
}
