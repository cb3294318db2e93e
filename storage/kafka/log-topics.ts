/**
 * Creates the topic of a log with its first event. A topic that this process has seen is never created again: if it is
 * missing later, the log was dropped or an operator has deleted it, and a new one would begin with offset 0.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { LogId } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { errorName, isRetriable, KAFKA_ERRORS, KafkaRequestError } from './error-codes.ts'
import type { TopicAnswer } from './topic-requests.ts'
import type { WriteRequests } from './write-requests.ts'

export interface LogTopicsOptions {
  /** Name of the topic of a log. */
  readonly nameOf: (log: LogId) => string
  /** -1: the cluster's default. */
  readonly replicas: number
  readonly settings: Readonly<Record<string, string>>
  /** Creation is given up after this time. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 10_000
const PAUSE_MIN_MS = 5
const PAUSE_MAX_MS = 200
/** Topics of one CreateTopics. A broker needs milliseconds for each. */
const TOGETHER_MAX = 100

export class LogTopics {
  readonly #requests: Pick<WriteRequests, 'leader' | 'createTopics'>
  readonly #options: LogTopicsOptions
  readonly #known = new Set<LogId>()
  /** Topics that are being created, by log. */
  readonly #creating = new Map<LogId, Promise<void>>()
  #waiting: NewTopicRequest[] = []
  #running = false

  constructor(requests: Pick<WriteRequests, 'leader' | 'createTopics'>, options: LogTopicsOptions) {
    this.#requests = requests
    this.#options = options
  }

  nameOf(log: LogId): string {
    return this.#options.nameOf(log)
  }

  /**
   * Undefined if the topic is known, otherwise a promise that resolves once it exists and has a leader. Rejects with
   * StorageError 'unavailable'.
   */
  ensure(log: LogId, settings = this.#options.settings): Promise<void> | undefined {
    if (this.#known.has(log)) return undefined
    const under = this.#creating.get(log)
    if (under !== undefined) return under
    const creating = this.#ensure(log, settings).finally(() => this.#creating.delete(log))
    this.#creating.set(log, creating)
    return creating
  }

  /** The topic was seen elsewhere, as in the list of all topics. */
  seen(log: LogId): void {
    this.#known.add(log)
  }

  /** The log was dropped. */
  forget(log: LogId): void {
    this.#known.delete(log)
  }

  async #ensure(log: LogId, settings: Readonly<Record<string, string>>): Promise<void> {
    const topic = this.nameOf(log)
    const endMs = performance.now() + (this.#options.timeoutMs ?? TIMEOUT_MS)
    let problem = 'it has no leader yet'
    let isCreated = false
    for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      try {
        if ((await this.#requests.leader(topic, { refresh: isCreated })) !== undefined) {
          this.#known.add(log)
          return
        }
        if (!isCreated) {
          const { errorCode, message } = await this.#create(topic, settings)
          isCreated = errorCode === KAFKA_ERRORS.none || errorCode === KAFKA_ERRORS.topicAlreadyExists
          if (!isCreated) {
            problem = `${errorName(errorCode)}${message ? `: ${message}` : ''}`
            if (!isRetriable(errorCode) && errorCode !== KAFKA_ERRORS.notController) break
          }
        }
      } catch (error) {
        if (!(error instanceof KafkaRequestError)) throw error
        problem = error.message
        if (error.isLasting) break
      }
      if (performance.now() + pauseMs > endMs) break
      await sleep(pauseMs)
    }
    throw new StorageError('unavailable', `topic ${topic} cannot be created: ${problem}`)
  }

  /** Topics that are requested while a request is under way share the next one. */
  #create(topic: string, settings: Readonly<Record<string, string>>): Promise<TopicAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ topic, settings, resolve, reject })
      if (!this.#running) void this.#run()
    })
  }

  async #run(): Promise<void> {
    this.#running = true
    await new Promise((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0) {
      const taken = this.#waiting.splice(0, TOGETHER_MAX)
      const { replicas, timeoutMs = TIMEOUT_MS } = this.#options
      const topics = taken.map(({ topic, settings }) => ({ topic, replicas, settings }))
      try {
        const answers = await this.#requests.createTopics({ topics, timeoutMs })
        for (const [i, { resolve }] of taken.entries()) resolve(answers[i]!)
      } catch (error) {
        for (const { reject } of taken) reject(error)
      }
    }
    this.#running = false
  }
}

interface NewTopicRequest {
  readonly topic: string
  readonly settings: Readonly<Record<string, string>>
  resolve(answer: TopicAnswer): void
  reject(error: unknown): void
}
