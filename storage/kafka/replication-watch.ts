/** How many replicas of the catalog are in sync, read now and then: for operators. */
import type { KafkaCluster } from './cluster.ts'
import type { ReplicationFacts } from './kafka-store-cluster.ts'
import type { TopicSetup } from './topic-setup.ts'

const INTERVAL_MS = 10_000

export class ReplicationWatch {
  readonly #cluster: KafkaCluster
  readonly #topic: string
  readonly #setup: TopicSetup
  readonly #timer: NodeJS.Timeout
  #replicas = 0
  #inSync = 0

  private constructor(cluster: KafkaCluster, topic: string, setup: TopicSetup) {
    this.#cluster = cluster
    this.#topic = topic
    this.#setup = setup
    this.#timer = setInterval(() => void this.#read(), INTERVAL_MS)
    this.#timer.unref()
  }

  static async start(cluster: KafkaCluster, topic: string, setup: TopicSetup): Promise<ReplicationWatch> {
    const watch = new ReplicationWatch(cluster, topic, setup)
    await watch.#read()
    return watch
  }

  facts(): ReplicationFacts {
    const { problems, safety } = this.#setup
    return {
      replicationFactor: this.#replicas,
      inSyncReplicas: this.#inSync,
      minInSyncReplicas: safety.minInSyncReplicas,
      problems: [...problems, ...this.#present()],
    }
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #present(): string[] {
    if (this.#replicas === 0) return ['the brokers do not say which replicas are in sync']
    if (this.#inSync === this.#replicas) return []
    return [`topic ${this.#topic} has ${this.#inSync} of ${this.#replicas} replicas in sync`]
  }

  async #read(): Promise<void> {
    try {
      const { replicas = 0, inSync = 0 } = (await this.#cluster.replicationOf(this.#topic)) ?? {}
      this.#replicas = replicas
      this.#inSync = inSync
    } catch {
      this.#replicas = 0
      this.#inSync = 0
    }
  }
}
