/**
 * Requests of one transactional id to its coordinator, each repeated until it is answered. A transactional id has one session at
 * a time; InitProducerId of another one fences it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { StorageError } from '../storage-error.ts'
import { errorName, isRetriable, isStaleLeader, KAFKA_ERRORS, KafkaRequestError } from './error-codes.ts'
import type { ProducerIdentity } from './transaction-requests.ts'
import type { WriteRequests } from './write-requests.ts'

const PAUSE_MIN_MS = 5
const PAUSE_MAX_MS = 200
/** A request that is not answered by then is sent again. */
const ANSWER_MS = 4_000
/** Shorter transactions than this make no sense: a coordinator that changes needs seconds. */
const TRANSACTION_MS_MIN = 10_000

/** How a request ended: with an error code of the coordinator, or without an answer. */
export type CoordinatorAnswer =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly errorCode: number }
  | { readonly kind: 'unanswered'; readonly problem: string }

type CoordinatorRequests = Pick<
  WriteRequests,
  'coordinator' | 'initProducerId' | 'addPartitionsToTxn' | 'endTxn'
>

export class CoordinatorSession {
  readonly transactionalId: string
  readonly #requests: CoordinatorRequests
  readonly #retryMs: number
  #node: number | undefined
  #identity: ProducerIdentity | undefined
  /** Of the broker, as far as it has refused longer ones. */
  #transactionMsMax = Number.POSITIVE_INFINITY

  constructor(requests: CoordinatorRequests, transactionalId: string, retryMs: number) {
    this.#requests = requests
    this.transactionalId = transactionalId
    this.#retryMs = retryMs
  }

  get identity(): ProducerIdentity {
    if (this.#identity === undefined) throw new Error('the session has no producer id yet')
    return this.#identity
  }

  /**
   * Ends what is open, fences other sessions of this id, and gets a producer id. Resolves when an earlier transaction is
   * decided. Rejects with StorageError 'unavailable'.
   */
  async begin(transactionMs: number, retryMs = this.#retryMs): Promise<void> {
    for (;;) {
      const timeoutMs = Math.min(transactionMs, this.#transactionMsMax)
      const answer = await this.#repeat(retryMs, async (node) => {
        const { errorCode, producerId, epoch } = await this.#requests.initProducerId(node, {
          transactionalId: this.transactionalId,
          transactionTimeoutMs: timeoutMs,
          timeoutMs: ANSWER_MS,
        })
        if (errorCode === 0) this.#identity = { producerId, epoch }
        return errorCode
      })
      if (answer.kind === 'done') return
      const isTooLong =
        answer.kind === 'refused' && answer.errorCode === KAFKA_ERRORS.invalidTransactionTimeout
      if (!isTooLong || timeoutMs <= TRANSACTION_MS_MIN) throw this.#unavailable(answer)
      this.#transactionMsMax = Math.max(TRANSACTION_MS_MIN, timeoutMs / 2)
    }
  }

  /** Rejects with StorageError 'unavailable'. */
  async addTopics(topics: readonly string[]): Promise<void> {
    const answer = await this.#repeat(this.#retryMs, async (node) => {
      const request = {
        transactionalId: this.transactionalId,
        topics,
        ...this.identity,
        timeoutMs: ANSWER_MS,
      }
      const answers = await this.#requests.addPartitionsToTxn(node, request)
      const failed = answers.filter(({ errorCode }) => errorCode !== 0)
      // Topics that could be added report that another one could not.
      const cause = failed.find(({ errorCode }) => errorCode !== OPERATION_NOT_ATTEMPTED) ?? failed[0]
      return cause?.errorCode ?? 0
    })
    if (answer.kind !== 'done') throw this.#unavailable(answer)
  }

  end(commit: boolean): Promise<CoordinatorAnswer> {
    return this.#repeat(this.#retryMs, async (node) => {
      const request = {
        transactionalId: this.transactionalId,
        commit,
        ...this.identity,
        timeoutMs: ANSWER_MS,
      }
      return (await this.#requests.endTxn(node, request)).errorCode
    })
  }

  async #repeat(retryMs: number, request: (node: number) => Promise<number>): Promise<CoordinatorAnswer> {
    const endMs = performance.now() + retryMs
    let problem = ''
    for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      try {
        this.#node ??= await this.#requests.coordinator(this.transactionalId)
        const errorCode = await request(this.#node)
        if (errorCode === 0) return { kind: 'done' }
        if (!isRetriable(errorCode)) return { kind: 'refused', errorCode }
        if (isStaleLeader(errorCode)) this.#node = undefined
        problem = errorName(errorCode)
      } catch (error) {
        if (!(error instanceof KafkaRequestError)) throw error
        this.#node = undefined
        problem = error.message
        if (error.isLasting) return { kind: 'unanswered', problem }
      }
      if (performance.now() + pauseMs > endMs) return { kind: 'unanswered', problem }
      await sleep(pauseMs)
    }
  }

  #unavailable(answer: CoordinatorAnswer): StorageError {
    return new StorageError('unavailable', `transaction ${this.transactionalId}: ${problemOf(answer)}`)
  }
}

const OPERATION_NOT_ATTEMPTED = 55

export function problemOf(answer: CoordinatorAnswer): string {
  switch (answer.kind) {
    case 'done':
      return 'done'
    case 'refused':
      return errorName(answer.errorCode)
    case 'unanswered':
      return answer.problem
  }
}
