/**
 * Proxies in front of brokers swallow answers to a Produce, delay them, and deliver requests when their sender has given them up: what
 * was acknowledged is there once, and an event that was refused does not appear behind a later one of its writer. The control is the same
 * service without producer ids: its events are doubled.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { alteredBuild } from '../../support/altered-build.ts'
import { effort, SEED, tellProof } from '../../support/effort.ts'
import { fetchKafka, TestKafka } from '../../support/kafka.ts'
import { API, KafkaProxy, type Treatment } from '../../support/kafka-proxy.ts'
import { readStream, sendUntilDone, startNode, startNodes, streamPath } from '../../support/kafka-services.ts'
import { proven } from '../../support/proven.ts'
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts'
import { WITHOUT_IDEMPOTENCE } from './node-alterations.ts'
import { NOTHING, Tally } from './tally.ts'
import { Writers } from './writers.ts'

const FAULTS_MS = Number(process.env.MILLRACE_KAFKA_SECONDS ?? effort({ short: 30, long: 600 })) * 1_000
/** The control ends when it has seen an event twice. */
const CONTROL_ROUNDS = 5
const CONTROL_ROUND_MS = 15_000
const WRITERS = 16
const STREAMS = ['a', 'b', 'c', 'd']
const WITHIN = { timeout: 180_000, interval: 100 }
/** Longer than a node waits for an answer, and than it sends a batch again. */
const DELAY_MS_MAX = 15_000
const PRODUCE_MS = 4_000

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`late answers of brokers ${missing ?? ''}`, () => {
  let kafka: TestKafka
  beforeAll(async () => {
    kafka = await effort({ short: () => TestKafka.shared(), long: () => TestKafka.start({ brokers: 3 }) })()
  }, 600_000)
  afterAll(() => kafka?.remove())

  /** What becomes of one Produce in ten or so. */
  function faults(random: SeededRandom): Treatment {
    const at = random.whole(0, 99)
    if (at < 5) return 'swallow answer'
    if (at < 9) return { answerMs: random.whole(1, PRODUCE_MS) }
    if (at < 12) return { requestMs: random.whole(1, DELAY_MS_MAX) }
    return 'pass'
  }

  /** Two nodes behind proxies; `work` begins with the faults and ends them. */
  async function behindProxies(
    cli: string | undefined,
    work: (parts: {
      ports: readonly number[]
      tally: Tally
      withFaults(ms: number): Promise<void>
      check(): Promise<void>
    }) => Promise<void>,
  ): Promise<void> {
    const proxies = await KafkaProxy.startAll(kafka.addresses.map(({ port }) => port))
    try {
      const addresses = proxies.map(({ port }) => ({ host: '127.0.0.1', port }))
      const prefix = kafka.newPrefix()
      const nodes = await startNodes(2, { kafka: { addresses }, prefix, ...(cli !== undefined && { cli }) })
      const reader = await startNode({ kafka, prefix })
      const ports = nodes.map(({ port }) => port)
      for (const stream of STREAMS) {
        await sendUntilDone(ports[0]!, 'PUT', streamPath(stream))
        await sendUntilDone(ports[0]!, 'POST', streamPath(stream), { body: 'first 0' })
      }
      const tally = new Tally()
      for (const stream of STREAMS) tally.answered(stream, 'first 0', true)
      const random = seededRandom(SEED)
      let round = 0
      await work({
        ports,
        tally,
        async withFaults(ms) {
          const writers = new Writers(tally, { count: WRITERS, streams: STREAMS, ports, name: `r${round++}` })
          for (const proxy of proxies) proxy.treat = (api) => (api === API.produce ? faults(random) : 'pass')
          await sleep(ms)
          for (const proxy of proxies) proxy.treat = () => 'pass'
          const from = tally.acknowledged
          await expect.poll(() => tally.acknowledged - from, WITHIN).toBeGreaterThan(10 * WRITERS)
          await writers.end()
          await sleep(DELAY_MS_MAX) // the last of the requests that are late have arrived
        },
        async check() {
          const found = await Promise.all(STREAMS.map((stream) => readStream(reader.port, stream)))
          for (const [i, stream] of STREAMS.entries()) {
            const problems = tally.check(stream, found[i]!.bodies)
            if (cli === undefined) await proven(() => expect(problems, stream).toEqual(NOTHING))
          }
        },
      })
      const treated = proxies.reduce((sum, proxy) => sum + proxy.treated, 0)
      expect(treated, 'faults').toBeGreaterThan(3)
    } finally {
      for (const proxy of proxies) await proxy.close()
    }
  }

  test('are there once', { timeout: 900_000 + 2 * FAULTS_MS }, () =>
    behindProxies(undefined, async ({ tally, withFaults, check }) => {
      await withFaults(FAULTS_MS)
      await check()
      tellProof('late answers', { rounds: 1, ...tally.row() })
    }),
  )

  test('control: without producer ids events are doubled', { timeout: 900_000 }, async () => {
    const cli = await alteredBuild(WITHOUT_IDEMPOTENCE)
    await behindProxies(cli, async ({ tally, withFaults, check }) => {
      let rounds = 0
      for (; rounds < CONTROL_ROUNDS && tally.doubled === 0; rounds++) {
        await withFaults(CONTROL_ROUND_MS)
        await check()
      }
      expect(tally.doubled).toBeGreaterThan(0)
      tellProof('control without producer ids', { rounds, ...tally.row() })
    })
  })
})
