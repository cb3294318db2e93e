/**
 * Transactions of this node: several batches of several topics become visible together, or none does.
 *
 * A node has a few transactional ids, so a few transactions run at once; the others wait. Every transaction begins with
 * InitProducerId, which ends whatever an earlier one with the same id has left open.
 */
import type { Position } from '../log.ts'
import type { UnsealedBatch } from './record-batch.ts'
import type { WriteRequests } from './write-requests.ts'

export interface TransactionLimits {
  /** How long a request is repeated until it is answered. */
  readonly retryMs: number
  /** How long the leader waits for its replicas before it answers. */
  readonly replicaMs: number
  /** How long a commit waits until readers see it. */
  readonly visibleMs: number
  /** The longest transaction that the brokers allow. */
  readonly transactionMsMax: number
}

export const TRANSACTION_LIMITS: TransactionLimits = {
  retryMs: 10_000,
  replicaMs: 3_000,
  visibleMs: 10_000,
  transactionMsMax: 900_000,
}

export interface OpenTransaction {
  /** Its transactional id. Fencing it ends the transaction, because its producer id and epoch were set before `work`. */
  readonly id: string
  /**
   * Adds batches to a topic, in order; the topic must exist. Resolves with the position of the last record; undefined if there
   * is no batch. One call at a time.
   */
  add(
    topic: string,
    batches: Iterable<UnsealedBatch> | AsyncIterable<UnsealedBatch>,
  ): Promise<Position | undefined>
}

export interface TransactionsParts {
  readonly requests: WriteRequests
  /** The transactional ids of this node. */
  readonly ids: readonly string[]
  readonly report: (error: Error) => void
  readonly limits?: TransactionLimits
}

export class Transactions {
  readonly parts: TransactionsParts

  constructor(parts: TransactionsParts) {
    this.parts = parts
  }

  /**
   * Runs `work` in a transaction, and commits it. Resolves once it is durable and readers see it. If `work` rejects, nothing
   * is stored, and `run` rejects with the same error. Rejects with StorageError 'unavailable' (nothing is stored) or 'unknown'.
   */
  async run<T>(_bytesExpected: number, _work: (transaction: OpenTransaction) => Promise<T>): Promise<T> {
    throw new Error('not built yet')
  }

  /** Ends what an earlier life of this node left open. Resolves when it can have no effect any more. */
  async recover(): Promise<void> {
    throw new Error('not built yet')
  }
}

/**
 * Ends the transactions of another node, which is dead: afterwards each of them is either committed or will never be. Resolves
 * when that is decided. Rejects with StorageError 'unavailable'.
 */
export async function fenceTransactions(
  _requests: WriteRequests,
  _ids: readonly string[],
  _timeoutMs: number,
): Promise<void> {
  throw new Error('not built yet')
}
