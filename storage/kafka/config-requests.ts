/** DescribeConfigs and IncrementalAlterConfigs: the settings of topics and brokers. */
import type { KafkaCluster } from './cluster.ts'
import type { KafkaRequest } from './request.ts'
import { messageOf, type TopicAnswer } from './topic-answer.ts'
import { MalformedAnswer, type WireReader } from './wire-reader.ts'

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

const TYPES = { topic: 2, broker: 4 } as const
/** Sources of a setting: the topic's own, the broker's own (dynamic or from its file). */
const OWN: Readonly<Record<ConfigResource['type'], readonly number[]>> = { topic: [1], broker: [2, 4] }
const SET = 0
const REMOVE = 1

/** One answer for each resource, in their order. Settings of a broker are asked of that broker. */
export function describeConfigs(
  cluster: KafkaCluster,
  node: number,
  { resources, names }: { readonly resources: readonly ConfigResource[]; readonly names?: readonly string[] },
): Promise<readonly DescribedResource[]> {
  const request: KafkaRequest<DescribedResource[]> = {
    api: 'DescribeConfigs',
    write: (writer) =>
      writer
        .array(resources, ({ type, name }) =>
          writer
            .int8(TYPES[type])
            .string(name)
            .array(names ?? null, (setting) => writer.string(setting))
            .tags(),
        )
        .boolean(false) // synonyms
        .boolean(false) // documentation
        .tags(),
    read(reader) {
      reader.int32() // throttle time
      const answers = reader.array(() => describedOf(reader))
      reader.tags()
      return resources.map(({ type, name }) => {
        const answer = answers.find((other) => other.type === type && other.name === name)
        if (answer === undefined) throw new MalformedAnswer(`the answer for ${type} ${name} is missing`)
        return answer
      })
    },
  }
  return cluster.send(node, 'control', request)
}

function describedOf(reader: WireReader): DescribedResource {
  const errorCode = reader.int16()
  const message = messageOf(reader)
  const type = reader.int8() === TYPES.topic ? 'topic' : 'broker'
  const name = reader.string()
  const settings = reader.array((): [string, Setting] => {
    const setting = reader.string()
    const value = reader.nullableString()
    reader.boolean() // read only
    const source = reader.int8()
    reader.boolean() // secret
    reader.array(() => {
      reader.string()
      reader.nullableString()
      reader.int8()
      reader.tags()
    })
    reader.int8() // type of the value
    reader.nullableString() // documentation
    reader.tags()
    return [setting, { value, isOwn: OWN[type].includes(source) }]
  })
  reader.tags()
  return { type, name, errorCode, message, settings: new Map(settings) }
}

export interface AlteredTopic {
  readonly topic: string
  readonly set: Readonly<Record<string, string>>
  /** Back to the cluster's default. */
  readonly remove?: readonly string[]
}

/** One answer for each topic, in their order. Resolves before the settings are in force everywhere. */
export async function incrementalAlterConfigs(
  cluster: KafkaCluster,
  { topics }: { readonly topics: readonly AlteredTopic[] },
): Promise<readonly TopicAnswer[]> {
  const request: KafkaRequest<TopicAnswer[]> = {
    api: 'IncrementalAlterConfigs',
    write: (writer) =>
      writer
        .array(topics, ({ topic, set, remove = [] }) => {
          const changes = [
            ...Object.entries(set).map(([name, value]) => ({ name, operation: SET, value })),
            ...remove.map((name) => ({ name, operation: REMOVE, value: null })),
          ]
          return writer
            .int8(TYPES.topic)
            .string(topic)
            .array(changes, ({ name, operation, value }) =>
              writer.string(name).int8(operation).string(value).tags(),
            )
            .tags()
        })
        .boolean(false) // validate only
        .tags(),
    read(reader) {
      reader.int32() // throttle time
      const answers = reader.array(() => {
        const errorCode = reader.int16()
        const message = messageOf(reader)
        reader.int8() // type
        const topic = reader.string()
        reader.tags()
        return { topic, errorCode, message }
      })
      reader.tags()
      return topics.map(({ topic }) => {
        const answer = answers.find((other) => other.topic === topic)
        if (answer === undefined) throw new MalformedAnswer(`the answer for topic ${topic} is missing`)
        return answer
      })
    },
  }
  return cluster.send(await cluster.controller(), 'control', request)
}
