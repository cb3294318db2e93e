import { describe, expect, test } from 'vitest'
import { answerOf, empty } from '../support/answer.ts'
import { ON_KAFKA, STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const EVENTS = `${STREAMS}/s/events`
const START = 1_000_000_000

async function setTtl(app: TestApp, seconds: number | string): Promise<void> {
  expect(answerOf(await app.put(`${STREAMS}/s/properties`, { body: `{"ttl":${seconds}}` }))).toEqual(
    empty(200),
  )
}

/** Events at these milliseconds after START; bodies are the same numbers. */
async function appWithEvents(...offsets: number[]): Promise<TestApp> {
  const app = await testApp({ streams: ['s'], nowMs: START })
  await write(app, ...offsets)
  return app
}

async function write(app: TestApp, ...offsets: number[]): Promise<void> {
  for (const offset of offsets) {
    app.nowMs = START + offset
    await app.post(`${STREAMS}/s`, { body: `${offset}` })
  }
}

async function offsetsOf(app: TestApp, query = ''): Promise<number[]> {
  return (await app.events('s', query)).map(({ body }) => Number(body))
}

describe('an event is there while its age is at most the ttl', () => {
  const rows = [
    { ttl: 10, now: 9_999, read: [0, 1, 5_000, 9_999] },
    { ttl: 10, now: 10_000, read: [0, 1, 5_000, 9_999] },
    { ttl: 10, now: 10_001, read: [1, 5_000, 9_999] },
    { ttl: 10, now: 10_002, read: [5_000, 9_999] },
    { ttl: 10, now: 15_000, read: [5_000, 9_999] },
    { ttl: 10, now: 15_001, read: [9_999] },
    { ttl: 10, now: 19_999, read: [9_999] },
    { ttl: 10, now: 20_000, read: [] },
    { ttl: 1, now: 10_000, read: [9_999] },
    { ttl: 999_999, now: START * 0.9, read: [0, 1, 5_000, 9_999] },
    { ttl: 2_000_000, now: 20_000, read: [0, 1, 5_000, 9_999] },
    { ttl: '9223372036854775', now: START * 1000, read: [0, 1, 5_000, 9_999] },
    { ttl: '9223372036854774', now: START * 1000, read: [0, 1, 5_000, 9_999] },
    { ttl: 0, now: 9_999, read: [] },
  ]
  test.each(rows)('ttl $ttl s, $now ms later: $read', async ({ ttl, now, read }) => {
    const app = await appWithEvents(0, 1, 5_000, 9_999)
    await setTtl(app, ttl)
    app.nowMs = START + now
    expect(await offsetsOf(app)).toEqual(read)
    await app.tidy()
    expect(await offsetsOf(app)).toEqual(read)
  })
})

test('a ttl works at once and on what is there already, in both directions', async () => {
  const app = await testApp({ streams: ['s', 't'], nowMs: START })
  const seen: number[][][] = []
  // The janitor comes by of its own accord once, a moment after the start, so one of two streams is spared.
  for (const stream of ['s', 't']) {
    for (const offset of [0, 5_000, 9_000]) {
      app.nowMs = START + offset
      await app.post(`${STREAMS}/${stream}`, { body: `${offset}` })
    }
    app.nowMs = START + 10_000
    const reads: number[][] = []
    for (const ttl of ['2', '6', '0', '9223372036854775807']) {
      await app.put(`${STREAMS}/${stream}/properties`, { body: `{"ttl":${ttl}}` })
      reads.push((await app.events(stream)).map(({ body }) => Number(body)))
    }
    seen.push(reads)
    app.nowMs = START
  }
  expect(seen).toContainEqual([[9_000], [5_000, 9_000], [], [0, 5_000, 9_000]])
})

test('what the janitor has freed does not come back with a longer ttl', async () => {
  const app = await appWithEvents(0, 5_000, 9_000)
  await setTtl(app, 2)
  app.nowMs = START + 10_000
  await app.tidy()
  expect(await app.tidy()).toBe(0)
  await setTtl(app, 100)
  expect(await offsetsOf(app)).toEqual([9_000])
  await write(app, 11_000)
  expect(await offsetsOf(app)).toEqual([9_000, 11_000])
})

test('with a ttl of 0 events go in and none come out, not even in their own millisecond', async () => {
  const app = await testApp({ nowMs: START })
  await app.put(`${STREAMS}/s`, { body: '{"ttl":0}' })
  await write(app, 0)
  expect(answerOf(await app.get(EVENTS))).toEqual(empty(204))
  expect(answerOf(await app.get(`${EVENTS}?start=now&end=now%2B1h`))).toEqual(empty(204))
})

describe('a range reaches no further back than the ttl', () => {
  const rows = [
    { query: 'start=0', read: [5_000, 9_000] },
    { query: `start=${START}`, read: [5_000, 9_000] },
    { query: `start=${START + 5_001}`, read: [9_000] },
    { query: `end=${START + 5_001}`, read: [5_000] },
    { query: `end=${START + 5_000}`, read: [] },
    { query: `end=${START + 1}`, read: [] },
    { query: 'limit=1', read: [5_000] },
    { query: 'start=now-1h&limit=1', read: [5_000] },
  ]
  test.each(rows)('?$query reads $read', async ({ query, read }) => {
    const app = await appWithEvents(0, 4_999, 5_000, 9_000)
    await setTtl(app, 5)
    app.nowMs = START + 10_000
    expect(await offsetsOf(app, query)).toEqual(read)
  })

  test('what the request asked for is checked, not what came of it', async () => {
    const app = await appWithEvents(0)
    await setTtl(app, 1)
    app.nowMs = START + 10_000
    expect(answerOf(await app.get(`${EVENTS}?start=1&end=2`))).toEqual(empty(204))
    expect((await app.get(`${EVENTS}?start=2&end=2`)).status).toBe(400)
  })
})

test('events of one batch expire together', async () => {
  const app = await testApp({ streams: ['s'], nowMs: START })
  await setTtl(app, 10)
  const lines = Array.from({ length: 30_000 }, (_, i) => `${i}`.padEnd(99)).join('\n')
  const batch = { headers: { 'Content-Type': 'text/plain' }, body: lines }
  await app.post(`${STREAMS}/s/batch`, batch)
  app.nowMs = START + 10_000
  expect(await app.events('s')).toHaveLength(30_000)
  app.nowMs++
  expect(await app.events('s')).toEqual([])
  await app.tidy()
  expect(await app.tidy()).toBe(0)
  await setTtl(app, 100)
  expect(await app.events('s')).toHaveLength(ON_KAFKA ? 1 : 0) // there the last event of a stream is never removed
})

test('one stream expires and another does not', async () => {
  const app = await appWithEvents(0)
  await app.put(`${STREAMS}/t`)
  await app.post(`${STREAMS}/t`, { body: 'kept' })
  await setTtl(app, 1)
  app.nowMs = START + 5_000
  await app.tidy()
  expect([await app.events('s'), (await app.events('t')).map(({ body }) => body)]).toEqual([[], ['kept']])
})

describe('generations', () => {
  const ends = [
    { name: 'truncated', end: (app: TestApp) => app.post(`${STREAMS}/s/truncate`), ttl: '50' },
    {
      name: 'deleted and created again',
      async end(app: TestApp) {
        await app.delete(`${STREAMS}/s`)
        await app.put(`${STREAMS}/s`)
      },
      ttl: '9223372036854775',
    },
    {
      name: 'dropped with its namespace and created again',
      async end(app: TestApp) {
        await app.delete('/v3/unrecoverable/namespaces/default')
        await app.put(`${STREAMS}/s`)
      },
      ttl: '9223372036854775',
    },
  ]
  test.each(ends)('events of a stream that was $name never come back', async ({ end, ttl }) => {
    const app = await appWithEvents(0, 10)
    await setTtl(app, 50)
    for (let generation = 1; generation <= 3; generation++) {
      await end(app)
      expect(await offsetsOf(app)).toEqual([])
      expect((await app.get(`${STREAMS}/s`)).text).toContain(`"ttl":${ttl},`)
      await write(app, generation * 100, generation * 100 + 1)
      expect(await offsetsOf(app)).toEqual([generation * 100, generation * 100 + 1])
      if (generation === 2) await app.tidy()
      expect(await offsetsOf(app)).toEqual([generation * 100, generation * 100 + 1])
    }
    await app.tidy()
    expect(await app.tidy()).toBe(0)
    expect(await offsetsOf(app)).toEqual([300, 301])
    expect(app.reported).toEqual([])
  })

  test('events may be older than those of the generation before, if the clock went back', async () => {
    const app = await appWithEvents(50_000)
    await app.post(`${STREAMS}/s/truncate`)
    await write(app, 10_000)
    expect((await app.events('s')).map(({ timestamp }) => timestamp)).toEqual([START + 10_000])
  })

  test('a reader of before goes on to its end while the janitor frees what it reads, or is cut off', async () => {
    const app = await appWithEvents(...Array.from({ length: 50 }, (_, i) => i))
    const read = app.get(EVENTS)
    await app.post(`${STREAMS}/s/truncate`)
    await app.tidy()
    const { status, text } = await read
    expect(status === 204 || (JSON.parse(text) as unknown[]).length === 50).toBe(true)
    expect(await offsetsOf(app)).toEqual([])
    expect(app.reported).toEqual([])
  })
})
