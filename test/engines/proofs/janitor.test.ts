/**
 * The janitors of two nodes, while streams are made, truncated and deleted on both and the holder is stopped for a while, and with the clock of one
 * node an hour ahead: no topic of a live stream is deleted, and no event is trimmed early. Without the bound on logs it has to be seen.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Alteration, alteredBuild } from '../../support/altered-build.ts'
import { effort, SEED, tellProof } from '../../support/effort.ts'
import { fetchKafka, TestKafka } from '../../support/kafka.ts'
import {
  type KafkaNode,
  readStream,
  send,
  sendUntilDone,
  startNode,
  streamPath,
} from '../../support/kafka-services.ts'
import { proven } from '../../support/proven.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { ModelClient, type ModelCounts, modelRow, noCounts, type Step } from './model-clients.ts'
import { WITHOUT_LOG_BOUND } from './node-alterations.ts'

const CHANGES = Number(process.env.MILLRACE_KAFKA_CHANGES ?? effort({ short: 60, long: 2_000 }))
const CONTROL_CHANGES = 1_000
const CLIENTS = 6
/** Longer than the others wait for a silent node. */
const STOPPED_MS = 15_000
const STEPS: readonly Step[] = ['post', 'read', 'truncate', 'post', 'read', 'delete', 'post', 'read']
const BUSY = ['--janitor-seconds', '1']
/** The clock of a node, an hour ahead. */
const HOUR_AHEAD: readonly Alteration[] = [
  {
    file: 'cli.js',
    from: 'const GRACE_MS = 10_000',
    to: 'const GRACE_MS = 10_000\nconst now = Date.now\nDate.now = () => now() + 3_600_000',
  },
]
const HOUR_SECONDS = 3_600

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`janitors ${missing ?? ''}`, () => {
  let kafka: TestKafka
  beforeAll(async () => {
    kafka = await TestKafka.start({ brokers: 3 })
  }, 600_000)
  afterAll(() => kafka?.remove())

  async function run(nodes: readonly KafkaNode[], count: number, until: (counts: ModelCounts) => boolean) {
    const counts = noCounts()
    const ports = nodes.map(({ port }) => port)
    let left = count
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) => new ModelClient(`c${i}`, ports, seededRandom(SEED + i), counts),
    )
    await Promise.all(
      clients.map(async (client) => {
        while (left-- > 0 && !until(counts)) for (const step of STEPS) await client.step(step)
      }),
    )
    return { counts, problems: clients.flatMap(({ problems }) => problems).slice(0, 10) }
  }

  const nodesOn = (prefix: string, cli?: string) =>
    Promise.all([0, 1].map(() => startNode({ kafka, prefix, args: BUSY, ...(cli !== undefined && { cli }) })))

  test('remove nothing that is used, also with two holders for a moment', {
    timeout: 3_600_000,
  }, async () => {
    const prefix = kafka.newPrefix()
    const nodes = await nodesOn(prefix)
    for (const { port } of nodes) await sendUntilDone(port, 'GET', '/v3/namespaces/default/feeds')
    let ended = false
    const stopping = (async () => {
      for (let i = 0; !ended; i++) {
        await sleep(5_000)
        const { service } = nodes[i % 2]!
        service.signal('SIGSTOP')
        await sleep(STOPPED_MS)
        service.signal('SIGCONT')
      }
    })()
    const { counts, problems } = await run(nodes, CHANGES, () => false)
    ended = true
    await stopping
    await proven(() => expect(problems).toEqual([]))
    tellProof('janitors of two nodes', modelRow(counts))
  })

  test('control: without the bound on logs a topic of a live stream is deleted', {
    timeout: 1_800_000,
  }, async () => {
    const nodes = await nodesOn(kafka.newPrefix(), await alteredBuild(WITHOUT_LOG_BOUND))
    for (const { port } of nodes) await sendUntilDone(port, 'GET', '/v3/namespaces/default/feeds')
    const isSeen = ({ lost, wrong, refused }: ModelCounts) => lost + wrong + refused > 0
    const { counts } = await run(nodes, CONTROL_CHANGES, isSeen)
    expect(isSeen(counts)).toBe(true)
    tellProof('control without the bound on logs', modelRow(counts))
  })

  test('with the clock of one node an hour ahead no event is hidden or trimmed early', {
    timeout: 900_000,
  }, async () => {
    const prefix = kafka.newPrefix()
    const ahead = await startNode({ kafka, prefix, args: BUSY, cli: await alteredBuild(HOUR_AHEAD) })
    const right = await startNode({ kafka, prefix, args: BUSY })
    const path = streamPath('s')
    await sendUntilDone(right.port, 'PUT', path)
    const body = JSON.stringify({ ttl: HOUR_SECONDS / 2 })
    await sendUntilDone(right.port, 'PUT', `${path}/properties`, { body })
    const bodies = Array.from({ length: 20 }, (_, i) => `${i}`)
    for (const one of bodies)
      await sendUntilDone([ahead, right][Number(one) % 2]!.port, 'POST', path, { body: one })
    await sleep(5_000) // several rounds of the janitor, which is that of the first node
    const seen: (readonly string[])[] = []
    for (const { port } of [ahead, right]) seen.push((await readStream(port, 's')).bodies)
    await proven(() => expect(seen).toEqual([bodies, bodies]))
    expect((await send(ahead.port, 'GET', '/ping')).status).toBe(200)
    tellProof('a clock an hour ahead', { acknowledged: bodies.length, lost: 0 })
  })
})
