/** Produce: stores one record batch per topic, acknowledged by all in-sync replicas. */
import type { KafkaCluster } from './cluster.ts'

export interface ProducePart {
  readonly topic: string
  /** The bytes of one sealed record batch, in pieces. They must not change until the request has ended. */
  readonly batch: readonly Uint8Array[]
}

export interface ProduceRequest {
  readonly parts: readonly ProducePart[]
  readonly transactionalId?: string
  /** How long the leader waits for the replicas. The request itself may take `requestMs` longer. */
  readonly timeoutMs: number
  /** The caller gives up. */
  readonly signal?: AbortSignal
}

export interface ProducedPart {
  readonly topic: string
  readonly errorCode: number
  /** -1 with an error. */
  readonly baseOffset: number
  /** -1 if the topic has the times of the producer. */
  readonly appendTimeMs: number
  readonly logStartOffset: number
}

/** One answer for each part, in the order of the parts. */
export async function produce(
  _cluster: KafkaCluster,
  _node: number,
  _request: ProduceRequest,
): Promise<readonly ProducedPart[]> {
  throw new Error('not built yet')
}
