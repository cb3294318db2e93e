/** Streams on Kafka, with one broker on the same machine, beside streams on LevelDB. */
import { tmpdir } from 'node:os'
import { makeTempFolder } from '../cleanup.ts'
import { kafkaConsumer } from '../probes/kafka-consumer.ts'
import { KafkaBroker } from '../processes/kafka.ts'
import type { Case } from '../sample.ts'
import { kafkaStore } from '../stores/kafka-store.ts'
import { atLeast, atMost, ratio } from '../targets.ts'
import { ofEach } from '../workloads/build-under-test.ts'
import { fullReads, NDJSON } from '../workloads/full-reads.ts'
import { posts } from '../workloads/posts.ts'
import { twoNodes } from '../workloads/two-nodes.ts'
import { uploads } from '../workloads/uploads.ts'
import type { Suite, SuiteParts } from './suite.ts'

const MILLION = 1_000_000
const CONNECTIONS = 64

export function kafkaSuite({ buildsUnderTest, quick }: SuiteParts): Suite {
  const broker = new KafkaBroker()
  const flags = async () => (await broker.newStore()).flags
  const events = quick ? MILLION / 10 : MILLION
  let folder: string | undefined
  const parent = () => {
    folder ??= makeTempFolder(tmpdir())
    return folder
  }
  const stores = buildsUnderTest.map(({ build }) => kafkaStore(build, broker, { parent, events }))
  const stored = `${events.toLocaleString('en-US')} events as NDJSON`
  const onlyWithKafka = (one: Case): Case => ({
    ...one,
    long: true,
    optional: true,
    unavailable: async () => (await broker.unavailable()) ?? one.unavailable?.(),
  })
  const cases = ofEach(buildsUnderTest, (buildUnderTest) => [
    posts(buildUnderTest, { name: 'level-64', about: 'LevelDB, 64 connections', connections: CONNECTIONS }),
    posts(buildUnderTest, {
      name: 'kafka-64',
      about: 'Kafka, 64 connections',
      connections: CONNECTIONS,
      flags,
    }),
    twoNodes(buildUnderTest, {
      name: 'kafka-64-two-nodes',
      about: 'Kafka, 64 connections to each of two nodes',
      connections: CONNECTIONS,
      flags,
    }),
    posts(buildUnderTest, { name: 'level-1', about: 'LevelDB, 1 connection', connections: 1 }),
    posts(buildUnderTest, { name: 'kafka-1', about: 'Kafka, 1 connection', connections: 1, flags }),
    uploads(buildUnderTest, {
      name: 'level-batch',
      about: 'LevelDB, batches of 100,000 lines of 100 bytes',
      body: 'text',
      events: MILLION / 10,
    }),
    uploads(buildUnderTest, {
      name: 'kafka-batch',
      about: 'Kafka, such batches',
      body: 'text',
      events: MILLION / 10,
      flags,
    }),
    fullReads(buildUnderTest, {
      name: 'level-read',
      about: `LevelDB, ${stored}`,
      accept: NDJSON,
      store: () => buildUnderTest.storeCache.oneStream(events),
    }),
    fullReads(buildUnderTest, {
      name: 'kafka-read',
      about: `Kafka, ${stored}`,
      accept: NDJSON,
      store: stores[buildsUnderTest.indexOf(buildUnderTest)]!,
    }),
  ])
  return {
    name: 'kafka',
    about: 'streams on Kafka, one broker on this machine, beside LevelDB; CPU is that of our process alone',
    cases: [...cases, kafkaConsumer('plain-consumer', broker, stores[0]!)].map(onlyWithKafka),
    targets: [
      ratio('kafka-64', 'level-64', 'cpuUsPerEvent', atMost(1.5)),
      ratio('kafka-64', 'level-64', 'eventsPerSecond'),
      ratio('kafka-64-two-nodes', 'kafka-64', 'eventsPerSecond', atLeast(1.6)),
      ratio('kafka-1', 'level-1', 'p50Ms', atMost(3)),
      ratio('kafka-batch', 'level-batch', 'eventsPerSecond', atLeast(0.5)),
      ratio('kafka-batch', 'level-batch', 'cpuUsPerEvent'),
      ratio('kafka-read', 'level-read', 'eventsPerSecond', atLeast(0.5)),
      ratio('kafka-read', 'level-read', 'cpuUsPerEvent'),
      ratio('kafka-read', 'plain-consumer', 'eventsPerSecond', atLeast(3)),
      ratio('plain-consumer', 'kafka-read', 'cpuUsPerEvent'),
    ],
    end: () => broker.stop(),
  }
}
