/** `Accept`: what cannot be had is refused, and no real client is. */
import { describe, expect, test } from 'vitest'
import { preference } from '../../src/http/messages/accept.ts'
import { answerOf, plain } from '../support/answer.ts'
import { cpuMs } from '../support/cpu-time.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

const ARRAY = 'application/json; charset=utf-8'
const LINES = 'application/x-ndjson'
const NAMESPACE = '/v3/namespaces/default'

describe('events are sent', () => {
  const rows: { accept: string | undefined; type: string | 406 }[] = [
    { accept: undefined, type: ARRAY },
    { accept: '', type: ARRAY },
    { accept: '*/*', type: ARRAY },
    { accept: '*', type: ARRAY },
    { accept: 'application/*', type: ARRAY },
    { accept: 'application/json', type: ARRAY },
    { accept: 'APPLICATION/JSON; charset=utf-8', type: ARRAY },
    { accept: 'text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2', type: ARRAY }, // Java
    { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', type: ARRAY }, // browsers
    { accept: 'application/json, text/plain, */*', type: ARRAY },
    { accept: 'gibberish', type: ARRAY },
    { accept: 'application/x-ndjson', type: LINES },
    { accept: 'application/x-ndjson, */*', type: LINES },
    { accept: 'application/json, application/x-ndjson', type: LINES },
    { accept: 'application/json, application/x-ndjson;q=0.5', type: ARRAY },
    { accept: 'application/json;q=0.5, Application/X-NDJSON;q=0.9', type: LINES },
    { accept: 'application/x-ndjson;q=0, */*', type: ARRAY },
    { accept: 'application/json;q=0, */*', type: LINES },
    { accept: 'text/csv', type: 406 },
    { accept: 'text/csv, application/xml;q=0.5', type: 406 },
    { accept: 'text/*', type: 406 },
    { accept: 'application/json;q=0', type: 406 },
    { accept: '*/*;q=0', type: 406 },
    { accept: 'text/csv, */*;q=0.0', type: 406 },
    { accept: 'text/x; a="application/json, */*"', type: 406 },
    { accept: 'application/ndjson', type: 406 },
  ]
  test.each(rows)('to $accept as $type', async ({ accept, type }) => {
    const app = await testApp({ streams: ['s'] })
    await app.post(`${STREAMS}/s`, { body: 'x' })
    const headers: Record<string, string> = accept === undefined ? {} : { Accept: accept }
    for (const path of [`${STREAMS}/s/events`, '/v2/streams/s/events']) {
      const answer = await app.get(path, { headers })
      const head = await app.request('HEAD', path, { headers })
      expect(head.status).toBe(answer.status)
      if (type === 406) {
        const text = `Accept is '${accept}'; there is application/json and application/x-ndjson`
        expect(answerOf(answer)).toEqual(plain(406, text))
      } else {
        expect([answer.status, answer.headers['content-type']]).toEqual([200, type])
      }
    }
  })
})

describe('an Accept that cannot be met is refused', () => {
  const rows = [
    { path: `${STREAMS}/s/export`, there: 'application/x-ndjson', accept: 'text/csv' },
    { path: `${STREAMS}/s/notifications?limit=1`, there: 'text/event-stream', accept: 'application/json' },
    { path: '/metrics', there: 'text/plain', accept: 'application/openmetrics-text' },
    { path: `${STREAMS}/s`, there: 'application/json', accept: 'text/html' },
    { path: STREAMS, there: 'application/json', accept: 'text/csv' },
    { path: '/v2/streams', there: 'application/json', accept: 'text/csv' },
    { path: '/v3/namespaces/default/feeds', there: 'application/json', accept: 'text/csv' },
    { path: '/v3/namespaces/default/data/explore/tables', there: 'application/json', accept: 'text/csv' },
    { path: '/v3/namespaces/default/metadata/search?query=*', there: 'application/json', accept: 'text/csv' },
    {
      path: '/v3/namespaces/default/metadata/search?query=*&limit=5',
      there: 'application/json',
      accept: 'text/csv',
    },
    { path: '/v3/namespaces', there: 'application/json', accept: 'application/xml' },
    { path: '/v2/streams', there: 'application/json', accept: 'text/csv' },
    { path: `${NAMESPACE}/feeds`, there: 'application/json', accept: 'text/csv' },
    { path: `${NAMESPACE}/metadata/search?query=*`, there: 'application/json', accept: 'text/csv' },
    { path: `${NAMESPACE}/metadata/search?query=*&offset=0`, there: 'application/json', accept: 'text/csv' },
    { path: `${NAMESPACE}/data/explore/tables`, there: 'application/json', accept: 'text/csv' },
    { path: `${NAMESPACE}/apps`, there: 'application/json', accept: 'text/csv' },
    { path: '/v3/version', there: 'application/json', accept: 'text/plain' },
    { path: `${STREAMS}/s/metadata/tags`, there: 'application/json', accept: 'text/csv' },
  ]
  test.each(rows)('by $path', async ({ path, there, accept }) => {
    const app = await testApp({ streams: ['s'] })
    const answer = await app.get(path, { headers: { Accept: accept } })
    expect(answerOf(answer)).toEqual(plain(406, `Accept is '${accept}'; there is ${there}`))
    expect((await app.get(path, { headers: { Accept: `${accept}, ${there};q=0.1` } })).status).toBe(200)
    expect(
      (await app.get(path, { headers: { Accept: 'text/html, image/gif, *; q=.2, */*; q=.2' } })).status,
    ).toBe(200)
  })

  test('by the download of a result, of which nothing is lost', async () => {
    const app = await testApp()
    const queries = '/v3/namespaces/default/data/explore/queries'
    const { handle } = (await app.post(queries, { body: '{"query":"SELECT 1 AS a"}' })).json() as {
      handle: string
    }
    const query = `/v3/data/explore/queries/${handle}`
    await expect
      .poll(async () => (await app.get(`${query}/status`)).text, { timeout: 20_000 })
      .toContain('FINISHED')
    const refused = await app.post(`${query}/download`, { headers: { Accept: 'application/json' } })
    expect(answerOf(refused)).toEqual(plain(406, "Accept is 'application/json'; there is text/csv"))
    expect((await app.post(`${query}/download`, { headers: { Accept: 'text/csv' } })).text).toBe('a\n1\n')
  })

  test('but not where it changes something, sends a text, or the stream is missing', async () => {
    const app = await testApp({ streams: ['s'] })
    const headers = { Accept: 'image/png', 'Content-Type': 'text/plain' }
    expect((await app.put(`${STREAMS}/t`, { headers })).status).toBe(200)
    expect((await app.post(`${STREAMS}/s`, { headers, body: 'x' })).status).toBe(200)
    expect((await app.post(`${STREAMS}/s/batch`, { headers, body: 'x' })).status).toBe(200)
    expect((await app.post(`${STREAMS}/s/truncate`, { headers })).status).toBe(200)
    expect((await app.get('/ping', { headers })).status).toBe(200)
    expect((await app.get('/status', { headers })).status).toBe(200)
    expect((await app.get(`${STREAMS}/nope/events`, { headers })).status).toBe(404)
    expect((await app.get(`${STREAMS}/nope/export`, { headers })).status).toBe(404)
    expect((await app.get(`${STREAMS}/s/events?limit=0`, { headers })).status).toBe(400)
  })
})

test('a long header takes no time', () => {
  const before = cpuMs()
  preference('a/b;c="'.repeat(2_000), 'application/json')
  preference(`${'"'.repeat(16_000)},`, 'application/json')
  preference('a/b,'.repeat(4_000), 'application/json')
  expect(cpuMs() - before).toBeLessThan(500)
})
