/**
 * The brokers of a cluster: who leads a topic, and one connection for each broker and purpose.
 *
 * Topics of the engine have one partition. Every call ends in bounded time. Errors are KafkaRequestErrors and contain no
 * secret.
 */
import { setTimeout } from 'node:timers/promises'
import type { ClusterLimits, KafkaAccess, KafkaAddress } from './access.ts'
import { KafkaConnection } from './connection.ts'
import { errorName, isRetriable, KAFKA_ERRORS, KafkaRequestError } from './error-codes.ts'
import { coordinatorOf } from './find-coordinator.ts'
import { type Metadata, metadataOf, type TopicMetadata } from './metadata.ts'
import type { KafkaRequest } from './request.ts'

export type { ClusterLimits, KafkaAccess, KafkaAddress } from './access.ts'
export type { KafkaRequest } from './request.ts'

/** A broker answers the requests of a connection in order, so those that wait for long have connections of their own. */
export type Purpose = 'produce' | 'fetch' | 'long-poll' | 'control' | 'catalog' | 'catalog-poll'

export interface Leader {
  readonly node: number
  readonly epoch: number
}

export interface SendOptions {
  /** Instead of `requestMs`. */
  readonly timeoutMs?: number
  /** The caller gives up: the request counts as lost, and the connection is closed. */
  readonly signal?: AbortSignal
}

/** One Metadata request asks for at most this many topics. */
const TOPICS_PER_REQUEST = 1_000
/** Leaders that are remembered. The oldest are forgotten and asked for again. */
const TOPICS_MAX = 50_000
const RETRY_PAUSE_MS = 100
/** A broker that does not answer must leave time for another one. */
const TRIES = 3

interface KnownTopic {
  readonly metadata: TopicMetadata
  readonly readAtMs: number
}

export class KafkaCluster {
  readonly #access: KafkaAccess
  readonly #limits: ClusterLimits
  readonly #connections = new Map<string, Promise<KafkaConnection>>()
  /** Those of them that are open, for a send without a wait. */
  readonly #open = new Map<string, KafkaConnection>()
  readonly #topics = new Map<string, KnownTopic>()
  #brokers = new Map<number, KafkaAddress>()
  #controller = -1
  /** Brokers to ask for what every broker knows: the one that failed last is the last. */
  #order: number[] = []
  /** Topics whose metadata the next request asks for, with its result. */
  #next: { readonly topics: Set<string>; readonly result: Promise<Metadata> } | undefined
  #reading: Promise<unknown> = Promise.resolve()
  #isClosed = false

  private constructor(access: KafkaAccess, limits: ClusterLimits) {
    this.#access = access
    this.#limits = limits
  }

  /**
   * Connects to a broker that answers. Rejects with a lasting error if a broker lacks a version that the engine needs,
   * if it refuses the password, or if its certificate is not trusted.
   */
  static async open(access: KafkaAccess, limits: ClusterLimits): Promise<KafkaCluster> {
    const cluster = new KafkaCluster(access, limits)
    try {
      await cluster.#readMetadata([])
    } catch (error) {
      await cluster.close()
      throw error
    }
    return cluster
  }

  /** Time limit of a request without one of its own. */
  get requestMs(): number {
    return this.#limits.requestMs
  }

  /** Undefined: the topic is unknown, or has no leader now. `refresh`: what was read before the call does not count. */
  async leader(topic: string, options?: { readonly refresh?: boolean }): Promise<Leader | undefined> {
    const known = this.#topics.get(topic)
    const isFresh =
      known !== undefined &&
      performance.now() - known.readAtMs < this.#limits.metadataAgeMs &&
      !options?.refresh
    const metadata = isFresh ? known.metadata : await this.#topic(topic)
    if (metadata === undefined || metadata.leader < 0) return undefined
    return { node: metadata.leader, epoch: metadata.leaderEpoch }
  }

  /** A broker for requests to the controller. `refresh`: another one is the controller now. */
  async controller(options?: { readonly refresh?: boolean }): Promise<number> {
    if (options?.refresh || this.#controller < 0) await this.#readMetadata([])
    const [first] = this.#order
    const node = this.#brokers.has(this.#controller) ? this.#controller : first
    if (node === undefined) throw new KafkaRequestError('not-sent', 'the cluster has no broker now')
    return node
  }

  /** The brokers, as last read. */
  nodes(): readonly number[] {
    return [...this.#brokers.keys()]
  }

  /** Undefined: the topic is unknown. Always read anew. */
  async replicationOf(
    topic: string,
  ): Promise<{ readonly replicas: number; readonly inSync: number } | undefined> {
    const metadata = await this.#topic(topic)
    return metadata && { replicas: metadata.replicas, inSync: metadata.inSync }
  }

  /** Names of the topics that begin with `prefix`. Always read anew. */
  async listTopics(prefix: string): Promise<readonly string[]> {
    const { topics } = await this.#readMetadata(undefined)
    return topics.map(({ topic }) => topic).filter((topic) => topic.startsWith(prefix))
  }

  /** The broker that coordinates a transactional id. Rejects while there is none. Always read anew. */
  async coordinator(transactionalId: string): Promise<number> {
    const endMs = performance.now() + this.#limits.requestMs
    for (;;) {
      const { errorCode, node, host, port } = await this.#sendToAny(coordinatorOf(transactionalId))
      if (errorCode === 0 && node >= 0) {
        this.#setBroker(node, { host, port })
        return node
      }
      if (!isRetriable(errorCode) || performance.now() + RETRY_PAUSE_MS > endMs)
        throw new KafkaRequestError(
          'not-sent',
          `no coordinator for transactions ${transactionalId}: ${errorName(errorCode)}`,
          { isLasting: !isRetriable(errorCode) },
        )
      await setTimeout(RETRY_PAUSE_MS)
    }
  }

  /** Rejects at the latest after `connectMs` and `timeoutMs` together. */
  send<R>(node: number, purpose: Purpose, request: KafkaRequest<R>, options?: SendOptions): Promise<R> {
    const timeoutMs = options?.timeoutMs ?? this.#limits.requestMs
    const name = `${node} ${purpose}`
    const open = this.#open.get(name)
    if (open?.isUsable && !this.#isClosed) return open.send(request, timeoutMs, options?.signal)
    return this.#sendWhenOpen(node, name, request, timeoutMs, options?.signal)
  }

  async #sendWhenOpen<R>(
    node: number,
    name: string,
    request: KafkaRequest<R>,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<R> {
    const address = this.#brokers.get(node)
    if (address === undefined)
      throw new KafkaRequestError('not-sent', `broker ${node} is not in the cluster now`)
    const connection = await this.#connection(name, address)
    return connection.send(request, timeoutMs, signal)
  }

  /** Requests that are under way are lost. */
  async close(): Promise<void> {
    this.#isClosed = true
    const opening = [...this.#connections.values()]
    this.#connections.clear()
    this.#open.clear()
    for (const connection of opening) {
      connection.then(
        (open) => open.close(),
        () => undefined,
      )
    }
  }

  async #topic(topic: string): Promise<TopicMetadata | undefined> {
    this.#next ??= this.#nextRead()
    const { topics, result } = this.#next
    topics.add(topic)
    if (topics.size >= TOPICS_PER_REQUEST) this.#next = undefined
    await result
    const metadata = this.#topics.get(topic)?.metadata
    return metadata?.errorCode === KAFKA_ERRORS.unknownTopicOrPartition ? undefined : metadata
  }

  /** All who ask while a request is under way share the next one. */
  #nextRead(): { readonly topics: Set<string>; readonly result: Promise<Metadata> } {
    const topics = new Set<string>()
    const read = async () => {
      if (this.#next === next) this.#next = undefined
      return this.#readMetadata([...topics])
    }
    const result = this.#reading.then(read, read)
    this.#reading = result.catch(() => undefined)
    const next = { topics, result }
    return next
  }

  async #readMetadata(topics: readonly string[] | undefined): Promise<Metadata> {
    const metadata = await this.#sendToAny(metadataOf(topics))
    const readAtMs = performance.now()
    this.#controller = metadata.controller
    const brokers = new Map(metadata.brokers.map(({ node, host, port }) => [node, { host, port }]))
    // A broker that has just started may know none.
    if (brokers.size > 0) {
      for (const [node, address] of this.#brokers) {
        const present = brokers.get(node)
        if (present?.host !== address.host || present.port !== address.port) this.#retire(node)
      }
      this.#brokers = brokers
      this.#order = [...new Set([...this.#order.filter((node) => brokers.has(node)), ...brokers.keys()])]
    }
    for (const topic of metadata.topics) {
      this.#topics.delete(topic.topic)
      this.#topics.set(topic.topic, { metadata: topic, readAtMs })
    }
    for (const topic of topics ?? []) {
      if (this.#topics.get(topic)?.readAtMs !== readAtMs) this.#topics.delete(topic)
    }
    for (const topic of this.#topics.keys()) {
      if (this.#topics.size <= TOPICS_MAX) break
      this.#topics.delete(topic)
    }
    return metadata
  }

  /** Asks brokers one after the other until one answers: those that are known, then those of the configuration. */
  async #sendToAny<R>(request: KafkaRequest<R>): Promise<R> {
    const { connectMs, requestMs } = this.#limits
    const endMs = performance.now() + connectMs + requestMs
    let failure: unknown
    const attempt = async (name: string, address: KafkaAddress): Promise<{ answer: R } | undefined> => {
      const leftMs = endMs - performance.now()
      if (leftMs <= 0) return undefined
      try {
        const connection = await this.#connection(name, address)
        return { answer: await connection.send(request, Math.min(requestMs / TRIES, leftMs)) }
      } catch (error) {
        if (failure === undefined || !(failure as KafkaRequestError).isLasting) failure = error
        return undefined
      }
    }
    for (const node of [...this.#order]) {
      const address = this.#brokers.get(node)
      const done = address && (await attempt(`${node} control`, address))
      if (done !== undefined) return done.answer
      this.#order = [...this.#order.filter((other) => other !== node), node]
    }
    for (const address of this.#access.brokers) {
      const done = await attempt(`${address.host}:${address.port}`, address)
      if (done !== undefined) return done.answer
    }
    throw failure ?? new KafkaRequestError('not-sent', 'no broker of the cluster answers')
  }

  async #connection(name: string, address: KafkaAddress): Promise<KafkaConnection> {
    if (this.#isClosed) throw new KafkaRequestError('not-sent', 'the connections to Kafka are closed')
    const present = this.#connections.get(name)
    if (present !== undefined) {
      const connection = await present
      if (connection.isUsable) return connection
      connection.retire()
      // Another caller may have replaced it meanwhile.
      if (this.#connections.get(name) !== present) return this.#connection(name, address)
    }
    const opening = KafkaConnection.open(address, this.#access, this.#limits)
    this.#open.delete(name)
    this.#connections.set(name, opening)
    try {
      const connection = await opening
      if (!this.#isClosed) {
        if (this.#connections.get(name) === opening) this.#open.set(name, connection)
        return connection
      }
      connection.close()
      throw new KafkaRequestError('not-sent', 'the connections to Kafka are closed')
    } catch (error) {
      if (this.#connections.get(name) === opening) this.#connections.delete(name)
      throw error
    }
  }

  #setBroker(node: number, address: KafkaAddress): void {
    const present = this.#brokers.get(node)
    if (present?.host === address.host && present.port === address.port) return
    if (present !== undefined) this.#retire(node)
    this.#brokers.set(node, address)
  }

  /** The broker has another address, or is gone. */
  #retire(node: number): void {
    for (const [name, opening] of this.#connections) {
      if (!name.startsWith(`${node} `)) continue
      this.#connections.delete(name)
      this.#open.delete(name)
      opening.then(
        (connection) => connection.retire(),
        () => undefined,
      )
    }
  }
}
