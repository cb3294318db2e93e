import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { answerOf, empty, plain } from '../support/answer.ts'
import { type EventJson, STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const EVENTS = `${STREAMS}/s/events`

/** Events 0, 1, 2 …, three to a millisecond. */
async function appWithEvents(count: number, from = 0, existing?: TestApp): Promise<TestApp> {
  const app = existing ?? (await testApp({ streams: ['s'], nowMs: 1000 }))
  for (let i = from; i < from + count; i++) {
    app.nowMs = 1000 + Math.floor(i / 3)
    await app.post(`${STREAMS}/s`, { body: `${i}` })
  }
  return app
}

function bodiesOf(events: readonly EventJson[]): string[] {
  return events.map(({ body }) => body)
}

async function cursorOf(app: TestApp, index: number): Promise<string> {
  return (await app.events('s', 'cursor=true'))[index]!.cursor!
}

const refusal = (text: string, stream = 's', namespace = 'default') =>
  plain(
    400,
    `after is '${text}', which is no cursor of stream ${namespace}.${stream}; ` +
      'use one that a read of this stream gave you, unchanged',
  )

test('events tell their cursor to those who ask, and to no one else', async () => {
  const app = await appWithEvents(2)
  const keys = async (query: string) => (await app.events('s', query)).map((event) => Object.keys(event))
  const plainKeys = ['timestamp', 'headers', 'body']
  expect(await keys('')).toEqual([plainKeys, plainKeys])
  expect(await keys('cursor=false')).toEqual([plainKeys, plainKeys])
  expect(await keys('cursor=true')).toEqual([
    [...plainKeys, 'cursor'],
    [...plainKeys, 'cursor'],
  ])
})

test('a cursor stands for the same place in every encoding and layout', async () => {
  const app = await testApp({ streams: ['s'] })
  await app.post(`${STREAMS}/s`, { body: Buffer.of(0xff) })
  await app.post(`${STREAMS}/s`, { body: 'x'.repeat(100_000) })
  const cursors = async (query: string) =>
    (await app.events('s', `cursor=true&${query}`)).map(({ cursor }) => cursor)
  const expected = await cursors('')
  expect(await cursors('encoding=utf8')).toEqual(expected)
  expect(await cursors('encoding=base64')).toEqual(expected)
  const { text } = await app.get(`${EVENTS}?cursor=true`, { headers: { Accept: 'application/x-ndjson' } })
  const lines = text.trimEnd().split('\n')
  expect(lines.map((line) => (JSON.parse(line) as EventJson).cursor)).toEqual(expected)
})

test('reading goes on after any event, though others share its millisecond', async () => {
  const app = await appWithEvents(10)
  const all = await app.events('s', 'cursor=true')
  for (const [i, { cursor }] of all.entries()) {
    expect(await app.events('s', `cursor=true&after=${cursor}`)).toEqual(all.slice(i + 1))
  }
})

describe('with other parameters', () => {
  const rows = [
    { query: 'limit=2', read: ['5', '6'] },
    { query: 'start=0', read: ['5', '6', '7', '8', '9'] },
    { query: 'start=1001', read: ['5', '6', '7', '8', '9'] },
    { query: 'start=1002', read: ['6', '7', '8', '9'] },
    { query: 'start=1004', read: [] },
    { query: 'end=1001', read: [] },
    { query: 'end=1002', read: ['5'] },
    { query: 'start=1001&end=1003&limit=3', read: ['5', '6', '7'] },
  ]
  test.each(rows)('?$query after event 4 reads $read', async ({ query, read }) => {
    const app = await appWithEvents(10)
    const after = await cursorOf(app, 4)
    expect(bodiesOf(await app.events('s', `${query}&after=${after}`))).toEqual(read)
  })
})

test('after the last event there is nothing until something is written', async () => {
  const app = await appWithEvents(3)
  const after = await cursorOf(app, 2)
  expect(answerOf(await app.get(`${EVENTS}?after=${after}`))).toEqual(empty(204))
  await app.post(`${STREAMS}/s`, { body: 'new' })
  expect(bodiesOf(await app.events('s', `after=${after}`))).toEqual(['new'])
})

describe('the link to the next page', () => {
  const rows = [
    { query: '', link: undefined },
    { query: 'limit=10', link: undefined },
    { query: 'limit=11', link: undefined },
    { query: 'limit=9', link: { limit: '9', after: 8 } },
    { query: 'limit=1', link: { limit: '1', after: 0 } },
    { query: 'limit=2&end=1001', link: { limit: '2', end: '1001', after: 1 } },
    { query: 'limit=3&end=1001', link: undefined },
    { query: 'limit=2&start=1003', link: undefined },
    { query: 'limit=1&start=now', link: undefined },
    {
      query: 'limit=2&start=now-2ms%2B1ms&encoding=base64&cursor=true',
      link: { limit: '2', start: 'now-2ms+1ms', encoding: 'base64', cursor: 'true', after: 7 },
    },
  ]
  test.each(rows)('of ?$query is $link', async ({ query, link }) => {
    const app = await appWithEvents(10)
    const all = await app.events('s', 'cursor=true')
    const { headers } = await app.get(`${EVENTS}?${query}`)
    if (link === undefined) {
      expect(headers.link).toBeUndefined()
      return
    }
    const [, target, rest] = /^<(.*)>(.*)$/.exec(String(headers.link)) ?? []
    const [path, search] = String(target).split('?')
    const wanted = { ...link, after: all[link.after]!.cursor }
    expect({ path, rest, query: Object.fromEntries(new URLSearchParams(search)) }).toEqual({
      path: EVENTS,
      rest: '; rel="next"',
      query: wanted,
    })
  })

  async function followLinks(app: TestApp, start: string): Promise<string[]> {
    const bodies: string[] = []
    let path: string | undefined = start
    while (path !== undefined) {
      const response = await app.get(path)
      bodies.push(...bodiesOf(response.json() as EventJson[]))
      path = /^<(.*)>; rel="next"$/.exec(String(response.headers.link))?.[1]
    }
    return bodies
  }

  test('leads through all events, each once, whatever the page', async () => {
    const app = await appWithEvents(20)
    const lines = Array.from({ length: 3000 }, (_, i) => `${20 + i}`)
    await app.post(`${STREAMS}/s/batch`, {
      headers: { 'Content-Type': 'text/plain' },
      body: lines.join('\n'),
    })
    await appWithEvents(5, 3020, app)
    const all = bodiesOf(await app.events('s'))
    expect(all).toEqual(Array.from({ length: 3025 }, (_, i) => `${i}`))
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 150, max: 3100 }), async (limit) => {
        expect(await followLinks(app, `${EVENTS}?limit=${limit}`)).toEqual(all)
      }),
      { numRuns: 15 },
    )
    expect(await followLinks(app, `${EVENTS}?limit=1&end=1006`)).toEqual(all.slice(0, 18))
  })

  test('on a /v2 path stays there', async () => {
    const app = await appWithEvents(5)
    const { headers } = await app.get('/v2/streams/s/events?limit=4')
    expect(headers.link).toMatch(/^<\/v2\/streams\/s\/events\?limit=4&after=[A-Za-z0-9_-]+>; rel="next"$/)
    expect(await followLinks(app, '/v2/streams/s/events?limit=2')).toEqual(['0', '1', '2', '3', '4'])
  })
})

describe('a cursor from before', () => {
  test('truncation stands before the new events', async () => {
    const app = await appWithEvents(5)
    const after = await cursorOf(app, 4)
    await app.post(`${STREAMS}/s/truncate`)
    expect(answerOf(await app.get(`${EVENTS}?after=${after}`))).toEqual(empty(204))
    await appWithEvents(2, 5, app)
    expect(bodiesOf(await app.events('s', `after=${after}`))).toEqual(['5', '6'])
  })

  test('deletion stands before the events of the stream of that name', async () => {
    const app = await appWithEvents(5)
    const after = await cursorOf(app, 4)
    await app.delete(`${STREAMS}/s`)
    expect(answerOf(await app.get(`${EVENTS}?after=${after}`))).toEqual(empty(404))
    await app.put(`${STREAMS}/s`)
    await appWithEvents(2, 5, app)
    expect(bodiesOf(await app.events('s', `after=${after}`))).toEqual(['5', '6'])
  })

  test('its event expired goes on with what is still there', async () => {
    const app = await appWithEvents(9)
    const after = await cursorOf(app, 0)
    await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":1}' })
    app.nowMs = 2002
    await app.tidy()
    expect(bodiesOf(await app.events('s', `after=${after}`))).toEqual(['6', '7', '8'])
  })
})

describe('what is no cursor of this stream', () => {
  const texts = ['', '0', '1000', 'x'.repeat(27), 'A'.repeat(27), '*'.repeat(27), 'x'.repeat(28), '%00', 'é']
  test.each(texts)('%j is refused', async (text) => {
    const app = await appWithEvents(1)
    const answer = await app.get(`${EVENTS}?after=${encodeURIComponent(text)}`)
    expect(answerOf(answer)).toEqual(refusal(text))
  })

  test('a long text is quoted in part', async () => {
    const app = await appWithEvents(1)
    const answer = await app.get(`${EVENTS}?after=${'y'.repeat(5000)}`)
    expect(answerOf(answer)).toEqual(refusal('y'.repeat(80)))
  })

  test('a cursor of another stream is refused', async () => {
    const app = await appWithEvents(1)
    const after = await cursorOf(app, 0)
    await app.put(`${STREAMS}/t`)
    await app.put('/v3/namespaces/other')
    await app.put('/v3/namespaces/other/streams/s')
    expect(answerOf(await app.get(`${STREAMS}/t/events?after=${after}`))).toEqual(refusal(after, 't'))
    expect(answerOf(await app.get(`/v3/namespaces/other/streams/s/events?after=${after}`))).toEqual(
      refusal(after, 's', 'other'),
    )
  })

  test('a cursor with any character changed is refused', async () => {
    const app = await appWithEvents(4)
    const cursor = await cursorOf(app, 2)
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const statuses = new Set<number>()
    for (let at = 0; at < cursor.length; at++) {
      for (const letter of letters) {
        if (letter === cursor[at]) continue
        const changed = cursor.slice(0, at) + letter + cursor.slice(at + 1)
        statuses.add((await app.get(`${EVENTS}?after=${changed}`)).status)
      }
    }
    expect([...statuses]).toEqual([400])
    expect(app.reported).toEqual([])
  })

  test('a bad range is reported before a bad cursor, and that before a missing stream', async () => {
    const app = await appWithEvents(1)
    expect(answerOf(await app.get(`${EVENTS}?after=x&limit=0`))).toEqual(
      plain(400, 'Cannot request for <=0 events'),
    )
    expect(answerOf(await app.get(`${STREAMS}/nope/events?after=x`))).toEqual(refusal('x', 'nope'))
  })
})
