/** The way from an embedded store to Kafka, as docs/kafka.md has it: exports, properties, import, verify; and then the same answers. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { importEvents } from '../../src/commands/import.ts'
import { verify } from '../../src/commands/verify.ts'
import { fetchKafka, TestKafka } from '../support/kafka.ts'
import { runCommand } from '../support/run-command.ts'
import { temporaryFolder } from '../support/service-process.ts'
import { openTestKafka, type TestApp, testApp } from '../support/test-app.ts'

const missing = await fetchKafka()
const STREAMS = ['default:orders', 'default:empty', 'shop:items']
const pathOf = (id: string) => `/v3/namespaces/${id.replace(':', '/streams/')}`
const PROPERTIES = {
  ttl: 864_000,
  format: { name: 'csv', schema: { type: 'record', name: 'o', fields: [{ name: 'a', type: 'int' }] } },
  'notification.threshold.mb': 7,
  description: 'the orders',
}
const VIEW = '/v3/namespaces/default/streams/orders/views/v'

/** What clients see, without what differs: cursors. */
async function answersOf(app: TestApp): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown> = {}
  for (const id of STREAMS) {
    const paths = ['', '/events', '/events?limit=2', '/events?start=1500&encoding=base64', '/export'].map(
      (rest) => `${pathOf(id)}${rest}`,
    )
    for (const path of paths) {
      const { status, text } = await app.get(path)
      answers[path] = [status, text.replace(/,"cursor":"[^"]*"/g, '')]
    }
  }
  for (const path of ['/v3/namespaces', '/v3/namespaces/default/streams', VIEW])
    answers[path] = (await app.get(path)).text
  return answers
}

describe.skipIf(missing !== undefined)(`from an embedded store to Kafka ${missing ?? ''}`, () => {
  let kafka: TestKafka
  beforeAll(async () => {
    kafka = await TestKafka.shared()
  })
  afterAll(() => kafka?.remove())

  test('all answers are the same, but for cursors', async () => {
    const nowMs = 3_000
    const old = await testApp({ nowMs: 1_000 })
    const orders = pathOf('default:orders')
    for (const id of STREAMS) {
      await old.put(`/v3/namespaces/${id.split(':')[0]}`)
      await old.put(pathOf(id), id === STREAMS[0] ? { body: JSON.stringify(PROPERTIES) } : {})
    }
    for (const [i, body] of ['1', 'ä', ''].entries()) {
      old.nowMs = 1_000 + 500 * i
      await old.post(orders, { body, headers: { 'orders.h': `v${i}` } })
    }
    await old.post(`${orders}/batch`, { body: '6\n7', headers: { 'Content-Type': 'text/plain' } })
    await old.post(pathOf('shop:items'), { body: Buffer.from([0, 1, 2, 250, 255, 10]) })
    await old.put(VIEW, { body: '{"format":{"name":"text"}}' })
    old.nowMs = nowMs
    const before = await answersOf(old)

    const exports = await temporaryFolder()
    for (const id of STREAMS) {
      const { text } = await old.get(`${pathOf(id)}/export`)
      await writeFile(join(exports, `${id}.ndjson`), text)
    }
    const prefix = kafka.newPrefix()
    const { host, port } = kafka.addresses[0]!
    const [folder, own] = [await temporaryFolder(), await temporaryFolder()]
    const access = { brokers: kafka.addresses }
    const now = await testApp({
      nowMs,
      openStorage: (clock) => openTestKafka({ access, prefix, folder, nowMs: clock }),
    })
    for (const id of STREAMS) {
      await now.put(`/v3/namespaces/${id.split(':')[0]}`)
      expect((await now.put(pathOf(id), { body: (await old.get(pathOf(id))).text })).status).toBe(200)
    }
    expect((await now.put(VIEW, { body: (await old.get(VIEW)).text })).status).toBe(201)
    const log = [
      '--log',
      `kafka://${host}:${port}`,
      '--kafka-prefix',
      prefix,
      '--insecure-kafka',
      '--data',
      own,
    ]
    expect(await runCommand(importEvents, [...log, '--folder', exports])).toMatchObject({
      code: 0,
      printed:
        'stream default:empty: 0 events imported\nstream default:orders: 5 events imported\nstream shop:items: 1 event imported\n',
    })
    expect(await runCommand(verify, log)).toMatchObject({
      code: 0,
      printed: expect.stringMatching(/6 events/),
    })
    expect(await answersOf(now)).toEqual(before)

    const { cursor } = ((await old.get(`${orders}/events?cursor=true`)).json() as { cursor: string }[])[0]!
    const { status, text } = await now.get(`${orders}/events?after=${cursor}`)
    expect([status, text]).toEqual([410, expect.stringContaining('start=1000')])
  })
})
