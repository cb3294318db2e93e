/**
 * A node is killed with SIGKILL in the middle of a write, at a place that the altered build marks: acknowledged events are there,
 * a large batch is there as a whole or not at all, a change of the catalog is made or not, and the stream takes and shows events on another node
 * within 60 s, and on the same node when it is started again. If no node ends the transactions of a dead one, the stream has to stand still.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Alteration, alteredBuild } from '../../support/altered-build.ts'
import { effort, tellProof } from '../../support/effort.ts'
import { fetchKafka, TestKafka } from '../../support/kafka.ts'
import { readStream, send, sendUntilDone, startNode, streamPath } from '../../support/kafka-services.ts'
import { MarkedPause } from '../../support/marked-pause.ts'
import { proven } from '../../support/proven.ts'
import { temporaryFolder } from '../../support/service-process.ts'
import { WITHOUT_FENCING } from './node-alterations.ts'

const ROUNDS = Number(process.env.MILLRACE_KAFKA_ROUNDS ?? effort({ short: 1, long: 10 }))
/** More than a record batch holds, so it is written by a transaction. */
const BATCH_LINES = 300
const LINE_BYTES = 90_000
const STUCK_MS_MAX = 60_000
/** Brokers end a transaction after 60 s, other nodes that of a dead node some seconds after 10 s. */
const CONTROL_HIDDEN_MS = 30_000
const S = streamPath('s')

type Place =
  | 'an append'
  | 'a spool'
  | 'a transaction before its end'
  | 'a transaction after its end'
  | 'a change'

const TRANSACTION = '../storage/kafka/transaction.js'

interface KillPlace {
  readonly name: Place
  readonly alteration: Omit<Alteration, 'to'>
  readonly where: 'before' | 'after'
  /** The killed request is under way there, and not another one of the node. */
  readonly when?: string
  /** It gets there. */
  readonly request: 'event' | 'batch' | 'properties'
  /** Whether it is done, although it was not answered. */
  readonly isApplied: boolean
}

const IN_TRANSACTION: KillPlace = {
  name: 'a transaction before its end',
  alteration: { file: TRANSACTION, from: 'const answer = await this.#session.end(true)' },
  where: 'before',
  request: 'batch',
  isApplied: false,
}

const PLACES: readonly KillPlace[] = [
  {
    name: 'an append',
    alteration: {
      file: '../storage/kafka/log-writer.js',
      from: 'const { baseOffset, appendTimeMs } = await this.#deliver(batch)',
    },
    where: 'after',
    request: 'event',
    isApplied: true,
  },
  {
    name: 'a spool',
    alteration: {
      file: '../storage/kafka/spool.js',
      from: 'await writeAll(this.#file, bytes, at + head.length)',
    },
    where: 'before',
    request: 'batch',
    isApplied: false,
  },
  IN_TRANSACTION,
  { ...IN_TRANSACTION, name: 'a transaction after its end', where: 'after', isApplied: true },
  {
    name: 'a change',
    alteration: {
      file: '../storage/kafka/catalog-writer.js',
      from: 'const outcome = await this.#parts.topic.store(batch)',
    },
    where: 'after',
    when: "group.some(({ value }) => Buffer.from(value).includes('killed'))",
    request: 'properties',
    isApplied: true,
  },
]

const missing = await fetchKafka()

describe.skipIf(missing !== undefined)(`a node that is killed ${missing ?? ''}`, () => {
  let kafka: TestKafka
  beforeAll(async () => {
    kafka = await effort({ short: () => TestKafka.shared(), long: () => TestKafka.start({ brokers: 3 }) })()
  }, 600_000)
  afterAll(() => kafka?.remove())

  const lines = (name: string) =>
    Array.from({ length: BATCH_LINES }, (_, i) => `${name}:${i} `.padEnd(LINE_BYTES, '.')).join('\n')
  const TEXT = { 'Content-Type': 'text/plain' }

  /** Two nodes, one of which has been killed at the place while it worked on the request. */
  async function killedAt(place: KillPlace, alterations: readonly Alteration[] = []) {
    const { alteration, where, when = 'true', request } = place
    const { from } = alteration
    const pause = await MarkedPause.of(0)
    const switchFile = `${await temporaryFolder()}/kill-now`
    const code = `if (${when}) { ${pause.codeWhile(switchFile)} }`
    const to = where === 'before' ? `${code}\n${from}` : `${from}\n${code}`
    const cli = await alteredBuild([{ ...alteration, to }])
    const prefix = kafka.newPrefix()
    const [victim, other] = await Promise.all([
      startNode({ kafka, prefix, cli }),
      startNode({ kafka, prefix, cli: await alteredBuild(alterations) }),
    ])
    await sendUntilDone(victim.port, 'PUT', S)
    const acknowledged = Array.from({ length: 5 }, (_, i) => `before ${i}`)
    for (const body of acknowledged) await sendUntilDone(victim.port, 'POST', S, { body })
    writeFileSync(switchFile, '')
    const requests = {
      event: () => send(victim.port, 'POST', S, { body: 'killed' }),
      batch: () => send(victim.port, 'POST', `${S}/batch`, { headers: TEXT, body: lines('killed') }),
      properties: () => send(victim.port, 'PUT', `${S}/properties`, { body: '{"description":"killed"}' }),
    }
    const answer = requests[request]()
    await pause.begun(60_000)
    await victim.service.kill()
    rmSync(switchFile)
    const killedMs = performance.now()
    expect((await answer).status, 'it was not answered').toBe(0)
    await sendUntilDone(other.port, 'POST', S, { body: 'after' })
    acknowledged.push('after')
    return { victim, other, prefix, acknowledged, killedMs }
  }

  /** Resolves with the seconds from the kill until the event of the other node is visible, or to the limit. */
  async function secondsHidden(port: number, killedMs: number, limitMs: number): Promise<number> {
    const isOver = () => performance.now() - killedMs > limitMs
    while (!(await readStream(port, 's')).bodies.includes('after') && !isOver()) await sleep(200)
    return Math.ceil((performance.now() - killedMs) / 1000)
  }

  test.each(PLACES)('in $name', { timeout: 300_000 + ROUNDS * 600_000 }, async (place) => {
    const counts = {
      ...{ rounds: ROUNDS, acknowledged: 0, lost: 0, doubled: 0, partial: 0, applied: 0, 'hidden s': 0 },
    }
    for (let round = 0; round < ROUNDS; round++) {
      const { victim, other, prefix, acknowledged, killedMs } = await killedAt(place)
      const hiddenSeconds = await secondsHidden(other.port, killedMs, STUCK_MS_MAX)
      counts['hidden s'] = Math.max(counts['hidden s'], hiddenSeconds)
      const again = await startNode({ kafka, prefix, folder: victim.folder })
      await sendUntilDone(again.port, 'POST', S, { body: 'again' })
      acknowledged.push('again')
      const { bodies, cursors } = await readStream(again.port, 's')
      const ofBatch = bodies.filter((body) => body.startsWith('killed:')).length
      const descriptions: unknown[] = []
      for (const { port } of [other, again])
        descriptions.push(JSON.parse(await sendUntilDone(port, 'GET', S)).description)
      const isApplied = ofBatch > 0 || bodies.includes('killed') || descriptions[0] === 'killed'
      counts.acknowledged += acknowledged.length
      counts.lost += acknowledged.filter((body) => !bodies.includes(body)).length
      counts.doubled += bodies.length - new Set(bodies).size
      if (ofBatch > 0 && ofBatch < BATCH_LINES) counts.partial++
      if (isApplied) counts.applied++
      await proven(() => {
        expect(counts).toMatchObject({ lost: 0, doubled: 0, partial: 0 })
        expect(isApplied, 'it is done').toBe(place.isApplied)
        expect(descriptions[1], 'both nodes show the same').toBe(descriptions[0])
        expect(hiddenSeconds * 1000, 'events are visible again').toBeLessThan(STUCK_MS_MAX)
      })
      expect((await readStream(other.port, 's')).cursors).toEqual(cursors)
      for (const node of [other, again]) await node.service.kill()
    }
    tellProof(`kill -9 of a node in ${place.name}`, counts)
  })

  test('control: if no node ends the transaction of a dead one, later events stay hidden', {
    timeout: 600_000,
  }, async () => {
    const { other, killedMs } = await killedAt(IN_TRANSACTION, WITHOUT_FENCING)
    const seconds = await secondsHidden(other.port, killedMs, CONTROL_HIDDEN_MS)
    tellProof('control, a transaction of a dead node that no node ends', { 'hidden s': seconds })
    expect(seconds * 1000).toBeGreaterThan(CONTROL_HIDDEN_MS)
  })
})
