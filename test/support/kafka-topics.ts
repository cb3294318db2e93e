/** Topics of logs with what other programs and transactions write to them. */

import { CLUSTER_LIMITS } from '../../storage/kafka/access.ts'
import { KafkaCluster } from '../../storage/kafka/cluster.ts'
import { produce } from '../../storage/kafka/produce.ts'
import { NO_PRODUCER, RecordBatchBuilder, type UnsealedBatch } from '../../storage/kafka/record-batch.ts'
import { encodeRecordHeaders } from '../../storage/kafka/record-headers.ts'
import { createTopics, deleteTopics } from '../../storage/kafka/topic-requests.ts'
import type { LogId } from '../../storage/log.ts'
import type { TestKafka } from './kafka.ts'
import type { TestLog } from './kafka-log.ts'

const NO_HEADERS = encodeRecordHeaders([])
const TIMEOUT_MS = 30_000

/** A record batch of these bodies. */
export function batchOf(bodies: readonly string[], times: readonly number[] = []): UnsealedBatch {
  const builder = new RecordBatchBuilder()
  for (const [i, body] of bodies.entries()) {
    const bytes = Buffer.from(body)
    builder.addEvent(NO_HEADERS, bytes, 0, bytes.length, times[i])
  }
  return builder.finish()
}

/** Makes the topic of a log with these settings, and waits for its leader. */
export async function createLogTopic(
  { cluster, names }: TestLog,
  log: LogId,
  settings: Readonly<Record<string, string>>,
): Promise<string> {
  const topic = names.log(log)
  await createTopics(cluster, { topics: [{ topic, replicas: -1, settings }], timeoutMs: TIMEOUT_MS })
  for (;;) {
    if ((await cluster.leader(topic, { refresh: true })) !== undefined) return topic
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Stores a batch as a producer without id does. */
export async function produceTo({ cluster }: TestLog, topic: string, batch: UnsealedBatch): Promise<void> {
  batch.seal(NO_PRODUCER)
  for (;;) {
    const leader = await cluster.leader(topic, { refresh: true })
    const parts = [{ topic, batch: [batch.bytes] }]
    const [answer] = leader ? await produce(cluster, leader.node, { parts, timeoutMs: TIMEOUT_MS }) : []
    if (answer?.errorCode === 0) return
    if (answer !== undefined && answer.errorCode !== 3) throw new Error(`error ${answer.errorCode}`)
  }
}

/** Ends a transaction without its commit. */
export class Aborted extends Error {}

/** A transaction over one log; `isCommitted` false: it is aborted after its batches were stored. */
export async function transaction(
  { transactions, names }: TestLog,
  log: LogId,
  batches: readonly UnsealedBatch[],
  isCommitted: boolean,
): Promise<void> {
  try {
    await transactions.run(1_000_000, async (open) => {
      await open.add(names.log(log), batches)
      if (!isCommitted) throw new Aborted()
    })
  } catch (error) {
    if (!(error instanceof Aborted)) throw error
  }
}

/** Removes a store: a broker of many tests would keep the files of all of them. */
export async function removeTopics(brokers: TestKafka['addresses'], prefix: string): Promise<void> {
  const cluster = await KafkaCluster.open({ brokers }, CLUSTER_LIMITS)
  try {
    const topics = await cluster.listTopics(`${prefix}.`)
    if (topics.length > 0) await deleteTopics(cluster, { topics, timeoutMs: TIMEOUT_MS })
  } finally {
    await cluster.close()
  }
}
