/** GET …/export: every event with its position and exact bytes, and a last line that says that nothing is missing. */
import { crc32c } from '@node-rs/crc32'
import { expect, test } from 'vitest'
import {
  STREAMS,
  sequenceOf,
  type TestApp,
  type TestResponse,
  testApp,
  testOnLevelDb,
} from '../support/test-app.ts'

interface Line {
  readonly timestamp: number
  readonly headers: Record<string, string>
  readonly body: string
  readonly encoding?: 'base64'
  readonly sequence: number
}

interface Export {
  readonly events: readonly Line[]
  readonly end: {
    readonly end: boolean
    readonly events: number
    readonly crc32c: string
    readonly cursor?: string
  }
}

function parsed({ status, headers, body, text }: TestResponse): Export {
  expect(status).toBe(200)
  expect(headers['content-type']).toBe('application/x-ndjson')
  expect(text.endsWith('\n')).toBe(true)
  const lines = text.slice(0, -1).split('\n')
  const end = JSON.parse(lines.at(-1)!) as Export['end']
  const before = body.subarray(0, body.length - lines.at(-1)!.length - 1)
  expect(end.crc32c).toBe(crc32c(before).toString(16).padStart(8, '0'))
  return { events: lines.slice(0, -1).map((line) => JSON.parse(line) as Line), end }
}

async function exported(app: TestApp, query = ''): Promise<Export> {
  return parsed(await app.get(`${STREAMS}/logs/export${query}`))
}

testOnLevelDb('every event has its time, headers, exact bytes and sequence', async () => {
  const app = await testApp({ streams: ['logs'], nowMs: 1_000 })
  await app.post(`${STREAMS}/logs`, { body: 'Hello "World"' })
  app.nowMs = 2_000
  await app.post(`${STREAMS}/logs`, { body: Buffer.of(0xff, 0), headers: { 'logs.2': 'b', 'logs.1': 'a' } })
  await app.post(`${STREAMS}/logs/batch`, { body: 'é\n\\x05\n', headers: { 'Content-Type': 'text/plain' } })
  const response = await app.get(`${STREAMS}/logs/export`)
  const { end } = parsed(response)
  expect(response.text).toBe(
    `{"timestamp":1000,"headers":{},"body":"Hello \\"World\\"","sequence":0}
{"timestamp":2000,"headers":{"2":"b","1":"a"},"body":"/wA=","encoding":"base64","sequence":1}
{"timestamp":2000,"headers":{"content.type":"text/plain"},"body":"é","sequence":2}
{"timestamp":2000,"headers":{"content.type":"text/plain"},"body":"\\\\x05","sequence":3}
{"end":true,"events":4,"crc32c":"${end.crc32c}","cursor":"${end.cursor}"}
`,
  )
})

test('a stream without events is a closing line', async () => {
  const app = await testApp({ streams: ['logs'] })
  const response = await app.get(`${STREAMS}/logs/export`)
  expect([response.status, response.text]).toEqual([200, '{"end":true,"events":0,"crc32c":"00000000"}\n'])
})

test('expired events are not exported', async () => {
  const app = await testApp({ streams: ['logs'], nowMs: 1_000_000 })
  await app.put(`${STREAMS}/logs/properties`, { body: '{"ttl":10}' })
  await app.post(`${STREAMS}/logs`, { body: 'old' })
  app.nowMs = 1_011_000
  await app.post(`${STREAMS}/logs`, { body: 'new' })
  const { events, end } = await exported(app)
  expect(events.map(({ body, sequence }) => [body, sequence])).toEqual([['new', sequenceOf(1)]])
  expect(end.events).toBe(1)
})

test('the next export goes on after the cursor of the last', async () => {
  const app = await testApp({ streams: ['logs'], nowMs: 1_000 })
  for (let i = 0; i < 5; i++) await app.post(`${STREAMS}/logs`, { body: `${i}` })
  const first = await exported(app, '?limit=2')
  const rest = await exported(app, `?after=${first.end.cursor}`)
  expect([first, rest].map(({ events }) => events.map(({ body }) => body))).toEqual([
    ['0', '1'],
    ['2', '3', '4'],
  ])
  await app.post(`${STREAMS}/logs`, { body: '5' })
  expect((await exported(app, `?after=${rest.end.cursor}`)).events.map(({ body }) => body)).toEqual(['5'])
})

test('a long one comes whole', async () => {
  const app = await testApp({ streams: ['logs'], nowMs: 1_000 })
  const text = Array.from({ length: 30_000 }, (_, i) => `line ${i}`.padEnd(60, '.')).join('\n')
  await app.post(`${STREAMS}/logs/batch`, { body: text, headers: { 'Content-Type': 'text/plain' } })
  const { events, end } = await exported(app)
  expect(events.map(({ body }) => body).join('\n')).toBe(text)
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => sequenceOf(i)))
  expect(end.events).toBe(30_000)
})

test('an event larger than a piece of the answer keeps its sequence', async () => {
  const app = await testApp({ streams: ['logs'], nowMs: 1_000 })
  const large = 'x'.repeat(400_000)
  await app.post(`${STREAMS}/logs`, { body: large })
  await app.post(`${STREAMS}/logs`, { body: 'small' })
  const { events } = await exported(app)
  expect(events.map(({ body, sequence }) => [body.length, sequence])).toEqual([
    [400_000, sequenceOf(0)],
    [5, sequenceOf(1)],
  ])
})

test('HEAD has no body', async () => {
  const app = await testApp({ streams: ['logs'] })
  await app.post(`${STREAMS}/logs`, { body: 'x' })
  const { status, text } = await app.request('HEAD', `${STREAMS}/logs/export`)
  expect([status, text]).toEqual([200, ''])
})

const refusals = [
  { path: 'nope/export', status: 404, text: "'stream:default.nope' was not found." },
  { path: 'a%40b/export', status: 400, text: /Invalid stream ID/ },
  { path: 'logs/export?limit=0', status: 400, text: 'Cannot request for <=0 events' },
  { path: 'logs/export?after=x', status: 400, text: /^after is 'x', which is no cursor / },
]

test.each(refusals)('GET $path is refused', async ({ path, status, text }) => {
  const app = await testApp({ streams: ['logs'] })
  const response = await app.get(`${STREAMS}/${path}`)
  expect(response.status).toBe(status)
  if (typeof text === 'string') expect(response.text).toBe(text)
  else expect(response.text).toMatch(text)
})
