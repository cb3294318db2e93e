/** Resources that clients share: which client loses some, which ones keep theirs, and the answers. Timing is in test/faults. */
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { opensslProblem, selfSigned } from '../support/certificates.ts'
import { RawConnection } from '../support/raw-http.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { STREAMS, type TestApp, type TestAppOptions, testApp } from '../support/test-app.ts'
import { tokenFile } from '../support/tokens.ts'

const MIB = 1024 * 1024
const HOST = 'Host: x\r\n'
const TYPE = 'Content-Type: text/plain\r\n'
const HOLDS_MOST = 'other clients need memory, and this one held the most of it; try again later'

async function open(app: TestApp): Promise<RawConnection> {
  const connection = await RawConnection.open(app.port)
  onTestFinished(() => connection.destroy())
  return connection
}

const chunk = (bytes: number, extension = '') =>
  Buffer.concat([
    Buffer.from(`${bytes.toString(16)}${extension}\r\n`),
    Buffer.alloc(bytes, 'x'),
    Buffer.from('\r\n'),
  ])

/** An upload in chunks that has brought so many bytes. */
async function upload(
  app: TestApp,
  bytes: number,
  { path = 's', headers = '' } = {},
): Promise<RawConnection> {
  const connection = await open(app)
  connection.write(
    `POST ${STREAMS}/${path} HTTP/1.1\r\n${HOST}${TYPE}${headers}Transfer-Encoding: chunked\r\n\r\n`,
  )
  await connection.flushed(chunk(bytes))
  await app.get('/ping')
  return connection
}

/** Every so often a few bytes more. */
function trickle(connection: RawConnection, ms: number, bytes: Buffer): void {
  const timer = setInterval(() => connection.write(bytes), ms)
  onTestFinished(() => clearInterval(timer))
}

async function tokenApp(options: TestAppOptions = {}) {
  const tokens = await tokenFile([{ name: 'greedy' }, { name: 'honest' }])
  const app = await testApp({ ...options, config: { authFile: tokens.path } })
  const { Authorization: greedy } = tokens.bearer('greedy')
  const honest = tokens.bearer('honest')
  expect((await app.put(`${STREAMS}/s`, { headers: honest })).status).toBe(200)
  return { app, honest, greedy: `Authorization: ${greedy}\r\n` }
}

async function share(app: TestApp, what: string, resource: string, headers = {}): Promise<number> {
  const { text } = await app.get('/metrics', { headers })
  return Number(
    new RegExp(`^millrace_share_${what}\\{resource="${resource}"\\} (\\d+)$`, 'm').exec(text)?.[1],
  )
}

describe('memory of bodies', () => {
  const limits = { maxRequestBytes: 4 * MIB }
  const bodies = [
    { name: 'an event', path: `${STREAMS}/s`, method: 'POST', body: 'x'.repeat(500) },
    { name: 'an event of 1 MiB', path: `${STREAMS}/s`, method: 'POST', body: 'x'.repeat(MIB) },
    { name: 'an event through Hono', path: `${STREAMS}/s?`, method: 'POST', body: 'x'.repeat(MIB) },
    { name: 'a batch', path: `${STREAMS}/s/batch`, method: 'POST', body: 'a line\n'.repeat(200_000) },
    {
      name: 'a batch in gzip',
      path: `${STREAMS}/s/batch`,
      method: 'POST',
      body: gzipSync('a line\n'.repeat(200_000)),
      encoding: 'gzip',
    },
    {
      name: 'properties',
      path: `${STREAMS}/s/properties`,
      method: 'PUT',
      body: `{"description":"${'x'.repeat(200_000)}"}`,
    },
  ]

  test.each(bodies)(
    'slow uploads that fill it keep $name of the same client out for a moment at most',
    async ({ path, method, body, encoding }) => {
      const app = await testApp({ streams: ['s', 'greedy'], limits })
      const slow = [
        await upload(app, 2 * MIB, { path: 'greedy' }),
        await upload(app, MIB - 300, { path: 'greedy' }),
      ]
      for (const one of slow) trickle(one, 100, chunk(1, `;${'e'.repeat(1_100)}`))
      const headers = { 'Content-Type': 'text/plain', ...(encoding && { 'Content-Encoding': encoding }) }
      for (let i = 0; i < 3; i++) {
        expect((await app.request(method, path, { headers, body })).status).toBe(200)
      }
      expect(await app.events('greedy')).toEqual([])
    },
  )

  test('an upload below the minimum rate is cut while memory is scarce, whatever its chunks are wrapped in', async () => {
    const app = await testApp({ streams: ['s'], limits })
    const slow = await upload(app, 2 * MIB)
    trickle(slow, 50, chunk(1, `;${'e'.repeat(1_100)}`))
    expect(await slow.response()).toMatchObject({
      status: 408,
      text: 'the body came at less than 4096 bytes per second, and much else is arriving; send it faster, or try again later',
    })
    await slow.closed
    expect(await app.events('s')).toEqual([])
    expect(await share(app, 'cut_total', 'bodies')).toBe(1)
    expect(await share(app, 'held', 'bodies')).toBe(0)
    expect((await app.get('/status')).text).toMatch(/^OK\.\n/)
  })

  test('it is left alone while there is enough, or without a minimum', async () => {
    const enough = await testApp({ streams: ['s'] })
    const none = await testApp({ streams: ['s'], limits: { ...limits, minUploadBytesPerSecond: 0 } })
    const slow = [await upload(enough, 2 * MIB), await upload(none, 2 * MIB)]
    await sleep(6_500)
    for (const one of slow) {
      one.write('0\r\n\r\n')
      expect(await one.response()).toMatchObject({ status: 200 })
    }
  })

  test('the client with most gives back its slowest upload, though that is fast enough', async () => {
    const { app, greedy, honest } = await tokenApp({ limits })
    const fast = await upload(app, MIB, { headers: greedy })
    trickle(fast, 20, chunk(2_000))
    const slower = await upload(app, MIB, { headers: greedy })
    trickle(slower, 20, chunk(700))
    await sleep(2_200) // the rate is taken over the last second or two
    const body = Buffer.alloc(Math.floor(1.2 * MIB), 'y')
    expect((await app.post(`${STREAMS}/s`, { headers: honest, body })).status).toBe(200)
    expect(await slower.response()).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
      text: HOLDS_MOST,
    })
    expect(await share(app, 'clients', 'bodies', honest)).toBe(1)
  })

  test('a client with less is not cut for one with more', async () => {
    const { app, greedy, honest } = await tokenApp({ limits })
    const small = await upload(app, MIB, { headers: `Authorization: ${honest.Authorization}\r\n` })
    trickle(small, 25, chunk(1_000)) // slow for what it holds, and above the minimum
    const first = await upload(app, Math.floor(1.3 * MIB), { headers: greedy })
    trickle(first, 25, chunk(3_000))
    const second = await upload(app, MIB, { headers: greedy })
    const refused = await Promise.race([first.status(), second.status()])
    expect([408, 503]).toContain(refused)
    small.write('0\r\n\r\n')
    expect(await small.response()).toMatchObject({ status: 200 })
  })

  test('a Content-Length without a body takes nothing from anybody', async () => {
    const { app, greedy, honest } = await tokenApp({ limits })
    const upload1 = await upload(app, 2 * MIB, { headers: `Authorization: ${honest.Authorization}\r\n` })
    trickle(upload1, 20, chunk(4_000))
    for (let i = 0; i < 5; i++) {
      const empty = await open(app)
      empty.write(`POST ${STREAMS}/s HTTP/1.1\r\n${HOST}${greedy}Content-Length: ${3 * MIB}\r\n\r\n`)
    }
    await sleep(1_000)
    upload1.write('0\r\n\r\n')
    expect(await upload1.response()).toMatchObject({ status: 200 })
  })

  test('the window of a decompressor counts, as far as it is filled', async () => {
    const app = await testApp({ streams: ['s'], limits: { maxRequestBytes: 64 * MIB } })
    const random = seededRandom(1)
    const lines = Array.from({ length: 400_000 }, () => `${random.whole(0, 999_999_999)} of a text\n`)
    const packed = brotliCompressSync(Buffer.from(lines.join('')), {
      params: { [constants.BROTLI_PARAM_QUALITY]: 4 },
    })
    const connection = await open(app)
    connection.write(
      `POST ${STREAMS}/s/batch HTTP/1.1\r\n${HOST}${TYPE}Content-Encoding: br\r\nContent-Length: ${packed.length}\r\n\r\n`,
    )
    await connection.flushed(packed.subarray(0, -1_000))
    await expect.poll(() => share(app, 'held', 'bodies')).toBeGreaterThan(5 * MIB)
    connection.destroy()
    await expect.poll(() => share(app, 'held', 'bodies')).toBe(0)
  })

  test('what was answered 408 or 503 is not stored, and what was stored was answered 200', async () => {
    const app = await testApp({ streams: ['s'], limits })
    const answers: (number | undefined)[] = []
    const send = async (i: number) => {
      const path = i % 2 === 0 ? 's' : 's/batch'
      const one = await upload(app, MIB + i, { path })
      await sleep(i * 150)
      one.write('0\r\n\r\n')
      answers[i] = await one.status().catch(() => undefined)
    }
    await Promise.all(Array.from({ length: 12 }, (_, i) => send(i)))
    const stored = new Set((await app.events('s')).map(({ body }) => body.length - MIB))
    for (const [i, status] of answers.entries()) {
      if (status === 200) expect(stored).toContain(i)
      else expect(stored).not.toContain(i)
    }
    expect(app.reported).toEqual([])
  })
})

describe('long reads', () => {
  test('the client with most places gives one back at once', async () => {
    const { app, greedy, honest } = await tokenApp({ limits: { maxReads: 3 } })
    const headers = { ...honest, 'Content-Type': 'text/plain' }
    const lines = 'line of a text\n'.repeat(1_000_000)
    expect((await app.post(`${STREAMS}/s/batch`, { headers, body: lines })).status).toBe(200)
    const readers: RawConnection[] = []
    for (let i = 0; i < 3; i++) {
      const reader = await open(app)
      reader.write(`GET ${STREAMS}/s/events HTTP/1.1\r\n${HOST}${greedy}\r\n`)
      await reader.received(1)
      reader.pause()
      readers.push(reader)
    }
    const since = performance.now()
    const read = await app.get(`${STREAMS}/s/events?limit=50000`, { headers: honest })
    expect(read.status).toBe(200)
    expect(performance.now() - since).toBeLessThan(6_000) // without a place it would be refused after that
    expect(await share(app, 'cut_total', 'reads', honest)).toBe(1)
    expect(await share(app, 'capacity', 'reads', honest)).toBe(3)
  })
})

describe('connections', () => {
  test('half a TLS handshake is half-open', async ({ skip }) => {
    const problem = await opensslProblem()
    if (problem !== undefined) skip(problem)
    const folder = await mkdtemp(join(tmpdir(), 'millrace-tls-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const { certificate, key } = await selfSigned(folder, 'server')
    const app = await testApp({
      limits: { maxConnections: 10 },
      config: { tls: { certificate, key } },
    })
    for (let i = 0; i < 40; i++) {
      const half = connect(app.port, '127.0.0.1')
      half.on('error', () => {})
      onTestFinished(() => void half.destroy())
      if (i % 2 === 0) half.write(Buffer.from([22, 3, 1, 2, 0, 1]))
    }
    for (let i = 0; i < 5; i++) {
      const connection = await RawConnection.openTls(app.port)
      connection.write(`GET /status HTTP/1.1\r\n${HOST}\r\n`)
      expect(await connection.response()).toMatchObject({ status: 200 })
      connection.destroy()
    }
  })

  test('pipelined requests: the address with most of them loses a connection, not one that has few', async () => {
    const app = await testApp({ streams: ['s'], limits: { maxPipelined: 100 } })
    const ping = `GET /ping HTTP/1.1\r\n${HOST}\r\n`
    const waiting = connect({ port: app.port, host: '127.0.0.1', localAddress: '127.0.0.2' })
    onTestFinished(() => void waiting.destroy())
    waiting.on('error', () => {})
    waiting.resume()
    const head = `POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\n`
    waiting.write(`GET ${STREAMS}/s/notifications HTTP/1.1\r\n${HOST}\r\n${ping.repeat(100)}`)
    const ended = new Promise((resolve) => waiting.once('close', resolve))
    await expect.poll(() => share(app, 'held', 'pipelined')).toBe(100)
    const honest = await open(app)
    honest.write(`${ping.repeat(20)}${head}x`)
    for (let i = 0; i < 20; i++) expect(await honest.response()).toMatchObject({ status: 200, text: 'OK.\n' })
    expect(await honest.response()).toMatchObject({ status: 200 })
    await ended
  })
})
