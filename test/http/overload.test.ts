/** More than can be done at a time: what is too much is sent away early, with when to come back, and what is taken is kept. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { RawConnection } from '../support/raw-http.ts'
import { stallingStorage } from '../support/stalling-storage.ts'
import { STREAMS, type TestApp, type TestAppOptions, testApp } from '../support/test-app.ts'

const HOST = 'Host: x\r\n'
const TEXT = { 'Content-Type': 'text/plain' }
const BUSY = 'more requests come in than can be done; try again later'
const ARRIVING = 'as much is arriving already as is held in memory at a time; try again later'

const post = (path: string, body: string) =>
  `POST ${STREAMS}/${path} HTTP/1.1\r\n${HOST}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

async function open({ port }: TestApp): Promise<RawConnection> {
  const connection = await RawConnection.open(port)
  onTestFinished(() => connection.destroy())
  return connection
}

/** A service whose disk has stopped, with `count` events that wait for it. */
async function busyApp(
  count: number,
  limits: NonNullable<TestAppOptions['limits']>,
  query = '',
  busyShare?: () => number,
) {
  const disk = stallingStorage()
  const app = await testApp({
    streams: ['s'],
    limits,
    openStorage: disk.open,
    ...(busyShare && { busyShare }),
  })
  onTestFinished(() => disk.goOn())
  disk.stall()
  const waiting: RawConnection[] = []
  for (let i = 0; i < count; i++) {
    const connection = await open(app)
    connection.write(post(`s${query}`, `waiting ${i}`))
    waiting.push(connection)
  }
  await app.get('/ping') // now they have been read
  return { app, disk, waiting }
}

test('while bodies that wait for the disk take all the memory, events are refused and /status says so', async () => {
  const disk = stallingStorage()
  const app = await testApp({
    streams: ['s'],
    limits: { maxRequestBytes: 1024 * 1024 },
    openStorage: disk.open,
  })
  onTestFinished(() => disk.goOn())
  disk.stall()
  const waiting: RawConnection[] = []
  for (let i = 0; i < 5; i++) {
    const connection = await open(app)
    await connection.flushed(Buffer.from(post('s', 'x'.repeat(256 * 1024))))
    waiting.push(connection)
  }
  const event = () => app.post(`${STREAMS}/s`, { body: 'small' })
  await expect.poll(async () => (await app.get('/status')).status, { timeout: 8_000 }).toBe(503)
  expect((await event()).status).toBe(503)
  expect((await app.get('/status')).text).toMatch(
    /^writes are refused: bodies hold \d+ bytes of memory, and at most 1048576 may be held\n$/,
  )
  expect((await app.get('/v3/system/services/streams/status')).text).toBe('{"status":"NOTOK"}')
  disk.goOn()
  for (const connection of waiting) expect([200, 503]).toContain((await connection.response()).status)
  expect((await event()).status).toBe(200)
  await expect.poll(async () => (await app.get('/status')).text, { timeout: 8_000 }).toBe('OK.\n')
})

describe('as many requests as are worked on at a time', () => {
  test.each([
    { way: 'directly', query: '' },
    { way: 'through Hono', query: '?' },
  ])('wait for the disk, $way; one more is refused, and they are kept', async ({ query }) => {
    const { app, disk, waiting } = await busyApp(8, { maxRequests: 8 }, query)
    for (const path of [`${STREAMS}/s`, `${STREAMS}/s?`, `${STREAMS}/s/async`]) {
      const since = performance.now()
      const refused = await app.post(path, { body: 'too much' })
      expect(performance.now() - since).toBeLessThan(1_000)
      expect([refused.status, refused.text, refused.headers['retry-after']]).toEqual([503, BUSY, '1'])
      expect(refused.headers.connection).toBe('keep-alive')
    }
    expect((await app.get(`${STREAMS}/s/events`)).status).toBe(503)
    disk.goOn()
    for (const connection of waiting) expect(await connection.response()).toMatchObject({ status: 200 })
    await expect.poll(async () => (await app.post(`${STREAMS}/s`, { body: 'later' })).status).toBe(200)
    const bodies = (await app.events('s')).map(({ body }) => body)
    expect(bodies.sort()).toEqual([...Array.from({ length: 8 }, (_, i) => `waiting ${i}`), 'later'].sort())
    expect(app.reported).toEqual([])
  })

  test('who asks whether the service is well is answered all the same', async () => {
    const { app } = await busyApp(8, { maxRequests: 8 })
    for (const path of ['/ping', '/status', '/v3/system/services/streams/status']) {
      expect((await app.get(path)).status).toBe(200)
    }
    expect((await app.get(STREAMS)).status).toBe(503)
  })

  test('when requests take too long, the limit is an eighth until there is capacity again', async () => {
    const { app, disk } = await busyApp(5, { maxRequests: 16, maxWaitMs: 50 }, '', () => 1)
    // Nothing is done at all: soon two are worked on at a time, and five are there already. Sixteen never are.
    const statuses: number[] = []
    for (let sent = 0; sent < 10 && statuses.length === 0; sent++) {
      const connection = await open(app)
      connection.write(post('s', 'x'))
      void connection.response().then(
        ({ status }) => statuses.push(status),
        () => {},
      )
      await sleep(400)
    }
    expect(statuses).toEqual([503])
    disk.goOn()
    await expect.poll(async () => (await app.post(`${STREAMS}/s`, { body: 'x' })).status).toBe(200)
    // Calm: after a while sixteen may wait again.
    await sleep(1_000)
    disk.stall()
    const all = await Promise.all(Array.from({ length: 16 }, () => open(app)))
    for (const connection of all) connection.write(post('s', 'calm'))
    await app.get('/ping')
    disk.goOn()
    const answers = await Promise.all(all.map((connection) => connection.response()))
    expect(answers.map(({ status }) => status)).toEqual(Array(16).fill(200))
  })

  test('those that wait for a slow disk are not refused: the process has time for more', async () => {
    const { app, disk, waiting } = await busyApp(5, { maxRequests: 16, maxWaitMs: 50 }, '', () => 0.5)
    for (let sent = 0; sent < 3; sent++) {
      await sleep(400)
      const connection = await open(app)
      connection.write(post('s', 'x'))
      waiting.push(connection)
    }
    disk.goOn()
    for (const connection of waiting) expect(await connection.response()).toMatchObject({ status: 200 })
  })

  test('a client that asks before it sends is refused before it has sent', async () => {
    const { app } = await busyApp(8, { maxRequests: 8 })
    const connection = await open(app)
    connection.write(
      `POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n`,
    )
    expect(await connection.response()).toMatchObject({ status: 503, headers: { connection: 'close' } })
    await connection.closed
  })

  test('one that asks while there is capacity gets a 100', async () => {
    const app = await testApp({ streams: ['s'] })
    const connection = await open(app)
    connection.write(`POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: 1\r\nExpect: 100-continue\r\n\r\n`)
    expect(await connection.response()).toMatchObject({ status: 100 })
    connection.write('x')
    expect(await connection.response()).toMatchObject({ status: 200 })
  })

  test('the body of one that is refused is not kept, and the next request is understood', async () => {
    const { app, disk } = await busyApp(8, { maxRequests: 8 })
    const connection = await open(app)
    connection.write(`${post('s', 'x'.repeat(50_000))}GET /ping HTTP/1.1\r\n${HOST}\r\n`)
    expect(await connection.response()).toMatchObject({ status: 503 })
    expect(await connection.response()).toMatchObject({ status: 200, text: 'OK.\n' })
    const large = await open(app)
    large.write(`POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: 100000000\r\n\r\n`)
    expect(await large.response()).toMatchObject({ status: 503 })
    await large.closed
    disk.goOn()
  })
})

describe('as many bytes as are held in memory', () => {
  const MIB = 1024 * 1024
  const limits = { maxRequestBytes: 4 * MIB }
  const head = (path: string, length: number) =>
    `POST ${STREAMS}/${path} HTTP/1.1\r\n${HOST}Content-Type: text/plain\r\nContent-Length: ${length}\r\n\r\n`

  /** A service with an upload that has brought 2 MiB and brings no more. */
  async function fullApp(path: string) {
    const app = await testApp({ streams: ['s'], limits })
    const first = await open(app)
    first.write(head(path, 2 * MIB + 1))
    await first.flushed(Buffer.alloc(2 * MIB, 'x'))
    await app.get('/ping')
    return { app, first }
  }

  const uploads = [
    { name: 'an event', path: 's' },
    { name: 'an event through Hono', path: 's?' },
    { name: 'a batch of one long line', path: 's/batch' },
  ]
  const announced = uploads.filter(({ path }) => path !== 's/batch')

  const chunk = (bytes: number) =>
    Buffer.concat([Buffer.from(`${bytes.toString(16)}\r\n`), Buffer.alloc(bytes, 'x'), Buffer.from('\r\n')])

  test.each(announced)(
    '$name that announces too many beside one that moves is refused after a while',
    async ({ path }) => {
      const app = await testApp({ streams: ['s'], limits })
      const first = await open(app)
      first.write(`POST ${STREAMS}/${path} HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`)
      await first.flushed(chunk(2 * MIB))
      const timer = setInterval(() => first.write(chunk(4_096)), 25)
      onTestFinished(() => clearInterval(timer))
      await app.get('/ping')
      const second = await open(app)
      second.write(head(path, 2 * MIB))
      expect(await second.response()).toMatchObject({
        status: 503,
        headers: { 'retry-after': '1' },
        text: ARRIVING,
      })
      // One client alone, refused more than it has, does not make the service look ill: others are served.
      expect((await app.post(`${STREAMS}/s`, { body: 'small' })).status).toBe(200)
      expect((await app.get('/status')).text).toMatch(/^OK\.\n/)
      expect((await app.get('/v3/system/services/streams/status')).text).toBe('{"status":"OK"}')
      clearInterval(timer)
      first.write('0\r\n\r\n')
      expect(await first.response()).toMatchObject({ status: 200 })
      const later = await app.post(`${STREAMS}/s`, { body: Buffer.alloc(2 * MIB, 'y') })
      expect(later.status).toBe(200)
      expect(await app.events('s')).toHaveLength(3)
    },
  )

  test.each(uploads)(
    '$name that brings too many beside one that stopped takes its place',
    async ({ path }) => {
      const { app, first } = await fullApp(path)
      const second = await open(app)
      second.write(
        `POST ${STREAMS}/${path} HTTP/1.1\r\n${HOST}Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n`,
      )
      for (let i = 0; i < 40; i++) await second.flushed(chunk(64 * 1024))
      second.write('0\r\n\r\n')
      expect(await second.response()).toMatchObject({ status: 200 })
      if (path !== 's/batch') {
        expect(await first.response()).toMatchObject({
          status: 408,
          text: 'the body came slowly, and the memory it took was needed for others; send it faster, or try again later',
        })
        await first.closed
      }
      expect(await app.events('s')).toHaveLength(1)
      expect(app.reported).toEqual([])
    },
  )

  test('events that come in one piece are taken beside them', async () => {
    const { app } = await fullApp('s')
    for (let i = 0; i < 20; i++) {
      expect((await app.post(`${STREAMS}/s`, { body: 'x'.repeat(10_000) })).status).toBe(200)
    }
  })

  test.each(uploads)('are given back when the client of $name goes', async ({ path }) => {
    const { app, first } = await fullApp(path)
    first.destroy()
    await first.closed
    await expect
      .poll(async () => (await app.post(`${STREAMS}/s`, { body: Buffer.alloc(3 * MIB, 'x') })).status)
      .toBe(200)
    expect(await app.events('s')).toHaveLength(1)
  })

  test('one that is larger than all of them is taken when it is alone', async () => {
    const app = await testApp({ streams: ['s'], limits })
    for (const path of [`${STREAMS}/s`, `${STREAMS}/s?`]) {
      expect((await app.post(path, { body: Buffer.alloc(8 * MIB, 'x') })).status).toBe(200)
    }
    const batch = { headers: TEXT, body: Buffer.alloc(8 * MIB, 'y') }
    expect((await app.post(`${STREAMS}/s/batch`, batch)).status).toBe(200)
    expect(await app.events('s')).toHaveLength(3)
  })
})

describe('as many long answers as are sent at a time', () => {
  const BUSY_READS =
    '2 long answers are being sent, and no more at a time; try again later, or ask for less with limit'
  const lines = 'line of a text\n'.repeat(2_000_000)

  /** A service with two readers of a long answer, which go on with it at their speed. */
  async function readApp(bytesPerTenth: number) {
    const app = await testApp({ streams: ['s'], limits: { maxReads: 2 } })
    expect((await app.post(`${STREAMS}/s/batch`, { headers: TEXT, body: lines })).status).toBe(200)
    const readers = [await open(app), await open(app)]
    for (const reader of readers) {
      reader.write(`GET ${STREAMS}/s/events HTTP/1.1\r\n${HOST}\r\n`)
      await reader.received(1)
      reader.pause()
      if (bytesPerTenth === 0) continue
      let wanted = 0
      const timer = setInterval(() => {
        wanted += bytesPerTenth
        reader.resume()
        void reader.received(wanted).then(
          () => reader.pause(),
          () => {},
        )
      }, 100)
      onTestFinished(() => clearInterval(timer))
    }
    return { app, readers }
  }

  test('one more waits, and is refused if those move; short ones are not', async () => {
    const { app } = await readApp(1_000_000)
    const third = await app.get(`${STREAMS}/s/events`)
    expect([third.status, third.text.slice(0, 200), third.headers['retry-after']]).toEqual([
      503,
      BUSY_READS,
      '1',
    ])
    expect(await app.events('s', 'limit=100')).toHaveLength(100)
  })

  test('one more waits until another has ended', async () => {
    const { app, readers } = await readApp(1_000_000)
    const third = app.get(`${STREAMS}/s/events?limit=500000`)
    await sleep(500)
    readers[0]!.destroy()
    expect((await third).status).toBe(200)
  })

  test('one more takes the place of the one that takes least', async () => {
    const { app, readers } = await readApp(0)
    expect((await app.get(`${STREAMS}/s/events?limit=500000`)).status).toBe(200)
    readers[0]!.resume()
    await readers[0]!.closed
    await expect(readers[0]!.response()).rejects.toThrow('the connection ended after')
    expect(app.reported).toEqual([])
  })
})
