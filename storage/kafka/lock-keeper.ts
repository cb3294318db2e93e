/**
 * Ends what dead nodes have left open. The live node with the lowest id fences the transactional ids of a dead node: then each of its
 * transactions is committed, or never will be. Behind a barrier a lock that is still there belongs to one that was not, and is
 * released.
 */
import type { CatalogReplay, Lock } from './catalog-replay.ts'
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
const RETRY_MS = 2_000

export class LockKeeper {
  readonly #parts: LockKeeperParts
  /** Dead nodes whose transactions were ended. */
  readonly #fenced = new Set<string>()
  #running = false
  #notBeforeMs = 0

  constructor(parts: LockKeeperParts) {
    this.#parts = parts
  }

  /** Checks for dead nodes: after heartbeats and polls. */
  tick(): void {
    const { nodes, nodeId, report } = this.#parts
    const dead = nodes.dead()
    for (const node of this.#fenced) if (!dead.includes(node)) this.#fenced.delete(node)
    if (this.#running || performance.now() < this.#notBeforeMs) return
    const [lowest] = nodes.alive()
    if (lowest?.id !== nodeId || !nodes.isLive()) return
    const open = dead.filter((node) => !this.#fenced.has(node) || this.#locksOf(node).length > 0)
    if (open.length === 0) return
    this.#running = true
    void this.#end(open)
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

  /** A write of this node whose outcome is not known: ends its transaction, and its lock if it is still there. */
  async settle(transaction: string, from: Sender): Promise<void> {
    await this.#parts.fence([transaction])
    await this.#parts.mark((sender) => ({ kind: 'barrier', from: sender, ask: false }))
    await this.#release(
      ({ from: { node, life, n } }) => node === from.node && life === from.life && n === from.n,
    )
  }

  async #end(dead: readonly string[]): Promise<void> {
    const { idsOf, fence, mark } = this.#parts
    await fence(dead.flatMap(idsOf))
    await mark((from) => ({ kind: 'barrier', from, ask: false }))
    await this.#release(({ from }) => dead.includes(from.node))
    for (const node of dead) this.#fenced.add(node)
  }

  async #release(isEnded: (lock: Lock) => boolean): Promise<void> {
    const { replay, mark } = this.#parts
    for (const { from: lock } of replay().locks().filter(isEnded))
      await mark((from) => ({ kind: 'release', from, lock }))
  }

  #locksOf(node: string): Lock[] {
    return this.#parts
      .replay()
      .locks()
      .filter(({ from }) => from.node === node)
  }
}
