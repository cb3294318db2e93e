/** The settings of the store's topics, on a broker that follows a script. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CLUSTER_LIMITS } from '../../../storage/kafka/access.ts'
import { KafkaCluster } from '../../../storage/kafka/cluster.ts'
import { topicNames, topicSettings } from '../../../storage/kafka/settings.ts'
import { setUpTopics } from '../../../storage/kafka/topic-setup.ts'
import { AnswerWriter, metadataAnswer } from '../../support/kafka-answers.ts'
import { ScriptedBroker } from '../../support/scripted-broker.ts'

const TOPIC = 2
const OWN = 1

let broker: ScriptedBroker
let cluster: KafkaCluster

beforeEach(async () => {
  broker = await ScriptedBroker.start()
})

afterEach(async () => {
  await cluster.close()
  await broker.close()
})

test('a node that starts while brokers are down keeps the replicas of the store', async () => {
  const names = topicNames('p')
  const safety = { flush: false, minInSyncReplicas: 2 }
  const kinds = [
    [names.catalog, 'catalog'],
    [names.snapshots, 'catalog'],
    [names.totals, 'totals'],
  ] as const
  broker.on('Metadata', () =>
    metadataAnswer(
      [broker.self],
      kinds.map(([topic]) => ({ topic, replicas: [1, 2, 3], inSync: [1] })),
    ),
  )
  broker.on('DescribeConfigs', () => {
    const writer = new AnswerWriter()
    writer.int32(0)
    writer.array(kinds, ([topic, kind]) => {
      writer.int16(0).string(null).int8(TOPIC).string(topic)
      writer.array(Object.entries(topicSettings(kind, safety)), ([setting, value]) => {
        writer.string(setting).string(value).boolean(false).int8(OWN).boolean(false)
        writer
          .array([], () => undefined)
          .int8(0)
          .string(null)
          .tags()
      })
      writer.tags()
    })
    return writer.tags().body
  })
  cluster = await KafkaCluster.open({ brokers: [broker.self] }, CLUSTER_LIMITS)
  expect(await setUpTopics(cluster, names, { flush: false, insecure: false, logs: 'log' })).toEqual({
    replicas: 3,
    safety,
    problems: [],
  })
  expect(broker.requests.map(({ api }) => api)).not.toContain('IncrementalAlterConfigs')
})
