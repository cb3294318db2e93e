/** What is said of one request is never said in place of the answer to another one on the same connection. */
import { setTimeout as sleep } from 'node:timers/promises'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { RawConnection, rawText } from '../support/raw-http.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const HOST = 'Host: x\r\n'
const GARBAGE = 'caf\xc3\xa9 \x00\r\n\r\n'
const NOT_HTTP = expect.stringMatching(/^the request is not HTTP: ./)

function request(line: string, body = '', headers = ''): string {
  const length = body === '' && !line.startsWith('P') ? '' : `Content-Length: ${body.length}\r\n`
  return `${line} HTTP/1.1\r\n${HOST}${headers}${length}\r\n${body}`
}

/** Sends all of it at once, or in two writes cut at `at`. Status and text of every answer until the connection is closed. */
async function answersTo(app: TestApp, bytes: string, at = bytes.length): Promise<[number, string][]> {
  const connection = await RawConnection.open(app.port)
  onTestFinished(() => connection.destroy())
  connection.write(bytes.slice(0, at))
  if (at < bytes.length) {
    await sleep(5)
    connection.write(bytes.slice(at))
  }
  return answersOf(connection)
}

async function answersOf(connection: RawConnection): Promise<[number, string][]> {
  const answers: [number, string][] = []
  for (;;) {
    try {
      const { status, text } = await connection.response()
      answers.push([status, text])
    } catch {
      return answers
    }
  }
}

async function bodiesOf(app: TestApp, stream = 's'): Promise<string[]> {
  return (await app.events(stream, 'encoding=utf8')).map(({ body }) => body)
}

const TEXT = 'Content-Type: text/plain\r\n'
const POST = request(`POST ${STREAMS}/s`, 'one')

describe('a request is answered as it deserves, and what follows is refused after it:', () => {
  const first: { name: string; bytes: string; status?: number; stored?: string[] }[] = [
    { name: 'an event', bytes: POST, stored: ['one'] },
    {
      name: 'an event to /async',
      bytes: request(`POST ${STREAMS}/s/async`, 'one'),
      status: 202,
      stored: ['one'],
    },
    {
      name: 'an event in chunks',
      bytes: `POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n`,
      stored: ['one'],
    },
    {
      name: 'an event in gzip',
      bytes: request(`POST ${STREAMS}/s`, gzipSync('one').toString('latin1'), 'Content-Encoding: gzip\r\n'),
      stored: ['one'],
    },
    {
      name: 'an event in br',
      bytes: request(
        `POST ${STREAMS}/s`,
        brotliCompressSync('one').toString('latin1'),
        'Content-Encoding: br\r\n',
      ),
      stored: ['one'],
    },
    { name: 'a batch', bytes: request(`POST ${STREAMS}/s/batch`, 'one\ntwo', TEXT), stored: ['one', 'two'] },
    { name: 'an event by query', bytes: request(`POST ${STREAMS}/s?x=1`, 'one'), stored: ['one'] },
    { name: 'a new stream', bytes: request(`PUT ${STREAMS}/t`, '{"ttl":5}') },
    { name: 'properties', bytes: request(`PUT ${STREAMS}/s/properties`, '{"ttl":5}') },
    { name: 'a truncation', bytes: request(`POST ${STREAMS}/s/truncate`) },
    { name: 'a deletion', bytes: request(`DELETE ${STREAMS}/s`) },
    { name: 'a read', bytes: request('GET /ping') },
    {
      name: 'a query',
      bytes: request('POST /v3/namespaces/default/data/explore/queries', '{"query":"SELECT 1"}'),
    },
    { name: 'a refusal', bytes: request(`POST ${STREAMS}/missing`, 'one'), status: 404 },
    {
      name: 'an event that waits for a 100',
      bytes: request(`POST ${STREAMS}/s`, 'one', 'Expect: 100-continue\r\n'),
      stored: ['one'],
    },
  ]
  test.each(first)('$name', async ({ bytes, status = 200, stored = [] }) => {
    for (const cut of [bytes.length + GARBAGE.length, bytes.length, bytes.length + 3]) {
      const app = await testApp({ streams: ['s'] })
      const all = await answersTo(app, bytes + GARBAGE, cut)
      const answers = all.filter(([code]) => code !== 100)
      expect(answers).toEqual([
        [status, expect.any(String)],
        [400, NOT_HTTP],
      ])
      if (!bytes.startsWith('DELETE')) await expect.poll(() => bodiesOf(app)).toEqual(stored)
      else expect((await app.get(`${STREAMS}/s`)).status).toBe(404)
      expect(app.reported).toEqual([])
    }
  })

  const second = [
    { name: 'bytes that are no request', bytes: 'f\xc3\xa9', status: 400 },
    { name: 'a line that is none', bytes: '\x01\x02\x03\r\n\r\n', status: 400 },
    {
      name: 'headers that are too long',
      bytes: `GET /ping HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      status: 431,
    },
    {
      name: 'both lengths',
      bytes: `POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n`,
      status: 400,
    },
    {
      name: 'two lengths',
      bytes: `POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: 3\r\nContent-Length: 4\r\n\r\ntwo!`,
      status: 400,
    },
    {
      name: 'a length that is none',
      bytes: `POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Length: x\r\n\r\ntwo`,
      status: 400,
    },
    {
      name: 'a chunk that is none',
      bytes: `POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\nzz\r\n`,
      status: 400,
    },
    {
      name: 'a batch with a chunk that is none',
      bytes: `POST ${STREAMS}/s/batch HTTP/1.1\r\n${HOST}${TEXT}Transfer-Encoding: chunked\r\n\r\n4\r\ntwo\n\r\nzz\r\n`,
      status: 400,
    },
    {
      name: 'a chunk with long extensions',
      bytes: `POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3;${'x'.repeat(20_000)}\r\ntwo\r\n`,
      status: 413,
    },
  ]
  test.each(second)('before $name', async ({ bytes, status }) => {
    for (const before of [1, 3]) {
      const app = await testApp({ streams: ['s'] })
      const answers = await answersTo(app, POST.repeat(before) + bytes)
      expect(answers).toEqual([
        ...Array.from({ length: before }, () => [200, '']),
        [status, expect.any(String)],
      ])
      expect(await bodiesOf(app)).toEqual(Array.from({ length: before }, () => 'one'))
      expect(app.reported).toEqual([])
    }
  })

  test('a long answer comes whole', async () => {
    const app = await testApp({ streams: ['s'] })
    const line = `${'x'.repeat(99)}\n`
    await app.post(`${STREAMS}/s/batch`, {
      headers: { 'Content-Type': 'text/plain' },
      body: line.repeat(50_000),
    })
    const answers = await answersTo(app, request(`GET ${STREAMS}/s/events`) + GARBAGE)
    expect(answers.map(([status]) => status)).toEqual([200, 400])
    expect(JSON.parse(answers[0]![1])).toHaveLength(50_000)
  })

  test('headers that do not end, behind a slow answer', async () => {
    const app = await testApp({ streams: ['s'], limits: { headerSeconds: 1 } })
    const follow = request(`GET ${STREAMS}/s/notifications?limit=1`)
    const connection = await RawConnection.open(app.port)
    onTestFinished(() => connection.destroy())
    connection.write(`${follow}POST ${STREAMS}/s HTTP/1.1\r\n${HOST}Content-Le`)
    await sleep(2_500)
    // What comes after its time is not taken, and no answer is given in place of another.
    connection.write(`ngth: 3\r\n\r\ntwo${POST}`)
    const answers = await answersOf(connection)
    expect(answers.map(([status]) => status)).toEqual([200, 408])
    expect(await app.events('s')).toEqual([])
  }, 15_000)
})

test('an upgrade that is offered is declined, and the connection goes on', async () => {
  const app = await testApp({ streams: ['s'] })
  const upgrade = request(`POST ${STREAMS}/s`, 'one', 'Connection: Upgrade\r\nUpgrade: h2c\r\n')
  const connection = await RawConnection.open(app.port)
  connection.write(upgrade)
  expect(await connection.response()).toMatchObject({ status: 200, text: '' })
  connection.write(POST + GARBAGE)
  expect(await answersOf(connection)).toEqual([
    [200, ''],
    [400, NOT_HTTP],
  ])
  expect(await bodiesOf(app)).toEqual(['one', 'one'])
})

test('a body that is broken is refused once, and what does not need it is done and answered', async () => {
  const broken = `${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\nzz\r\n`
  const app = await testApp({ streams: ['s'] })
  await app.post(`${STREAMS}/s`, { body: 'x' })
  expect(await answersTo(app, `POST ${STREAMS}/s/truncate HTTP/1.1\r\n${broken}`)).toEqual([[200, '']])
  expect(await app.events('s')).toEqual([])
  expect(await answersTo(app, `PUT ${STREAMS}/s/properties HTTP/1.1\r\n${broken}`)).toEqual([[400, NOT_HTTP]])
  expect(await answersTo(app, `POST ${STREAMS}/s HTTP/1.1\r\n${broken}`)).toEqual([[400, NOT_HTTP]])
  expect(await answersTo(app, `DELETE ${STREAMS}/s HTTP/1.1\r\n${broken}`)).toEqual([[200, '']])
  expect(app.reported).toEqual([])
})

test('a tunnel is not opened, and the connection is closed after the answers before it', async () => {
  const app = await testApp({ streams: ['s'] })
  const tunnel = `CONNECT example.org:443 HTTP/1.1\r\n${HOST}\r\n`
  expect(await answersTo(app, POST + POST + tunnel)).toEqual([
    [200, ''],
    [200, ''],
  ])
  expect(await bodiesOf(app)).toEqual(['one', 'one'])
})

test('a client may close its side once it has asked', async () => {
  const app = await testApp({ streams: ['s'] })
  const connection = await RawConnection.open(app.port)
  connection.write(POST + POST + request('GET /ping'))
  connection.end()
  expect(await answersOf(connection)).toEqual([
    [200, ''],
    [200, ''],
    [200, 'OK.\n'],
  ])
  expect(await bodiesOf(app)).toEqual(['one', 'one'])
  const half = await RawConnection.open(app.port)
  half.write(POST + POST.slice(0, -1))
  half.end()
  expect(await answersOf(half)).toEqual([
    [200, ''],
    [400, NOT_HTTP],
  ])
  expect(await bodiesOf(app)).toEqual(['one', 'one', 'one'])
})

test('after an answer that ends the connection nothing more is said', async () => {
  const app = await testApp({ streams: ['s'] })
  const text = await rawText(app.port, request(`POST ${STREAMS}/s`, 'one', 'Connection: close\r\n') + GARBAGE)
  expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200'])
  expect(await bodiesOf(app)).toEqual(['one'])
})

test('an upload that is given up as too slow is not stored, whatever comes afterwards', async () => {
  const app = await testApp({ streams: ['s'], limits: { uploadIdleSeconds: 1 } })
  for (const [path, headers, body] of [
    ['s', '', 'two'],
    ['s/batch', TEXT, 'two\nfour'],
  ] as const) {
    const connection = await RawConnection.open(app.port)
    onTestFinished(() => connection.destroy())
    const upload = request(`POST ${STREAMS}/${path}`, body, headers)
    connection.write(POST + upload.slice(0, -1))
    expect((await connection.response()).status).toBe(200)
    expect(await connection.status()).toBe(408)
    connection.write(upload.slice(-1) + POST)
    expect((await answersOf(connection)).map(([status]) => status)).toEqual([408])
  }
  expect(await bodiesOf(app)).toEqual(['one', 'one'])
  expect(app.reported).toEqual([])
}, 15_000)

test('a body that was refused already is not refused again', async () => {
  const app = await testApp({ streams: ['s'], limits: { uploadIdleSeconds: 1 } })
  const chunked = `${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n`
  const connection = await RawConnection.open(app.port)
  connection.write(`POST ${STREAMS}/missing HTTP/1.1\r\n${chunked}`)
  expect((await connection.response()).status).toBe(404)
  connection.write('zz\r\n')
  expect(await answersOf(connection)).toEqual([])
})
