/** Metrics of streams: what was counted, in total and over time, through every way in; and who sees it. */
import { describe, expect, test } from 'vitest'
import { failingStorage } from '../support/failing-storage.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'
import { tokenFile } from '../support/tokens.ts'

const NOW_S = 1_700_000_000
const NOW_MS = NOW_S * 1000
const QUERY = '/v3/metrics/query'
const SEARCH = '/v3/metrics/search'
const EVENTS = 'metric=system.collect.events'
const TEXT = { 'Content-Type': 'text/plain' }

interface Answer {
  readonly startTime: number
  readonly endTime: number
  readonly series: readonly {
    readonly metricName: string
    readonly grouping: Record<string, string>
    readonly data: readonly { readonly time: number; readonly value: number }[]
  }[]
}

async function query(app: TestApp, text: string): Promise<Answer> {
  const answer = await app.post(`${QUERY}?${text}`)
  expect(answer.status, answer.text).toBe(200)
  return answer.json() as Answer
}

/** Value of every metric of a stream that has one. */
async function totals(app: TestApp, stream: string): Promise<Record<string, number>> {
  const names = ['events', 'bytes', 'async.reject', 'async.lost', 'errors']
  const metrics = names.map((name) => `metric=system.collect.${name}`).join('&')
  const { series } = await query(app, `${metrics}&tag=namespace:default&tag=stream:${stream}&aggregate=true`)
  return Object.fromEntries(series.map(({ metricName, data }) => [metricName.slice(15), data[0]!.value]))
}

test('a query answers to the letter as CDAP does', async () => {
  const app = await testApp({ streams: ['foo'], nowMs: NOW_MS })
  for (let i = 0; i < 10; i++) await app.post(`${STREAMS}/foo`, { body: 'x' })
  const answer = await app.post(`${QUERY}?${EVENTS}&tag=namespace:default&tag=stream:foo&aggregate=true`)
  expect(answer.headers['content-type']).toBe('application/json')
  expect(answer.text).toBe(
    `{"startTime":0,"endTime":${NOW_S},"series":[{"metricName":"system.collect.events","grouping":{},"data":[{"time":0,"value":10}]}]}`,
  )
  const nothing = await app.post(`${QUERY}?${EVENTS}&tag=namespace:default&tag=stream:bar&aggregate=true`)
  expect(nothing.text).toBe(`{"startTime":0,"endTime":${NOW_S},"series":[]}`)
})

const ways = [
  { name: 'a plain POST', path: 's', body: 'abc', expected: { events: 1, bytes: 3 } },
  { name: 'a POST the usual way', path: 's?', body: 'abc', expected: { events: 1, bytes: 3 } },
  { name: 'an empty event', path: 's', body: '', expected: { events: 1 } },
  { name: 'async', path: 's/async', body: 'abc', expected: { events: 1, bytes: 3 } },
  {
    name: 'a batch',
    path: 's/batch',
    body: 'a\nbc\n\nd\n',
    headers: TEXT,
    expected: { events: 3, bytes: 4 },
  },
  { name: 'an empty batch', path: 's/batch', body: '\n', headers: TEXT, expected: {} },
  {
    name: 'a batch of more than 1 MiB',
    path: 's/batch',
    body: 'x'.repeat(999).concat('\n').repeat(3000),
    headers: TEXT,
    expected: { events: 3000, bytes: 2_997_000 },
  },
  { name: 'a batch that is refused', path: 's/batch', body: 'abc', expected: {} },
  { name: 'events of another stream', path: 'other', body: 'abc', expected: {} },
]
test.each(ways)('counted: $name', async ({ path, body, headers = {}, expected }) => {
  const app = await testApp({ streams: ['s', 'other'], nowMs: NOW_MS })
  await app.post(`${STREAMS}/${path}`, { body, headers })
  await expect.poll(() => totals(app, 's')).toEqual(expected)
})

test('truncating does not reset metrics; a stream that is made again begins with none', async () => {
  const app = await testApp({ streams: ['s'], nowMs: NOW_MS, onDisk: true })
  await app.post(`${STREAMS}/s`, { body: 'abc' })
  await app.post(`${STREAMS}/s/truncate`)
  await app.post(`${STREAMS}/s`, { body: 'abc' })
  expect(await totals(app, 's')).toEqual({ events: 2, bytes: 6 })
  await app.restart()
  expect(await totals(app, 's')).toEqual({ events: 2, bytes: 6 })
  await app.delete(`${STREAMS}/s`)
  await app.put(`${STREAMS}/s`)
  expect(await totals(app, 's')).toEqual({})
  await app.restart()
  expect(await totals(app, 's')).toEqual({})
  expect((await query(app, `${EVENTS}&start=0&end=now&resolution=1h`)).series).toEqual([])
})

test('what cannot be written is counted as an error, and what async loses as lost', async () => {
  const app = await testApp({ streams: ['s'], nowMs: NOW_MS, openStorage: failingStorage })
  await app.post(`${STREAMS}/s/async`, { body: 'abc' })
  await expect.poll(() => totals(app, 's')).toEqual({ 'async.lost': 1, errors: 1 })
  expect((await app.post(`${STREAMS}/s`, { body: 'abc' })).status).toBe(503)
  expect(await totals(app, 's')).toMatchObject({ errors: 2 })
})

test('events of /async that find its queue full are counted as rejected', async () => {
  const app = await testApp({ streams: ['s'], nowMs: NOW_MS, config: { asyncQueueBytesMax: 0 } })
  await app.post(`${STREAMS}/s/async`, { body: 'abc' })
  expect(await totals(app, 's')).toEqual({ events: 1, bytes: 3, 'async.reject': 1 })
})

describe('series', () => {
  /** One event now, two after 90 s, four after two hours, eight after three days. */
  async function appWithSeries(): Promise<TestApp> {
    const app = await testApp({ streams: ['s'], nowMs: NOW_MS, onDisk: true })
    let count = 1
    for (const seconds of [0, 90, 7200, 259_200]) {
      app.nowMs = NOW_MS + seconds * 1000
      for (let i = 0; i < count; i++) await app.post(`${STREAMS}/s`, { body: 'x' })
      await query(app, EVENTS) // whoever asks makes it look
      count *= 2
    }
    return app
  }
  const hour = (seconds: number) => Math.floor((NOW_S + seconds) / 3600) * 3600
  const minute = (seconds: number) => Math.floor((NOW_S + seconds) / 60) * 60
  const point = (time: number, value: number) => ({ time, value })
  const END = NOW_S + 259_200

  const rows = [
    {
      name: 'hours for days',
      range: `start=${NOW_S}&end=now&resolution=1h`,
      data: [point(hour(0), 3), point(hour(7200), 4), point(hour(259_200), 8)],
    },
    {
      name: 'hours by themselves in a long range',
      range: `start=${NOW_S}&end=${NOW_S + 7300}&resolution=1h`,
      data: [point(hour(0), 3), point(hour(7200), 4)],
    },
    { name: 'hours where the range is long', range: 'start=now-1d&end=now', data: [point(hour(259_200), 8)] },
    {
      name: 'minutes for a day alone',
      range: `start=${NOW_S}&end=now&resolution=1m`,
      data: [point(minute(259_200), 8)],
    },
    {
      name: 'seconds for an hour alone',
      range: `start=${NOW_S}&end=now&resolution=1s`,
      data: [point(END, 8)],
    },
    { name: 'a start and a count', range: `start=${END - 4}&count=5`, data: [point(END, 8)] },
    { name: 'a count that ends before', range: `start=${END - 5}&count=5`, data: [] },
    { name: 'an end and a count', range: 'end=now&count=1', data: [point(END, 8)] },
    {
      name: 'the first points of many',
      range: `start=${NOW_S}&end=now&resolution=1h&count=1`,
      data: [point(hour(0), 3)],
    },
    { name: 'a range without any', range: 'start=now-9s&end=now-1s', data: [] },
  ]
  test('by the second, the minute and the hour, also after a restart', { timeout: 60_000 }, async () => {
    const app = await appWithSeries()
    for (const when of ['before', 'after']) {
      for (const { name, range, data } of rows) {
        const { series } = await query(app, `${EVENTS}&tag=namespace:default&tag=stream:s&${range}`)
        expect(
          series.flatMap((one) => one.data),
          `${name}, ${when}`,
        ).toEqual(data)
      }
      await app.restart()
    }
  })

  test('the range that was asked for and the resolution are told', async () => {
    const app = await appWithSeries()
    const answer = await app.post(`${QUERY}?${EVENTS}&start=now-10m&end=now`)
    expect(answer.json()).toMatchObject({ startTime: END - 600, endTime: END, resolution: '1s' })
  })

  test('a minute that goes on after a restart is one', async () => {
    const app = await testApp({ streams: ['s'], nowMs: minute(0) * 1000, onDisk: true })
    await app.post(`${STREAMS}/s`, { body: 'x' })
    await app.restart()
    app.nowMs += 30_000
    await app.post(`${STREAMS}/s`, { body: 'x' })
    const { series } = await query(app, `${EVENTS}&start=now-1h&end=now&resolution=1m`)
    expect(series[0]!.data).toEqual([point(minute(0), 2)])
  })
})

test('groups and tags', async () => {
  const app = await testApp({ streams: ['a', 'b', 'empty'], nowMs: NOW_MS })
  await app.put('/v3/namespaces/shop')
  await app.put('/v3/namespaces/shop/streams/a')
  for (const path of [`${STREAMS}/a`, `${STREAMS}/b`, '/v3/namespaces/shop/streams/a'])
    await app.post(path, { body: 'x' })
  const one = (grouping: Record<string, string>, value: number) => ({ grouping, value })
  const rows = [
    { text: 'tag=namespace:*', groups: [one({}, 3)] },
    {
      text: 'tag=namespace:default&groupBy=stream',
      groups: [one({ stream: 'a' }, 1), one({ stream: 'b' }, 1)],
    },
    {
      text: 'tag=stream:a&groupBy=namespace',
      groups: [one({ namespace: 'default' }, 1), one({ namespace: 'shop' }, 1)],
    },
    { text: 'tag=stream:a', groups: [one({}, 2)] },
    { text: 'tag=dataset:a', groups: [] },
    { text: 'groupBy=dataset', groups: [] },
    {
      text: 'groupBy=stream&groupBy=namespace&tag=namespace:shop',
      groups: [one({ stream: 'a', namespace: 'shop' }, 1)],
    },
  ]
  for (const { text, groups } of rows) {
    const { series } = await query(app, `${EVENTS}&${text}`)
    expect(
      series.map(({ grouping, data }) => ({ grouping, value: data[0]!.value })),
      text,
    ).toEqual(groups)
  }
  const searches = [
    {
      text: 'target=tag',
      json: [
        { name: 'namespace', value: 'default' },
        { name: 'namespace', value: 'shop' },
      ],
    },
    {
      text: 'target=tag&tag=namespace:default',
      json: [
        { name: 'stream', value: 'a' },
        { name: 'stream', value: 'b' },
      ],
    },
    { text: 'target=tag&tag=namespace:default&tag=stream:a', json: [] },
    {
      text: 'target=metric&tag=namespace:default&tag=stream:a',
      json: ['system.collect.bytes', 'system.collect.events'],
    },
    { text: 'target=metric&tag=stream:empty', json: [] },
  ]
  for (const { text, json } of searches) {
    expect((await app.post(`${SEARCH}?${text}`)).json(), text).toEqual(json)
  }
})

test('many queries in one document', async () => {
  const app = await testApp({ streams: ['foo'], nowMs: NOW_MS })
  await app.post(`${STREAMS}/foo`, { body: 'abc' })
  const body = JSON.stringify({
    q1: { tags: { namespace: 'default', stream: 'foo' }, metrics: ['system.collect.bytes'] },
    q2: {
      tags: { stream: '*' },
      metrics: ['system.collect.events'],
      groupBy: ['stream'],
      timeRange: { start: 'now-5s', end: 'now', resolution: '1s' },
    },
  })
  expect((await app.post(QUERY, { body })).json()).toEqual({
    q1: {
      startTime: 0,
      endTime: NOW_S,
      series: [{ metricName: 'system.collect.bytes', grouping: {}, data: [{ time: 0, value: 3 }] }],
    },
    q2: {
      startTime: NOW_S - 5,
      endTime: NOW_S,
      resolution: '1s',
      series: [
        {
          metricName: 'system.collect.events',
          grouping: { stream: 'foo' },
          data: [{ time: NOW_S, value: 1 }],
        },
      ],
    },
  })
})

const refused = [
  { path: `${QUERY}?aggregate=true`, text: 'Missing metrics parameter in the query' },
  {
    path: `${QUERY}?${EVENTS}&start=5`,
    text: 'At least two of count/start/end parameters are required for time-range queries ',
  },
  { path: QUERY, text: '"Batch request with empty content"' },
  { path: QUERY, body: '[]', text: 'the metrics queries are no JSON object of queries by their names' },
  { path: QUERY, body: '{"q":{"tags":{}}}', text: 'Missing metrics parameter in the query' },
  {
    path: QUERY,
    body: '{"q":7}',
    text: `query 'q' is not understood; use {"tags":{…},"metrics":[…],"groupBy":[…],"timeRange":{…}}`,
  },
  { path: `${QUERY}?${EVENTS}&start=yesterday&end=now`, text: 'invalid time format yesterday' },
  { path: `${QUERY}?${EVENTS}&start=9&end=8`, text: 'end is 8, before start, which is 9' },
  { path: `${QUERY}?${EVENTS}&start=0&count=0`, text: "count is '0'; use a whole number above 0" },
  {
    path: `${QUERY}?${EVENTS}&start=0&end=9&resolution=2s`,
    text: "resolution is '2s'; use 1s, 1m, 1h or auto",
  },
  { path: `${QUERY}?${EVENTS}&tag=x`, text: "tag is 'x'; use name:value" },
  { path: SEARCH, text: '"Required target param is missing"' },
  { path: `${SEARCH}?target=x`, text: '"Unknown target param value: x"' },
]
test.each(refused)('POST $path $body is refused: $text', async ({ path, body = '', text }) => {
  const app = await testApp({ nowMs: NOW_MS })
  const answer = await app.post(path, { body })
  expect([answer.status, answer.text]).toEqual([400, text])
  expect(answer.headers['content-type']).toBe(
    text.startsWith('"') ? 'application/json' : 'text/plain; charset=utf-8',
  )
})

test('a client sees what its grants include', async () => {
  const tokens = await tokenFile([{ name: 'all' }, { name: 'one', grants: ['default:a:write'] }])
  const app = await testApp({ nowMs: NOW_MS, config: { authFile: tokens.path } })
  const headers = tokens.bearer('all')
  for (const stream of ['a', 'b']) {
    await app.put(`${STREAMS}/${stream}`, { headers })
    await app.post(`${STREAMS}/${stream}`, { headers, body: 'x' })
  }
  const seen = async (client: string) => {
    const asked = { headers: tokens.bearer(client) }
    const found = await app.post(`${SEARCH}?target=tag&tag=namespace:default`, asked)
    const total = (await app.post(`${QUERY}?${EVENTS}`, asked)).json() as Answer
    return [(found.json() as { value: string }[]).map(({ value }) => value), total.series[0]!.data[0]!.value]
  }
  expect(await seen('all')).toEqual([['a', 'b'], 2])
  expect(await seen('one')).toEqual([['a'], 1])
})
