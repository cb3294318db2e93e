/**
 * Two nodes, of which one applies changes late, behind a client that goes to a random one each time: each shows what the other has acknowledged. Without the barrier,
 * and without the confirmation of removals, it has to be seen that they do not.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Alteration, alteredBuild } from '../../support/altered-build.ts'
import { effort, SEED, tellProof } from '../../support/effort.ts'
import { fetchKafka, TestKafka } from '../../support/kafka.ts'
import { send, sendUntilDone, startNode, streamPath } from '../../support/kafka-services.ts'
import { proven } from '../../support/proven.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { ModelClient, type ModelCounts, modelRow, noCounts, type Step } from './model-clients.ts'
import { SLOW_FOLLOWER, WITHOUT_BARRIER, WITHOUT_CONFIRMATION } from './node-alterations.ts'

/** Of each kind of change. */
const CHANGES = Number(process.env.MILLRACE_KAFKA_CHANGES ?? effort({ short: 100, long: 10_000 }))
const CLIENTS = 8
/** Expired events need time to expire, so there are fewer of these. */
const TTL_SHARE = 0.02
const CONTROL_CHANGES = 2_000

const missing = await fetchKafka()

const SEQUENCES: readonly { name: string; steps: readonly Step[]; share?: number }[] = [
  { name: 'create and POST', steps: ['create', 'post', 'read', 'post', 'read'] },
  { name: 'truncate, POST and GET', steps: ['post', 'truncate', 'read', 'post', 'read'] },
  { name: 'delete and GET', steps: ['post', 'delete', 'read', 'post', 'read'] },
  { name: 'ttl and GET', steps: ['post', 'ttl'], share: TTL_SHARE },
]

describe.skipIf(missing !== undefined)(`two nodes ${missing ?? ''}`, () => {
  let kafka: TestKafka
  beforeAll(async () => {
    kafka = await effort({ short: () => TestKafka.shared(), long: () => TestKafka.start({ brokers: 3 }) })()
  }, 600_000)
  afterAll(() => kafka?.remove())

  async function run(
    ports: readonly number[],
    {
      steps,
      count,
      until = () => false,
    }: { steps: readonly Step[]; count: number; until?: (counts: ModelCounts) => boolean },
  ) {
    const counts = noCounts()
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) => new ModelClient(`c${i}`, ports, seededRandom(SEED + i), counts),
    )
    let left = count
    await Promise.all(
      clients.map(async (client) => {
        while (left-- > 0 && !until(counts)) for (const step of steps) await client.step(step)
      }),
    )
    return { counts, problems: clients.flatMap(({ problems }) => problems).slice(0, 10) }
  }

  /** The second node applies changes late. */
  async function nodePorts(alterations: readonly Alteration[]): Promise<number[]> {
    const prefix = kafka.newPrefix()
    const builds = [alterations, [...alterations, ...SLOW_FOLLOWER]]
    const nodes = await Promise.all(
      builds.map(async (of) => startNode({ kafka, prefix, cli: await alteredBuild(of) })),
    )
    const ports = nodes.map(({ port }) => port)
    await sendUntilDone(ports[0]!, 'PUT', streamPath('first'))
    // Deletions are made by the node that has the coordinator.
    for (const port of ports) await sendUntilDone(port, 'GET', '/v3/namespaces/default/feeds')
    return ports
  }

  test.each(SEQUENCES)('$name', async ({ name, steps, share = 1 }) => {
    const ports = await nodePorts([])
    const { counts, problems } = await run(ports, { steps, count: Math.ceil(CHANGES * share) })
    await proven(() => expect(problems).toEqual([]))
    tellProof(`two nodes, ${name}`, modelRow(counts))
  })

  const controls = [
    {
      name: 'the barrier',
      alterations: [...WITHOUT_BARRIER, ...WITHOUT_CONFIRMATION],
      steps: SEQUENCES[0]!.steps,
    },
    {
      name: 'barrier and confirmation',
      alterations: [...WITHOUT_BARRIER, ...WITHOUT_CONFIRMATION],
      steps: SEQUENCES[1]!.steps,
    },
  ]
  test.each(controls)('control: without $name it is seen', async ({ name, alterations, steps }) => {
    const ports = await nodePorts(alterations)
    const isSeen = ({ lost, stale, wrong }: ModelCounts) => lost + stale + wrong > 0
    const { counts } = await run(ports, { steps, count: CONTROL_CHANGES, until: isSeen })
    expect(isSeen(counts)).toBe(true)
    tellProof(`control without ${name}`, modelRow(counts))
    expect((await send(ports[0]!, 'GET', '/ping')).status).toBe(200)
  })
})
