/**
 * Clients POST and GET while a large batch is committed: in the same stream events are invisible for no longer than the commit takes, answers are
 * right and in order, no event of a batch that was given up is served, and the memory of the node does not depend on the size of the batch. The
 * control reads what brokers keep of aborted batches. The data of the brokers is removed at the end.
 *
 *   MILLRACE_KAFKA_BATCH_MIB   size of the batch
 */

import { request } from 'node:http'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { fetch as fetchRecords } from '../../../storage/kafka/fetch.ts'
import { readBatches, readRecords } from '../../../storage/kafka/record-batch-reader.ts'
import { bodies as bodiesInLog } from '../../contract/event-log.ts'
import { alteredBuild } from '../../support/altered-build.ts'
import { effort, tellProof } from '../../support/effort.ts'
import { fetchKafka, TestKafka } from '../../support/kafka.ts'
import { openTestLog } from '../../support/kafka-log.ts'
import { readStream, send, sendUntilDone, startNode, streamPath } from '../../support/kafka-services.ts'
import { batchOf, removeTopics, transaction } from '../../support/kafka-topics.ts'
import { procProblem, rssMb } from '../../support/open-loop.ts'
import { proven } from '../../support/proven.ts'
import { WITHOUT_VISIBILITY } from './node-alterations.ts'
import { Paced } from './paced.ts'
import { NOTHING, Tally } from './tally.ts'
import { Writers } from './writers.ts'

const MIB = 1024 * 1024
const BATCH_BYTES = Number(process.env.MILLRACE_KAFKA_BATCH_MIB ?? effort({ short: 64, long: 1_024 })) * MIB
const LINE_BYTES = 100_000
/** More than a record batch holds, so it is written by a transaction. */
const CONTROL_LINES = 200
const CONTROL_ROUNDS_MAX = 30
const WRITERS = 4
/** To another stream, as many POSTs as GETs of the newest events. */
const NEWEST_MS = 2_000
const OTHERS_PER_SECOND = 4
const OTHERS = 4
/** Beyond what the node has before the batch. */
const MORE_MB_MAX = 300
const MEMORY_PAUSE_MS = 100
const READ_PAUSE_MS = 100
/** Beyond the time of the commit itself: a read waits as long for a batch, and then ends in front of it. */
const PENDING_MS = 2_000
const WITHIN = { timeout: 300_000, interval: 200 }
const S = streamPath('s')
const O = streamPath('o')

const missing = (await fetchKafka()) ?? procProblem()

describe.skipIf(missing !== undefined)(`a large batch ${missing ?? ''}`, () => {
  let kafka: TestKafka
  beforeAll(async () => {
    kafka = await TestKafka.shared()
  }, 600_000)
  afterAll(async () => {
    for (const prefix of prefixes) await removeTopics(kafka.addresses, prefix)
    await kafka?.remove()
  })

  const prefixes: string[] = []
  function newPrefix(): string {
    const prefix = kafka.newPrefix()
    prefixes.push(prefix)
    return prefix
  }

  /** Uploads lines. Resolves with status and text, or '0' if the upload ended after `bytesMost`. */
  function upload(port: number, name: string, bytesMost = Number.POSITIVE_INFINITY): Promise<string> {
    const count = Math.ceil(BATCH_BYTES / LINE_BYTES)
    return new Promise((resolve) => {
      const headers = { 'Content-Type': 'text/plain' }
      const sent = request(
        { host: '127.0.0.1', port, method: 'POST', path: `${S}/batch`, headers },
        (answer) => {
          void answer.toArray().then((text) => resolve(`${answer.statusCode} ${text.join('')}`.trim()))
        },
      )
      sent.on('error', () => resolve('0'))
      function* lines() {
        let bytes = 0
        for (let i = 0; i < count; i++) {
          const line = `${name} ${i} `.padEnd(LINE_BYTES - 1, '.')
          bytes += LINE_BYTES
          if (bytes > bytesMost) return void sent.destroy()
          yield `${line}\n`
        }
      }
      Readable.from(lines()).pipe(sent)
    })
  }

  /** Bodies of the stream without the padding, so that a large stream takes little memory here. */
  async function firstWords(port: number): Promise<string[]> {
    const headers = { Accept: 'application/x-ndjson' }
    const answer = await fetch(`http://127.0.0.1:${port}${S}/events`, { headers })
    expect(answer.status).toBe(200)
    const lines = createInterface({ input: Readable.fromWeb(answer.body as ReadableStream) })
    const words: string[] = []
    for await (const line of lines) {
      const { body } = JSON.parse(line) as { body: string }
      words.push(body.split(' ', 2).join(' '))
    }
    return words
  }

  test('is committed, and given up, beside single events', { timeout: 3_600_000 }, async () => {
    const node = await startNode({
      kafka,
      prefix: newPrefix(),
      args: ['--max-pending-ms', `${PENDING_MS}`],
    })
    for (const path of [S, O]) await sendUntilDone(node.port, 'PUT', path)
    const tally = new Tally()
    const writers = new Writers(tally, { count: WRITERS, streams: ['s'], ports: [node.port], name: 'w' })
    let ended = false
    const hidden = { longestMs: 0, behind: 0, reads: 0 }
    const watching = (async () => {
      while (!ended) {
        const body = `probe ${hidden.reads++}`
        const { status } = await send(node.port, 'POST', S, { body })
        tally.answered('s', body, status === 200)
        if (status !== 200) continue
        const sinceMs = performance.now()
        // Writers go on, and what comes after the probe is visible only if the probe is.
        const later = `${S}/events?start=${Date.now()}&limit=1`
        while (!ended && (await send(node.port, 'GET', later)).status !== 200) await sleep(READ_PAUSE_MS)
        hidden.longestMs = Math.max(hidden.longestMs, performance.now() - sinceMs)
        await sleep(READ_PAUSE_MS)
      }
    })()
    const beforeMb = rssMb(node.service.pid)
    let mostMb = beforeMb
    const measuring = (async () => {
      for (; !ended; await sleep(MEMORY_PAUSE_MS)) mostMb = Math.max(mostMb, rssMb(node.service.pid))
    })()
    let others = 0
    const pace = { port: node.port, connections: OTHERS, perSecond: OTHERS_PER_SECOND }
    const posts = new Paced({
      ...pace,
      next: (i) => ({ method: 'POST', path: O, body: `o${i} ${others++}` }),
      answered: ({ body = '' }, answered) => tally.answered('o', body, answered === 200),
    })
    const gets = new Paced({
      ...pace,
      next: () => ({ method: 'GET', path: `${O}/events?start=${Date.now() - NEWEST_MS}` }),
    })
    onTestFinished(() => {
      ended = true
    })
    const startMs = performance.now()
    const answer = await upload(node.port, 'batch')
    const uploadMs = performance.now() - startMs
    expect(answer).toBe('200')
    const ofPosts = await posts.end()
    const ofGets = await gets.end()
    expect(await upload(node.port, 'given-up', BATCH_BYTES / 2)).toBe('0')
    await writers.end()
    ended = true
    await Promise.all([watching, measuring])
    const bodies = await firstWords(node.port)
    const { bodies: ofOthers } = await readStream(node.port, 'o')
    const ofBatch = bodies.filter((body) => body.startsWith('batch '))
    const single = bodies.filter((body) => !body.startsWith('batch '))
    await proven(() => {
      expect(tally.check('s', single)).toEqual(NOTHING)
      expect(tally.check('o', ofOthers)).toEqual(NOTHING)
      expect(ofBatch.map((body) => Number(body.split(' ')[1]))).toEqual(
        Array.from({ length: Math.ceil(BATCH_BYTES / LINE_BYTES) }, (_, i) => i),
      )
    })
    expect(hidden.longestMs, 'no longer than the whole request and one wait').toBeLessThan(
      uploadMs + PENDING_MS + 2_000,
    )
    tellProof('a large batch', {
      MiB: BATCH_BYTES / MIB,
      'upload s': Math.round(uploadMs / 1000),
      'longest invisible s': (hidden.longestMs / 1000).toFixed(1),
      POSTs: ofPosts.count,
      'POST p50, p99, longest ms': `${ofPosts.p50Ms} ${ofPosts.p99Ms} ${ofPosts.maxMs}`,
      GETs: ofGets.count,
      'GET p50, p99, longest ms': `${ofGets.p50Ms} ${ofGets.p99Ms} ${ofGets.maxMs}`,
      'MB before': Math.round(beforeMb),
      'MB at most': Math.round(mostMb),
      ...tally.row(),
    })
    expect(mostMb - beforeMb, 'memory does not depend on the size').toBeLessThan(MORE_MB_MAX)
  })

  test('control: if it is acknowledged before readers see it, it is missing in a read after it', {
    timeout: 900_000,
  }, async () => {
    const cli = await alteredBuild(WITHOUT_VISIBILITY)
    const node = await startNode({ kafka, prefix: newPrefix(), cli, args: ['--max-pending-ms', '0'] })
    const headers = { 'Content-Type': 'text/plain' }
    const lines = Array.from({ length: CONTROL_LINES }, (_, i) => `${i} `.padEnd(LINE_BYTES, '.')).join('\n')
    let missed = 0
    let rounds = 0
    for (; rounds < CONTROL_ROUNDS_MAX && missed === 0; rounds++) {
      const path = streamPath(`s${rounds}`)
      await sendUntilDone(node.port, 'PUT', path)
      const { status } = await send(node.port, 'POST', `${path}/batch`, { headers, body: lines })
      if (status !== 200) continue
      if ((await send(node.port, 'GET', `${path}/events?limit=1`)).status === 204) missed++
    }
    tellProof('control, batches that are acknowledged before they are visible', { rounds, missed })
    expect(missed).toBeGreaterThan(0)
  })

  test('that is aborted in its transaction is not served; the control without isolation sees it', {
    timeout: 900_000,
  }, async () => {
    const node = await openTestLog({ brokers: kafka.addresses, prefix: newPrefix() })
    try {
      const aborted = Array.from({ length: 200 }, (_, i) => `aborted ${i}`)
      await node.topics.ensure(1)
      await transaction(node, 1, [batchOf(['kept'])], true)
      await transaction(node, 1, [batchOf(aborted)], false)
      await transaction(node, 1, [batchOf(['last'])], true)
      const topic = node.names.log(1)
      const bodiesOf = async (isolation: 'committed' | 'uncommitted') => {
        const leader = (await node.cluster.leader(topic, { refresh: true }))!
        const parts = [{ topic, offset: 0, maxBytes: 8 * MIB }]
        const [part] = await fetchRecords(node.cluster, leader.node, {
          ...{
            parts,
            isolation,
            minBytes: 1,
            maxWaitMs: 1_000,
            maxBytes: 8 * MIB,
            purpose: 'fetch' as const,
          },
        })
        return readBatches(part!.records, topic).flatMap((batch) =>
          batch.isControl ? [] : [...readRecords(batch, topic)].map(({ value }) => `${value}`),
        )
      }
      const read = () => bodiesInLog(node.log, 1)
      await expect.poll(async () => (await read()).length, WITHIN).toBe(2)
      await proven(async () => expect(await read()).toEqual(['kept', 'last']))
      const uncommitted = await bodiesOf('uncommitted')
      expect(uncommitted).toContain('aborted 0')
      tellProof('aborted batches', { served: 2, 'seen without isolation': uncommitted.length - 2 })
    } finally {
      await node.close()
    }
  })
})
