/** Reads a topic as a reader of committed events does. */
import type { KafkaCluster } from '../../storage/kafka/cluster.ts'
import { fetch } from '../../storage/kafka/fetch.ts'
import { AbortedBatches, readBatches, readRecords } from '../../storage/kafka/record-batch-reader.ts'

export interface CommittedRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly body: string
}

/** All committed records up to the last stable offset. */
export async function committedRecords(cluster: KafkaCluster, topic: string): Promise<CommittedRecord[]> {
  const records: CommittedRecord[] = []
  for (let offset = 0; ; ) {
    const leader = await cluster.leader(topic)
    const [part] = await fetch(cluster, leader!.node, {
      parts: [{ topic, offset, maxBytes: 8_000_000 }],
      isolation: 'committed',
      minBytes: 1,
      maxWaitMs: 1_000,
      maxBytes: 8_000_000,
      purpose: 'fetch',
    })
    if (part!.errorCode !== 0) throw new Error(`fetch of ${topic} answered ${part!.errorCode}`)
    const aborted = new AbortedBatches(part!.aborted)
    const batches = readBatches(part!.records, topic)
    for (const batch of batches) {
      offset = batch.lastOffset + 1
      if (aborted.has(batch, topic) || batch.isControl) continue
      for (const { value, ...place } of readRecords(batch, topic))
        records.push({
          offset: place.offset,
          timestampMs: place.timestampMs,
          body: value?.toString('latin1') ?? '',
        })
    }
    if (batches.length === 0 || offset >= part!.lastStableOffset) return records
  }
}

export async function committedBodies(cluster: KafkaCluster, topic: string): Promise<string[]> {
  return (await committedRecords(cluster, topic)).map(({ body }) => body)
}
