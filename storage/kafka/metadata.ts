/** Metadata: the brokers of the cluster, and for each topic its leader and replicas. */
import type { KafkaRequest } from './request.ts'
import type { WireReader } from './wire-reader.ts'

export interface Broker {
  readonly node: number
  readonly host: string
  readonly port: number
}

export interface TopicMetadata {
  readonly topic: string
  readonly errorCode: number
  /** Of partition 0; -1: none now. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: number
  readonly inSync: number
  readonly partitions: number
}

export interface Metadata {
  readonly brokers: readonly Broker[]
  /** -1: none known. */
  readonly controller: number
  readonly topics: readonly TopicMetadata[]
}

const NO_ID = Buffer.alloc(16)

/** `topics`: undefined for all. Never creates a topic. */
export const metadataOf = (topics: readonly string[] | undefined): KafkaRequest<Metadata> => ({
  api: 'Metadata',
  write: (writer) =>
    writer
      .array(topics ?? null, (topic) => writer.raw(NO_ID).string(topic).tags())
      .boolean(false) // allow_auto_topic_creation
      .boolean(false) // include_topic_authorized_operations
      .tags(),
  read(reader) {
    reader.int32() // throttle time
    const brokers = reader.array(() => brokerOf(reader))
    reader.nullableString() // cluster id
    const controller = reader.int32()
    const named = reader.array(() => topicOf(reader))
    reader.tags()
    return { brokers, controller, topics: named.filter((topic) => topic !== undefined) }
  },
})

function brokerOf(reader: WireReader): Broker {
  const broker = { node: reader.int32(), host: reader.string(), port: reader.int32() }
  reader.nullableString() // rack
  reader.tags()
  return broker
}

function topicOf(reader: WireReader): TopicMetadata | undefined {
  const topicError = reader.int16()
  const topic = reader.nullableString()
  reader.uuid()
  reader.boolean() // is_internal
  const partitions = reader.array(() => partitionOf(reader))
  reader.int32() // authorized operations
  reader.tags()
  if (topic === null) return undefined
  const first = partitions.find(({ index }) => index === 0)
  const { errorCode = topicError, leader = -1, leaderEpoch = -1, replicas = 0, inSync = 0 } = first ?? {}
  return {
    topic,
    errorCode: topicError === 0 ? errorCode : topicError,
    leader,
    leaderEpoch,
    replicas,
    inSync,
    partitions: partitions.length,
  }
}

function partitionOf(reader: WireReader) {
  const errorCode = reader.int16()
  const index = reader.int32()
  const leader = reader.int32()
  const leaderEpoch = reader.int32()
  const replicas = reader.array(() => reader.int32()).length
  const inSync = reader.array(() => reader.int32()).length
  reader.array(() => reader.int32()) // offline replicas
  reader.tags()
  return { errorCode, index, leader, leaderEpoch, replicas, inSync }
}
