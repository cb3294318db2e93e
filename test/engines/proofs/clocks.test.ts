/**
 * The clock of a node, which has the janitor, is set forward and back by an hour while events come in: no event is hidden or removed before its
 * time, and expired ones do not stay visible, because the clocks of the brokers decide. With the clock of the node events have to be lost.
 */
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Alteration, alteredBuild } from '../../support/altered-build.ts'
import { effort, tellProof } from '../../support/effort.ts'
import { fetchKafka, TestKafka } from '../../support/kafka.ts'
import { readStream, send, sendUntilDone, startNode, streamPath } from '../../support/kafka-services.ts'
import { proven } from '../../support/proven.ts'
import { temporaryFolder } from '../../support/service-process.ts'
import { clockSteppedBy, WITH_CLOCK_OF_NODE } from './node-alterations.ts'

const HOUR_MS = 3_600_000
const STEPS_MS = [HOUR_MS, -HOUR_MS, 0]
const ROUNDS = effort({ short: 1, long: 10 })
const EVENTS = 5
const HALF_HOUR_TTL = { ttl: 1_800 }
const SHORT_TTL_SECONDS = 5
/** The clock of the brokers as a node knows it is late by the way of an answer. */
const LATE_MS_MAX = 2_000
/** Several rounds of the janitor. */
const JANITOR_MS = 3_000

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`clocks of nodes ${missing ?? ''}`, () => {
  let kafka: TestKafka
  beforeAll(async () => {
    kafka = await TestKafka.shared()
  }, 600_000)
  afterAll(() => kafka?.remove())

  async function run(alterations: readonly Alteration[], rounds: number) {
    const clock = `${await temporaryFolder()}/clock`
    writeFileSync(clock, '0')
    const node = { kafka, prefix: kafka.newPrefix(), args: ['--janitor-seconds', '1'] }
    const stepped = await startNode({
      ...node,
      cli: await alteredBuild([...alterations, clockSteppedBy(clock)]),
    })
    const right = await startNode({ ...node, cli: await alteredBuild(alterations) })
    const ports = [stepped.port, right.port]
    for (const [stream, properties] of [
      ['forever', {}],
      ['half-hour', HALF_HOUR_TTL],
      ['short', { ttl: SHORT_TTL_SECONDS }],
    ] as const) {
      await sendUntilDone(right.port, 'PUT', streamPath(stream))
      const body = JSON.stringify(properties)
      await sendUntilDone(right.port, 'PUT', `${streamPath(stream)}/properties`, { body })
    }
    const counts = { steps: 0, acknowledged: 0, lost: 0, 'hidden early': 0, 'shown late': 0, refused: 0 }
    const sent: string[] = []
    const short = async (port: number) => (await send(port, 'GET', `${streamPath('short')}/events`)).text

    /** An event with a short ttl is there until its time, and not long after it, on both nodes. */
    async function expire(body: string): Promise<void> {
      const sentMs = performance.now()
      await sendUntilDone(right.port, 'POST', streamPath('short'), { body })
      const storedMs = performance.now()
      const expiredMs = storedMs + SHORT_TTL_SECONDS * 1000 + LATE_MS_MAX
      while (performance.now() < expiredMs) {
        for (const port of ports) {
          const isShown = (await short(port)).includes(`"${body}"`)
          const isYoung = performance.now() - sentMs < SHORT_TTL_SECONDS * 1000
          if (isYoung && !isShown) counts['hidden early']++
        }
        await sleep(200)
      }
      for (const port of ports) if ((await short(port)).includes(`"${body}"`)) counts['shown late']++
    }

    for (let round = 0; round < rounds; round++) {
      for (const stepMs of STEPS_MS) {
        writeFileSync(clock, `${stepMs}`)
        const name = `${counts.steps++}`
        const writing = (async () => {
          for (let i = 0; i < EVENTS; i++) {
            const body = `${name} ${i}`
            for (const stream of ['forever', 'half-hour'])
              await sendUntilDone(ports[i % 2]!, 'POST', streamPath(stream), { body })
            sent.push(body)
            counts.acknowledged += 2
          }
        })()
        await Promise.all([writing, expire(name), sleep(JANITOR_MS)])
        counts.acknowledged++
      }
    }
    for (const port of ports) {
      for (const stream of ['forever', 'half-hour']) {
        const bodies = new Set((await readStream(port, stream)).bodies)
        counts.lost += sent.filter((body) => !bodies.has(body)).length
      }
    }
    return counts
  }

  test('that are set forward and back hide and remove nothing early', { timeout: 1_800_000 }, async () => {
    const counts = await run([], ROUNDS)
    await proven(() => expect(counts).toMatchObject({ lost: 0, 'hidden early': 0, 'shown late': 0 }))
    tellProof('the clock of a node, an hour forward and back', counts)
  })

  test('control: with the clock of the node events are lost', { timeout: 600_000 }, async () => {
    const counts = await run(WITH_CLOCK_OF_NODE, 1)
    tellProof('control with the clock of the node', counts)
    expect(counts.lost).toBeGreaterThan(0)
    expect(counts['hidden early']).toBeGreaterThan(0)
  })
})
