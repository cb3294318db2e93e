/** The requests that make, trim and delete topics. Topics have one partition. */
import { inOrder, PARTITION, readByTopic } from './by-topic.ts'
import type { KafkaCluster } from './cluster.ts'
import { KAFKA_ERRORS } from './error-codes.ts'
import type { KafkaRequest } from './request.ts'
import { messageOf, type TopicAnswer } from './topic-answer.ts'

export * from './config-requests.ts'
export type { TopicAnswer } from './topic-answer.ts'

export interface NewTopic {
  readonly topic: string
  /** -1: the cluster's default. */
  readonly replicas: number
  readonly settings: Readonly<Record<string, string>>
}

/** After its own time limit the broker answers; on a busy machine that takes a moment. */
const GRACE_MS = 2_000

/** One answer for each topic, in their order. Resolves before all brokers know the topic: retry error 3 afterwards. */
export function createTopics(
  cluster: KafkaCluster,
  { topics, timeoutMs }: { readonly topics: readonly NewTopic[]; readonly timeoutMs: number },
): Promise<readonly TopicAnswer[]> {
  const request: KafkaRequest<TopicAnswer[]> = {
    api: 'CreateTopics',
    write: (writer) =>
      writer
        .array(topics, ({ topic, replicas, settings }) =>
          writer
            .string(topic)
            .int32(1) // partitions
            .int16(replicas)
            .array([], () => undefined) // assignments
            .array(Object.entries(settings), ([name, value]) => writer.string(name).string(value).tags())
            .tags(),
        )
        .int32(timeoutMs)
        .boolean(false) // validate only
        .tags(),
    read(reader) {
      reader.int32() // throttle time
      const answers = reader.array(() => {
        const topic = reader.string()
        reader.uuid()
        const errorCode = reader.int16()
        const message = messageOf(reader)
        reader.int32() // partitions
        reader.int16() // replicas
        reader.array(() => {
          reader.string()
          reader.nullableString()
          reader.boolean() // read only
          reader.int8() // source
          reader.boolean() // secret
          reader.tags()
        })
        reader.tags()
        return { topic, errorCode, message }
      })
      reader.tags()
      return inOrder(topics, answers)
    },
  }
  return sendToController(cluster, request, timeoutMs)
}

/** One answer for each topic, in their order. */
export function deleteTopics(
  cluster: KafkaCluster,
  { topics, timeoutMs }: { readonly topics: readonly string[]; readonly timeoutMs: number },
): Promise<readonly TopicAnswer[]> {
  const noId = Buffer.alloc(16)
  const request: KafkaRequest<TopicAnswer[]> = {
    api: 'DeleteTopics',
    write: (writer) =>
      writer
        .array(topics, (topic) => writer.string(topic).raw(noId).tags())
        .int32(timeoutMs)
        .tags(),
    read(reader) {
      reader.int32() // throttle time
      const answers = reader.array(() => {
        const topic = reader.nullableString() ?? ''
        reader.uuid()
        const errorCode = reader.int16()
        const message = messageOf(reader)
        reader.tags()
        return { topic, errorCode, message }
      })
      reader.tags()
      return inOrder(
        topics.map((topic) => ({ topic })),
        answers,
      )
    },
  }
  return sendToController(cluster, request, timeoutMs)
}

/** Removes the records below `before`, on the leader. One answer for each part, in their order. */
export function deleteRecords(
  cluster: KafkaCluster,
  node: number,
  {
    parts,
    timeoutMs,
  }: {
    readonly parts: readonly { readonly topic: string; readonly before: number }[]
    readonly timeoutMs: number
  },
): Promise<
  readonly { readonly topic: string; readonly errorCode: number; readonly logStartOffset: number }[]
> {
  const request: KafkaRequest<{ topic: string; errorCode: number; logStartOffset: number }[]> = {
    api: 'DeleteRecords',
    write: (writer) =>
      writer
        .array(parts, ({ topic, before }) =>
          writer
            .string(topic)
            .array([before], () => writer.int32(PARTITION).int64(before).tags())
            .tags(),
        )
        .int32(timeoutMs)
        .tags(),
    read(reader) {
      reader.int32() // throttle time
      const answers = readByTopic(reader, (topic) => {
        const logStartOffset = reader.int64()
        return { topic, errorCode: reader.int16(), logStartOffset }
      })
      reader.tags()
      return inOrder(parts, answers)
    },
  }
  return cluster.send(node, 'control', request, { timeoutMs: timeoutMs + GRACE_MS })
}

/** Once more if another broker is the controller now. */
async function sendToController(
  cluster: KafkaCluster,
  request: KafkaRequest<TopicAnswer[]>,
  timeoutMs: number,
): Promise<readonly TopicAnswer[]> {
  const options = { timeoutMs: timeoutMs + GRACE_MS }
  const answers = await cluster.send(await cluster.controller(), 'control', request, options)
  if (answers.every(({ errorCode }) => errorCode !== KAFKA_ERRORS.notController)) return answers
  return cluster.send(await cluster.controller({ refresh: true }), 'control', request, options)
}
