/**
 * Transactions of this node: batches of several topics become visible together, or none does.
 *
 * A node has a few transactional ids, so a few transactions run at once; the others wait. Events that others append behind an
 * open transaction are not visible before it ends. So `work` should have all of its data before `run` is called.
 */
import type { Position } from '../log.ts'
import { Semaphore } from '../semaphore.ts'
import { StorageError } from '../storage-error.ts'
import { CoordinatorSession, problemOf } from './coordinator-session.ts'
import { KAFKA_ERRORS } from './error-codes.ts'
import type { EventTimes } from './event-times.ts'
import type { UnsealedBatch } from './record-batch.ts'
import { TransactionTopic } from './transaction-topic.ts'
import type { WriteRequests } from './write-requests.ts'

export interface TransactionLimits {
  /** How long a request is repeated until it is answered. */
  readonly retryMs: number
  /** How long the leader waits for its replicas before it answers. */
  readonly replicaMs: number
  /** How long a commit waits until readers see it. */
  readonly visibleMs: number
}

export const TRANSACTION_LIMITS: TransactionLimits = { retryMs: 10_000, replicaMs: 3_000, visibleMs: 10_000 }

/** A transaction that is open for longer is aborted by the brokers. */
const TRANSACTION_MS_MIN = 60_000
/** The default limit of brokers. */
const TRANSACTION_MS_MAX = 900_000
/**
 * A transaction that is slower than this may be aborted, so it is slower than any cluster should be. A low limit does no harm: other
 * nodes, and the next life of this one, end what a dead node has left open.
 */
const BYTES_PER_MS_MIN = 1_000

export interface OpenTransaction {
  /** Its transactional id. Fencing it ends the transaction, because its producer id and epoch were set before `work`. */
  readonly id: string
  /**
   * Adds batches to a topic, in order; the topic must exist. Resolves with the position of the last record; undefined if there
   * is no batch. One call at a time. Rejects with StorageError 'unavailable', and with what `batches` throws.
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
  /** Sets the times of events, where brokers do not. */
  readonly times?: EventTimes
}

export class Transactions {
  readonly #parts: TransactionsParts
  readonly #limits: TransactionLimits
  readonly #permits: Semaphore
  readonly #free: CoordinatorSession[]

  constructor(parts: TransactionsParts) {
    this.#parts = parts
    this.#limits = parts.limits ?? TRANSACTION_LIMITS
    this.#permits = new Semaphore(parts.ids.length)
    this.#free = parts.ids.map((id) => new CoordinatorSession(parts.requests, id, this.#limits.retryMs))
  }

  /**
   * Runs `work` in a transaction, and commits it. Resolves once it is durable, and readers see it if no other transaction is in
   * front of it for long. If `work` rejects, nothing is stored, and `run` rejects with the same error. Rejects with
   * StorageError 'unavailable' (nothing is stored) or 'unknown'.
   *
   * The producer epoch of the transaction is fixed before `work` is called. So `fenceTransactions` of another node ends it,
   * whatever `work` does later.
   */
  run<T>(bytesExpected: number, work: (transaction: OpenTransaction) => Promise<T>): Promise<T> {
    return this.#permits.run(async () => {
      const session = this.#free.pop()!
      try {
        return await this.#run(session, bytesExpected, work)
      } finally {
        this.#free.push(session)
      }
    })
  }

  /**
   * Ends what an earlier life of this node left open. Resolves when that is decided. Call it before the first `run`. Rejects
   * with StorageError 'unavailable'.
   */
  async recover(timeoutMs = this.#limits.retryMs): Promise<void> {
    await fenceTransactions(this.#parts.requests, this.#parts.ids, timeoutMs)
  }

  async #run<T>(
    session: CoordinatorSession,
    bytesExpected: number,
    work: (transaction: OpenTransaction) => Promise<T>,
  ): Promise<T> {
    const transactionMs = Math.max(TRANSACTION_MS_MIN, Math.ceil(bytesExpected / BYTES_PER_MS_MIN))
    await session.begin(Math.min(transactionMs, TRANSACTION_MS_MAX))
    const transaction = new KafkaTransaction(this.#parts.requests, session, this.#limits, this.#parts.times)
    let result: T
    try {
      result = await work(transaction)
    } catch (error) {
      const problem = await transaction.abort()
      if (problem !== undefined) this.#parts.report(new Error(problem, { cause: error }))
      throw error
    }
    await transaction.commit()
    return result
  }
}

/**
 * Ends the transactions with these ids, for example those of a node that is dead. Afterwards each of them is either committed or
 * will never be. Resolves when that is decided. Rejects with StorageError 'unavailable'.
 */
export async function fenceTransactions(
  requests: WriteRequests,
  ids: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const sessions = ids.map((id) => new CoordinatorSession(requests, id, timeoutMs))
  const settled = await Promise.allSettled(sessions.map((session) => session.begin(TRANSACTION_MS_MIN)))
  for (const result of settled) if (result.status === 'rejected') throw result.reason
}

class KafkaTransaction implements OpenTransaction {
  readonly #requests: WriteRequests
  readonly #session: CoordinatorSession
  readonly #limits: TransactionLimits
  readonly #times: EventTimes | undefined
  readonly #topics = new Map<string, TransactionTopic>()

  constructor(
    requests: WriteRequests,
    session: CoordinatorSession,
    limits: TransactionLimits,
    times: EventTimes | undefined,
  ) {
    this.#requests = requests
    this.#session = session
    this.#limits = limits
    this.#times = times
  }

  get id(): string {
    return this.#session.transactionalId
  }

  async add(
    topic: string,
    batches: Iterable<UnsealedBatch> | AsyncIterable<UnsealedBatch>,
  ): Promise<Position | undefined> {
    let target = this.#topics.get(topic)
    let position: Position | undefined
    for await (const batch of batches) {
      if (target === undefined) {
        target = new TransactionTopic(this.#requests, this.#session, topic, this.#limits)
        this.#topics.set(topic, target) // before the request: without an answer it may have been added
        await this.#session.addTopics([topic])
      }
      const timestampMs = this.#times?.set(topic, batch)
      const stored = await target.send(batch)
      position = timestampMs === undefined ? stored : { ...stored, timestampMs }
    }
    return position
  }

  /** Returns what went wrong. The brokers abort the transaction then, after its time is over, or the next one of this id does. */
  async abort(): Promise<string | undefined> {
    if (this.#topics.size === 0) return undefined
    const answer = await this.#session.end(false)
    // The brokers have no open transaction if its first topic was refused.
    const isNone = answer.kind === 'refused' && answer.errorCode === KAFKA_ERRORS.invalidTxnState
    return answer.kind === 'done' || isNone
      ? undefined
      : `transaction ${this.#session.transactionalId} was not aborted: ${problemOf(answer)}`
  }

  async commit(): Promise<void> {
    if (this.#topics.size === 0) return
    const answer = await this.#session.end(true)
    if (answer.kind !== 'done') await this.#decide(problemOf(answer))
    await Promise.all([...this.#topics.values()].map((topic) => topic.visible(this.#limits.visibleMs)))
  }

  /**
   * The commit was not acknowledged. A new producer epoch waits until the transaction is decided, then the log tells how.
   */
  async #decide(problem: string): Promise<void> {
    const { transactionalId, identity } = this.#session
    const text = `the commit of transaction ${transactionalId} was not acknowledged: ${problem}`
    try {
      await this.#session.begin(TRANSACTION_MS_MIN)
    } catch (error) {
      throw new StorageError('unknown', `${text}; the events may appear later`, { cause: error })
    }
    const [first] = this.#topics.values()
    switch (await first!.outcome(identity, this.#limits.visibleMs)) {
      case 'committed':
        return
      case 'aborted':
        throw new StorageError('unavailable', `${text}; it was aborted`)
      case undefined:
        throw new StorageError('unknown', `${text}; the events may appear later`)
    }
  }
}
