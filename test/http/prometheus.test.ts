/** `GET /metrics`: what it counts, that Prometheus can read it, and to whom it names streams. */
import { expect, test } from 'vitest'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'
import { tokenFile } from '../support/tokens.ts'

/** Series with its labels -> value. */
async function scrape(app: TestApp, headers: Record<string, string> = {}): Promise<Map<string, number>> {
  const answer = await app.get('/metrics', { headers })
  expect([answer.status, answer.headers['content-type']]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ])
  const described = new Set<string>()
  const values = new Map<string, number>()
  for (const line of answer.text.split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-z0-9_]+) .+$/.exec(line)
    if (line === '') continue
    if (comment !== null) {
      const what = `${comment[1]} ${comment[2]}`
      expect(described.has(what), `${what} twice`).toBe(false)
      described.add(what)
      continue
    }
    const [, series, value] = /^([a-z0-9_]+(?:\{.*\})?) (\S+)$/.exec(line) ?? []
    expect(series, line).toBeDefined()
    expect(values.has(series!), `${series} twice`).toBe(false)
    values.set(series!, Number(value))
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
    'millrace_stream_events_total{namespace="(other)",stream="(other)"}': 0,
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
  // Two streams were made and three times events written, each of which waited for its group.
  expect(values.get('millrace_append_seconds_count')).toBe(5)
  expect(values.get('millrace_fsync_seconds_bucket{le="+Inf"}')).toBe(5)
  expect(values.get('millrace_append_seconds_sum')).toBeGreaterThanOrEqual(
    values.get('millrace_fsync_seconds_sum')!,
  )
  expect(values.get('millrace_group_writes_sum')).toBe(7)
  expect(values.get('millrace_group_bytes_total')).toBeGreaterThan(10)
  for (const name of [
    'process_resident_memory_bytes',
    'process_cpu_seconds_total',
    'process_start_time_seconds',
  ])
    expect(values.get(name), name).toBeGreaterThan(0)
})

test('totals go on when a stream is deleted, and after a restart', async () => {
  const app = await testApp({ streams: ['a', 'b'], onDisk: true })
  await app.post(`${STREAMS}/a`, { body: 'abc' })
  await app.post(`${STREAMS}/b`, { body: 'abc' })
  await app.delete(`${STREAMS}/b`)
  expect((await scrape(app)).get('millrace_events_total')).toBe(2)
  await app.restart()
  expect((await scrape(app)).get('millrace_events_total')).toBe(1)
})

test('streams without number have not series without number', async () => {
  const names = Array.from({ length: 103 }, (_, i) => `s${i}`)
  const app = await testApp({ streams: names })
  for (const name of names.slice(3)) await app.post(`${STREAMS}/${name}`, { body: 'abc' })
  await app.post(`${STREAMS}/s102`, { body: 'abc' })
  await app.delete(`${STREAMS}/s101`)
  const values = await scrape(app)
  const named = [...values.keys()].filter((name) => name.startsWith('millrace_stream_events_total'))
  expect(named.length).toBe(101)
  expect(values.get('millrace_stream_events_total{namespace="default",stream="s102"}')).toBe(2)
  expect(values.get('millrace_stream_events_total{namespace="(other)",stream="(other)"}')).toBe(1)
})

test('a stream is named to who has a grant for it, and to nobody else', async () => {
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
    ['(other)', 0],
  ])
  expect(await streamsSeen('one')).toEqual([
    ['a', 1],
    ['(other)', 1],
  ])
  expect(await streamsSeen('scraper')).toEqual([['(other)', 2]])
  expect((await app.get('/metrics', { headers: tokens.bearer('one') })).text).not.toContain('secret')
  expect((await app.get('/metrics')).status).toBe(401)
})
