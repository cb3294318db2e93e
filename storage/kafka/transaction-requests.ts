/** The requests of producers with an id: InitProducerId, AddPartitionsToTxn, EndTxn. */
import { inOrder, PARTITION, readByTopic } from './by-topic.ts'
import type { KafkaCluster, SendOptions } from './cluster.ts'
import type { KafkaRequest } from './request.ts'

export interface ProducerIdentity {
  readonly producerId: number
  readonly epoch: number
}

export interface InitProducerIdRequest {
  /** Absent: an idempotent producer without transactions, from any node. Present: `node` is its coordinator. */
  readonly transactionalId?: string
  /** The broker aborts a transaction that is open for longer. */
  readonly transactionTimeoutMs?: number
  readonly timeoutMs?: number
}

const TRANSACTION_TIMEOUT_MS = 60_000

/** Ends what an earlier life of the transactional id left open, and fences it. */
export function initProducerId(
  cluster: KafkaCluster,
  node: number,
  { transactionalId, transactionTimeoutMs = TRANSACTION_TIMEOUT_MS, timeoutMs }: InitProducerIdRequest,
): Promise<ProducerIdentity & { readonly errorCode: number }> {
  const request: KafkaRequest<ProducerIdentity & { errorCode: number }> = {
    api: 'InitProducerId',
    write: (writer) =>
      writer
        .string(transactionalId ?? null)
        .int32(transactionTimeoutMs)
        .int64(-1) // no producer id to go on with
        .int16(-1)
        .tags(),
    read(reader) {
      reader.int32() // throttle time
      const errorCode = reader.int16()
      const producerId = reader.int64()
      const epoch = reader.int16()
      reader.tags()
      return { errorCode, producerId, epoch }
    },
  }
  return cluster.send(node, 'control', request, within(timeoutMs))
}

export interface AddPartitionsRequest extends ProducerIdentity {
  readonly transactionalId: string
  readonly topics: readonly string[]
  readonly timeoutMs?: number
}

/** One answer for each topic, in the order of the topics. If one has an error, none is added. */
export function addPartitionsToTxn(
  cluster: KafkaCluster,
  node: number,
  { transactionalId, producerId, epoch, topics, timeoutMs }: AddPartitionsRequest,
): Promise<readonly { readonly topic: string; readonly errorCode: number }[]> {
  const request: KafkaRequest<{ topic: string; errorCode: number }[]> = {
    api: 'AddPartitionsToTxn',
    write: (writer) =>
      writer
        .string(transactionalId)
        .int64(producerId)
        .int16(epoch)
        .array(topics, (topic) =>
          writer
            .string(topic)
            .array([PARTITION], (partition) => writer.int32(partition))
            .tags(),
        )
        .tags(),
    read(reader) {
      reader.int32() // throttle time
      const answers = readByTopic(reader, (topic) => ({ topic, errorCode: reader.int16() }))
      reader.tags()
      const parts = topics.map((topic) => ({ topic }))
      return inOrder(parts, answers)
    },
  }
  return cluster.send(node, 'control', request, within(timeoutMs))
}

export interface EndTxnRequest extends ProducerIdentity {
  readonly transactionalId: string
  readonly commit: boolean
  readonly timeoutMs?: number
}

/** Sent again with the same identity it is answered with 0 again, if the outcome is the same. */
export function endTxn(
  cluster: KafkaCluster,
  node: number,
  { transactionalId, producerId, epoch, commit, timeoutMs }: EndTxnRequest,
): Promise<{ readonly errorCode: number }> {
  const request: KafkaRequest<{ errorCode: number }> = {
    api: 'EndTxn',
    write: (writer) => writer.string(transactionalId).int64(producerId).int16(epoch).boolean(commit).tags(),
    read(reader) {
      reader.int32() // throttle time
      const errorCode = reader.int16()
      reader.tags()
      return { errorCode }
    },
  }
  return cluster.send(node, 'control', request, within(timeoutMs))
}

function within(timeoutMs: number | undefined): SendOptions {
  return timeoutMs === undefined ? {} : { timeoutMs }
}
