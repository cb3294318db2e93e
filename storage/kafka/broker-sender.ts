/**
 * Sends sealed batches to one broker, one request at a time. Batches that arrive meanwhile, of different logs, share the
 * next request. There is at most one batch of a log.
 */
import { KafkaRequestError } from './error-codes.ts'
import type { ProducedPart } from './produce.ts'
import type { TimeLimit } from './time-limit.ts'
import type { WriteRequests } from './write-requests.ts'

/**
 * - answered: the broker's answer for the batch.
 * - lost: it was sent and no usable answer came, so it may be stored.
 * - not-sent: no broker has received it.
 */
export type SendOutcome =
  | { readonly kind: 'answered'; readonly part: ProducedPart }
  | { readonly kind: 'lost' | 'not-sent'; readonly error: Error }

export interface SentBatch {
  readonly topic: string
  readonly bytes: Uint8Array
  readonly count: number
}

/** Called after each request with an answer: batches, bytes, and durations in milliseconds (GroupWatcher of log.ts). */
export type SendWatcher = (changes: number, bytes: number, requestMs: number, waitMs: number) => void

/** How long an answer is still awaited after the time is over, because then its outcome is known. */
const GRACE_MS = 50
/** Bytes of one request, as long as it has more than one batch. */
const REQUEST_BYTES_MAX = 32 * 1024 * 1024

/** How long the way to the broker and back may take, beside the wait for replicas. Then the request counts as lost. */
export function answerMs(bytes: number): number {
  return ANSWER_MS + sendingMs(bytes)
}

/** How long sending may take: a connection that is slower does not suffice. */
export function sendingMs(bytes: number): number {
  return bytes < SMALL_BYTES ? 0 : Math.ceil(bytes / BYTES_PER_MS_MIN)
}

const ANSWER_MS = 1_000
const BYTES_PER_MS_MIN = 4_000
/** Below this the time limits are equal, because timers of many different durations cost more. */
const SMALL_BYTES = 64 * 1024

interface Waiting extends SentBatch {
  readonly sinceMs: number
  settle(outcome: SendOutcome): void
}

export class BrokerSender {
  readonly #requests: Pick<WriteRequests, 'produce'>
  readonly #node: number
  readonly #timeoutMs: number
  readonly #waiting = new Set<Waiting>()
  #running = false
  watcher: SendWatcher | undefined

  /** `timeoutMs`: how long the broker waits for its replicas. */
  constructor(requests: Pick<WriteRequests, 'produce'>, node: number, timeoutMs: number) {
    this.#requests = requests
    this.#node = node
    this.#timeoutMs = timeoutMs
  }

  /**
   * Resolves with what became of the batch; never rejects. When the time is over, a batch that waits is removed
   * ('not-sent'). For one that was sent the result is 'lost' a moment later, although its request continues.
   */
  send({ topic, bytes, count }: SentBatch, limit: TimeLimit): Promise<SendOutcome> {
    return new Promise((resolve) => {
      const settle = (outcome: SendOutcome) => {
        limit.off(end)
        resolve(outcome)
      }
      const waiting = { topic, bytes, count, sinceMs: performance.now(), settle }
      const end = () => {
        const error = new Error('no answer in time')
        if (this.#waiting.delete(waiting)) settle({ kind: 'not-sent', error })
        else setTimeout(() => settle({ kind: 'lost', error }), GRACE_MS)
      }
      if (limit.isOver) return settle({ kind: 'not-sent', error: new Error('no answer in time') })
      limit.on(end)
      this.#waiting.add(waiting)
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    await new Promise<void>((resolve) => process.nextTick(resolve)) // batches that are ready together share a request
    while (this.#waiting.size > 0) await this.#sendSome()
    this.#running = false
  }

  async #sendSome(): Promise<void> {
    const taken: Waiting[] = []
    let bytes = 0
    for (const waiting of this.#waiting) {
      if (taken.length > 0 && bytes + waiting.bytes.length > REQUEST_BYTES_MAX) break
      taken.push(waiting)
      bytes += waiting.bytes.length
      this.#waiting.delete(waiting)
    }
    const beganMs = performance.now()
    try {
      const parts = taken.map(({ topic, bytes }) => ({ topic, batch: [bytes] }))
      const timeoutMs = this.#timeoutMs
      const answers = await this.#requests.produce(this.#node, {
        parts,
        timeoutMs,
        answerMs: timeoutMs + answerMs(bytes),
      })
      this.#tellWatcher(taken, bytes, beganMs)
      for (const [i, { settle }] of taken.entries()) settle({ kind: 'answered', part: answers[i]! })
    } catch (error) {
      const kind = error instanceof KafkaRequestError && error.outcome === 'not-sent' ? 'not-sent' : 'lost'
      for (const { settle } of taken) settle({ kind, error: error as Error })
    }
  }

  /** A watcher that throws must not fail the request. */
  #tellWatcher(taken: readonly Waiting[], bytes: number, beganMs: number): void {
    if (this.watcher === undefined) return
    const nowMs = performance.now()
    const changes = taken.reduce((sum, { count }) => sum + count, 0)
    try {
      this.watcher(changes, bytes, nowMs - beganMs, nowMs - taken[0]!.sinceMs)
    } catch {}
  }
}
