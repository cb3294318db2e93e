/** The requests of producers with an id: InitProducerId, AddPartitionsToTxn, EndTxn. */
import type { KafkaCluster } from './cluster.ts'

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

/** Ends what an earlier life of the transactional id left open, and fences it. */
export async function initProducerId(
  _cluster: KafkaCluster,
  _node: number,
  _request: InitProducerIdRequest,
): Promise<ProducerIdentity & { readonly errorCode: number }> {
  throw new Error('not built yet')
}

export interface AddPartitionsRequest extends ProducerIdentity {
  readonly transactionalId: string
  readonly topics: readonly string[]
  readonly timeoutMs?: number
}

/** One answer for each topic, in the order of the topics. Without all of them none is added. */
export async function addPartitionsToTxn(
  _cluster: KafkaCluster,
  _node: number,
  _request: AddPartitionsRequest,
): Promise<readonly { readonly topic: string; readonly errorCode: number }[]> {
  throw new Error('not built yet')
}

export interface EndTxnRequest extends ProducerIdentity {
  readonly transactionalId: string
  readonly commit: boolean
  readonly timeoutMs?: number
}

export async function endTxn(
  _cluster: KafkaCluster,
  _node: number,
  _request: EndTxnRequest,
): Promise<{ readonly errorCode: number }> {
  throw new Error('not built yet')
}
