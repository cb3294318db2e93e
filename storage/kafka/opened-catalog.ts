/** The catalog of one node, and everything that is decided by it: nodes, leases, locks of dead nodes, snapshots. */

import { StorageError } from '../storage-error.ts'
import type { LeaseClaim, StoreCluster } from '../store-cluster.ts'
import { CatalogBarrier } from './catalog-barrier.ts'
import { CatalogFollower } from './catalog-follower.ts'
import type { Applied, NodeState, Outcome, ReplayObserver } from './catalog-replay.ts'
import { CatalogSnapshots } from './catalog-snapshots.ts'
import type { CatalogTopic } from './catalog-topic.ts'
import { CatalogWriter } from './catalog-writer.ts'
import type { Sender } from './change-codec.ts'
import { DocumentOrder } from './document-order.ts'
import { documentKey } from './document-tree.ts'
import { APPLY_MS, KafkaCatalog } from './kafka-catalog.ts'
import { KafkaStoreCluster, type ReplicationFacts } from './kafka-store-cluster.ts'
import { LEASES, type LeaseDocument, Leases } from './leases.ts'
import { LockKeeper } from './lock-keeper.ts'
import { Nodes } from './nodes.ts'
import { Outcomes } from './outcomes.ts'
import { SnapshotTask } from './snapshot-task.ts'

export interface OpenCatalogParts {
  readonly topic: CatalogTopic
  readonly snapshots: CatalogTopic
  readonly nodeId: string
  /** The number of this opening, above the last that the catalog knows. */
  readonly nextLife: (seen: number) => Promise<number>
  readonly url: string | undefined
  /** The transactional ids of a node. */
  readonly transactionsOf: (node: string) => readonly string[]
  /** Ends the transactions with these ids. */
  readonly fence: (ids: readonly string[]) => Promise<void>
  readonly replication: () => ReplicationFacts
  readonly nowMs: () => number
  readonly report: (error: unknown) => void
  readonly snapshotRecords?: number
  /** How long a change is sent again. */
  readonly retryMs?: number
}

export interface OpenedCatalog {
  readonly catalog: KafkaCatalog
  readonly cluster: StoreCluster
  readonly follower: CatalogFollower
  readonly writer: CatalogWriter
  readonly outcomes: Outcomes
  readonly order: DocumentOrder
  readonly keeper: LockKeeper
  /** Why this node takes no writes now. */
  failure(): StorageError | undefined
  close(): Promise<void>
}

const RETRY_MS = 10_000
const END_MS = 10_000
/** A catalog of a million changes is read in this time. */
const FIRST_READ_MS = 300_000

/** Reads the catalog to its end, ends what an earlier life of this node has left open, and sends the first heartbeat. */
export async function openCatalog(parts: OpenCatalogParts): Promise<OpenedCatalog> {
  const node = new CatalogNode(parts)
  try {
    await node.start()
    return node
  } catch (error) {
    await node.close()
    throw error
  }
}

class CatalogNode implements OpenedCatalog {
  readonly #parts: OpenCatalogParts
  readonly outcomes = new Outcomes()
  readonly order = new DocumentOrder()
  readonly follower: CatalogFollower
  readonly nodes: Nodes
  writer!: CatalogWriter
  catalog!: KafkaCatalog
  cluster!: KafkaStoreCluster
  keeper!: LockKeeper
  #leases: Leases | undefined
  #snapshotClaim: LeaseClaim | undefined
  #snapshotTask: SnapshotTask | undefined
  #life = 0
  #refusal: StorageError | undefined

  constructor(parts: OpenCatalogParts) {
    this.#parts = parts
    const { topic, nodeId, url, nowMs, report, snapshotRecords } = parts
    const snapshots = new CatalogSnapshots(parts.snapshots)
    this.nodes = new Nodes({ nodeId, url, nowMs, beat: (bye) => this.#beat(bye) })
    this.follower = new CatalogFollower({
      topic,
      observer: this.#observer(),
      snapshot: async (observer) => (await snapshots.read()).at(-1)?.replay(observer),
      replaced: (before, now) => {
        for (const [node, state] of now.nodes()) this.nodes.observe(node, state)
        this.catalog?.replaced(before, now)
      },
      hasAnswered: () => this.outcomes.hasAnswered(),
      polled: (isAtEnd) => this.nodes.polled(isAtEnd),
      report,
    })
    this.#snapshotTask = new SnapshotTask({
      snapshots,
      catalog: topic,
      replay: () => this.follower.replay,
      name: () => `${nodeId}-${this.#life}`,
      report,
      ...(snapshotRecords !== undefined && { records: snapshotRecords }),
    })
  }

  async start(): Promise<void> {
    const { topic, nodeId, nextLife, transactionsOf, fence, nowMs, report, replication } = this.#parts
    const { retryMs = RETRY_MS } = this.#parts
    const { follower, outcomes, order, nodes } = this
    await follower.start()
    for (const [node, state] of follower.replay.nodes()) nodes.observe(node, state)
    const { offset } = await topic.end(END_MS)
    if (offset > 0) await follower.reached(offset - 1, FIRST_READ_MS)
    this.#life = await nextLife(follower.replay.nodes().get(nodeId)?.life ?? 0)
    const life = this.#life
    const writer = new CatalogWriter({ topic, node: nodeId, life, retryMs })
    this.writer = writer
    const barrier = new CatalogBarrier({
      end: (timeoutMs) => topic.end(timeoutMs),
      write: async () =>
        (await writer.write((from) => ({ kind: 'barrier', from, ask: false })).stored).offset,
      reached: (at) => follower.reached(at, APPLY_MS),
      lastBeat: () => nodes.lastBeat(),
      nowMs,
    })
    const refusal = () => this.#refusal ?? follower.failure()
    const catalog = new KafkaCatalog({ writer, follower, barrier, order, outcomes, refusal })
    this.catalog = catalog
    const mark: KafkaCatalog['mark'] = (make) => catalog.mark(make)
    this.keeper = new LockKeeper({
      nodeId,
      life,
      nodes,
      replay: () => follower.replay,
      idsOf: transactionsOf,
      fence,
      mark,
      report,
    })
    const leases = new Leases({
      catalog,
      nodes,
      nodeId,
      life,
      read: (lease) => readLease(follower, lease),
      report,
    })
    this.#leases = leases
    this.cluster = new KafkaStoreCluster({ nodeId, nodes, leases, follower, mark, replication })
    await fence(transactionsOf(nodeId))
    await mark((from) => ({ kind: 'barrier', from, ask: false }))
    await this.keeper.recover()
    await follower.reached(await nodes.start(), APPLY_MS)
    nodes.listen(() => this.#tick())
    this.#snapshotClaim = leases.want('engine-snapshots', this.#snapshotTask!)
  }

  failure(): StorageError | undefined {
    const failure = this.#refusal ?? this.follower.failure()
    if (failure !== undefined) return failure
    try {
      this.nodes.assertLive()
      return undefined
    } catch (error) {
      return error as StorageError
    }
  }

  async close(): Promise<void> {
    await this.#snapshotTask?.stop()
    await this.#snapshotClaim?.release()
    await this.#leases?.releaseAll()
    this.#refusal ??= new StorageError('closed', 'the store is closed')
    if (this.writer !== undefined) {
      await this.nodes.stop()
      await this.writer.close()
    }
    await this.follower.stop()
    this.outcomes.fail(
      new StorageError('closed', 'the store was closed before the outcome of a change was known'),
    )
  }

  #beat(bye: boolean) {
    const applied = this.follower.replay.next
    const { url } = this.#parts
    return this.writer.write((from) => ({ kind: 'beat', from, applied, url, bye }))
  }

  #tick(): void {
    this.#leases?.tick()
    this.keeper.tick()
    this.#snapshotTask?.tick()
  }

  #observer(): ReplayObserver {
    return {
      decided: (from, outcome, changed) => this.#decided(from, outcome, changed),
      beat: (node, state) => this.#observed(node, state),
      asked: () => this.nodes.beatNow(),
    }
  }

  #decided(from: Sender, outcome: Outcome, changed: readonly Applied[]): void {
    const isAwaited = this.outcomes.decided(from, outcome)
    if (!isAwaited && changed.length > 0) this.catalog?.observed(changed)
    // After the replay has returned, because a lease may be taken by a commit.
    if (changed.some(({ key }) => key.startsWith(`${LEASES}/`))) setImmediate(() => this.#leases?.tick())
  }

  #observed(node: string, state: NodeState): void {
    this.nodes.observe(node, state)
    if (node !== this.#parts.nodeId || this.#life === 0 || state.life <= this.#life) return
    this.#refusal = new StorageError(
      'locked',
      `another process runs as node ${node}; the folder of a node must not be copied, so remove its file NODE in one of them`,
    )
    this.#parts.report(this.#refusal)
  }
}

function readLease(follower: CatalogFollower, lease: string): LeaseDocument | undefined {
  const found = follower.replay.documents.get(documentKey(LEASES, lease))
  return found && (JSON.parse(found.text) as LeaseDocument)
}
