/**
 * The janitor of several nodes deletes the topics of logs that no stream has, and no other topic: while streams are made on another node, whose
 * changes the janitor's node applies late, while its node is stopped in the middle of a step and another takes over, and when it is killed there.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER_LIMITS } from '../../../storage/kafka/access.ts'
import { KafkaCluster } from '../../../storage/kafka/cluster.ts'
import { topicNames } from '../../../storage/kafka/settings.ts'
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
import { MarkedPause } from '../../support/marked-pause.ts'
import { proven } from '../../support/proven.ts'
import { seededRandom } from '../../support/seeded-random.ts'
import { temporaryFolder } from '../../support/service-process.ts'
import { ModelClient, modelRow, noCounts, type Step } from './model-clients.ts'
import { followerHeldBy, WITHOUT_LOG_BOUND, WITHOUT_TAKEOVER } from './node-alterations.ts'

const CHANGES = Number(process.env.MILLRACE_KAFKA_CHANGES ?? effort({ short: 6, long: 2_000 }))
const ROUNDS = Number(process.env.MILLRACE_KAFKA_ROUNDS ?? effort({ short: 2, long: 20 }))
const CONTROL_ROUNDS = 2
const CLIENTS = 6
/** Longer than the others wait for a silent node. */
const STOPPED_MS = 13_000
const STEPS: readonly Step[] = ['post', 'read', 'truncate', 'post', 'read', 'delete', 'post', 'read']
const BUSY = ['--janitor-seconds', '1']
/** A janitor that comes every second lists the logs within this time, on a machine that is busy with other things. */
const LOOK_MS = 60_000
/** From the end of its holder until another node has done the work that was left. */
const TAKEOVER_MS_MAX = 60_000
const CONTROL_TAKEOVER_MS = 20_000
const LISTED = 'const all = await this.#log.logs()'
const DELETING = 'const answers = await calls.requests.deleteTopics({ topics, timeoutMs: REQUEST_MS })'

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`the janitor ${missing ?? ''}`, () => {
  let kafka: TestKafka
  let cluster: KafkaCluster
  beforeAll(async () => {
    kafka = await TestKafka.shared()
    cluster = await KafkaCluster.open({ brokers: kafka.addresses }, CLUSTER_LIMITS)
  }, 600_000)
  afterAll(async () => {
    await cluster?.close()
    await kafka?.remove()
  })

  const start = (prefix: string, cli?: string) =>
    startNode({ kafka, prefix, args: BUSY, ...(cli !== undefined && { cli }) })

  /** The first node has the lease of the janitor. */
  async function startTwo(alterations: readonly Alteration[], ofOther: readonly Alteration[] = []) {
    const prefix = kafka.newPrefix()
    const holder = await start(prefix, await alteredBuild(alterations))
    const other = await start(prefix, ofOther.length > 0 ? await alteredBuild(ofOther) : undefined)
    return { holder, other, logPrefix: topicNames(prefix).logPrefix }
  }

  const topicsOf = (logPrefix: string) => cluster.listTopics(logPrefix)

  async function holdsEvent(node: KafkaNode, stream: string, body: string): Promise<boolean> {
    const { status, text } = await send(node.port, 'GET', `${streamPath(stream)}/events`)
    return status === 200 && text.includes(`"${body}"`)
  }

  /** Another node makes a stream, which the holder does not know when it lists the logs and finds that of the stream. */
  async function lateRounds(rounds: number, alterations: readonly Alteration[]) {
    const pause = await MarkedPause.of(1)
    const held = `${await temporaryFolder()}/held`
    const marked = { file: 'janitor/janitor.js', from: LISTED, to: `${LISTED}\n${pause.code}` }
    const { other } = await startTwo([...alterations, followerHeldBy(held), marked])
    const counts = { rounds, acknowledged: 0, lost: 0 }
    for (let round = 0; round < rounds; round++) {
      const stream = `late${round}`
      writeFileSync(held, '')
      await sendUntilDone(other.port, 'PUT', streamPath(stream))
      await sendUntilDone(other.port, 'POST', streamPath(stream), { body: 'made elsewhere' })
      counts.acknowledged++
      await pause.begun(LOOK_MS)
      await sleep(500) // a janitor that does not wait decides in this time
      rmSync(held)
      for (let i = 0; i < 2; i++) await pause.begun(LOOK_MS) // the step is over
      if (!(await holdsEvent(other, stream, 'made elsewhere'))) counts.lost++
    }
    return counts
  }

  test('spares a stream that was made elsewhere while it looked', { timeout: 1_200_000 }, async () => {
    const counts = await lateRounds(ROUNDS, [])
    await proven(() => expect(counts.lost).toBe(0))
    tellProof('streams made while the janitor looks', counts)
  })

  test('control: without the bound on logs each such stream loses its topic', {
    timeout: 600_000,
  }, async () => {
    const counts = await lateRounds(CONTROL_ROUNDS, WITHOUT_LOG_BOUND)
    tellProof('control without the bound on logs', counts)
    expect(counts.lost).toBe(CONTROL_ROUNDS)
  })

  const STREAMS = ['a', 'b', 'c', 'd']

  /** Stops or kills the holder where it is about to delete the topics of truncated streams, and truncates them again on the other node. */
  async function interruptedStep(
    how: 'stopped' | 'killed',
    withinMs: number,
    ofOther: readonly Alteration[] = [],
  ) {
    const pause = await MarkedPause.of(0)
    const switchFile = `${await temporaryFolder()}/pause`
    const trimmer = '../storage/kafka/log-trimmer.js'
    const marked = { file: trimmer, from: DELETING, to: `${pause.codeWhile(switchFile)}\n${DELETING}` }
    const { holder, other, logPrefix } = await startTwo([...ofOther, marked], ofOther)
    const counts = { acknowledged: 0, lost: 0, stale: 0, 'taken over after s': 0, 'topics left': 0 }
    const post = async (node: KafkaNode, body: string) => {
      for (const stream of STREAMS) await sendUntilDone(node.port, 'POST', streamPath(stream), { body })
      counts.acknowledged += STREAMS.length
    }
    for (const stream of STREAMS) await sendUntilDone(holder.port, 'PUT', streamPath(stream))
    await post(holder, 'first')
    writeFileSync(switchFile, '')
    const begun = pause.begun(LOOK_MS)
    for (const stream of STREAMS) await sendUntilDone(holder.port, 'POST', `${streamPath(stream)}/truncate`)
    await begun
    if (how === 'killed') await holder.service.kill()
    else holder.service.signal('SIGSTOP')
    const sinceMs = performance.now()
    rmSync(switchFile)
    await post(other, 'second')
    for (const stream of STREAMS.slice(2))
      await sendUntilDone(other.port, 'POST', `${streamPath(stream)}/truncate`)
    await post(other, 'third')
    if (how === 'stopped') {
      await sleep(Math.max(0, STOPPED_MS - (performance.now() - sinceMs)))
      holder.service.signal('SIGCONT')
    }
    const isDone = async () => (await topicsOf(logPrefix)).length === STREAMS.length
    while (!(await isDone()) && performance.now() - sinceMs < withinMs) await sleep(200)
    counts['taken over after s'] = Math.round((performance.now() - sinceMs) / 1000)
    counts['topics left'] = (await topicsOf(logPrefix)).length - STREAMS.length
    for (const [i, stream] of STREAMS.entries()) {
      const { bodies } = await readStream(other.port, stream)
      const wanted = i < 2 ? ['second', 'third'] : ['third']
      counts.lost += wanted.filter((body) => !bodies.includes(body)).length
      counts.stale += bodies.filter((body) => !wanted.includes(body)).length
    }
    return counts
  }

  test.each(['stopped', 'killed'] as const)(
    'whose node is %s in a step is replaced, and nothing that is used is deleted',
    { timeout: 600_000 },
    async (how) => {
      const counts = await interruptedStep(how, TAKEOVER_MS_MAX)
      await proven(() => expect(counts).toMatchObject({ lost: 0, stale: 0, 'topics left': 0 }))
      tellProof(`janitor ${how} in a step`, counts)
    },
  )

  test('control: if no node takes the lease of a dead one, topics that are not used stay', {
    timeout: 600_000,
  }, async () => {
    const counts = await interruptedStep('killed', CONTROL_TAKEOVER_MS, WITHOUT_TAKEOVER)
    tellProof('control without takeover of the janitor', counts)
    expect(counts['topics left']).toBeGreaterThan(0)
  })

  test('removes nothing of streams that change all the time, also with two holders for a moment', {
    timeout: 3_600_000,
  }, async () => {
    const prefix = kafka.newPrefix()
    const nodes = [await start(prefix), await start(prefix)]
    for (const { port } of nodes) await sendUntilDone(port, 'GET', '/v3/namespaces/default/feeds')
    const counts = noCounts()
    const ports = nodes.map(({ port }) => port)
    const clients = Array.from(
      { length: CLIENTS },
      (_, i) => new ModelClient(`c${i}`, ports, seededRandom(SEED + i), counts),
    )
    let left = CHANGES
    let ended = false
    let stops = 0
    const stopping = (async () => {
      while (!ended) {
        const { service } = nodes[stops++ % 2]!
        service.signal('SIGSTOP')
        await sleep(STOPPED_MS)
        service.signal('SIGCONT')
        await sleep(5_000)
      }
    })()
    await Promise.all(
      clients.map(async (client) => {
        while (left-- > 0) for (const step of STEPS) await client.step(step)
      }),
    )
    ended = true
    await stopping
    const problems = clients.flatMap((client) => client.problems).slice(0, 10)
    await proven(() => expect(problems).toEqual([]))
    tellProof('janitors of two nodes that are stopped in turn', { stops, ...modelRow(counts) })
  })
})
