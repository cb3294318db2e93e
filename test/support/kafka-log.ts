/** An event log on a broker, without a catalog: what the tests of the read path need. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CLUSTER_LIMITS, type KafkaAccess } from '../../storage/kafka/access.ts'
import { KafkaCluster } from '../../storage/kafka/cluster.ts'
import { KafkaLog } from '../../storage/kafka/kafka-log.ts'
import { LeaderCalls } from '../../storage/kafka/leader-calls.ts'
import { KafkaLogRestore } from '../../storage/kafka/log-restore.ts'
import { LogTopics } from '../../storage/kafka/log-topics.ts'
import { LogWriters } from '../../storage/kafka/log-writers.ts'
import { produce } from '../../storage/kafka/produce.ts'
import { requestIdentity } from '../../storage/kafka/producer-identity.ts'
import { ProducerState } from '../../storage/kafka/producer-state.ts'
import { readRequests } from '../../storage/kafka/read-requests.ts'
import { type TopicNames, topicNames, topicSettings } from '../../storage/kafka/settings.ts'
import { Spool } from '../../storage/kafka/spool.ts'
import { KafkaStagedBatch } from '../../storage/kafka/staged-batch.ts'
import { StagingArea } from '../../storage/kafka/staging-area.ts'
import { createTopics } from '../../storage/kafka/topic-requests.ts'
import { Totals } from '../../storage/kafka/totals.ts'
import { totalsTopic } from '../../storage/kafka/totals-topic.ts'
import { Transactions } from '../../storage/kafka/transaction.ts'
import { writeRequests } from '../../storage/kafka/write-requests.ts'

const SAFETY = { flush: false, minInSyncReplicas: 1 }
const TIMEOUT_MS = 60_000

export interface TestLogOptions {
  readonly brokers: KafkaAccess['brokers']
  readonly prefix: string
  readonly node?: string
  readonly pendingMs?: number
}

export interface TestLog {
  readonly log: KafkaLog<KafkaStagedBatch>
  readonly cluster: KafkaCluster
  readonly names: TopicNames
  readonly topics: LogTopics
  readonly transactions: Transactions
  close(): Promise<void>
}

/** Opens the log of one node. Its topics stay; the folder of its large batches is removed by `close`. */
export async function openTestLog({
  brokers,
  prefix,
  node = 'n1',
  pendingMs,
}: TestLogOptions): Promise<TestLog> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-spool-'))
  const cluster = await KafkaCluster.open({ brokers }, CLUSTER_LIMITS)
  const names = topicNames(prefix)
  const requests = writeRequests(cluster)
  const settings = topicSettings('log', SAFETY)
  const restoredSettings = topicSettings('restored-log', SAFETY)
  const report = (error: unknown) => console.error(error)
  const topics = new LogTopics(requests, {
    nameOf: names.log,
    replicas: -1,
    settings,
    timeoutMs: TIMEOUT_MS,
  })
  const producers = new ProducerState(() => requestIdentity(requests, TIMEOUT_MS))
  const ids = [0, 1].map((index) => names.transactionalId(node, index))
  const transactions = new Transactions({ requests, ids, report })
  await transactions.recover(TIMEOUT_MS)
  const writers = new LogWriters({
    requests,
    topics,
    producers,
    transactions,
    report,
    isUnused: () => false,
  })
  const area = new StagingArea({
    writers,
    spool: await Spool.open({ folder, bytesMax: 2 ** 30, freeBytesMin: 0 }),
  })
  await createTopics(cluster, {
    topics: [{ topic: names.totals, replicas: -1, settings: topicSettings('totals', SAFETY) }],
    timeoutMs: TIMEOUT_MS,
  })
  const reads = readRequests(cluster)
  const totals = await Totals.open({
    nodeId: node,
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
    identity: 1,
    writers,
    stage: (id) => new KafkaStagedBatch(area, id),
    restore: (id) => new KafkaLogRestore({ requests, topics, writers, producers, restoredSettings }, id),
    totals,
    nowMs: Date.now,
    ...(pendingMs !== undefined && { pendingMs }),
  })
  return {
    log,
    cluster,
    names,
    topics,
    transactions,
    async close() {
      await log.close()
      await cluster.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
