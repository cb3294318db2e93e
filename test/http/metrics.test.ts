/** Metrics of streams: what was counted, in total and over time, through every way in; and who sees it. */
import { describe, expect, test } from 'vitest'
import type { Level } from '../../storage/level/level.ts'
import { openStorageOn } from '../../storage/level/open.ts'
import { failingStorage } from '../support/failing-storage.ts'
import { FaultyLevel } from '../support/faulty-level.ts'
import { ON_KAFKA, STREAMS, type TestApp, testApp } from '../support/test-app.ts'
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
  { name: 'a POST through Hono', path: 's?', body: 'abc', expected: { events: 1, bytes: 3 } },
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

const unwritable = [
  { name: 'an event', path: 's', body: 'abc' },
  { name: 'a small batch', path: 's/batch', body: 'a\nb' },
  { name: 'a large batch', path: 's/batch', body: 'x'.repeat(999).concat('\n').repeat(3000) },
]
test.each(unwritable)('a full disk that refuses $name is one error', async ({ path, body }) => {
  const disk = { free: 5000 }
  const app = await testApp({
    streams: ['s'],
    nowMs: NOW_MS,
    config: { minFreeDiskBytes: 1000 },
    freeBytes: () => disk.free,
  })
  disk.free = 999
  await expect.poll(async () => (await app.get('/status')).status, { timeout: 20_000 }).toBe(503)
  expect((await app.post(`${STREAMS}/${path}`, { body, headers: TEXT })).status).toBe(507)
  expect(await totals(app, 's')).toEqual({ errors: 1 })
})

test('errors of a store that failed are counted when it takes writes again', {
  timeout: 60_000,
}, async () => {
  const db = new FaultyLevel()
  const app = await testApp({
    streams: ['s'],
    nowMs: NOW_MS,
    async openStorage(nowMs) {
      await db.open()
      return openStorageOn(db as unknown as Level, { nowMs, sync: true })
    },
  })
  await app.post(`${STREAMS}/s`, { body: 'abc' })
  db.failWith = new Error('IO error: 000003.log: No space left on device')
  for (let i = 0; i < 3; i++) expect((await app.post(`${STREAMS}/s`, { body: 'abc' })).status).toBe(503)
  const told = await scrapedTotal(app, 'millrace_failed_writes_total')
  db.failWith = undefined
  await expect.poll(async () => (await app.get('/status')).status, { timeout: 30_000 }).toBe(200)
  expect(await totals(app, 's')).toEqual({ events: 1, bytes: 3, errors: 3 })
  const { series } = await query(app, 'metric=system.collect.errors&start=now-1h&end=now&resolution=1m')
  expect(series[0]!.data.map(({ value }) => value)).toEqual([3])
  expect([told, await scrapedTotal(app, 'millrace_failed_writes_total')]).toEqual([3, 3])
})

async function scrapedTotal(app: TestApp, name: string): Promise<number> {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec((await app.get('/metrics')).text)?.[1])
}

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
      await query(app, EVENTS) // a query makes the meter poll
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

  test('the answer has the requested range and the resolution', async () => {
    const app = await appWithSeries()
    const answer = await app.post(`${QUERY}?${EVENTS}&start=now-10m&end=now`)
    expect(answer.json()).toMatchObject({ startTime: END - 600, endTime: END, resolution: '1s' })
  })

  const MAX = '9223372036854775807'
  const farRanges = [
    { range: `start=0&end=${MAX}`, start: '0', end: MAX, resolution: '1h', points: 1 },
    { range: `start=now-1m&end=${MAX}&resolution=1s`, start: `${END - 60}`, end: MAX, points: 1 },
    { range: `start=${MAX}&end=${MAX}&resolution=1m`, start: MAX, end: MAX, points: 0 },
    { range: `start=${MAX}&count=5&resolution=1h`, start: MAX, end: MAX, points: 0 },
    {
      range: `end=${MAX}&count=2&resolution=1s`,
      start: '9223372036854775806',
      end: MAX,
      points: 0,
    },
    { range: 'start=0&end=9007199254740993&resolution=1m', start: '0', end: '9007199254740993', points: 1 },
  ]
  test.each(farRanges)('$range is a range, told with all its digits', async (far) => {
    const app = await appWithSeries()
    app.nowMs = END * 1000
    const answers = [
      await app.post(`${QUERY}?${EVENTS}&${far.range}`),
      await app.post(QUERY, {
        body: JSON.stringify({
          q: {
            tags: { stream: 's' },
            metrics: ['system.collect.events'],
            timeRange: Object.fromEntries(new URLSearchParams(far.range)),
          },
        }),
      }),
    ]
    for (const answer of answers) {
      expect(answer.status).toBe(200)
      expect(answer.text).toContain(`"startTime":${far.start},"endTime":${far.end},`)
      const { q = answer.json() } = answer.json() as { q?: unknown }
      const { series } = q as { series: { data: unknown[] }[] }
      expect(series.map(({ data }) => data.length > 0)).toEqual(far.points === 0 ? [] : [true])
    }
  })

  const steps = [
    { name: 'goes back within a minute: it is taken to stand still', seconds: [0, -20], at: [0, 0] },
    { name: 'goes back by minutes, into what is written', seconds: [0, 600, 0], at: [0, 600, 0] },
    { name: 'goes back by hours, and goes on from there', seconds: [0, 7200, 5, 80], at: [0, 7200, 5, 80] },
    { name: 'goes back and comes back', seconds: [0, 3700, 100, 3720], at: [0, 3700, 100, 3720] },
    { name: 'is a day ahead for a while', seconds: [0, 86_400, 60, 120], at: [0, 86_400, 60, 120] },
  ]
  describe.each([
    { name: 'at one go', restarts: false },
    { name: 'with restarts between', restarts: true },
  ])('$name', ({ restarts }) => {
    test.each(steps)('a clock that $name', { timeout: 60_000 }, async ({ seconds, at }) => {
      const app = await testApp({ streams: ['s'], nowMs: NOW_MS, onDisk: true })
      for (const second of seconds) {
        app.nowMs = NOW_MS + second * 1000
        await app.post(`${STREAMS}/s`, { body: 'x' })
        await query(app, EVENTS)
        if (restarts) await app.restart()
      }
      expect(await totals(app, 's')).toEqual({ events: seconds.length, bytes: seconds.length })
      const counted = (step: (second: number) => number) => {
        const sums = new Map<number, number>()
        for (const second of at) sums.set(step(second), (sums.get(step(second)) ?? 0) + 1)
        return [...sums].sort(([a], [b]) => a - b).map(([time, value]) => point(time, value))
      }
      app.nowMs = NOW_MS + Math.max(...at) * 1000
      const kept = { '1s': 3600, '1m': 86_400, '1h': 2_592_000 }
      for (const [resolution, step] of Object.entries({
        '1s': (s: number) => NOW_S + s,
        '1m': minute,
        '1h': hour,
      })) {
        const { series } = await query(app, `${EVENTS}&start=0&end=now&resolution=${resolution}`)
        const since = app.nowMs / 1000 - kept[resolution as keyof typeof kept]
        const young = series[0]!.data.filter(({ time }) => time > since)
        expect(young, resolution).toEqual(counted(step).filter(({ time }) => time > since))
      }
    })
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

test('what is asked for twice is answered once', async () => {
  const app = await testApp({ streams: ['a'], nowMs: NOW_MS })
  await app.post(`${STREAMS}/a`, { body: 'x' })
  const twice = await app.post(`${QUERY}?${EVENTS}&${EVENTS}&metric=nope&groupBy=stream&groupBy=stream`)
  expect((twice.json() as Answer).series).toEqual([
    { metricName: 'system.collect.events', grouping: { stream: 'a' }, data: [{ time: 0, value: 1 }] },
  ])
  const metrics = Array.from({ length: 30_000 }, () => 'system.collect.events')
  const groupBy = Array.from({ length: 30_000 }, () => 'stream')
  const many = await app.post(QUERY, { body: JSON.stringify({ q: { metrics, groupBy } }) })
  expect((many.json() as { q: Answer }).q.series.length).toBe(1)
})

// 1,300 topics take minutes.
test.skipIf(ON_KAFKA)(
  'an answer has a bound, however many queries it is to',
  { timeout: 60_000 },
  async () => {
    const streams = Array.from({ length: 1300 }, (_, i) => `s${i}`)
    const app = await testApp({ streams, nowMs: NOW_MS })
    for (let first = 0; first < streams.length; first += 50) {
      const posts = streams
        .slice(first, first + 50)
        .map((stream) => app.post(`${STREAMS}/${stream}`, { body: 'x' }))
      for (const { status } of await Promise.all(posts)) expect(status).toBe(200)
    }
    const one = { metrics: ['system.collect.events', 'system.collect.bytes'], groupBy: ['stream'] }
    const queries = (count: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`q${i}`, one])))
    expect((await app.post(QUERY, { body: queries(96) })).status).toBe(200)
    const answer = await app.post(QUERY, { body: queries(97) })
    expect([answer.status, answer.text]).toEqual([
      400,
      'the answer would have more than 250000 points; ask for fewer groups, a shorter range or a coarser resolution',
    ])
    const series = await app.post(`${QUERY}?${EVENTS}&start=now-1m&end=now`)
    expect([series.status, series.text]).toEqual([
      400,
      '1300 streams have these tags; ask for the series of at most 1000, or for the total with aggregate=true',
    ])
  },
)

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
  {
    path: `${QUERY}?${EVENTS}&start=0&end=9223372036854775808`,
    text: 'For input string: "9223372036854775808"',
  },
  { path: `${QUERY}?${EVENTS}&start=-1&end=8`, text: 'invalid time format -1' },
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
