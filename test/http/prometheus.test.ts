/** `GET /metrics`: what it counts, that Prometheus can read it, and to whom it names streams. */
import { expect, test } from 'vitest'
import { ON_KAFKA, ON_WEAK_ENGINE, STREAMS, type TestApp, testApp } from '../support/test-app.ts'
import { tokenFile } from '../support/tokens.ts'

interface Family {
  readonly help: string
  readonly type: string
  readonly samples: {
    readonly name: string
    readonly labels: ReadonlyMap<string, string>
    readonly value: number
  }[]
}

/** As strict as the grammar of version 0.0.4: anything else fails. */
function parse(text: string): Map<string, Family> {
  expect(text.endsWith('\n')).toBe(true)
  const families = new Map<string, Family>()
  let family: Family | undefined
  let of = ''
  let help = ''
  for (const line of text.split('\n')) {
    if (line === '') continue
    const [, word, named = '', rest = ''] = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line) ?? []
    if (word === 'HELP') {
      expect(families.has(named), `${named} twice`).toBe(false)
      expect(rest).not.toMatch(/\\[^\\n]/)
      of = named
      help = rest
    } else if (word === 'TYPE') {
      expect(named).toBe(of)
      expect(['counter', 'gauge', 'histogram']).toContain(rest)
      family = { help, type: rest, samples: [] }
      families.set(of, family)
    } else {
      const [, name = '', , labels = '', value = ''] =
        /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|[+-]Inf|NaN)$/.exec(
          line,
        ) ?? []
      expect(name, line).not.toBe('')
      const ofFamily = family!.type === 'histogram' ? [`${of}_bucket`, `${of}_sum`, `${of}_count`] : [of]
      expect(ofFamily, line).toContain(name)
      const pairs = [...labels.matchAll(/([a-zA-Z_0-9]+)="((?:[^"\\]|\\.)*)"/g)].map(
        ([, key, text]) => [key!, text!] as const,
      )
      expect(new Set(pairs.map(([key]) => key)).size, line).toBe(pairs.length)
      family!.samples.push({ name, labels: new Map(pairs), value: Number(value) })
    }
  }
  for (const [name, { type, samples }] of families) {
    if (type === 'counter') expect(name).toMatch(/_total$/)
    if (type !== 'histogram') continue
    const buckets = samples.filter((one) => one.name.endsWith('_bucket'))
    const bounds = buckets.map(({ labels }) => Number(labels.get('le')!.replace('+Inf', 'Infinity')))
    expect(bounds, name).toEqual([...bounds].sort((a, b) => a - b))
    expect(bounds.at(-1)).toBe(Number.POSITIVE_INFINITY)
    const counts = buckets.map(({ value }) => value)
    expect(counts, name).toEqual([...counts].sort((a, b) => a - b))
    expect(counts.at(-1), name).toBe(samples.find((one) => one.name === `${name}_count`)!.value)
  }
  return families
}

/** Series with its labels -> value. */
async function scrape(app: TestApp, headers: Record<string, string> = {}): Promise<Map<string, number>> {
  const answer = await app.get('/metrics', { headers })
  expect([answer.status, answer.headers['content-type']]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ])
  const values = new Map<string, number>()
  for (const { samples } of parse(answer.text).values()) {
    for (const { name, labels, value } of samples) {
      const shown = [...labels].map(([key, text]) => `${key}="${text}"`).join(',')
      const series = shown === '' ? name : `${name}{${shown}}`
      expect(values.has(series), `${series} twice`).toBe(false)
      values.set(series, value)
    }
  }
  return values
}

test('what was done is counted', async () => {
  const app = await testApp({ streams: ['a', 'b'], freeBytes: () => 5e9, config: { minFreeDiskBytes: 1000 } })
  await app.post(`${STREAMS}/a`, { body: 'abc' })
  await app.post(`${STREAMS}/a/batch`, { body: 'x\ny\n', headers: { 'Content-Type': 'text/plain' } })
  await app.post(`${STREAMS}/b`, { body: 'abcde' })
  await app.post(`${STREAMS}/nope`, { body: 'abc' })
  await app.get(`${STREAMS}/a/events`)
  const values = await scrape(app)
  const expected = {
    millrace_events_total: 4,
    millrace_event_bytes_total: 10,
    'millrace_stream_events_total{namespace="default",stream="a"}': 3,
    'millrace_stream_event_bytes_total{namespace="default",stream="b"}': 5,
    millrace_streams: 2,
    'millrace_answers_total{status="404"}': 1,
    'millrace_problems_total{code="stream_not_found"}': 1,
    millrace_reads_total: 1,
    millrace_requests_working: 0,
    millrace_request_bytes: 0,
    millrace_async_queue_bytes: 0,
    millrace_disk_free_bytes: 5e9,
    millrace_writes_refused: 0,
    millrace_recoveries_total: 0,
    millrace_refused_total: 0,
  }
  expect(Object.fromEntries(Object.keys(expected).map((name) => [name, values.get(name)]))).toEqual(expected)
  // Two streams were made and three times events written, each of which waited for its group. On Kafka streams are made elsewhere.
  const writes = ON_KAFKA ? 3 : 5
  expect(values.get('millrace_append_seconds_count')).toBe(writes)
  expect(values.get('millrace_fsync_seconds_bucket{le="+Inf"}')).toBe(writes)
  expect(values.get('millrace_append_seconds_sum')).toBeGreaterThanOrEqual(
    values.get('millrace_fsync_seconds_sum')!,
  )
  if (!ON_WEAK_ENGINE) {
    expect(values.get('millrace_group_writes_sum')).toBe(7)
    expect(values.get('millrace_group_bytes_total')).toBeGreaterThan(10)
  }
  for (const name of [
    'process_resident_memory_bytes',
    'process_cpu_seconds_total',
    'process_start_time_seconds',
  ])
    expect(values.get(name), name).toBeGreaterThan(0)
})

/** What Prometheus takes for a new beginning, and all of the value for new. */
const changes = {
  'a stream is deleted': (app: TestApp) => app.delete(`${STREAMS}/b`),
  'a namespace is deleted': (app: TestApp) => app.delete('/v3/unrecoverable/namespaces/default'),
  'a stream is truncated': (app: TestApp) => app.post(`${STREAMS}/b/truncate`),
  'a stream gets a name': (app: TestApp) => app.post(`${STREAMS}/s0`, { body: 'a' }),
}
test.each(Object.entries(changes))('no counter goes down when %s', async (_, change) => {
  const names = Array.from({ length: 101 }, (_, i) => `s${i}`)
  const app = await testApp({ streams: ['a', 'b', ...names] })
  for (const name of ['a', 'b', ...names]) await app.post(`${STREAMS}/${name}`, { body: 'abc' })
  await app.post(`${STREAMS}/b`, { body: 'abc' })
  const before = await scrape(app)
  await change(app)
  await app.post(`${STREAMS}/s0`, { body: 'abc' })
  await app.post(`${STREAMS}/s0`, { body: 'abc' })
  const after = await scrape(app)
  for (const [series, value] of after) {
    if (/_total|_count|_bucket|_sum/.test(series))
      expect(value, series).toBeGreaterThanOrEqual(before.get(series) ?? 0)
  }
})

test('counters of the service begin with its process, those of a stream with the stream', async () => {
  const app = await testApp({ streams: ['a', 'b'], onDisk: true })
  for (const stream of ['a', 'b', 'b']) await app.post(`${STREAMS}/${stream}`, { body: 'abc' })
  await app.delete(`${STREAMS}/a`)
  expect((await scrape(app)).get('millrace_events_total')).toBe(3)
  await app.restart()
  await app.post(`${STREAMS}/b`, { body: 'abc' })
  const values = await scrape(app)
  expect(values.get('millrace_events_total')).toBe(1)
  expect(values.get('millrace_event_bytes_total')).toBe(3)
  expect(values.get('millrace_stream_events_total{namespace="default",stream="b"}')).toBe(3)
})

test('streams without number have not series without number', async () => {
  const names = Array.from({ length: 103 }, (_, i) => `s${i}`)
  const app = await testApp({ streams: names })
  for (const name of names.slice(3)) await app.post(`${STREAMS}/${name}`, { body: 'abc' })
  await app.post(`${STREAMS}/s102`, { body: 'abc' })
  await app.post(`${STREAMS}/s0`, { body: 'abc' })
  const values = await scrape(app)
  const named = [...values.keys()].filter((name) => name.startsWith('millrace_stream_events_total'))
  expect(named.length).toBe(100)
  expect(values.get('millrace_stream_events_total{namespace="default",stream="s102"}')).toBe(2)
  expect(values.get('millrace_events_total')).toBe(102)
})

test('a stream is named only to clients with a grant for it', async () => {
  const tokens = await tokenFile([
    { name: 'all' },
    { name: 'one', grants: ['default:a:write'] },
    { name: 'scraper', grants: ['none:none:read'] },
  ])
  const app = await testApp({ config: { authFile: tokens.path } })
  const headers = tokens.bearer('all')
  for (const stream of ['a', 'secret-b']) {
    await app.put(`${STREAMS}/${stream}`, { headers })
    await app.post(`${STREAMS}/${stream}`, { headers, body: 'abc' })
  }
  const streamsSeen = async (client: string) =>
    [...(await scrape(app, tokens.bearer(client)))]
      .filter(([name]) => name.startsWith('millrace_stream_events_total'))
      .map(([name, value]) => [/stream="(.*)"/.exec(name)![1], value])
  expect(await streamsSeen('all')).toEqual([
    ['a', 1],
    ['secret-b', 1],
  ])
  expect(await streamsSeen('one')).toEqual([['a', 1]])
  expect(await streamsSeen('scraper')).toEqual([])
  expect((await scrape(app, tokens.bearer('scraper'))).get('millrace_events_total')).toBe(2)
  expect((await app.get('/metrics', { headers: tokens.bearer('one') })).text).not.toContain('secret')
  expect((await app.get('/metrics')).status).toBe(401)
})
