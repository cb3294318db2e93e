/**
 * Many streams with events, of which some are busy, on one broker: what a node needs to make them, to start and to stop, the time of a POST, and its
 * memory, which does not grow with what was written.
 *
 *   MILLRACE_KAFKA_STREAMS   number of streams
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { effort, tellProof } from '../../support/effort.ts'
import { fetchKafka, TestKafka } from '../../support/kafka.ts'
import { readStream, sendUntilDone, startNode, streamPath } from '../../support/kafka-services.ts'
import { procProblem, rssMb } from '../../support/open-loop.ts'
import { proven } from '../../support/proven.ts'
import { Paced } from './paced.ts'
import { NOTHING, Tally } from './tally.ts'

const STREAMS = Number(process.env.MILLRACE_KAFKA_STREAMS ?? effort({ short: 200, long: 10_000 }))
const BUSY = Math.min(100, STREAMS)
const WORKERS = 16
const BUSY_SECONDS = effort({ short: 15, long: 60 })
const POSTS_PER_SECOND = 100
/** What a node may take in all. */
const RSS_MB_MAX = 400
const START_MS_MAX = 120_000
/** On a busy machine the broker would take itself for dead, and begin anew with all topics. */
const PATIENT = ['broker.session.timeout.ms=60000']

const missing = (await fetchKafka()) ?? procProblem()

describe.skipIf(missing !== undefined)(`many streams ${missing ?? ''}`, () => {
  let kafka: TestKafka
  beforeAll(async () => {
    kafka = await TestKafka.start({ use: 'many topics', settings: PATIENT })
  }, 600_000)
  afterAll(() => kafka?.remove())

  test('start, stop, and memory', { timeout: 7_200_000 }, async () => {
    const prefix = kafka.newPrefix()
    const first = await startNode({ kafka, prefix })
    const emptyMb = rssMb(first.service.pid)
    const names = Array.from({ length: STREAMS }, (_, i) => `s${i}`)
    const createMs = performance.now()
    let next = 0
    const worker = async () => {
      for (let i = next++; i < STREAMS; i = next++) {
        const path = streamPath(names[i]!)
        await sendUntilDone(first.port, 'PUT', path)
        await sendUntilDone(first.port, 'POST', path, { body: 'first 0' })
      }
    }
    await Promise.all(Array.from({ length: WORKERS }, worker))
    const createSeconds = (performance.now() - createMs) / 1000
    const tally = new Tally()
    for (const name of names) tally.answered(name, 'first 0', true)
    const before = rssMb(first.service.pid)
    const busy = names.slice(0, BUSY)
    for (const name of busy) tally.begin(name)
    const sent = busy.map(() => 0)
    const posts = new Paced({
      port: first.port,
      connections: BUSY,
      perSecond: POSTS_PER_SECOND,
      next: (i) => ({ method: 'POST', path: streamPath(busy[i]!), body: `w${i} ${sent[i]!++}` }),
      answered: ({ path, body = '' }, status) =>
        tally.answered(path.slice(path.lastIndexOf('/') + 1), body, status === 200),
    })
    await new Promise((resolve) => setTimeout(resolve, BUSY_SECONDS * 1000))
    const { p50Ms, p99Ms, maxMs } = await posts.end()
    const after = rssMb(first.service.pid)
    const stopMs = performance.now()
    expect(await first.service.stop()).toMatchObject({ code: 0 })
    const startMs = performance.now()
    const again = await startNode({ kafka, prefix, folder: first.folder })
    const startedMs = performance.now() - startMs
    for (const name of [...busy, ...names.slice(-BUSY)]) {
      const { bodies } = await readStream(again.port, name)
      await proven(() => expect(tally.check(name, bodies), name).toEqual(NOTHING))
    }
    tellProof('many streams', {
      streams: STREAMS,
      'create s': Math.round(createSeconds),
      'p50 ms': p50Ms,
      'p99 ms': p99Ms,
      'longest ms': maxMs,
      'stop s': ((startMs - stopMs) / 1000).toFixed(1),
      'start s': (startedMs / 1000).toFixed(1),
      'MB empty': Math.round(emptyMb),
      'MB with all': Math.round(before),
      'MB after load': Math.round(after),
      'MB started again': Math.round(rssMb(again.service.pid)),
      ...tally.row(),
    })
    expect(startedMs).toBeLessThan(START_MS_MAX)
    expect(after).toBeLessThan(RSS_MB_MAX)
  })
})
