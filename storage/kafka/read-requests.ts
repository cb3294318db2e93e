/** The requests that the read path makes, bound to one cluster. Tests hand in topics that follow a script. */
import type { KafkaCluster, Leader } from './cluster.ts'
import { type FetchedPart, type FetchRequest, fetch } from './fetch.ts'
import { type FoundOffset, type ListOffsetsRequest, listOffsets } from './list-offsets.ts'
import { deleteRecords, deleteTopics, type TopicAnswer } from './topic-requests.ts'

export interface ReadRequests {
  leader(topic: string, options?: { readonly refresh?: boolean }): Promise<Leader | undefined>
  /** Whether the topic exists, as read now. */
  exists(topic: string): Promise<boolean>
  listTopics(prefix: string): Promise<readonly string[]>
  fetch(node: number, request: FetchRequest): Promise<readonly FetchedPart[]>
  listOffsets(node: number, request: ListOffsetsRequest): Promise<readonly FoundOffset[]>
  deleteRecords(
    node: number,
    request: {
      readonly parts: readonly { readonly topic: string; readonly before: number }[]
      readonly timeoutMs: number
    },
  ): Promise<readonly { readonly errorCode: number; readonly logStartOffset: number }[]>
  deleteTopics(request: {
    readonly topics: readonly string[]
    readonly timeoutMs: number
  }): Promise<readonly TopicAnswer[]>
}

export function readRequests(cluster: KafkaCluster): ReadRequests {
  return {
    leader: (topic, options) => cluster.leader(topic, options),
    exists: async (topic) => (await cluster.replicationOf(topic)) !== undefined,
    listTopics: (prefix) => cluster.listTopics(prefix),
    fetch: (node, request) => fetch(cluster, node, request),
    listOffsets: (node, request) => listOffsets(cluster, node, request),
    deleteRecords: (node, request) => deleteRecords(cluster, node, request),
    deleteTopics: (request) => deleteTopics(cluster, request),
  }
}
