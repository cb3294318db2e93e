/** The requests that make, configure, trim and delete topics. Topics have one partition. */
import type { KafkaCluster } from './cluster.ts'

export interface NewTopic {
  readonly topic: string
  /** -1: the cluster's default. */
  readonly replicas: number
  readonly settings: Readonly<Record<string, string>>
}

export interface TopicAnswer {
  readonly topic: string
  readonly errorCode: number
  /** The broker's own words. */
  readonly message: string | undefined
}

/** One answer for each topic, in their order. Resolves before all brokers know the topic: retry error 3 afterwards. */
export async function createTopics(
  _cluster: KafkaCluster,
  _request: { readonly topics: readonly NewTopic[]; readonly timeoutMs: number },
): Promise<readonly TopicAnswer[]> {
  throw new Error('not built yet')
}

/** One answer for each topic, in their order. */
export async function deleteTopics(
  _cluster: KafkaCluster,
  _request: { readonly topics: readonly string[]; readonly timeoutMs: number },
): Promise<readonly TopicAnswer[]> {
  throw new Error('not built yet')
}

/** Removes the records below `before`, on the leader. One answer for each part, in their order. */
export async function deleteRecords(
  _cluster: KafkaCluster,
  _node: number,
  _request: {
    readonly parts: readonly { readonly topic: string; readonly before: number }[]
    readonly timeoutMs: number
  },
): Promise<
  readonly { readonly topic: string; readonly errorCode: number; readonly logStartOffset: number }[]
> {
  throw new Error('not built yet')
}

export interface ConfigResource {
  readonly type: 'topic' | 'broker'
  /** Name of the topic, or number of the broker. */
  readonly name: string
}

export interface Setting {
  /** Null for a secret. */
  readonly value: string | null
  /** Set for this topic or broker itself. */
  readonly isOwn: boolean
}

export interface DescribedResource extends ConfigResource {
  readonly errorCode: number
  readonly message: string | undefined
  readonly settings: ReadonlyMap<string, Setting>
}

/** One answer for each resource, in their order. Settings of a broker are asked of that broker. */
export async function describeConfigs(
  _cluster: KafkaCluster,
  _node: number,
  _request: { readonly resources: readonly ConfigResource[]; readonly names?: readonly string[] },
): Promise<readonly DescribedResource[]> {
  throw new Error('not built yet')
}

export interface AlteredTopic {
  readonly topic: string
  readonly set: Readonly<Record<string, string>>
  /** Back to the cluster's default. */
  readonly remove?: readonly string[]
}

/** One answer for each topic, in their order. Resolves before the settings are in force everywhere. */
export async function incrementalAlterConfigs(
  _cluster: KafkaCluster,
  _request: { readonly topics: readonly AlteredTopic[] },
): Promise<readonly TopicAnswer[]> {
  throw new Error('not built yet')
}
