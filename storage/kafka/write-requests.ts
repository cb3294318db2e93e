/** The requests that the write path makes, bound to one cluster. Tests hand in a cluster that follows a script. */
import type { KafkaCluster, Leader } from './cluster.ts'
import { type FetchedPart, type FetchRequest, fetch } from './fetch.ts'
import { type FoundOffset, type ListOffsetsRequest, listOffsets } from './list-offsets.ts'
import { type ProducedPart, type ProduceRequest, produce } from './produce.ts'
import {
  type AlteredTopic,
  createTopics,
  incrementalAlterConfigs,
  type NewTopic,
  type TopicAnswer,
} from './topic-requests.ts'
import {
  type AddPartitionsRequest,
  addPartitionsToTxn,
  type EndTxnRequest,
  endTxn,
  type InitProducerIdRequest,
  initProducerId,
  type ProducerIdentity,
} from './transaction-requests.ts'

export interface WriteRequests {
  leader(topic: string, options?: { readonly refresh?: boolean }): Promise<Leader | undefined>
  /** A broker for requests that every broker answers. */
  anyNode(): Promise<number>
  coordinator(transactionalId: string): Promise<number>
  produce(node: number, request: ProduceRequest): Promise<readonly ProducedPart[]>
  initProducerId(
    node: number,
    request: InitProducerIdRequest,
  ): Promise<ProducerIdentity & { readonly errorCode: number }>
  addPartitionsToTxn(
    node: number,
    request: AddPartitionsRequest,
  ): Promise<readonly { readonly topic: string; readonly errorCode: number }[]>
  endTxn(node: number, request: EndTxnRequest): Promise<{ readonly errorCode: number }>
  createTopics(request: {
    readonly topics: readonly NewTopic[]
    readonly timeoutMs: number
  }): Promise<readonly TopicAnswer[]>
  alterTopics(request: { readonly topics: readonly AlteredTopic[] }): Promise<readonly TopicAnswer[]>
  listOffsets(node: number, request: ListOffsetsRequest): Promise<readonly FoundOffset[]>
  fetch(node: number, request: FetchRequest): Promise<readonly FetchedPart[]>
}

export function writeRequests(cluster: KafkaCluster): WriteRequests {
  return {
    leader: (topic, options) => cluster.leader(topic, options),
    anyNode: () => cluster.controller(),
    coordinator: (transactionalId) => cluster.coordinator(transactionalId),
    produce: (node, request) => produce(cluster, node, request),
    initProducerId: (node, request) => initProducerId(cluster, node, request),
    addPartitionsToTxn: (node, request) => addPartitionsToTxn(cluster, node, request),
    endTxn: (node, request) => endTxn(cluster, node, request),
    createTopics: (request) => createTopics(cluster, request),
    alterTopics: (request) => incrementalAlterConfigs(cluster, request),
    listOffsets: (node, request) => listOffsets(cluster, node, request),
    fetch: (node, request) => fetch(cluster, node, request),
  }
}
