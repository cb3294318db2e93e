/**
 * Three brokers with faults, and 16 writers at two nodes: what was acknowledged is there once, in order, and where it was. A kill alone
 * does not tell a plain producer from ours; late-answers.test.ts does.
 *
 *   MILLRACE_KAFKA_ROUNDS   rounds of each fault
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER_LIMITS } from '../../../storage/kafka/access.ts'
import { KafkaCluster } from '../../../storage/kafka/cluster.ts'
import { topicNames } from '../../../storage/kafka/settings.ts'
import { effort, tellProof } from '../../support/effort.ts'
import { fetchKafka, TestKafka } from '../../support/kafka.ts'
import { readStream, sendUntilDone, startNodes, streamPath } from '../../support/kafka-services.ts'
import { proven } from '../../support/proven.ts'
import { NOTHING, Tally } from './tally.ts'
import { Writers } from './writers.ts'

const ROUNDS = Number(process.env.MILLRACE_KAFKA_ROUNDS ?? effort({ short: 3, long: 20 }))
const WRITERS = 16
const STREAMS = ['a', 'b', 'c', 'd']
const PAUSE_MS = 15_000
/** While two of three brokers are gone no event is acknowledged. */
const GONE_MS = 5_000
const WITHIN = { timeout: 180_000, interval: 100 }
/** On a machine that is busy with other things. */
const ROUND_MS = 600_000

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`three brokers ${missing ?? ''}`, () => {
  let kafka: TestKafka
  let cluster: KafkaCluster

  beforeAll(async () => {
    kafka = await TestKafka.start({ brokers: 3 })
    cluster = await KafkaCluster.open({ brokers: kafka.addresses }, CLUSTER_LIMITS)
  }, 600_000)
  afterAll(async () => {
    await cluster?.close()
    await kafka?.remove()
  })

  const brokerOf = (node: number) => kafka.brokers[node - 1]!

  async function leaderOf(topic: string): Promise<number> {
    for (;;) {
      const leader = await cluster.leader(topic, { refresh: true }).catch(() => undefined)
      if (leader !== undefined) return leader.node
      await sleep(200)
    }
  }

  async function allInSync(topics: readonly string[]): Promise<void> {
    const inSync = async () => {
      let least = 3
      for (const topic of topics) {
        await cluster.leader(topic, { refresh: true }).catch(() => undefined)
        const found = await cluster.replicationOf(topic).catch(() => undefined)
        if (found !== undefined) least = Math.min(least, found.inSync)
      }
      return least
    }
    await expect.poll(inSync, WITHIN).toBe(3)
  }

  const FAULTS: readonly { name: string; inject(leader: number): Promise<void> }[] = [
    {
      name: 'kill -9 of the leader',
      async inject(leader) {
        await brokerOf(leader).kill()
        await sleep(GONE_MS)
        await brokerOf(leader).start()
      },
    },
    {
      name: 'a leader that is paused for 15 s',
      async inject(leader) {
        brokerOf(leader).pause()
        await sleep(PAUSE_MS)
        brokerOf(leader).continue()
      },
    },
    {
      name: 'kill -9 of two of three',
      async inject(leader) {
        const two = [brokerOf(leader), brokerOf((leader % 3) + 1)]
        await Promise.all(two.map((broker) => broker.kill()))
        await sleep(GONE_MS)
        await Promise.all(two.map((broker) => broker.start()))
      },
    },
    {
      name: 'a rolling restart',
      async inject() {
        for (const broker of kafka.brokers) {
          await broker.stop()
          await broker.start()
        }
      },
    },
  ]

  test.each(FAULTS)(
    'through $name acknowledged events are there once, in order, where they were',
    { timeout: 300_000 + ROUNDS * ROUND_MS },
    async ({ name, inject }) => {
      const prefix = kafka.newPrefix()
      const nodes = await startNodes(2, { kafka, prefix })
      const ports = nodes.map(({ port }) => port)
      for (const stream of STREAMS) await sendUntilDone(ports[0]!, 'PUT', streamPath(stream))
      const tally = new Tally()
      const topics = STREAMS.map((_, i) => topicNames(prefix).log(i + 1))
      const before = new Map<string, readonly string[]>()
      for (let round = 0; round < ROUNDS; round++) {
        const writers = new Writers(tally, { count: WRITERS, streams: STREAMS, ports, name: `round${round}` })
        const untilMore = async (more: number) => {
          const from = tally.acknowledged
          await expect.poll(() => tally.acknowledged - from, WITHIN).toBeGreaterThan(more)
        }
        await untilMore(10 * WRITERS)
        await inject(await leaderOf(topics[round % topics.length]!))
        await untilMore(10 * WRITERS)
        await writers.end()
        for (const stream of STREAMS) {
          const [a, b] = await Promise.all(ports.map((port) => readStream(port, stream)))
          const old = before.get(stream) ?? []
          await proven(() => {
            expect(tally.check(stream, a!.bodies), `round ${round}, stream ${stream}`).toEqual(NOTHING)
            expect(b!.cursors, 'the same on both nodes').toEqual(a!.cursors)
            expect(a!.cursors.slice(0, old.length), 'where they were').toEqual(old)
          })
          before.set(stream, a!.cursors)
        }
        await allInSync([...topics, topicNames(prefix).catalog])
      }
      tellProof(name, { rounds: ROUNDS, ...tally.row() })
    },
  )
})
