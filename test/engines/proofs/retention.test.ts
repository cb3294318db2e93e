/**
 * Events that are older than what the brokers keep by default stay, in streams without a ttl and with a longer one: imported events, on brokers that
 * look for old segments every second. With the default settings of the cluster they have to be lost.
 */
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { crc32c } from '@node-rs/crc32'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CLUSTER_LIMITS } from '../../../storage/kafka/access.ts'
import { KafkaCluster } from '../../../storage/kafka/cluster.ts'
import { topicNames } from '../../../storage/kafka/settings.ts'
import { describeConfigs, incrementalAlterConfigs } from '../../../storage/kafka/topic-requests.ts'
import { type Alteration, alteredBuild } from '../../support/altered-build.ts'
import { tellProof } from '../../support/effort.ts'
import { fetchKafka, TestKafka } from '../../support/kafka.ts'
import { readStream, sendUntilDone, startNode, streamPath } from '../../support/kafka-services.ts'
import { proven } from '../../support/proven.ts'
import { spawnCli, temporaryFolder } from '../../support/service-process.ts'
import { WITHOUT_RETENTION } from './node-alterations.ts'

const DAY_MS = 86_400_000
const OLD_MS = 8 * DAY_MS
const EVENTS = 1_000
/** Brokers look every second. */
const RETENTION = ['log.retention.check.interval.ms=1000', 'log.initial.task.delay.ms=1000']
const LOOKS_MS = 10_000
const NINE_DAYS_SECONDS = 9 * 86_400
const SEVEN_DAYS_SECONDS = 7 * 86_400
const WITHIN = { timeout: 60_000, interval: 200 }

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`old events ${missing ?? ''}`, () => {
  let kafka: TestKafka
  let cluster: KafkaCluster
  beforeAll(async () => {
    kafka = await TestKafka.start({ settings: RETENTION })
    cluster = await KafkaCluster.open({ brokers: kafka.addresses }, CLUSTER_LIMITS)
  }, 600_000)
  afterAll(async () => {
    await cluster?.close()
    await kafka?.remove()
  })

  const bodies = Array.from({ length: EVENTS }, (_, i) => `old ${i}`)

  /** An export as the service writes it, of events that are eight days old. */
  function exported(): string {
    const fromMs = Date.now() - OLD_MS
    const lines = bodies.map(
      (body, i) => `${JSON.stringify({ timestamp: fromMs + i, sequence: i, headers: {}, body })}\n`,
    )
    const sum = crc32c(lines.join('')).toString(16).padStart(8, '0')
    return `${lines.join('')}${JSON.stringify({ end: true, events: EVENTS, crc32c: sum })}\n`
  }

  async function imported(streams: readonly string[], alterations: readonly Alteration[] = []) {
    const prefix = kafka.newPrefix()
    const cli = await alteredBuild(alterations)
    const file = `${await temporaryFolder()}/old.ndjson`
    writeFileSync(file, exported())
    const brokers = kafka.addresses.map(({ host, port }) => `${host}:${port}`).join(',')
    const log = ['--log', `kafka://${brokers}`, '--kafka-prefix', prefix, '--insecure-kafka']
    for (const stream of streams) {
      const data = ['--data', await temporaryFolder()]
      const args = ['import', ...data, '--stream', `default:${stream}`, '--file', file, ...log]
      const process = spawnCli({ args }, cli)
      expect(await process.exited, process.stderr).toMatchObject({ code: 0 })
    }
    const options = { kafka, prefix, cli, args: ['--janitor-seconds', '1'] }
    const node = await startNode(options)
    return { options, node, topic: topicNames(prefix).log(1) }
  }

  const missingIn = async (port: number, stream: string) => {
    const found = new Set((await readStream(port, stream)).bodies)
    return bodies.filter((body) => !found.has(body)).length
  }

  const setTtl = (port: number, stream: string, ttl: number) =>
    sendUntilDone(port, 'PUT', `${streamPath(stream)}/properties`, { body: JSON.stringify({ ttl }) })

  async function settingOf(topic: string, setting: string): Promise<string | undefined> {
    const resources = [{ type: 'topic' as const, name: topic }]
    const [answer] = await describeConfigs(cluster, await cluster.controller(), { resources })
    return answer?.settings.get(setting)?.value ?? undefined
  }

  test('stay without a ttl and with a longer one, and expire by a shorter one', {
    timeout: 600_000,
  }, async () => {
    const { options, node, topic } = await imported(['without-ttl', 'nine-days'])
    await setTtl(node.port, 'nine-days', NINE_DAYS_SECONDS)
    await sleep(LOOKS_MS)
    const streams = ['without-ttl', 'nine-days']
    let lost = 0
    for (const stream of streams) lost += await missingIn(node.port, stream)
    await proven(() => expect(lost).toBe(0))
    await setTtl(node.port, 'nine-days', SEVEN_DAYS_SECONDS)
    await expect.poll(() => missingIn(node.port, 'nine-days'), WITHIN).toBe(EVENTS)
    // A setting that was changed by hand, and has removed nothing yet, is corrected when a node starts.
    const set = { 'retention.ms': `${9 * DAY_MS}` }
    expect(await incrementalAlterConfigs(cluster, { topics: [{ topic, set }] })).toMatchObject([
      { errorCode: 0 },
    ])
    await expect.poll(() => settingOf(topic, 'retention.ms'), WITHIN).toBe(`${9 * DAY_MS}`)
    await node.service.stop()
    const again = await startNode({ ...options, folder: node.folder })
    await expect.poll(() => settingOf(topic, 'retention.ms'), WITHIN).toBe('-1')
    await proven(async () => expect(await missingIn(again.port, 'without-ttl')).toBe(0))
    tellProof('events that are eight days old', { acknowledged: 2 * EVENTS, lost, expired: EVENTS })
  })

  test('control: with the settings of the cluster all are lost', { timeout: 600_000 }, async () => {
    const { node } = await imported(['without-ttl'], WITHOUT_RETENTION)
    await expect.poll(() => missingIn(node.port, 'without-ttl'), WITHIN).toBe(EVENTS)
    tellProof('control with the retention of the cluster', { acknowledged: EVENTS, lost: EVENTS })
  })
})
