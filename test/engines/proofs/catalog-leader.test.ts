/**
 * The leader of the catalog is paused for 12 s and goes on, while clients truncate and write on both nodes: no event is acknowledged into a log
 * that was emptied before. After its pause such a leader answers with the old end of the catalog for a moment.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER_LIMITS } from '../../../storage/kafka/access.ts'
import { KafkaCluster } from '../../../storage/kafka/cluster.ts'
import { topicNames } from '../../../storage/kafka/settings.ts'
import { alteredBuild } from '../../support/altered-build.ts'
import { effort, SEED, tellProof } from '../../support/effort.ts'
import { fetchKafka, TestKafka } from '../../support/kafka.ts'
import { sendUntilDone, startNodes, streamPath } from '../../support/kafka-services.ts'
import { proven } from '../../support/proven.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { ModelClient, type ModelCounts, modelRow, noCounts, type Step } from './model-clients.ts'
import { WITHOUT_CONFIRMATION, WITHOUT_HEARTBEAT_RULE } from './node-alterations.ts'

const ROUNDS = Number(process.env.MILLRACE_KAFKA_ROUNDS ?? effort({ short: 2, long: 20 }))
/** The control ends when it has seen the fault. */
const CONTROL_ROUNDS = 10
const CLIENTS = 12
const PAUSE_MS = 12_000
const WITHIN = { timeout: 180_000, interval: 100 }
const STEPS: readonly Step[] = ['post', 'post', 'read', 'truncate', 'post', 'read']

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`the leader of the catalog ${missing ?? ''}`, () => {
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

  async function leaderOf(topic: string) {
    for (;;) {
      const leader = await cluster.leader(topic, { refresh: true }).catch(() => undefined)
      if (leader !== undefined) return kafka.brokers[leader.node - 1]!
      await sleep(200)
    }
  }

  async function run(rounds: number, cli: string | undefined, until: (counts: ModelCounts) => boolean) {
    const prefix = kafka.newPrefix()
    const nodes = await startNodes(2, { kafka, prefix, ...(cli !== undefined && { cli }) })
    const ports = nodes.map(({ port }) => port)
    await sendUntilDone(ports[0]!, 'PUT', streamPath('first'))
    const counts = noCounts()
    const problems: string[] = []
    for (let round = 0; round < rounds && !until(counts); round++) {
      let ended = false
      const clients = Array.from(
        { length: CLIENTS },
        (_, i) => new ModelClient(`r${round}c${i}`, ports, seededRandom(SEED + round * CLIENTS + i), counts),
      )
      const running = Promise.all(
        clients.map(async (client) => {
          while (!ended) for (const step of STEPS) if (!ended) await client.step(step)
        }),
      )
      const more = async () => {
        const from = counts.acknowledged
        await expect.poll(() => counts.acknowledged - from, WITHIN).toBeGreaterThan(5 * CLIENTS)
      }
      await more()
      const leader = await leaderOf(topicNames(prefix).catalog)
      leader.pause()
      await sleep(PAUSE_MS)
      leader.continue()
      await sleep(2_000) // the moment in which it still answers
      await more()
      ended = true
      await running
      await expect
        .poll(async () => {
          const { reads } = counts
          for (const client of clients) await client.read()
          return counts.reads - reads
        }, WITHIN)
        .toBeGreaterThan(0)
      problems.push(...clients.flatMap((client) => client.problems))
    }
    return { counts, problems: problems.slice(0, 10) }
  }

  test('is paused: no event is acknowledged into a log that was emptied before', async () => {
    const { counts, problems } = await run(ROUNDS, undefined, () => false)
    await proven(() => expect(problems).toEqual([]))
    tellProof('pause of the leader of the catalog', { rounds: ROUNDS, ...modelRow(counts) })
  })

  test('control: without confirmation and heartbeat rule it is seen', async () => {
    const cli = await alteredBuild([...WITHOUT_CONFIRMATION, ...WITHOUT_HEARTBEAT_RULE])
    const isSeen = ({ lost, stale, wrong }: ModelCounts) => lost + stale + wrong > 0
    const { counts } = await run(CONTROL_ROUNDS, cli, isSeen)
    expect(isSeen(counts)).toBe(true)
    tellProof('control without confirmation and heartbeat rule', modelRow(counts))
  })
})
