/**
 * A node is killed with SIGKILL in the middle of a write, at a place that the altered build marks: acknowledged events are there,
 * a large batch is there as a whole or not at all, a change of the catalog is made or not, and the stream takes and shows events on another node
 * within 60 s, and on the same node when it is started again.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Alteration, alteredBuild } from '../../support/altered-build.ts'
import { effort, tellProof } from '../../support/effort.ts'
import { fetchKafka, TestKafka } from '../../support/kafka.ts'
import { readStream, send, sendUntilDone, startNode, streamPath } from '../../support/kafka-services.ts'
import { MarkedPause } from '../../support/marked-pause.ts'
import { proven } from '../../support/proven.ts'
import { WITHOUT_VISIBILITY } from './node-alterations.ts'

const ROUNDS = Number(process.env.MILLRACE_KAFKA_ROUNDS ?? effort({ short: 1, long: 10 }))
/** More than a record batch holds, so it is written by a transaction. */
const BATCH_LINES = 300
const LINE_BYTES = 90_000
const STUCK_MS_MAX = 60_000
const S = streamPath('s')

type Place =
  | 'an append'
  | 'a spool'
  | 'a transaction before its end'
  | 'a transaction after its end'
  | 'a change'

const TRANSACTION = '../storage/kafka/transaction.js'

/** Where the node is killed, and the request that gets there. */
const PLACES: readonly {
  name: Place
  alteration: Omit<Alteration, 'to'>
  where: 'before' | 'after'
  request: 'event' | 'batch' | 'properties'
}[] = [
  {
    name: 'an append',
    alteration: {
      file: '../storage/kafka/log-writer.js',
      from: 'const { baseOffset, appendTimeMs } = await this.#deliver(batch)',
    },
    where: 'after',
    request: 'event',
  },
  {
    name: 'a spool',
    alteration: {
      file: '../storage/kafka/spool.js',
      from: 'await writeAll(this.#file, bytes, at + head.length)',
    },
    where: 'before',
    request: 'batch',
  },
  {
    name: 'a transaction before its end',
    alteration: { file: TRANSACTION, from: 'const answer = await this.#session.end(true)' },
    where: 'before',
    request: 'batch',
  },
  {
    name: 'a transaction after its end',
    alteration: { file: TRANSACTION, from: 'const answer = await this.#session.end(true)' },
    where: 'after',
    request: 'batch',
  },
  {
    name: 'a change',
    alteration: {
      file: '../storage/kafka/catalog-writer.js',
      from: 'const outcome = await this.#parts.topic.store(batch)',
    },
    where: 'after',
    request: 'properties',
  },
]

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`a node that is killed ${missing ?? ''}`, () => {
  let kafka: TestKafka
  beforeAll(async () => {
    kafka = await TestKafka.start({ brokers: 3 })
  }, 600_000)
  afterAll(() => kafka?.remove())

  const lines = (name: string) =>
    Array.from({ length: BATCH_LINES }, (_, i) => `${name}:${i} `.padEnd(LINE_BYTES, '.'))

  test.each(PLACES)(
    'in $name',
    { timeout: 300_000 + ROUNDS * 600_000 },
    async ({ name, alteration, where, request }) => {
      const pause = await MarkedPause.of(0)
      const { writeFileSync, rmSync } = await import('node:fs')
      const { temporaryFolder } = await import('../../support/service-process.ts')
      const switchFile = `${await temporaryFolder()}/kill-now`
      const code = pause.codeWhile(switchFile)
      const { from } = alteration
      const cli = await alteredBuild([
        { ...alteration, to: where === 'before' ? `${code}\n${from}` : `${from}\n${code}` },
      ])
      const counts = {
        rounds: ROUNDS,
        acknowledged: 0,
        lost: 0,
        doubled: 0,
        partial: 0,
        applied: 0,
        'stuck s': 0,
      }
      for (let round = 0; round < ROUNDS; round++) {
        const prefix = kafka.newPrefix()
        const [victim, other] = await Promise.all([
          startNode({ kafka, prefix, cli }),
          startNode({ kafka, prefix }),
        ])
        await sendUntilDone(victim.port, 'PUT', S)
        const acknowledged: string[] = []
        for (let i = 0; i < 5; i++) {
          await sendUntilDone(victim.port, 'POST', S, { body: `before ${i}` })
          acknowledged.push(`before ${i}`)
        }
        writeFileSync(switchFile, '')
        const text = { headers: { 'Content-Type': 'text/plain' } }
        const answer =
          request === 'event'
            ? send(victim.port, 'POST', S, { body: 'killed' })
            : request === 'batch'
              ? send(victim.port, 'POST', `${S}/batch`, { ...text, body: lines('killed').join('\n') })
              : send(victim.port, 'PUT', `${S}/properties`, { body: '{"description":"killed"}' })
        await pause.begun(60_000)
        await victim.service.kill()
        rmSync(switchFile)
        expect((await answer).status, 'it was not answered').toBe(0)

        const killedMs = performance.now()
        await sendUntilDone(other.port, 'POST', S, { body: 'after' })
        acknowledged.push('after')
        // The batch of the dead node is committed or aborted: until then later events cannot be seen.
        await expect
          .poll(async () => (await readStream(other.port, 's')).bodies.includes('after'), {
            timeout: STUCK_MS_MAX,
          })
          .toBe(true)
        counts['stuck s'] = Math.max(counts['stuck s'], Math.ceil((performance.now() - killedMs) / 1000))
        const again = await startNode({ kafka, prefix, folder: victim.folder })
        await sendUntilDone(again.port, 'POST', S, { body: 'again' })
        acknowledged.push('again')
        const { bodies, cursors } = await readStream(again.port, 's')
        const ofBatch = bodies.filter((body) => body.startsWith('killed:'))
        const killed = bodies.filter((body) => body === 'killed').length
        counts.acknowledged += acknowledged.length
        counts.lost += acknowledged.filter((body) => !bodies.includes(body)).length
        counts.doubled += bodies.length - new Set(bodies).size
        if (ofBatch.length > 0 && ofBatch.length < BATCH_LINES) counts.partial++
        if (ofBatch.length > 0 || killed > 0) counts.applied++
        const described = [other, again].map(({ port }) => sendUntilDone(port, 'GET', S))
        const descriptions = (await Promise.all(described)).map(
          (one) => JSON.parse(one).description as unknown,
        )
        if (descriptions[0] === 'killed') counts.applied++
        await proven(() => {
          expect(counts).toMatchObject({ lost: 0, doubled: 0, partial: 0 })
          expect(descriptions[1], 'both nodes show the same').toBe(descriptions[0])
        })
        expect((await readStream(other.port, 's')).cursors).toEqual(cursors)
        if (name === 'a spool' || name === 'a transaction before its end') expect(ofBatch).toEqual([])
        if (name === 'a transaction after its end') expect(ofBatch).toHaveLength(BATCH_LINES)
        for (const node of [other, again]) await node.service.kill()
      }
      tellProof(`kill -9 of a node in ${name}`, counts)
    },
  )

  test('control: a batch that is acknowledged before readers see it is missing in a read after it', {
    timeout: 900_000,
  }, async () => {
    const cli = await alteredBuild(WITHOUT_VISIBILITY)
    const prefix = kafka.newPrefix()
    const node = await startNode({ kafka, prefix, cli, args: ['--max-pending-ms', '0'] })
    await sendUntilDone(node.port, 'PUT', S)
    const headers = { 'Content-Type': 'text/plain' }
    let missed = 0
    let rounds = 0
    for (; rounds < 30 && missed === 0; rounds++) {
      const name = `b${rounds}`
      const { status } = await send(node.port, 'POST', `${S}/batch`, {
        headers,
        body: lines(name).join('\n'),
      })
      if (status !== 200) continue
      const { bodies } = await readStream(node.port, 's')
      if (bodies.filter((body) => body.startsWith(`${name}:`)).length < BATCH_LINES) missed++
      await sendUntilDone(node.port, 'POST', `${S}/truncate`)
    }
    expect(missed).toBeGreaterThan(0)
    tellProof('control, batches that are acknowledged before they are visible', { rounds, missed })
  })
})
