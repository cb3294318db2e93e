/** What the client libraries of CDAP streams put on the wire, request by request, with all their oddities. */
import { request as httpRequest } from 'node:http'
import { describe, expect, test } from 'vitest'
import { answerOf, empty, json, plain } from '../support/answer.ts'
import { RawConnection } from '../support/raw-http.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const NOW = 1_000_000

function event(body: string, headers: Record<string, string> = {}) {
  return { timestamp: NOW, headers, body }
}

describe('the Python client', () => {
  const headers = { Authorization: '{0} {1}', 'User-Agent': 'python-requests/2.7.0', Accept: '*/*' }
  const T = '/v3/namespaces/test/streams'

  test('works in its namespace, with a template for its token', async () => {
    const app = await testApp()
    expect(answerOf(await app.get('/ping', { headers }))).toEqual(plain(200, 'OK.\n'))
    await app.put('/v3/namespaces/test')
    const lengthZero = { ...headers, 'Content-Length': '0' }
    expect(answerOf(await app.put(`${T}/x`, { headers: lengthZero }))).toEqual(empty(200))
    expect(answerOf(await app.put(`${T}/x`, { headers: lengthZero }))).toEqual(empty(200))
    expect(answerOf(await app.put(`${T}/x/properties`, { headers, body: '{"ttl": 88888}' }))).toEqual(
      empty(200),
    )
    const info = await app.get(`${T}/x`, { headers })
    expect([info.headers['content-type'], info.json()]).toEqual([
      'application/json',
      expect.objectContaining({ ttl: 88888 }),
    ])
    expect(answerOf(await app.post(`${T}/x`, { headers: { ...headers, 'x.k': 'v' }, body: 'é' }))).toEqual(
      empty(200),
    )
    // Headers of one write leak into all later requests.
    const leaked = { ...headers, 'x.k': 'v', 'Content-Type': 'text/plain' }
    expect(answerOf(await app.post(`${T}/x/truncate`, { headers: leaked }))).toEqual(empty(200))
    expect(answerOf(await app.get(`${T}/x/events`, { headers: leaked }))).toEqual(empty(204))
  })

  test('writes 50 events over as many connections at once and reads up to its own now', async () => {
    const app = await testApp({ streams: ['x'] })
    const connections = await Promise.all(Array.from({ length: 60 }, () => RawConnection.open(app.port)))
    for (const [i, connection] of connections.entries()) {
      const body = `event ${i}`
      connection.write(
        `POST ${STREAMS}/x HTTP/1.1\r\nHost: localhost:11015\r\nAuthorization: {0} {1}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
    }
    const answers = await Promise.all(connections.map((connection) => connection.response()))
    for (const connection of connections) connection.destroy()
    expect(answers.map(answerOf)).toEqual(connections.map(() => empty(200)))
    const bodies = (await app.events('x', `start=${NOW}&end=${NOW + 1}`)).map(({ body }) => body)
    expect(bodies.sort()).toEqual(connections.map((_, i) => `event ${i}`).sort())
  })

  test('reads an event in the millisecond in which it was written, up to a now a little later', async () => {
    const app = await testApp({ streams: ['x'] })
    for (let i = 1; i <= 10; i++) {
      await app.post(`${STREAMS}/x`, { headers, body: `${i}` })
      expect(await app.events('x', 'start=0')).toHaveLength(i)
      expect(await app.events('x', `start=${NOW}&end=${NOW + 1}`)).toHaveLength(i)
    }
  })
})

describe('the JavaScript client', () => {
  const V2 = '/v2/streams'
  const headers = { Authorization: '', Connection: 'close' }

  test('speaks the old paths, in chunks, with an empty token', async () => {
    const app = await testApp()
    const chunked = (text: string) => ({ headers, chunks: text === '' ? [] : [Buffer.from(text)] })
    expect(answerOf(await app.put(`${V2}/x`, chunked('')))).toEqual(empty(200))
    expect(answerOf(await app.put(`${V2}/x/config`, chunked('{"ttl":86400}')))).toEqual(empty(200))
    expect(answerOf(await app.post(`${V2}/x`, chunked('"a text in JSON"')))).toEqual(empty(200))
    expect(await app.events('x')).toEqual([event('"a text in JSON"')])
    expect((await app.get(`${V2}/x/events`, { headers })).json()).toEqual([event('"a text in JSON"')])
    expect(answerOf(await app.post(`${V2}/x/truncate`, chunked('')))).toEqual(empty(200))
    expect(await app.events('x')).toEqual([])
  })

  test('gets properties in one piece, for it parses the first and no other', async () => {
    const app = await testApp()
    const description = 'd'.repeat(8000)
    await app.put(`${V2}/x`, { body: `{"ttl":86400,"description":"${description}"}` })
    const pieces = await new Promise<string[]>((resolve, reject) => {
      const request = httpRequest(
        { port: app.port, host: '127.0.0.1', path: `${V2}/x/info`, headers },
        (response) => {
          expect(response.headers['content-length']).toBeDefined()
          const received: string[] = []
          response.on('data', (piece: Buffer) => received.push(piece.toString()))
          response.on('end', () => resolve(received))
        },
      )
      request.on('error', reject)
      request.end()
    })
    expect(pieces).toHaveLength(1)
    expect(JSON.parse(pieces[0]!)).toMatchObject({ ttl: 86400, description })
  })
})

describe('the Java client', () => {
  const headers = { 'X-Continuuity-ApiKey': 'key', 'User-Agent': 'Apache-HttpClient/4.2.5 (java 1.5)' }
  const path = `${STREAMS}/testStream`

  test('sends properties as JSON and prefixes headers in mixed case', async () => {
    const app = await testApp()
    expect(answerOf(await app.get('/ping', { headers }))).toEqual(plain(200, 'OK.\n'))
    expect(answerOf(await app.put(path, { headers }))).toEqual(empty(200))
    const asJson = { ...headers, 'Content-Type': 'application/json' }
    expect(
      answerOf(await app.put(`${path}/properties`, { headers: asJson, body: '{"ttl":1800000000000}' })),
    ).toEqual(empty(200))
    expect((await app.get(path, { headers })).text).toContain('"ttl":1800000000000,')
    const eventHeaders = { ...headers, 'testStream.Key': 'Value', 'testStream.other-key': '2' }
    expect(answerOf(await app.post(path, { headers: eventHeaders, body: 'x' }))).toEqual(empty(200))
    expect(answerOf(await app.post(path, { headers, body: '' }))).toEqual(empty(200))
    expect(await app.events('testStream')).toEqual([
      event('x', { Key: 'Value', 'other-key': '2' }),
      event(''),
    ])
    expect(
      answerOf(await app.put('/v2/streams/testStream/config', { headers: asJson, body: '{"ttl":5}' })),
    ).toEqual(empty(200))
    expect((await app.get('/v2/streams/testStream', { headers })).json()).toMatchObject({ id: 'testStream' })
  })

  test('tells a missing stream by 404 wherever it asks', async () => {
    const app = await testApp()
    const asJson = { ...headers, 'Content-Type': 'application/json' }
    const answers = [
      await app.get(path, { headers }),
      await app.put(`${path}/properties`, { headers: asJson, body: '{"ttl":5}' }),
      await app.post(path, { headers, body: 'x' }),
      await app.post(`${path}/truncate`, { headers }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404])
  })
})

describe('the Ruby client', () => {
  const headers = {
    Authorization: "'Bearer AghjZGFw'",
    'X-CDAP-ApiKey': 'key',
    'Content-Type': 'application/x-www-form-urlencoded',
  }

  test('calls everything a form and quotes its token', async () => {
    const app = await testApp()
    expect(answerOf(await app.put(`${STREAMS}/x`, { headers }))).toEqual(empty(200))
    expect(answerOf(await app.get(`${STREAMS}/`, { headers }))).toEqual(json('[{"name":"x"}]'))
    expect(answerOf(await app.put(`${STREAMS}/x/properties`, { headers, body: '{"ttl":256}' }))).toEqual(
      empty(200),
    )
    const info = await app.get(`${STREAMS}/x`, { headers })
    expect([info.headers['content-type'], info.json()]).toEqual([
      'application/json',
      expect.objectContaining({ ttl: 256 }),
    ])
    const body = 'a=1&b=%20&c'
    expect(answerOf(await app.post(`${STREAMS}/x`, { headers: { ...headers, 'x.k': 'v' }, body }))).toEqual(
      empty(200),
    )
    expect(await app.events('x')).toEqual([event(body, { k: 'v' })])
  })
})

describe('the file tailer', () => {
  test('finds out, creates, and sends a line at a time, CR and blank lines included', async () => {
    const app = await testApp()
    expect((await app.get('/ping')).status).toBe(200)
    expect((await app.put('/v2/streams/x')).status).toBe(200)
    expect((await app.get('/v2/streams/x/info')).status).toBe(200)
    const lines = ['first', '', 'with CR\r', ' \t', 'last']
    for (const body of lines) expect(answerOf(await app.post('/v2/streams/x', { body }))).toEqual(empty(200))
    const bodies = (await app.events('x', 'encoding=utf8')).map(({ body }) => body)
    expect(bodies).toEqual(lines)
  })
})

describe('the command line of CDAP', () => {
  test('reads with all parameters, whatever they are', async () => {
    const app = await testApp({ streams: ['x'] })
    const all = 'start=0&end=9223372036854775807&limit=2147483647'
    expect(answerOf(await app.get(`${STREAMS}/x/events?${all}`))).toEqual(empty(204))
    await app.post(`${STREAMS}/x`, { body: 'x' })
    expect(await app.events('x', all)).toEqual([event('x')])
  })

  test.each(['avro/binary', 'text/csv', 'text/tsv', 'text/plain'])(
    'loads a file as %s and finds that in every event',
    async (contentType) => {
      const app = await testApp({ streams: ['x'] })
      const schema = Buffer.from('Obj\x01\x02\x16avro.schema\x0a"int"\x000123456789abcdef', 'latin1')
      const block = Buffer.from('\x04\x04\x02\x040123456789abcdef', 'latin1')
      const body =
        contentType === 'avro/binary' ? Buffer.concat([schema, block]) : Buffer.from('\x01\n\x02\n')
      const answer = await app.post(`${STREAMS}/x/batch`, {
        headers: { 'Content-type': contentType },
        chunks: [body],
      })
      expect(answerOf(answer)).toEqual(empty(200))
      const sent = (await app.events('x')).map(({ headers }) => headers['content.type'])
      expect(sent).toEqual([contentType, contentType])
    },
  )
})

describe('any Authorization', () => {
  const values = [
    '{0} {1}',
    '',
    ' ',
    'Bearer',
    'Bearer x',
    "'Bearer x'",
    'Basic dTpw',
    'Basic !!!',
    'é',
    'a,b;c="',
  ]
  test.each(values)('%j is ignored', async (value) => {
    const app = await testApp({ streams: ['x'] })
    const headers = { Authorization: value }
    expect(await statuses(app, headers)).toEqual(await statuses(app, {}))
  })

  async function statuses(app: TestApp, headers: Record<string, string>): Promise<number[]> {
    const answers = [
      await app.get('/ping', { headers }),
      await app.put(`${STREAMS}/x`, { headers }),
      await app.post(`${STREAMS}/x`, { headers, body: 'x' }),
      await app.get(`${STREAMS}/x/events`, { headers }),
      await app.get('/nope', { headers }),
    ]
    return answers.map(({ status }) => status)
  }

  test('given twice is ignored', async () => {
    const app = await testApp()
    expect((await app.get('/ping', { headers: { Authorization: ['Bearer a', 'Bearer b'] } })).status).toBe(
      200,
    )
  })
})

test.each(['gzip', 'gzip, deflate, br', 'identity;q=0', '*;q=0', ''])(
  'an answer is whole whatever the client says it can unpack: %j',
  async (accepted) => {
    const app = await testApp({ streams: ['x'] })
    const headers = { 'Accept-Encoding': accepted }
    await app.post(`${STREAMS}/x`, { headers, body: 'x'.repeat(5000) })
    const answer = await app.get(`${STREAMS}/x/events`, { headers })
    expect([answer.headers['content-encoding'], answer.json()]).toEqual([
      undefined,
      [event('x'.repeat(5000))],
    ])
  },
)

test('a proxy that lower-cases header names costs the case of keys and nothing else', async () => {
  const app = await testApp({ streams: ['MyStream'] })
  await app.post(`${STREAMS}/MyStream`, { headers: { 'mystream.key': 'v' }, body: 'x' })
  expect(await app.events('MyStream')).toEqual([event('x', { key: 'v' })])
})
