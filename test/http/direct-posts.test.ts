/** A plain POST of an event is answered without the routes of Hono. Clients must not see a difference. */
import { describe, expect, test } from 'vitest'
import { failingStorage } from '../support/failing-storage.ts'
import { RawConnection, rawRequest } from '../support/raw-http.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

/** A query without meaning is enough for a request to pass through Hono. */
const ways = [
  { way: 'the plain path', query: '' },
  { way: 'the path through Hono', query: '?' },
]
const BODY = 'Hello World'

function post(path: string, headers: readonly string[] = [], body = BODY): string {
  const length = `Content-Length: ${Buffer.byteLength(body)}`
  return [`POST ${path} HTTP/1.1`, 'Host: x', length, ...headers, '', body].join('\r\n')
}

/** All that a client sees, but for the time of day. */
async function answerTo(port: number, request: string) {
  const { status, headers, text } = await rawRequest(port, request)
  return { status, headers: { ...headers, date: '' }, text }
}

const requests = [
  { name: 'an event', suffix: '', headers: [] },
  { name: 'an event for later', suffix: '/async', headers: [] },
  { name: 'event headers', suffix: '', headers: ['s.Key: a', 'S.other: \u00e9', 'unrelated: x'] },
  { name: 'an event header twice', suffix: '', headers: ['s.key: a', 's.key: b'] },
  { name: 'an empty body', suffix: '', headers: [], body: '' },
  { name: 'a body that is too large', suffix: '', headers: [], body: 'x'.repeat(1001) },
  { name: 'the largest body', suffix: '', headers: [], body: 'x'.repeat(1000) },
  { name: 'the last request of a connection', suffix: '', headers: ['Connection: close'] },
  { name: 'a body that is not in its encoding', suffix: '', headers: ['Content-Encoding: gzip'] },
  { name: 'an unknown encoding', suffix: '/async', headers: ['Content-Encoding: rot13'] },
  { name: 'a stream that does not exist', stream: 'none', suffix: '', headers: [] },
  { name: 'a stream with a wrong name', stream: 'a.b', suffix: '', headers: [] },
  { name: 'a word that is none', suffix: '/asynchronous', headers: [] },
]

test.each(requests)('$name: same answer, same event', async ({ stream = 's', suffix, headers, body }) => {
  const seen = []
  for (const { query } of ways) {
    const app = await testApp({ streams: ['s'], config: { eventBytesMax: 1000 } })
    const answer = await answerTo(app.port, post(`${STREAMS}/${stream}${suffix}${query}`, headers, body))
    await app.post(`${STREAMS}/s`, { body: 'last' })
    const text = answer.text.replace(/\?(?=\.| )/, '')
    seen.push({
      ...answer,
      text,
      headers: { ...answer.headers, 'content-length': '' },
      events: await app.events('s'),
    })
  }
  expect(seen[0]).toEqual(seen[1])
})

describe.each(ways)('on $way', ({ query }) => {
  test('a store that cannot write is answered 503 with Retry-After, and reported', async () => {
    const app = await testApp({ streams: ['s'], openStorage: failingStorage })
    const { status, headers, text } = await answerTo(app.port, post(`${STREAMS}/s${query}`, ['s.fail: now']))
    expect({ status, text }).toEqual({
      status: 503,
      text: expect.stringContaining('No space left on device'),
    })
    expect(headers).toMatchObject({ 'retry-after': '5', 'content-type': 'text/plain; charset=utf-8' })
    expect(app.reported).toHaveLength(1)
    app.reported.length = 0
  })

  test('a stream deleted while its event arrives is 404', async () => {
    const app = await testApp({ streams: ['s'] })
    const connection = await RawConnection.open(app.port)
    const request = post(`${STREAMS}/s${query}`)
    connection.write(request.slice(0, -3))
    await expect.poll(() => app.get('/ping').then(({ status }) => status)).toBe(200)
    await app.delete(`${STREAMS}/s`)
    connection.write(request.slice(-3))
    expect(await connection.response()).toMatchObject({ status: 404 })
    connection.destroy()
  })

  test('an event cut off in its body is not stored', async () => {
    const app = await testApp({ streams: ['s'] })
    const connection = await RawConnection.open(app.port)
    connection.write(post(`${STREAMS}/s${query}`).slice(0, -1))
    await expect.poll(() => app.get('/ping').then(({ status }) => status)).toBe(200)
    connection.destroy()
    await connection.closed
    await app.post(`${STREAMS}/s`, { body: 'next' })
    expect((await app.events('s')).map(({ body }) => body)).toEqual(['next'])
    expect(app.reported).toEqual([])
  })

  test('a body in pieces is put together', async () => {
    const app = await testApp({ streams: ['s'] })
    const connection = await RawConnection.open(app.port)
    for (const piece of post(`${STREAMS}/s${query}`).match(/.{1,50}/gs)!) {
      connection.write(piece)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(await connection.response()).toMatchObject({ status: 200, text: '' })
    connection.destroy()
    expect((await app.events('s')).map(({ body }) => body)).toEqual([BODY])
  })
})
