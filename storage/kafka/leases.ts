/**
 * Leases: tasks that one node has at a time. A lease is a document that names its holder and a term; it is taken by a conditional
 * change when the holder is dead, or has given it up. The holder gives it up when it is cut off.
 */
import type { Catalog } from '../catalog.ts'
import type { LeaseClaim, LeaseHolder, StoreNode } from '../store-cluster.ts'
import type { Nodes } from './nodes.ts'

export const LEASES = 'engine-leases'

interface LeaseDocument {
  /** Null: it was given up. */
  readonly node: string | null
  readonly life: number
  readonly term: number
}

export interface LeasesParts {
  readonly catalog: Pick<Catalog, 'get' | 'commit'>
  readonly nodes: Pick<Nodes, 'isAlive' | 'isLive' | 'alive'>
  readonly nodeId: string
  readonly life: number
  /** The document of a lease as this node has applied it. */
  readonly read: (lease: string) => LeaseDocument | undefined
  readonly report: (error: unknown) => void
}

interface Wanted {
  readonly holder: LeaseHolder
  /** While this node holds it. */
  term: number | undefined
  isTaking: boolean
}

export class Leases {
  readonly #parts: LeasesParts
  readonly #wanted = new Map<string, Wanted>()

  constructor(parts: LeasesParts) {
    this.#parts = parts
  }

  want(lease: string, holder: LeaseHolder): LeaseClaim {
    if (this.#wanted.has(lease)) throw new Error(`the lease ${lease} is wanted twice`)
    const wanted: Wanted = { holder, term: undefined, isTaking: false }
    this.#wanted.set(lease, wanted)
    this.tick()
    return {
      release: async () => {
        if (this.#wanted.get(lease) !== wanted) return
        this.#wanted.delete(lease)
        const { term } = wanted
        this.#lose(wanted)
        if (term !== undefined) await this.#giveUp(lease, term)
      },
    }
  }

  holder(lease: string): StoreNode | undefined {
    const { read, nodes } = this.#parts
    const document = read(lease)
    if (document === undefined || document.node === null) return undefined
    return nodes.alive().find(({ id }) => id === document.node)
  }

  /** Checks all leases: after heartbeats, polls and changes of leases. */
  tick(): void {
    for (const [lease, wanted] of this.#wanted) this.#check(lease, wanted)
  }

  /** This node stops. */
  async releaseAll(): Promise<void> {
    const held = [...this.#wanted]
    this.#wanted.clear()
    await Promise.all(
      held.map(async ([lease, wanted]) => {
        const { term } = wanted
        this.#lose(wanted)
        if (term !== undefined) await this.#giveUp(lease, term)
      }),
    )
  }

  #check(lease: string, wanted: Wanted): void {
    const { nodes, read, nodeId, life } = this.#parts
    const document = read(lease)
    if (wanted.term !== undefined) {
      const isOurs =
        document?.node === nodeId && document.life === life && document.term === wanted.term && nodes.isLive()
      if (!isOurs) this.#lose(wanted)
      return
    }
    if (wanted.isTaking || !nodes.isLive() || !this.#isFree(document)) return
    wanted.isTaking = true
    void this.#take(lease, wanted).finally(() => {
      wanted.isTaking = false
    })
  }

  #isFree(document: LeaseDocument | undefined): boolean {
    const { nodes, nodeId } = this.#parts
    if (document === undefined || document.node === null || document.node === nodeId) return true
    return !nodes.isAlive(document.node)
  }

  async #take(lease: string, wanted: Wanted): Promise<void> {
    const { catalog, nodeId, life, nodes } = this.#parts
    try {
      const found = await catalog.get(LEASES, lease)
      const document = found?.document as LeaseDocument | undefined
      if (!this.#isFree(document)) return
      const term = (document?.term ?? 0) + 1
      const outcome = await catalog.commit(
        [{ collection: LEASES, id: lease, document: { node: nodeId, life, term } }],
        [{ collection: LEASES, id: lease, version: found?.version }],
      )
      if (outcome !== 'done') return
      if (this.#wanted.get(lease) !== wanted) return await this.#giveUp(lease, term)
      if (!nodes.isLive()) return // the next check takes it anew
      wanted.term = term
      this.#call(() => wanted.holder.gained(term))
    } catch {} // the brokers are not reached; the next check tries again
  }

  #lose(wanted: Wanted): void {
    if (wanted.term === undefined) return
    wanted.term = undefined
    this.#call(() => wanted.holder.lost())
  }

  async #giveUp(lease: string, term: number): Promise<void> {
    const { catalog, nodeId, life } = this.#parts
    try {
      const found = await catalog.get(LEASES, lease)
      const document = found?.document as LeaseDocument | undefined
      if (document?.node !== nodeId || document.life !== life || document.term !== term) return
      await catalog.commit(
        [{ collection: LEASES, id: lease, document: { node: null, life, term } }],
        [{ collection: LEASES, id: lease, version: found?.version }],
      )
    } catch {} // another node takes it when this one is dead
  }

  #call(call: () => void): void {
    try {
      call()
    } catch (error) {
      this.#parts.report(error)
    }
  }
}

export type { LeaseDocument }
