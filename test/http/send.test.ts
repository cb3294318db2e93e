import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { answerOf, empty, plain } from '../support/answer.ts'
import { RawConnection, rawRequest } from '../support/raw-http.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const NOW = 1_000_000

const sends = [
  { way: 'sent', suffix: '', status: 200 },
  { way: 'sent to /async', suffix: '/async', status: 202 },
]

describe.each(sends)('an event that is $way', ({ suffix, status }) => {
  const path = `${STREAMS}/s${suffix}`

  /** What is read after this event is known to be on disk: events keep their order. */
  async function readBack(app: TestApp, query = 'encoding=base64') {
    await app.post(`${STREAMS}/s`, { body: 'last' })
    const events = await app.events('s', query)
    return events.slice(0, -1)
  }

  test(`is answered ${status} and nothing else`, async () => {
    const app = await testApp({ streams: ['s'] })
    expect(answerOf(await app.post(path, { body: 'Hello World' }))).toEqual(empty(status))
    expect(await readBack(app, '')).toEqual([{ timestamp: NOW, headers: {}, body: 'Hello World' }])
  })

  const bodies = [
    { name: 'no bytes', body: '' },
    { name: 'no bytes in chunks', chunks: [] },
    { name: 'one byte', body: Buffer.of(0) },
    { name: 'a line end', body: '\n' },
    { name: 'lines', body: 'a\r\nb\n\nc' },
    { name: 'UTF-8', body: 'naïve €😀' },
    { name: 'a byte order mark', body: Buffer.from('\ufeffx') },
    { name: 'bytes that are not UTF-8', body: Buffer.of(0xff, 0xfe, 0x80, 0xc3) },
    { name: 'all bytes', body: Buffer.from(Array.from({ length: 256 }, (_, i) => i)) },
    { name: 'chunks', chunks: [Buffer.from('ab'), Buffer.from('c'), Buffer.from('def')] },
    { name: '300 KiB', body: Buffer.alloc(300 * 1024, 'zyx\0') },
    { name: '2 MiB in chunks', chunks: Array.from({ length: 32 }, (_, i) => Buffer.alloc(65_536, i)) },
  ]
  test.each(bodies)('keeps a body of $name', async ({ body, chunks }) => {
    const app = await testApp({ streams: ['s'] })
    const sent = chunks === undefined ? Buffer.from(body) : Buffer.concat(chunks)
    const answer = await app.post(path, chunks === undefined ? { body } : { chunks })
    expect(answerOf(answer)).toEqual(empty(status))
    expect(await readBack(app)).toEqual([{ timestamp: NOW, headers: {}, body: sent.toString('base64') }])
  })

  const wholeHeader = 'all that HTTP allows: {}[]()<>@,;:\\"/?='
  const headers = [
    { name: 'none', sent: {}, kept: {} },
    { name: 'a prefixed one', sent: { 's.key': 'value' }, kept: { key: 'value' } },
    { name: 'several', sent: { 's.b': '1', 's.a': '2' }, kept: { b: '1', a: '2' } },
    { name: 'a name in any case, as it is', sent: { 's.KeY': 'v' }, kept: { KeY: 'v' } },
    { name: 'a prefix in another case', sent: { 'S.Key': 'v' }, kept: { Key: 'v' } },
    { name: 'an empty name', sent: { 's.': 'v' }, kept: { '': 'v' } },
    { name: 'an empty value', sent: { 's.k': '' }, kept: { k: '' } },
    { name: 'a name with dots', sent: { 's.a.b': 'v', 's..c': 'w' }, kept: { 'a.b': 'v', '.c': 'w' } },
    { name: 'a value of any characters', sent: { 's.k': wholeHeader }, kept: { k: wholeHeader } },
    { name: 'a value with a comma, once', sent: { 's.k': 'a, b' }, kept: { k: 'a, b' } },
    {
      name: 'content.type, which nothing adds',
      sent: { 's.content.type': 'v' },
      kept: { 'content.type': 'v' },
    },
    {
      name: 'none of another stream',
      sent: { 'ss.k': 'v', 't.k': 'v', 's-k': 'v', s: 'v', 'xs.k': 'v' },
      kept: {},
    },
    {
      name: 'none without the prefix',
      sent: { 'X-Key': 'v', 'Content-Type': 'text/x', '.k': 'v' },
      kept: {},
    },
  ]
  test.each(headers)('keeps of its headers: $name', async ({ sent, kept }) => {
    const app = await testApp({ streams: ['s'] })
    expect(answerOf(await app.post(path, { headers: sent, body: 'x' }))).toEqual(empty(status))
    expect(await readBack(app, '')).toEqual([{ timestamp: NOW, headers: kept, body: 'x' }])
  })

  test('keeps headers in the order they were sent', async () => {
    const app = await testApp({ streams: ['s'] })
    await app.post(path, { headers: { 's.b': '1', 's.10': '2', 's.a': '3', 's.': '4' }, body: 'x' })
    await app.post(`${STREAMS}/s`, { body: 'last' })
    const { text } = await app.get(`${STREAMS}/s/events?limit=1`)
    expect(text).toBe(`[{"timestamp":${NOW},"headers":{"b":"1","10":"2","a":"3","":"4"},"body":"x"}]`)
  })

  test('has header values as node decodes latin-1, without the space around them', async () => {
    const app = await testApp({ streams: ['s'] })
    const value = Buffer.from(Array.from({ length: 128 }, (_, i) => 128 + i)).toString('latin1')
    const answer = await rawRequest(
      app.port,
      `POST ${path} HTTP/1.1\r\nHost: x\r\ns.k:\t ${value} a  b \t\r\nContent-Length: 1\r\n\r\nx`,
    )
    expect(answerOf(answer)).toEqual(empty(status))
    expect(await readBack(app, '')).toEqual([{ timestamp: NOW, headers: { k: `${value} a  b` }, body: 'x' }])
  })

  test.each([
    { name: 'in the same case', lines: 's.k: 1\r\ns.k: 2', key: 'k' },
    { name: 'with the same value', lines: 's.k: 1\r\ns.k: 1', key: 'k' },
    { name: 'under two cases of the prefix', lines: 's.k: 1\r\nS.k: 2', key: 'k' },
    { name: 'without a name', lines: 's.: 1\r\ns.: 2', key: '' },
  ])('is refused if it has a header twice $name', async ({ lines, key }) => {
    const app = await testApp({ streams: ['s'] })
    const answer = await rawRequest(
      app.port,
      `POST ${path} HTTP/1.1\r\nHost: x\r\n${lines}\r\nContent-Length: 1\r\n\r\nx`,
    )
    expect(answerOf(answer)).toEqual(plain(400, `event header '${key}' is given twice; send it once`))
    expect(await readBack(app)).toEqual([])
  })

  test('may have headers whose names differ in case only', async () => {
    const app = await testApp({ streams: ['s'] })
    const lines = 's.key: 1\r\ns.KEY: 2\r\nS.Key: 3'
    await rawRequest(app.port, `POST ${path} HTTP/1.1\r\nHost: x\r\n${lines}\r\nContent-Length: 1\r\n\r\nx`)
    const kept = { key: '1', KEY: '2', Key: '3' }
    expect(await readBack(app, '')).toEqual([{ timestamp: NOW, headers: kept, body: 'x' }])
  })

  test('may have 100 headers', async () => {
    const app = await testApp({ streams: ['s'] })
    const names = Array.from({ length: 100 }, (_, i) => `name-${i}`)
    await app.post(path, { headers: Object.fromEntries(names.map((name) => [`s.${name}`, name])), body: 'x' })
    const kept = Object.fromEntries(names.map((name) => [name, name]))
    expect(await readBack(app, '')).toEqual([{ timestamp: NOW, headers: kept, body: 'x' }])
  })

  const text = Buffer.from('to be compressed, to be compressed')
  test.each([
    { encoding: 'gzip', body: gzipSync(text) },
    { encoding: 'x-gzip', body: gzipSync(text) },
    { encoding: 'GZIP', body: gzipSync(text) },
    { encoding: 'deflate', body: deflateSync(text) },
    { encoding: 'br', body: brotliCompressSync(text) },
    { encoding: 'identity', body: text },
    { encoding: '', body: text },
    { encoding: 'gzip, br', body: brotliCompressSync(gzipSync(text)) },
    { encoding: 'gzip, identity', body: gzipSync(text) },
  ])('in Content-Encoding "$encoding" is kept decoded', async ({ encoding, body }) => {
    const app = await testApp({ streams: ['s'] })
    const headers = { 'Content-Encoding': encoding }
    expect(answerOf(await app.post(path, { headers, body }))).toEqual(empty(status))
    expect(
      answerOf(await app.post(path, { headers, chunks: [body.subarray(0, 9), body.subarray(9)] })),
    ).toEqual(empty(status))
    const kept = { timestamp: NOW, headers: {}, body: text.toString() }
    expect(await readBack(app, '')).toEqual([kept, kept])
  })

  test('need not say how long it is if it has no body', async () => {
    const app = await testApp({ streams: ['s'] })
    expect(answerOf(await rawRequest(app.port, `POST ${path} HTTP/1.1\r\nHost: x\r\n\r\n`))).toEqual(
      empty(status),
    )
    expect(await readBack(app)).toEqual([{ timestamp: NOW, headers: {}, body: '' }])
  })

  test('waits for 100 Continue if it likes', async () => {
    const app = await testApp({ streams: ['s'] })
    const connection = await RawConnection.open(app.port)
    connection.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n`)
    expect((await connection.response()).status).toBe(100)
    connection.write('abc')
    expect(answerOf(await connection.response())).toEqual(empty(status))
    connection.destroy()
    expect(await readBack(app, '')).toEqual([{ timestamp: NOW, headers: {}, body: 'abc' }])
  })
})

describe('order and time', () => {
  test('events stand in the order they were sent, each at the time of the server', async () => {
    const app = await testApp({ streams: ['s'], nowMs: 5000 })
    for (const step of [0, 0, 1, 999]) {
      app.nowMs += step
      await app.post(`${STREAMS}/s`, { headers: { 's.timestamp': '1', Date: 'x' }, body: `${step}` })
    }
    const headers = { timestamp: '1' }
    expect(await app.events('s')).toEqual([
      { timestamp: 5000, headers, body: '0' },
      { timestamp: 5000, headers, body: '0' },
      { timestamp: 5001, headers, body: '1' },
      { timestamp: 6000, headers, body: '999' },
    ])
  })

  test('timestamps never go back when the clock does', async () => {
    const app = await testApp({ streams: ['s', 'other'], nowMs: 5000 })
    for (const now of [5000, 4000, 1, 5001]) {
      app.nowMs = now
      await app.post(`${STREAMS}/s`, { body: `${now}` })
    }
    const timestamps = (await app.events('s')).map(({ timestamp, body }) => [timestamp, body])
    expect(timestamps).toEqual([
      [5000, '5000'],
      [5000, '4000'],
      [5000, '1'],
      [5001, '5001'],
    ])
  })

  test('many writers at once lose nothing and keep the order of each', async () => {
    const app = await testApp({ streams: ['s'] })
    const writers = Array.from({ length: 16 }, async (_, writer) => {
      for (let i = 0; i < 25; i++) {
        const suffix = i % 3 === 0 ? '/async' : ''
        const { status } = await app.post(`${STREAMS}/s${suffix}`, { body: `${writer} ${i}` })
        expect(status).toBe(suffix === '' ? 200 : 202)
      }
    })
    await Promise.all(writers)
    await app.post(`${STREAMS}/s`, { body: 'last' })
    const bodies = (await app.events('s')).map(({ body }) => body)
    expect(bodies).toHaveLength(401)
    for (let writer = 0; writer < 16; writer++) {
      const own = bodies.filter((body) => body.startsWith(`${writer} `))
      expect(own).toEqual(Array.from({ length: 25 }, (_, i) => `${writer} ${i}`))
    }
    expect(app.reported).toEqual([])
  })

  test('an event is on disk when /async finds its queue full', async () => {
    const app = await testApp({ streams: ['s'], config: { asyncQueueBytesMax: 0 } })
    expect(answerOf(await app.post(`${STREAMS}/s/async`, { body: 'x' }))).toEqual(empty(202))
    expect(await app.events('s')).toEqual([{ timestamp: NOW, headers: {}, body: 'x' }])
  })

  test('one stream does not see the events of another', async () => {
    const app = await testApp({ streams: ['a', 'b', 'ab'] })
    for (const stream of ['a', 'b', 'ab']) {
      await app.post(`${STREAMS}/${stream}`, { headers: { 'a.k': '1', 'ab.k': '2' }, body: stream })
    }
    expect(await Promise.all(['a', 'b', 'ab'].map((stream) => app.events(stream)))).toEqual([
      [{ timestamp: NOW, headers: { k: '1' }, body: 'a' }],
      [{ timestamp: NOW, headers: {}, body: 'b' }],
      [{ timestamp: NOW, headers: { k: '2' }, body: 'ab' }],
    ])
  })
})

test('any bytes come back equal, however they are cut into chunks', async () => {
  const app = await testApp({ streams: ['s'] })
  const bodies: string[] = []
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 4 }),
      async (chunks) => {
        const suffix = chunks.length % 2 === 0 ? '' : '/async'
        await app.post(`${STREAMS}/s${suffix}`, { chunks })
        bodies.push(Buffer.concat(chunks).toString('base64'))
      },
    ),
    { numRuns: 200 },
  )
  await app.post(`${STREAMS}/s`, { body: '' })
  expect((await app.events('s', 'encoding=base64')).map(({ body }) => body)).toEqual([...bodies, ''])
})

test('requests pipelined on one connection are handled in their order', async () => {
  const app = await testApp({ streams: ['s'] })
  const connection = await RawConnection.open(app.port)
  const post = (body: string) =>
    `POST ${STREAMS}/s HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  const bodies = Array.from({ length: 20 }, (_, i) => (i % 3 === 0 ? '' : `e${i}`))
  connection.write(`${bodies.map(post).join('')}GET ${STREAMS}/s/events HTTP/1.1\r\nHost: x\r\n\r\n`)
  for (const _ of bodies) expect((await connection.response()).status).toBe(200)
  const events = JSON.parse((await connection.response()).text) as { body: string }[]
  connection.destroy()
  expect(events.map(({ body }) => body)).toEqual(bodies)
})
