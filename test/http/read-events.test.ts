import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { answerOf, empty, plain } from '../support/answer.ts'
import { RawConnection } from '../support/raw-http.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const EVENTS = `${STREAMS}/s/events`
const DAY = 86_400_000
const NOW = 20 * DAY

/** Events whose bodies are their timestamps. */
async function appWithEvents(
  timestamps: readonly number[],
  nowMs = timestamps.at(-1) ?? NOW,
): Promise<TestApp> {
  const app = await testApp({ streams: ['s'], nowMs: timestamps[0] ?? nowMs })
  for (const timestamp of timestamps) {
    app.nowMs = timestamp
    await app.post(`${STREAMS}/s`, { body: `${timestamp}` })
  }
  app.nowMs = nowMs
  return app
}

async function timestampsOf(app: TestApp, query: string): Promise<number[]> {
  return (await app.events('s', query)).map(({ timestamp }) => timestamp)
}

const INT64 = '9223372036854775807'

describe('a range', () => {
  const written = [1000, 1000, 2000, 3000, 3000, 3000, 4000]
  const ranges = [
    { query: '', read: written },
    { query: 'start=0', read: written },
    { query: 'start=1000', read: written },
    { query: 'start=1001', read: [2000, 3000, 3000, 3000, 4000] },
    { query: 'start=3000', read: [3000, 3000, 3000, 4000] },
    { query: 'start=4000', read: [4000] },
    { query: 'start=4001', read: [] },
    { query: `start=${INT64.slice(0, -1)}6`, read: [] },
    { query: 'end=1', read: [] },
    { query: 'end=1000', read: [] },
    { query: 'end=1001', read: [1000, 1000] },
    { query: 'end=3000', read: [1000, 1000, 2000] },
    { query: 'end=4001', read: written },
    { query: `end=${INT64}`, read: written },
    { query: 'end=9223372036854775808', read: written },
    { query: 'start=1000&end=1001', read: [1000, 1000] },
    { query: 'start=2000&end=4000', read: [2000, 3000, 3000, 3000] },
    { query: 'start=2001&end=3000', read: [] },
    { query: 'start=00002000&end=0003000', read: [2000] },
    { query: 'limit=1', read: [1000] },
    { query: 'limit=5', read: [1000, 1000, 2000, 3000, 3000] },
    { query: 'limit=7', read: written },
    { query: 'limit=8', read: written },
    { query: 'limit=2147483647', read: written },
    { query: 'limit=%2B2', read: [1000, 1000] },
    { query: 'start=3000&limit=2', read: [3000, 3000] },
    { query: 'start=3000&end=4000&limit=4', read: [3000, 3000, 3000] },
    { query: `start=0&end=${INT64}&limit=2147483647`, read: written },
    { query: 'unknown=1&other=one', read: written },
  ]
  test.each(ranges)('of ?$query reads $read', async ({ query, read }) => {
    const app = await appWithEvents(written)
    expect(await timestampsOf(app, query)).toEqual(read)
  })

  const maths = [
    { query: 'start=now', read: [NOW] },
    { query: 'start=now-1ms', read: [NOW - 1, NOW] },
    { query: 'start=now-1s', read: [NOW - 1000, NOW - 1, NOW] },
    { query: 'start=now-1m', read: [NOW - 60_000, NOW - 1000, NOW - 1, NOW] },
    { query: 'start=now-1h', read: [NOW - 3_600_000, NOW - 60_000, NOW - 1000, NOW - 1, NOW] },
    { query: 'start=now-1d&limit=1', read: [NOW - DAY] },
    { query: 'start=now-7d%2B3h-13m%2B11s&limit=1', read: [NOW - DAY] },
    { query: 'start=now-1d%2B23h&limit=1', read: [NOW - 3_600_000] },
    { query: 'start=now-1h&end=now', read: [NOW - 3_600_000, NOW - 60_000, NOW - 1000, NOW - 1] },
    { query: 'end=now-1d', read: [] },
    { query: 'end=now-1d%2B1ms', read: [NOW - DAY] },
    { query: 'start=now&end=now%2B1ms', read: [NOW] },
    { query: 'start=now%2B1ms', read: [] },
    { query: 'start=now%2B1d', read: [] },
  ]
  test.each(maths)('of ?$query, counted from now, reads $read', async ({ query, read }) => {
    const app = await appWithEvents([NOW - DAY, NOW - 3_600_000, NOW - 60_000, NOW - 1000, NOW - 1, NOW])
    expect(await timestampsOf(app, query)).toEqual(read)
  })
})

describe('a bad query', () => {
  const times = [
    'NOW',
    'Now',
    'now 6h',
    'now/1d',
    'now-1w',
    'now-3d+23lnkfasd-6h',
    'now-',
    'now+',
    'now-1',
    'now1d',
    'now--1d',
    'now-1D',
    'now-1.5h',
    ' now',
    'now ',
    'now-1d\n',
    'yesterday',
    '-1',
    '+1',
    '1.5',
    '1e3',
    '0x10',
    '1 ',
    ' 1',
    '',
    '١',
    'null',
    '%',
    '<b>',
  ]
  const rows = [
    ...times.flatMap((time) => [
      { query: `start=${encodeURIComponent(time)}`, text: `invalid time format ${time}` },
      { query: `end=${encodeURIComponent(time)}`, text: `invalid time format ${time}` },
    ]),
    { query: 'start=now+1h', text: 'invalid time format now 1h' },
    { query: 'start', text: 'invalid time format ' },
    { query: 'start=9223372036854775808', text: 'For input string: "9223372036854775808"' },
    { query: 'end=9223372036854775809', text: 'For input string: "9223372036854775809"' },
    { query: `end=1${INT64}`, text: `For input string: "1${INT64}"` },
    { query: 'start=now-9223372036854775808s', text: 'For input string: "9223372036854775808"' },
    { query: 'start=now-21d', text: 'Start time must be >= 0' },
    { query: 'start=now-21d&end=now-21d', text: 'Start time must be >= 0' },
    { query: `start=now-${INT64}d`, text: 'Start time must be >= 0' },
    { query: 'end=now-21d', text: 'End time must be >= 0' },
    { query: 'start=5&end=now-21d', text: 'End time must be >= 0' },
    { query: 'end=now-20d', text: 'Start time must be smaller than end time' },
    { query: 'end=0', text: 'Start time must be smaller than end time' },
    { query: 'start=5&end=5', text: 'Start time must be smaller than end time' },
    { query: 'start=6&end=5', text: 'Start time must be smaller than end time' },
    { query: `start=${INT64}`, text: 'Start time must be smaller than end time' },
    { query: 'start=now&end=now', text: 'Start time must be smaller than end time' },
    { query: 'start=6&end=5&limit=0', text: 'Start time must be smaller than end time' },
    { query: 'limit=0', text: 'Cannot request for <=0 events' },
    { query: 'limit=-1', text: 'Cannot request for <=0 events' },
    { query: 'limit=-2147483649', text: 'Cannot request for <=0 events' },
    ...['2147483648', '1.5', '1e3', 'ten', '', ' 1', '0x1', '99999999999999999999'].map((limit) => ({
      query: `limit=${encodeURIComponent(limit)}`,
      text: `limit is '${limit}'; use a whole number from 1 to 2147483647`,
    })),
    {
      query: 'encoding=hex',
      text: "encoding is 'hex'; use utf8 or base64, or leave it out for \\xNN escapes",
    },
    { query: 'encoding=', text: "encoding is ''; use utf8 or base64, or leave it out for \\xNN escapes" },
    { query: 'cursor=yes', text: "cursor is 'yes'; use true or false" },
  ]
  test.each(rows)('?$query answers 400 "$text"', async ({ query, text }) => {
    const app = await testApp({ streams: ['s'], nowMs: NOW })
    expect(answerOf(await app.get(`${EVENTS}?${query}`))).toEqual(plain(400, text))
    // The query is looked at before the stream is.
    expect(answerOf(await app.get(`${STREAMS}/nope/events?${query}`))).toEqual(plain(400, text))
  })
})

describe('an answer', () => {
  test('is a compact JSON array', async () => {
    const app = await appWithEvents([], 1_407_806_944_181)
    await app.post(`${STREAMS}/s`, { body: 'Hello World' })
    await app.post(`${STREAMS}/s`, { headers: { 's.b': 'x', 's.a': '"y"' }, body: '' })
    const { status, headers, text } = await app.get(EVENTS)
    expect([
      status,
      headers['content-type'],
      headers['transfer-encoding'],
      headers['content-length'],
    ]).toEqual([200, 'application/json; charset=utf-8', undefined, String(text.length)])
    expect(text).toBe(
      '[{"timestamp":1407806944181,"headers":{},"body":"Hello World"},' +
        '{"timestamp":1407806944181,"headers":{"b":"x","a":"\\"y\\""},"body":""}]',
    )
  })

  test('that is long comes in chunks', async () => {
    const app = await testApp({ streams: ['s'] })
    const bodies = Array.from({ length: 40 }, (_, i) => `${i}`.padEnd(10_000, '.'))
    for (const body of bodies) await app.post(`${STREAMS}/s`, { body })
    const { headers, json } = await app.get(EVENTS)
    expect([headers['transfer-encoding'], headers['content-length']]).toEqual(['chunked', undefined])
    expect((json() as { body: string }[]).map(({ body }) => body)).toEqual(bodies)
  })

  test('holds what was written in this very millisecond', async () => {
    const app = await testApp({ streams: ['s'] })
    for (let i = 1; i <= 20; i++) {
      await app.post(`${STREAMS}/s`, { body: `${i}` })
      expect((await app.events('s')).map(({ body }) => body)).toHaveLength(i)
    }
  })

  const none = [
    { name: 'the stream is empty', written: [], query: '' },
    { name: 'the range is empty', written: [1000, 3000], query: 'start=1500&end=2500' },
    { name: 'the range is to come', written: [1000], query: 'start=now%2B1d' },
    { name: 'the range is past', written: [1000], query: 'end=999' },
  ]
  test.each(none)('is 204 if $name', async ({ written, query }) => {
    const app = await appWithEvents(written)
    const answer = await app.get(`${EVENTS}?${query}`)
    expect(answerOf(answer)).toEqual(empty(204))
    expect(answer.headers).not.toHaveProperty('transfer-encoding')
  })

  const ndjson = 'application/x-ndjson'
  test.each([
    { accept: ndjson, type: ndjson },
    { accept: `application/json;q=0.5, ${ndjson}`, type: ndjson },
    { accept: 'application/json', type: 'application/json; charset=utf-8' },
    { accept: 'text/html, */*;q=0.1', type: 'application/json; charset=utf-8' },
    { accept: '*/*', type: 'application/json; charset=utf-8' },
  ])('to Accept: $accept is $type', async ({ accept, type }) => {
    const app = await appWithEvents([1000, 2000])
    const { headers, text } = await app.get(EVENTS, { headers: { Accept: accept } })
    const events = [1000, 2000].map((at) => `{"timestamp":${at},"headers":{},"body":"${at}"}`)
    expect([headers['content-type'], text]).toEqual([
      type,
      type === ndjson ? `${events.join('\n')}\n` : `[${events.join(',')}]`,
    ])
  })

  test('to HEAD has no body and leaves the connection usable', async () => {
    const app = await appWithEvents(Array.from({ length: 10 }, (_, i) => i + 1))
    for (const path of [EVENTS, `${STREAMS}/nope/events`, `${STREAMS}/s`, STREAMS]) {
      const get = await app.get(path)
      const head = await app.request('HEAD', path)
      expect([head.status, head.headers['content-type'], head.text]).toEqual([
        get.status,
        get.headers['content-type'],
        '',
      ])
    }
    expect(app.reported).toEqual([])
  })
})

/** CDAP's toStringBinary, byte by byte. */
function escaped(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) {
    text +=
      byte >= 0x20 && byte <= 0x7e
        ? String.fromCharCode(byte)
        : `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return text
}

describe('a body', () => {
  const bodies = [
    { name: 'printable ASCII', body: Buffer.from(Array.from({ length: 95 }, (_, i) => 0x20 + i)) },
    { name: 'a tab', body: '\t', text: '\\x09' },
    { name: 'two bytes of UTF-8', body: 'é', text: '\\xC3\\xA9' },
    { name: 'three bytes of UTF-8', body: '€', text: '\\xE2\\x82\\xAC' },
    { name: 'four bytes of UTF-8', body: '😀', text: '\\xF0\\x9F\\x98\\x80' },
    { name: 'the byte 0x05', body: Buffer.of(5), text: '\\x05' },
    { name: 'the characters \\x05', body: '\\x05', text: '\\x05' },
    { name: 'a backslash', body: '\\', text: '\\' },
    { name: 'quotes', body: `"'`, text: `"'` },
    { name: 'characters of HTML', body: '<a href="x">&amp;=</a>', text: '<a href="x">&amp;=</a>' },
    { name: 'delete', body: Buffer.of(0x7f), text: '\\x7F' },
    { name: 'all bytes', body: Buffer.from(Array.from({ length: 256 }, (_, i) => i)) },
  ]
  test.each(bodies)('of $name is escaped byte by byte', async ({ body, text }) => {
    const app = await testApp({ streams: ['s'] })
    await app.post(`${STREAMS}/s`, { body })
    const [event] = await app.events('s')
    expect(event).toEqual({ timestamp: 1_000_000, headers: {}, body: text ?? escaped(Buffer.from(body)) })
  })

  const encodings = [
    { encoding: 'utf8', body: 'naïve €😀\n"\\\t\u0000', event: { body: 'naïve €😀\n"\\\t\u0000' } },
    { encoding: 'utf8', body: '', event: { body: '' } },
    { encoding: 'utf8', body: '\ufeffx', event: { body: '\ufeffx' } },
    { encoding: 'utf8', body: Buffer.of(0xc3), event: { body: 'ww==', encoding: 'base64' } },
    {
      encoding: 'utf8',
      body: Buffer.of(0xed, 0xa0, 0x80), // half of a surrogate pair
      event: { body: '7aCA', encoding: 'base64' },
    },
    { encoding: 'base64', body: 'é', event: { body: 'w6k=' } },
    { encoding: 'base64', body: '', event: { body: '' } },
    { encoding: 'base64', body: Buffer.of(0xff, 0xfe, 0xfd), event: { body: '//79' } },
  ]
  test.each(encodings)('%$ in $encoding is $event', async ({ encoding, body, event }) => {
    const app = await testApp({ streams: ['s'] })
    await app.post(`${STREAMS}/s`, { body })
    expect(await app.events('s', `encoding=${encoding}`)).toEqual([
      { timestamp: 1_000_000, headers: {}, ...event },
    ])
  })

  test('of any length near the sizes in which text is made reads back the same', async () => {
    const app = await testApp({ streams: ['s'] })
    const lengths = [8192, 10_900, 16_384, 49_152, 65_536, 131_072].flatMap((length) =>
      [-2, -1, 0, 1, 2].map((more) => length + more),
    )
    const bodies = lengths.map((length) =>
      Buffer.from(Array.from({ length }, (_, i) => (i * 31 + length) % 256)),
    )
    for (const body of bodies) await app.post(`${STREAMS}/s`, { body })
    expect((await app.events('s')).map(({ body }) => body)).toEqual(bodies.map(escaped))
    expect((await app.events('s', 'encoding=base64')).map(({ body }) => body)).toEqual(
      bodies.map((body) => body.toString('base64')),
    )
  })

  test('of any bytes and any length reads back the same in every encoding', async () => {
    const app = await testApp({ streams: ['s'] })
    const bodies: Buffer[] = []
    const bytes = fc.oneof(
      { weight: 5, arbitrary: fc.uint8Array({ maxLength: 400 }) },
      {
        weight: 2,
        arbitrary: fc.string({ unit: 'grapheme', maxLength: 100 }).map((text) => Buffer.from(text)),
      },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.integer({ min: 1, max: 150_000 }))
          .map(([pattern, length]) => Buffer.alloc(length, pattern)),
      },
    )
    await fc.assert(
      fc.asyncProperty(bytes, async (body) => {
        await app.post(`${STREAMS}/s`, { body })
        bodies.push(Buffer.from(body))
      }),
      { numRuns: 150 },
    )
    const [asEscaped, asBase64, asUtf8] = await Promise.all([
      app.events('s'),
      app.events('s', 'encoding=base64'),
      app.events('s', 'encoding=utf8'),
    ])
    expect(asEscaped.map(({ body }) => body)).toEqual(bodies.map(escaped))
    expect(asBase64.map(({ body }) => body)).toEqual(bodies.map((body) => body.toString('base64')))
    const decoded = asUtf8.map(({ body, encoding }) =>
      Buffer.from(body, encoding === 'base64' ? 'base64' : 'utf8').toString('hex'),
    )
    expect(decoded).toEqual(bodies.map((body) => body.toString('hex')))
  })
})

describe('many events', () => {
  test('are read in order over many blocks and pieces', async () => {
    const app = await testApp({ streams: ['s'] })
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i} ${'x'.repeat(i % 97)}`)
    for (let at = 0; at < lines.length; at += 4000) {
      const body = lines.slice(at, at + 4000).join('\n')
      await app.post(`${STREAMS}/s/batch`, { headers: { 'Content-Type': 'text/plain' }, body })
      app.nowMs += 10
    }
    expect((await app.events('s')).map(({ body }) => body)).toEqual(lines)
    expect((await app.events('s', 'start=1000010&end=1000020')).map(({ body }) => body)).toEqual(
      lines.slice(4000, 8000),
    )
    expect((await app.events('s', 'start=1000010&limit=4321')).map(({ body }) => body)).toEqual(
      lines.slice(4000, 8321),
    )
  })

  test('with a slow reader come as slowly as they are taken, and complete', async () => {
    const app = await testApp({ streams: ['s'] })
    const body = 'x'.repeat(1024 * 1024)
    for (let i = 0; i < 24; i++) await app.post(`${STREAMS}/s`, { body })
    const connection = await RawConnection.open(app.port)
    connection.write(`GET ${EVENTS} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await connection.received(1)
    connection.pause()
    expect((await app.events('s', 'limit=1'))[0]?.body).toBe(body) // others are served meanwhile
    connection.resume()
    const { status, text } = await connection.response()
    expect([status, (JSON.parse(text) as unknown[]).length]).toEqual([200, 24])
    connection.destroy()
  })
})
