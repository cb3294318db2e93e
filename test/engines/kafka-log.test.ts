/** Reading, waiting and trimming on a real broker: transactions, writers of other kinds, brokers' clocks, several nodes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { Producer } from '@platformatic/kafka'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LogRead, Position } from '../../storage/log.ts'
import {
  bodies,
  EVERYTHING,
  event,
  eventsOf,
  positionOf,
  type ReadEvent,
  readAll,
} from '../contract/event-log.ts'
import { fetchKafka, TestKafka } from '../support/kafka.ts'
import { openTestLog, type TestLog } from '../support/kafka-log.ts'
import { batchOf, createLogTopic, produceTo, transaction } from '../support/kafka-topics.ts'

const missing = await fetchKafka()
const PENDING_MS = 300
const never = () => new AbortController().signal

async function eventsOfRead(read: LogRead | undefined): Promise<ReadEvent[]> {
  const events: ReadEvent[] = []
  if (read !== undefined) for await (const block of read.blocks) events.push(...eventsOf(block))
  return events
}

describe.skipIf(missing !== undefined)(`a log on Kafka ${missing ?? ''}`, () => {
  let kafka: TestKafka
  let node: TestLog
  /** Another node of the same store. */
  let other: TestLog
  let lastLog = 0
  const newLog = () => ++lastLog

  beforeAll(async () => {
    kafka = await TestKafka.shared()
    const prefix = kafka.newPrefix()
    const options = { brokers: kafka.addresses, prefix, pendingMs: PENDING_MS }
    node = await openTestLog(options)
    other = await openTestLog({ ...options, node: 'n2' })
  })
  afterAll(async () => {
    await node?.close()
    await other?.close()
    await kafka?.remove()
  })

  /** Plain appends, committed and aborted transactions: visible are the letters in lower case. */
  async function mixedLog(size = 1): Promise<number> {
    const log = newLog()
    const body = (letter: string) => letter.repeat(size)
    await node.log.append(
      log,
      ['a', 'b', 'c'].map((letter) => event(body(letter))),
    )
    await transaction(node, log, [batchOf(['d', 'e'].map(body)), batchOf(['f'].map(body))], true)
    await transaction(node, log, [batchOf(['X', 'Y'].map(body))], false)
    await node.log.append(log, [event(body('g'))])
    await transaction(node, log, [batchOf(['Z'].map(body))], false)
    await transaction(node, log, [batchOf(['h'].map(body))], true)
    await node.log.append(
      log,
      ['i', 'j'].map((letter) => event(body(letter))),
    )
    return log
  }

  describe('with transactions', () => {
    test.each([
      { name: 'small events', size: 1 },
      { name: 'events of more than a fetch', size: 700_000 },
      { name: 'events of more than a read keeps', size: 4_000_000 },
    ])('is read without gaps or aborted events, at every limit: $name', async ({ size }) => {
      const log = await mixedLog(size)
      const all = await readAll(node.log, log)
      expect(all.map(({ body }) => body[0]).join('')).toBe('abcdefghij')
      // Aborted events and four markers are between them, so a sequence that is computed from a count is wrong.
      const sequences = all.map(({ sequence }) => sequence)
      expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b))
      expect([sequences[0], sequences.at(-1)]).toEqual([0, 16])
      for (const limit of size > 1_000_000 ? [6, 9] : [1, 3, 4, 6, 7, 8, 9, 10, 11]) {
        const read = (await other.log.read(log, { ...EVERYTHING, limit }))!
        const events = await eventsOfRead(read)
        expect(events).toEqual(all.slice(0, limit))
        expect(read.next).toEqual(limit < 10 ? positionOf(events.at(-1)!) : undefined)
      }
    })

    test('is read in pages, each behind the last', async () => {
      const log = await mixedLog()
      const all = await readAll(node.log, log)
      for (const limit of [1, 2, 3, 4]) {
        const pages: ReadEvent[] = []
        let after: Position | undefined
        do {
          const read: LogRead = (await node.log.read(log, { ...EVERYTHING, limit, ...(after && { after }) }))!
          pages.push(...(await eventsOfRead(read)))
          after = read.next
        } while (after !== undefined)
        expect(pages).toEqual(all)
      }
    })

    test('locates what is visible and nothing else', async () => {
      const log = await mixedLog()
      const all = new Map((await readAll(node.log, log)).map((one) => [one.sequence, positionOf(one)]))
      const { nextSequence } = (await node.log.tail(log))!
      expect(nextSequence).toBe(17)
      for (let sequence = 0; sequence <= nextSequence; sequence++)
        expect(await node.log.locate(log, sequence)).toEqual(all.get(sequence))
    })

    test('ends in front of a transaction that stays open, and says so', async () => {
      const log = newLog()
      const first = await node.log.append(log, [event('before')])
      let behind: { events: ReadEvent[]; isBehind: boolean | undefined } | undefined
      await node.transactions.run(1, async (open) => {
        await open.add(node.names.log(log), [batchOf(['large'])])
        await node.log.append(log, [event('behind')])
        const read = (await other.log.read(log, EVERYTHING))!
        behind = { isBehind: read.isBehind, events: await eventsOfRead(read) }
        expect(await other.log.read(log, { ...EVERYTHING, after: first })).toBeUndefined()
        expect(await other.log.tail(log)).toMatchObject({
          nextSequence: 1,
          lastTimestampMs: first.timestampMs,
        })
      })
      expect([behind!.events.map(({ body }) => body), behind!.isBehind]).toEqual([['before'], true])
      const read = (await other.log.read(log, EVERYTHING))!
      expect(read.isBehind).toBeFalsy()
      expect((await eventsOfRead(read)).map(({ body }) => body)).toEqual(['before', 'large', 'behind'])
    })

    test('waits a little for a transaction that ends soon', async () => {
      const log = newLog()
      await node.log.append(log, [event('before')])
      let reading: Promise<string[]> | undefined
      await node.transactions.run(1, async (open) => {
        await open.add(node.names.log(log), [batchOf(['large'])])
        reading = bodies(other.log, log)
        await sleep(50)
      })
      expect(await reading).toEqual(['before', 'large'])
    })
  })

  describe('growth', () => {
    test('comes with what another node writes, and not with an aborted transaction', async () => {
      const log = newLog()
      const { sequence } = await node.log.append(log, [event('a')])
      let isGrown = false
      const growth = other.log.growth(log, sequence + 1, never()).then(() => {
        isGrown = true
      })
      await transaction(node, log, [batchOf(['x'])], false)
      await sleep(700)
      expect(isGrown).toBe(false)
      await node.log.append(log, [event('b')])
      await growth
      expect(await bodies(other.log, log)).toEqual(['a', 'b'])
    })

    test('comes with the first event of a log that another node writes, to all who wait', async () => {
      const log = newLog()
      const waiting = Array.from({ length: 50 }, () => other.log.growth(log, 0, never()))
      await sleep(100)
      await node.log.append(log, [event('a')])
      await Promise.all(waiting)
    })

    test('comes when the event was written before the call', async () => {
      const log = newLog()
      const { sequence } = await node.log.append(log, [event('a')])
      await other.log.growth(log, sequence, never())
    })
  })

  describe('trimmed', () => {
    const plan = (log: number, expiredBeforeMs: number) => ({
      logs: [{ log, expiredBeforeMs }],
      dropped: [],
      mayRewrite: false,
      onError: (_: number, error: unknown) => {
        throw error
      },
    })

    test('while it is read: the reader goes on behind what was removed', async () => {
      const log = newLog()
      for (let i = 0; i < 12; i++) {
        await node.log.append(log, [event(`${i}`.padEnd(900_000, '.'))])
        await sleep(2)
      }
      const all = await readAll(node.log, log)
      const read = (await other.log.read(log, EVERYTHING))!
      const seen = eventsOf((await read.blocks.next()).value!)
      await sleep(200) // the fetch ahead is there
      await node.log.maintain(plan(log, all[10]!.timestampMs))
      for await (const block of read.blocks) seen.push(...eventsOf(block))
      const sequences = seen.map(({ sequence }) => sequence)
      expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b))
      expect(sequences.slice(-2)).toEqual([10, 11])
      expect(seen.length).toBeLessThan(12)
      expect(await readAll(other.log, log)).toEqual(all.slice(10))
      expect(await readAll(other.log, log, { after: positionOf(all[0]!) })).toEqual(all.slice(10))
    })

    test('completely: the last record stays, so that the cursor behind it stays valid', async () => {
      const log = newLog()
      const last = await node.log.append(log, [event('a'), event('b')])
      await sleep(5)
      await node.log.maintain(plan(log, last.timestampMs + 1))
      expect(await node.log.tail(log)).toMatchObject({ nextSequence: 2, lastTimestampMs: last.timestampMs })
      const next = await node.log.append(log, [event('c')])
      expect((await readAll(node.log, log, { after: last })).map(positionOf)).toEqual([next])
    })
  })

  test('gives times that never go back, whatever the clocks of brokers say', async () => {
    const log = newLog()
    const topic = await createLogTopic(node, log, {
      'message.timestamp.type': 'CreateTime',
      'message.timestamp.before.max.ms': '9223372036854775807',
      'retention.ms': '-1',
    })
    await produceTo(node, topic, batchOf(['a', 'b'], [5_000, 9_000]))
    await produceTo(node, topic, batchOf(['c', 'd'], [3_000, 4_000]))
    await produceTo(node, topic, batchOf(['e', 'f'], [8_000, 12_000]))
    const all = await readAll(node.log, log)
    expect(all.map(({ timestampMs }) => timestampMs)).toEqual([5_000, 9_000, 9_000, 9_000, 9_000, 12_000])
    for (const one of all) expect(await node.log.locate(log, one.sequence)).toEqual(positionOf(one))
    const startsAndEnds = [0, 5_000, 5_001, 9_000, 9_001, 12_000, 12_001]
    for (const startMs of startsAndEnds) {
      for (const endMs of startsAndEnds) {
        const within = all.filter(({ timestampMs }) => timestampMs >= startMs && timestampMs < endMs)
        expect(await readAll(node.log, log, { startMs, endMs })).toEqual(within)
        expect(await readAll(node.log, log, { startMs, endMs, limit: 2 })).toEqual(within.slice(0, 2))
      }
    }
    for (const [i, one] of all.entries())
      expect(await readAll(node.log, log, { after: positionOf(one) })).toEqual(all.slice(i + 1))
    expect(await node.log.tail(log)).toEqual({
      firstSequence: 0,
      nextSequence: 6,
      firstTimestampMs: 5_000,
      lastTimestampMs: 12_000,
    })
    const logs = [{ log, expiredBeforeMs: 9_000 }]
    await node.log.maintain({ logs, dropped: [], mayRewrite: false, onError() {} })
    expect(await readAll(node.log, log)).toEqual(all.slice(1))
  })

  describe('written by another program', () => {
    let producer: Producer<Buffer, Buffer, Buffer, Buffer>
    beforeAll(() => {
      const bootstrapBrokers = kafka.addresses.map(({ host, port }) => `${host}:${port}`)
      producer = new Producer({ clientId: 'foreign', bootstrapBrokers })
    })
    afterAll(() => producer?.close())

    const send = (
      topic: string,
      message: { key?: Buffer; value?: Buffer; headers?: Map<Buffer, Buffer> },
      compression: 'none' | 'gzip' = 'none',
    ) => producer.send({ messages: [{ topic, partition: 0, ...message }], compression, acks: -1 })

    test('has keys, empty values and binary headers as headers and bodies of events', async () => {
      const log = newLog()
      await node.log.append(log, [event('own', [['key', 'k']])])
      const topic = node.names.log(log)
      await send(topic, { key: Buffer.from('k1'), value: Buffer.from('v') })
      await send(topic, { key: Buffer.from('k2') })
      await send(topic, {
        value: Buffer.from('h'),
        headers: new Map([[Buffer.from('n'), Buffer.from([0x61, 0xff])]]),
      })
      const events = await readAll(other.log, log)
      expect(events.map(({ headers, body }) => ({ headers, body }))).toEqual([
        { headers: [['key', 'k']], body: 'own' },
        { headers: [['key', 'k1']], body: 'v' },
        {
          headers: [
            ['key', 'k2'],
            ['tombstone', 'true'],
          ],
          body: '',
        },
        { headers: [['n', 'a\ufffd']], body: 'h' },
      ])
    })

    test('is stored uncompressed, also if the program compresses it', async () => {
      const log = newLog()
      await node.log.append(log, [event('own')])
      const value = Buffer.from('z'.repeat(5_000))
      await send(node.names.log(log), { value }, 'gzip')
      expect(await bodies(other.log, log)).toEqual(['own', 'z'.repeat(5_000)])
    })

    test('that is compressed on a topic that keeps it so is refused, naming topic, place and setting', async () => {
      const log = newLog()
      const topic = await createLogTopic(node, log, { 'compression.type': 'producer' })
      await produceTo(node, topic, batchOf(['plain']))
      await send(topic, { value: Buffer.from('z'.repeat(5_000)) }, 'gzip')
      const refused = { code: 'format', message: expect.stringMatching(`${topic}.* 1 .*compression.type`) }
      await expect(readAll(other.log, log)).rejects.toMatchObject(refused)
      expect(await bodies(other.log, log, { limit: 1 })).toEqual(['plain'])
    })
  })

  test('the totals of all nodes are added up, and survive them', async () => {
    const prefix = kafka.newPrefix()
    const options = { brokers: kafka.addresses, prefix }
    const [one, two] = [await openTestLog(options), await openTestLog({ ...options, node: 'n2' })]
    await one.log.append(1, [event('a'), event('bc')])
    await two.log.append(1, [event('def')])
    expect([await one.log.totals(1), await two.log.totals(1)]).toEqual([
      { events: 2, bytes: 3 },
      { events: 1, bytes: 3 },
    ])
    await one.close()
    await two.close()
    const again = await openTestLog(options)
    expect(await again.log.totals(1)).toEqual({ events: 3, bytes: 6 })
    await again.log.append(1, [event('g')])
    await again.close()
    const last = await openTestLog(options)
    expect(await last.log.totals(1)).toEqual({ events: 4, bytes: 7 })
    await last.close()
  })
})
