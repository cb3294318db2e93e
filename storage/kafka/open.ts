/** Opens the Kafka engine for one node: folder, brokers, topics, catalog, what an earlier life has left open, heartbeat. */
import { join } from 'node:path'
import type { EnginePromises, Storage } from '../storage.ts'
import { StorageError } from '../storage-error.ts'
import { uniqueNumber } from '../unique-number.ts'
import { CLUSTER_LIMITS } from './access.ts'
import { BrokerClock } from './broker-clock.ts'
import { KafkaCatalogTopic } from './catalog-topic.ts'
import { KafkaCluster } from './cluster.ts'
import { DroppedLogs } from './dropped-logs.ts'
import { KafkaRequestError } from './error-codes.ts'
import { EventTimes } from './event-times.ts'
import type { KafkaCatalog } from './kafka-catalog.ts'
import { KafkaLog } from './kafka-log.ts'
import { KafkaStorage } from './kafka-storage.ts'
import { LeaderCalls } from './leader-calls.ts'
import { KafkaLogRestore } from './log-restore.ts'
import { LogTopics } from './log-topics.ts'
import { LogWriters } from './log-writers.ts'
import { NodeFolder } from './node-folder.ts'
import { type OpenedCatalog, openCatalog } from './opened-catalog.ts'
import { produce } from './produce.ts'
import { requestIdentity } from './producer-identity.ts'
import { ProducerState } from './producer-state.ts'
import { readRequests } from './read-requests.ts'
import { ReplicationWatch } from './replication-watch.ts'
import {
  DEFAULT_SPOOL_BYTES_MAX,
  type KafkaStorageOptions,
  PREFIX_PATTERN,
  type TopicNames,
  TRANSACTIONS_PER_NODE,
  topicNames,
  topicSettings,
} from './settings.ts'
import { Spool } from './spool.ts'
import { KafkaStagedBatch } from './staged-batch.ts'
import { StagingArea } from './staging-area.ts'
import { setUpTopics, type TopicSetup } from './topic-setup.ts'
import { Totals } from './totals.ts'
import { totalsTopic } from './totals-topic.ts'
import { fenceTransactions, Transactions } from './transaction.ts'
import { writeRequests } from './write-requests.ts'

/** Coordinators of a cluster that has just started are not ready for some seconds. */
const FENCE_MS = 60_000
const IDENTITY_MS = 60_000
/** The collection of documents of the engine itself. */
const ENGINE = 'engine'

/**
 * Opens a store on a Kafka cluster, and creates it if it does not exist. Rejects with StorageError 'format', 'locked' or
 * 'unavailable'.
 */
export async function openKafkaStorage(options: KafkaStorageOptions): Promise<Storage> {
  const { prefix, folder, access } = options
  if (!PREFIX_PATTERN.test(prefix)) {
    throw new StorageError(
      'format',
      `the prefix of topics is '${prefix}'; use up to 100 letters, digits, '_', '-' and '.'`,
    )
  }
  const opened: (() => Promise<unknown>)[] = []
  try {
    const node = await NodeFolder.open(folder)
    opened.unshift(() => node.close())
    const cluster = await KafkaCluster.open(access, CLUSTER_LIMITS)
    opened.unshift(() => cluster.close())
    return await new Opening(options, node, cluster, opened).run()
  } catch (error) {
    for (const close of opened) await close().catch(() => {})
    throw storageErrorOf(error)
  }
}

function storageErrorOf(error: unknown): unknown {
  if (!(error instanceof KafkaRequestError)) return error
  return new StorageError('unavailable', `the Kafka cluster cannot be used: ${error.message}`, {
    cause: error,
  })
}

class Opening {
  readonly #options: KafkaStorageOptions
  readonly #node: NodeFolder
  readonly #cluster: KafkaCluster
  /** What has to be closed if opening fails, the last opened first. */
  readonly #opened: (() => Promise<unknown>)[]
  readonly #names: TopicNames
  readonly #report: (error: unknown) => void
  readonly #clock = new BrokerClock(() => performance.now())

  constructor(
    options: KafkaStorageOptions,
    node: NodeFolder,
    cluster: KafkaCluster,
    opened: (() => Promise<unknown>)[],
  ) {
    this.#options = options
    this.#node = node
    this.#cluster = cluster
    this.#opened = opened
    this.#names = topicNames(options.prefix)
    this.#report = options.report ?? (() => {})
  }

  async run(): Promise<Storage> {
    const { flush = false, insecure = false, folder, spoolBytesMax, pendingMs, nowMs } = this.#options
    const freeBytesMin = this.#options.freeDiskBytesMin ?? 0
    const { eventClock } = this.#options
    const times = eventClock && new EventTimes(eventClock)
    const [cluster, names, report] = [this.#cluster, this.#names, this.#report]
    const setup = await setUpTopics(cluster, names, {
      flush,
      insecure,
      logs: this.#options.eventClock === undefined ? 'log' : 'restored-log',
    })
    const replication = await ReplicationWatch.start(cluster, names.catalog, setup)
    this.#opened.unshift(async () => replication.stop())
    const requests = writeRequests(cluster)
    const opened = await this.#openCatalog(replication)
    this.#opened.unshift(() => opened.close())
    const { catalog } = opened
    const identity = await identityOf(catalog, folder, names)
    const dropped = new DroppedLogs(catalog, this.#node.id)
    const restoredSettings = topicSettings('restored-log', setup.safety)
    const topics = new LogTopics(requests, {
      nameOf: names.log,
      replicas: setup.replicas,
      settings: times === undefined ? topicSettings('log', setup.safety) : restoredSettings,
    })
    const producers = new ProducerState(() => requestIdentity(requests, IDENTITY_MS))
    const transactions = new Transactions({
      requests,
      ids: this.#transactionsOf(this.#node.id),
      report,
      ...(times && { times }),
    })
    const writers = new LogWriters({
      requests,
      topics,
      producers,
      transactions,
      isUnused: (log) => dropped.has(log),
      report,
      fresh: () => catalog.fresh(),
      ...(times && { times }),
    })
    const bytesMax = spoolBytesMax ?? DEFAULT_SPOOL_BYTES_MAX
    const area = new StagingArea({
      writers,
      spool: await Spool.open({ folder: join(folder, 'spool'), bytesMax, freeBytesMin }),
    })
    const reads = readRequests(cluster)
    const totals = await Totals.open({
      nodeId: this.#node.id,
      topic: totalsTopic({
        calls: new LeaderCalls(reads),
        produce: (broker, request) => produce(cluster, broker, request),
        topic: names.totals,
      }),
      report,
    })
    const log = new KafkaLog({
      requests: reads,
      names,
      identity,
      writers,
      stage: (id) => new KafkaStagedBatch(area, id),
      restore: (id) => new KafkaLogRestore({ requests, topics, writers, producers, restoredSettings }, id),
      totals,
      announceDrop: (logs) => dropped.announce(logs),
      nowMs: eventClock ?? (() => this.#clock.nowMs() ?? nowMs()),
      setsTimes: times !== undefined,
      report,
      failure: () => opened.failure(),
      ...(pendingMs !== undefined && { pendingMs }),
    })
    return new KafkaStorage({
      log,
      opened,
      writers,
      topics,
      transactions,
      catalogTopic: names.catalog,
      durability: durabilityOf(setup),
      ownClock: times === undefined,
      remarks: remarksOf(setup),
      report,
      closed: async () => {
        replication.stop()
        await cluster.close()
        await this.#node.close()
      },
    })
  }

  #openCatalog(replication: ReplicationWatch): Promise<OpenedCatalog> {
    const [cluster, names, node] = [this.#cluster, this.#names, this.#node]
    const { nodeUrl, snapshotRecords } = this.#options
    return openCatalog({
      topic: new KafkaCatalogTopic(cluster, names.catalog, (timeMs) => this.#clock.observe(timeMs)),
      snapshots: new KafkaCatalogTopic(cluster, names.snapshots),
      nodeId: node.id,
      nextLife: (seen) => node.nextLife(seen),
      url: nodeUrl,
      transactionsOf: (id) => this.#transactionsOf(id),
      fence: (ids) => fenceTransactions(writeRequests(cluster), ids, FENCE_MS),
      replication: () => replication.facts(),
      nowMs: () => performance.now(),
      report: this.#report,
      ...(snapshotRecords !== undefined && { snapshotRecords }),
    })
  }

  #transactionsOf(node: string): string[] {
    return Array.from({ length: TRANSACTIONS_PER_NODE }, (_, index) =>
      this.#names.transactionalId(node, index),
    )
  }
}

/** The number of the store: the first node that opens it writes it. */
async function identityOf(catalog: KafkaCatalog, folder: string, names: TopicNames): Promise<number> {
  for (;;) {
    const found = await catalog.get(ENGINE, 'identity')
    if (found !== undefined) return (found.document as { readonly store: number }).store
    const document = { store: uniqueNumber(`store ${names.catalog}`, folder), prefix: names.logPrefix }
    await catalog.commit(
      [{ collection: ENGINE, id: 'identity', document }],
      [{ collection: ENGINE, id: 'identity', version: undefined }],
    )
  }
}

function durabilityOf({ problems, safety: { flush } }: TopicSetup): EnginePromises['durability'] {
  if (problems.length > 0) return flush ? 'fsync' : 'memory'
  return flush ? 'replicated-fsync' : 'replicated'
}

function remarksOf({ problems, replicas }: TopicSetup): string[] {
  if (problems.length > 0 || replicas >= 3) return [...problems]
  return [
    `the cluster has ${replicas} brokers, so topics have ${replicas} replicas: while one of them is down, no events are taken`,
  ]
}
