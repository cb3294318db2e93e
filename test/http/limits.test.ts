/** Limits an operator sets: what is within is taken, one more is refused with a sentence, and nothing is kept of it. */

import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { avroFile } from '../decoders/avro-file.ts'
import { answerOf, plain } from '../support/answer.ts'
import { RawConnection, rawRequest, rawStatus } from '../support/raw-http.ts'
import { stallingStorage } from '../support/stalling-storage.ts'
import {
  type RequestOptions,
  STREAMS,
  type TestApp,
  type TestAppOptions,
  testApp,
} from '../support/test-app.ts'

const HOST = 'Host: x\r\n'
const TEXT = { 'Content-Type': 'text/plain' }
const AVRO = { 'Content-Type': 'avro/binary' }
const GZIPPED = { ...TEXT, 'Content-Encoding': 'gzip' }

interface Case {
  readonly name: string
  readonly limits: NonNullable<TestAppOptions['limits']>
  readonly path: string
  readonly method?: string
  readonly within: RequestOptions
  readonly beyond: RequestOptions
  readonly status: number
  readonly text: string
}

/** An Avro file of one string of so many bytes; as a datum it has two more, for its length. */
function deflated(bytes: number): Buffer {
  const data = Buffer.concat([
    Buffer.from([((2 * bytes) & 0x7f) | 0x80, (2 * bytes) >> 7]),
    Buffer.alloc(bytes, 'x'),
  ])
  return avroFile({ schema: 'string', codec: 'deflate', blocks: [{ count: 1, data }] })
}

const nested = (levels: number) => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`

const sizes: readonly Case[] = [
  {
    name: '--max-event-headers',
    limits: { maxEventHeaders: 2 },
    path: `${STREAMS}/s`,
    within: { headers: { 's.a': '1', 's.b': '2', other: '3' }, body: 'x' },
    beyond: { headers: { 's.a': '1', 's.b': '2', 's.c': '3' }, body: 'x' },
    status: 431,
    text: 'the event has 3 headers; at most 2 are taken',
  },
  {
    name: '--max-event-header-bytes',
    limits: { maxEventHeaderBytes: 10 },
    path: `${STREAMS}/s`,
    within: { headers: { 's.a': '1234', 's.b': '1234' }, body: 'x' },
    beyond: { headers: { 's.a': '1234', 's.b': '12345' }, body: 'x' },
    status: 431,
    text: 'the headers of the event have 11 bytes; at most 10 are taken',
  },
  {
    name: '--max-event-headers, of a batch',
    limits: { maxEventHeaders: 1 },
    path: `${STREAMS}/s/batch`,
    within: { headers: { ...TEXT, 's.a': '1' }, body: 'x' },
    beyond: { headers: { ...TEXT, 's.a': '1', 's.b': '2' }, body: 'x' },
    status: 431,
    text: 'the event has 2 headers; at most 1 are taken',
  },
  {
    name: '--max-batch-bytes',
    limits: { maxBatchBytes: 10 },
    path: `${STREAMS}/s/batch`,
    within: { headers: TEXT, body: 'a\nbcdefgh\n' },
    beyond: { headers: TEXT, body: 'a\nbcdefgh\ni' },
    status: 413,
    text: 'the batch has more than 10 bytes; at most 10 bytes are taken, so send it in parts',
  },
  {
    name: '--max-batch-bytes, after decompression',
    limits: { maxBatchBytes: 100 },
    path: `${STREAMS}/s/batch`,
    within: { headers: GZIPPED, body: gzipSync('x'.repeat(100)) },
    beyond: { headers: GZIPPED, body: gzipSync('x'.repeat(101)) },
    status: 413,
    text: 'the batch has more than 100 bytes; at most 100 bytes are taken, so send it in parts',
  },
  {
    name: '--max-batch-bytes, after the decompression of Avro blocks',
    limits: { maxBatchBytes: 1000 },
    path: `${STREAMS}/s/batch`,
    within: { headers: AVRO, body: deflated(998) },
    beyond: { headers: AVRO, body: deflated(999) },
    status: 413,
    text: 'the batch has more than 1000 bytes; at most 1000 bytes are taken, so send it in parts',
  },
  {
    name: '--max-document-bytes',
    limits: { maxDocumentBytes: 20 },
    method: 'PUT',
    path: `${STREAMS}/s/properties`,
    within: { body: '{"ttl":123456789012}' },
    beyond: { body: '{"ttl":1234567890123}' },
    status: 413,
    text: 'the JSON document has 21 bytes; at most 20 bytes are taken',
  },
  {
    name: '--max-document-depth',
    limits: { maxDocumentDepth: 10 },
    method: 'PUT',
    path: '/v3/namespaces/default/properties',
    within: { body: nested(10) },
    beyond: { body: nested(11) },
    status: 400,
    text: 'Invalid json object provided in request body.',
  },
]

test.each(sizes)('$name', async ({ limits, method = 'POST', path, within, beyond, status, text }) => {
  const app = await testApp({ streams: ['s'], limits })
  const refused = await app.request(method, path, beyond)
  expect(refused.status).toBe(status)
  expect(refused.text).toContain(text)
  expect(await app.events('s')).toEqual([])
  expect((await app.request(method, path, within)).status).toBe(200)
  expect(app.reported).toEqual([])
})

test('--max-header-bytes', async () => {
  const app = await testApp({ limits: { maxHeaderBytes: 2_000 } })
  const withHeader = (bytes: number) => `GET /ping HTTP/1.1\r\n${HOST}a: ${'x'.repeat(bytes)}\r\n\r\n`
  expect(await rawRequest(app.port, withHeader(1_900))).toMatchObject({ status: 200 })
  expect(await rawRequest(app.port, withHeader(2_100))).toMatchObject({
    status: 431,
    text: 'request line and headers have more than 2000 bytes; send fewer',
  })
})

test('more headers than node counts by itself are neither lost nor in the way', async () => {
  const app = await testApp({
    streams: ['s'],
    limits: { maxHeaderBytes: 64 * 1024, maxEventHeaders: 5_000, maxEventHeaderBytes: 64 * 1024 },
  })
  const headers = Array.from({ length: 3_000 }, (_, i) => `s.${i}: ${i}\r\n`).join('')
  const answer = await rawRequest(
    app.port,
    `POST ${STREAMS}/s HTTP/1.1\r\n${HOST}${headers}Content-Length: 1\r\n\r\nx`,
  )
  expect(answer.status).toBe(200)
  const [event] = await app.events('s')
  expect(Object.keys(event!.headers)).toHaveLength(3_000)
})

describe('--max-connections', () => {
  const PING = `GET /ping HTTP/1.1\r\n${HOST}\r\n`
  const FULL = '3 connections are open, and no more are taken; close some, or try again later'

  async function open(app: TestApp, bytes: string): Promise<RawConnection> {
    const connection = await RawConnection.open(app.port)
    onTestFinished(() => connection.destroy())
    connection.write(bytes)
    return connection
  }

  test('for one more the connection goes that is idle longest', async () => {
    const app = await testApp({ limits: { maxConnections: 3 } })
    const three: RawConnection[] = []
    for (let i = 0; i < 3; i++) {
      three.push(await open(app, PING))
      expect(await three[i]!.response()).toMatchObject({ status: 200 })
    }
    three[0]!.write(PING)
    expect(await three[0]!.response()).toMatchObject({ status: 200 })
    const fourth = await open(app, PING)
    expect(await fourth.response()).toMatchObject({ status: 200 })
    await three[1]!.closed
    for (const stays of [three[0]!, three[2]!]) {
      stays.write(PING)
      expect(await stays.response()).toMatchObject({ status: 200 })
    }
  })

  test('for one more the oldest half-open one goes before any that is idle', async () => {
    const app = await testApp({ limits: { maxConnections: 3 } })
    const idle = await open(app, PING)
    expect(await idle.response()).toMatchObject({ status: 200 })
    const halves = [await open(app, 'GET /ping HTTP/1.1\r\na: '), await open(app, '')]
    await sleep(600)
    const fourth = await open(app, PING)
    expect(await fourth.response()).toMatchObject({ status: 200 })
    await halves[0]!.closed
    idle.write(PING)
    expect(await idle.response()).toMatchObject({ status: 200 })
    halves[1]!.write(PING)
    expect(await halves[1]!.response()).toMatchObject({ status: 200 })
  })

  test('where many come at a time, each has a moment to send its request', async () => {
    const app = await testApp({ limits: { maxConnections: 20 } })
    const idle: RawConnection[] = []
    for (let i = 0; i < 20; i++) idle.push(await open(app, PING))
    for (const one of idle) expect(await one.response()).toMatchObject({ status: 200 })
    const next = await Promise.all(Array.from({ length: 10 }, () => open(app, PING)))
    for (const one of next) expect(await one.response()).toMatchObject({ status: 200 })
    for (const one of idle.slice(0, 10)) await one.closed
  })

  test('many more half-open ones do not keep other clients out', async () => {
    const app = await testApp({ limits: { maxConnections: 3 } })
    for (let i = 0; i < 200; i++) {
      const half = await RawConnection.open(app.port)
      onTestFinished(() => half.destroy())
      half.write('GET /status HTTP/1.1\r\na: ')
    }
    for (const path of ['/status', '/ping', '/v3/version', '/metrics']) {
      expect((await app.get(path)).status).toBe(200)
    }
    expect((await app.get('/metrics')).text).toMatch(
      /millrace_share_cut_total\{resource="connections"\} 19\d\n/,
    )
  })

  test('one whose body has stopped goes for one more', async () => {
    const app = await testApp({ streams: ['s'], limits: { maxConnections: 3 } })
    const heads = [`POST ${STREAMS}/s`, `POST ${STREAMS}/s/batch`, `PUT ${STREAMS}/s/properties`]
    const stalled: RawConnection[] = []
    for (const head of heads) {
      const type = 'Content-Type: text/plain\r\n'
      stalled.push(await open(app, `${head} HTTP/1.1\r\n${HOST}${type}Content-Length: 9\r\n\r\n`))
    }
    await sleep(100)
    const version = `GET /v3/version HTTP/1.1\r\n${HOST}\r\n`
    const status = async () => (await rawStatus(app.port, version)) ?? 0
    await expect.poll(status).toBe(503)
    await expect.poll(status, { timeout: 15_000 }).toBe(200)
    await Promise.race(stalled.map(({ closed }) => closed))
  })

  test('while all are in use, one more is refused, except for a health check', async () => {
    const disk = stallingStorage()
    const app = await testApp({ streams: ['s'], limits: { maxConnections: 3 }, openStorage: disk.open })
    onTestFinished(() => disk.goOn())
    disk.stall()
    const post = `POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\nx`
    const three = [await open(app, post), await open(app, post), await open(app, post)]
    await sleep(50)
    const refused = await open(app, `GET ${STREAMS} HTTP/1.1\r\n${HOST}\r\n`)
    expect(await refused.response()).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1', connection: 'close' },
      text: FULL,
    })
    await refused.closed
    const health = await open(app, `GET /status HTTP/1.1\r\n${HOST}\r\n`)
    expect(await health.response()).toMatchObject({ status: 200, headers: { connection: 'close' } })
    await health.closed
    disk.goOn()
    for (const one of three) expect(await one.response()).toMatchObject({ status: 200 })
  })
})

describe('a client that takes its time', () => {
  test('that is too slow with its headers is answered 408, byte by byte or not at all', async () => {
    const app = await testApp({ limits: { headerSeconds: 1 } })
    const trickling = await RawConnection.open(app.port)
    const silent = await RawConnection.open(app.port)
    const half = await RawConnection.open(app.port)
    half.write(`GET /ping HTTP/1.1\r\n${HOST}\r\nGET /ping HTT`)
    expect(await half.response()).toMatchObject({ status: 200 })
    trickling.write('GET /ping HTTP/1.1\r\na: ')
    const trickle = setInterval(() => trickling.write('x'), 100)
    onTestFinished(() => clearInterval(trickle))
    for (const connection of [trickling, silent, half]) {
      expect(await connection.response()).toMatchObject({
        status: 408,
        text: 'the headers did not arrive within 1 s; send them faster',
      })
      await connection.closed
    }
  })

  const uploads = [
    { name: 'an event', head: `POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: 100000\r\n\r\n` },
    {
      name: 'an event in chunks',
      head: `POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`,
    },
    {
      name: 'a batch',
      head: `POST ${STREAMS}/s/batch HTTP/1.1\r\n${HOST}Content-Type: text/plain\r\nContent-Length: 100000\r\n\r\n`,
    },
    {
      name: 'a document',
      head: `PUT ${STREAMS}/s/properties HTTP/1.1\r\n${HOST}Content-Length: 100000\r\n\r\n`,
    },
  ]
  test.each(uploads)(
    'that is too slow with the body of $name is answered 408, and nothing is stored',
    async ({ head }) => {
      const app = await testApp({ streams: ['s'], limits: { uploadIdleSeconds: 1 } })
      const connection = await RawConnection.open(app.port)
      connection.write(head)
      const trickle = setInterval(() => connection.write(head.includes('chunked') ? '1\r\nx\r\n' : 'x'), 50)
      onTestFinished(() => clearInterval(trickle))
      expect(await connection.response()).toMatchObject({
        status: 408,
        text: 'less than 1024 bytes of the body came in 1 s; send it faster',
      })
      await connection.closed
      expect(await app.events('s')).toEqual([])
      expect(app.reported).toEqual([])
    },
  )

  test('over a body that moves is left alone', async () => {
    const app = await testApp({ streams: ['s'], limits: { uploadIdleSeconds: 1 } })
    const connection = await RawConnection.open(app.port)
    onTestFinished(() => connection.destroy())
    const length = 3_000 * 8
    connection.write(`POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: ${length}\r\n\r\n`)
    for (let i = 0; i < 8; i++) {
      await sleep(400)
      connection.write('x'.repeat(3_000))
    }
    expect(await connection.response()).toMatchObject({ status: 200 })
  })

  const reading = [
    { name: 'and takes nothing', limits: { idleSeconds: 1 } },
    { name: 'over the whole answer', limits: { maxReadSeconds: 1 } },
  ]
  test.each(reading)('over an answer, $name, is cut off', async ({ limits }) => {
    const app = await testApp({ streams: ['s'], limits })
    const lines = `${'line of a text '.repeat(70)}\n`.repeat(3_000)
    // In batches that are stored within a second: nothing moves on a connection while its batch is stored.
    for (let batch = 0; batch < 10; batch++)
      expect((await app.post(`${STREAMS}/s/batch`, { headers: TEXT, body: lines })).status).toBe(200)
    const connection = await RawConnection.open(app.port)
    connection.write(`GET ${STREAMS}/s/events HTTP/1.1\r\n${HOST}\r\n`)
    await connection.received(1)
    connection.pause()
    await sleep(3_500)
    connection.resume()
    await connection.closed
    await expect(connection.response()).rejects.toThrow('the connection ended after')
    expect(app.reported).toEqual([])
  })
})

test('--max-pipelined: a client that sends on and on without waiting is cut off, and others are served', async () => {
  const app = await testApp({ streams: ['s'], limits: { maxPipelined: 100 } })
  const connection = await RawConnection.open(app.port)
  const ping = `GET /ping HTTP/1.1\r\n${HOST}\r\n`
  connection.write(ping.repeat(50))
  for (let i = 0; i < 50; i++) expect(await connection.response()).toMatchObject({ status: 200 })
  const first = `POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\n`
  connection.write(first + 'x'.repeat(10) + ping.repeat(5_000))
  await connection.closed
  expect(answerOf(await app.get('/ping'))).toEqual(plain(200, 'OK.\n'))
  // The places of those that went are free again.
  const next = await RawConnection.open(app.port)
  next.write(ping.repeat(50))
  for (let i = 0; i < 50; i++) expect(await next.response()).toMatchObject({ status: 200 })
  next.destroy()
})
