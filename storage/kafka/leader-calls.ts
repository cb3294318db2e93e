/**
 * Requests to the leader of a topic that change nothing, so they are repeated until a leader answers: the metadata is read
 * again after an answer of a broker that is not the leader, and after a request that was lost.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { StorageError } from '../storage-error.ts'
import { errorName, isRetriable, KAFKA_ERRORS, KafkaRequestError } from './error-codes.ts'
import type { ReadRequests } from './read-requests.ts'

const RETRY_MS = 10_000
const PAUSE_MIN_MS = 10
const PAUSE_MAX_MS = 250

export class LeaderCalls {
  readonly requests: ReadRequests
  readonly #retryMs: number
  #closed = false

  constructor(requests: ReadRequests, retryMs = RETRY_MS) {
    this.requests = requests
    this.#retryMs = retryMs
  }

  /**
   * The answer of the leader, if it has no error or `offsetOutOfRange`, and `isCurrent` accepts it. Undefined: the topic does
   * not exist. Rejects with StorageError 'unavailable' or 'closed'.
   *
   * A leader that is paused and replaced may answer with an old end of the log, and a new leader may do so until its replicas
   * have confirmed it. `isCurrent` recognises such an answer. One that stays is accepted at the end: events can be lost.
   */
  async call<R extends { readonly errorCode: number }>(
    topic: string,
    ask: (node: number) => Promise<R>,
    isCurrent: (answer: R) => boolean = () => true,
  ): Promise<R | undefined> {
    const endMs = performance.now() + this.#retryMs
    let problem = 'it has no leader now'
    let old: R | undefined
    let refresh = false
    for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      this.assertOpen()
      try {
        const leader = await this.requests.leader(topic, { refresh })
        refresh = true // unless this answer is taken
        if (leader !== undefined) {
          const answer = await ask(leader.node)
          const { errorCode } = answer
          if (errorCode === KAFKA_ERRORS.none || errorCode === KAFKA_ERRORS.offsetOutOfRange) {
            if (isCurrent(answer)) return answer
            old = answer
          } else {
            problem = errorName(errorCode)
            if (!isRetriable(errorCode)) break
          }
        } else if (!(await this.requests.exists(topic))) {
          return undefined
        }
      } catch (error) {
        this.assertOpen()
        if (!(error instanceof KafkaRequestError)) throw error
        problem = error.message
        if (error.isLasting) break
      }
      if (performance.now() + pauseMs > endMs) break
      await sleep(pauseMs)
    }
    this.assertOpen()
    if (old !== undefined) return old
    throw new StorageError('unavailable', `topic ${topic} cannot be read: ${problem}`)
  }

  assertOpen(): void {
    if (this.#closed) throw new StorageError('closed', 'the store is closed')
  }

  close(): void {
    this.#closed = true
  }
}
