/** Changes as server-sent events and as lines: whole answers, resuming, heartbeats, every end, and slow or refused clients. */
import { get, type IncomingMessage } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import type { QueryItem } from '../../../src/cached-queries/query-service.ts'
import { Spread } from '../../../src/http/cached-queries/changes-answer.ts'
import { ServiceError } from '../../../src/service-error.ts'
import {
  AS_OF,
  apisWithQueries,
  BIG,
  Channel,
  FakeQueries,
  MOMENT,
  queryView,
  ROWS,
} from '../../support/cached-queries.ts'
import { POLL } from '../../support/speeds.ts'
import { type TestApp, testApp } from '../../support/test-app.ts'
import { tokenFile } from '../../support/tokens.ts'

const ITEMS: readonly QueryItem[] = [
  { event: 'rows', rows: ROWS, asOf: MOMENT, cursor: 'one' },
  {
    event: 'change',
    op: 'u',
    key: '{"region_code":"north"}',
    before: ['"north"', '1'],
    after: ['"north"', BIG],
  },
  { event: 'change', op: 'c', key: '{"region_code":"x"}', before: undefined, after: ['"x"', 'null'] },
  { event: 'change', op: 'd', key: '{"region_code":"y"}', before: ['"y"', '1'], after: undefined },
  { event: 'commit', asOf: MOMENT, changes: 3, cursor: 'two' },
  { event: 'status', status: 'retrying', error: { code: 'database_unreachable', message: 'away' } },
  { event: 'status', status: 'running', error: undefined },
  { event: 'end', reason: 'deleted', cursor: 'two' },
]
const ROWS_TEXT = `[${ROWS.map((row) => `[${row.join(',')}]`).join(',')}]`
const MOMENT_TEXT = JSON.stringify(AS_OF)
const CHANGE = [
  `"op":"u","key":{"region_code":"north"},"before":{"region_code":"north","orders":1},"after":{"region_code":"north","orders":${BIG}}`,
  '"op":"c","key":{"region_code":"x"},"before":null,"after":{"region_code":"x","orders":null}',
  '"op":"d","key":{"region_code":"y"},"before":{"region_code":"y","orders":1},"after":null',
]
const AWAY = '"status":"retrying","error":{"code":"database_unreachable","message":"away"}'

const EVENTS = `retry: 1000

event: rows
id: one
data: {"rows":${ROWS_TEXT},"asOf":${MOMENT_TEXT}}

${CHANGE.map((change) => `event: change\ndata: {${change}}\n\n`).join('')}event: commit
id: two
data: {"asOf":${MOMENT_TEXT},"changes":3}

event: status
data: {${AWAY}}

event: status
data: {"status":"running","error":null}

event: end
data: {"reason":"deleted","cursor":"two"}

`
const LINES = `{"event":"rows","rows":${ROWS_TEXT},"asOf":${MOMENT_TEXT},"cursor":"one"}
${CHANGE.map((change) => `{"event":"change",${change}}\n`).join('')}{"event":"commit","asOf":${MOMENT_TEXT},"changes":3,"cursor":"two"}
{"event":"status",${AWAY}}
{"event":"status","status":"running","error":null}
{"event":"end","reason":"deleted","cursor":"two"}
`

const PATH = '/queries/2/changes'

function scripted(items: readonly QueryItem[]): FakeQueries {
  const queries = new FakeQueries()
  queries.items = async function* () {
    yield* items
  }
  return queries
}

test('the same items as events and as lines', async () => {
  const app = await testApp({ apis: apisWithQueries(scripted(ITEMS)) })
  const forms = [
    [undefined, 'text/event-stream', EVENTS],
    ['*/*', 'text/event-stream', EVENTS],
    ['text/event-stream', 'text/event-stream', EVENTS],
    ['application/x-ndjson', 'application/x-ndjson', LINES],
    ['application/x-ndjson, text/event-stream;q=0.5', 'application/x-ndjson', LINES],
  ] as const
  for (const [accept, type, text] of forms) {
    const headers: Record<string, string> = accept === undefined ? {} : { Accept: accept }
    const answer = await app.get(PATH, { headers })
    expect(answer.text).toBe(text)
    expect(answer.headers).toMatchObject({
      ...{ 'content-type': type, 'x-accel-buffering': 'no', vary: 'Accept' },
      'cache-control': expect.stringContaining('no-store'),
    })
    expect(answer.headers['content-length']).toBeUndefined()
    const head = await app.request('HEAD', PATH, { headers })
    expect([head.status, head.text, head.headers['content-type']]).toEqual([200, '', type])
  }
  expect((await app.get(PATH, { headers: { Accept: 'application/json' } })).status).toBe(406)
  expect(app.reported).toEqual([])
})

test('where a client goes on', async () => {
  const queries = scripted(ITEMS.slice(-1))
  const app = await testApp({ apis: apisWithQueries(queries) })
  const asked = async (query: string, id?: string) => {
    queries.calls.length = 0
    await app.get(PATH + query, id === undefined ? {} : { headers: { 'Last-Event-ID': id } })
    return (queries.calls[0] as unknown[])[2]
  }
  expect(await asked('')).toEqual({})
  expect(await asked('?after=one')).toEqual({ after: 'one' })
  expect(await asked('', 'two')).toEqual({ after: 'two' })
  expect(await asked('?after=one', 'two')).toEqual({ after: 'two' })
  expect(await asked('?after=one', '')).toEqual({ after: 'one' })
})

test('a cursor that is none is refused, whether it is seen at once or by the first item', async () => {
  const queries = new FakeQueries()
  const app = await testApp({ apis: apisWithQueries(queries), limits: { maxFollowers: 1 } })
  const refusal = () => {
    throw new ServiceError('invalid_cursor', 'after is no cursor')
  }
  for (const items of [
    refusal,
    async function* (): AsyncGenerator<QueryItem> {
      refusal()
      yield* []
    },
  ]) {
    queries.items = items
    const answer = await app.get(`${PATH}?after=x`)
    expect([answer.status, answer.json()]).toEqual([
      400,
      { error: { code: 'invalid_request', message: 'after is no cursor' } },
    ])
  }
})

test('parameters that are none', async () => {
  const app = await testApp({ apis: apisWithQueries(new FakeQueries()) })
  const refused = [
    ...['1s', '61s', '5', '5m', 'x', '', '-5s'].map((text) => [
      `heartbeat=${text}`,
      `heartbeat is '${text}'; use 0, or a time from 5s to 60s`,
    ]),
    ['heartbeats=x', "heartbeats is 'x'; use comment or event"],
  ]
  for (const [query, message] of refused) {
    const answer = await app.get(`${PATH}?${query}`)
    expect([answer.status, answer.json()]).toEqual([400, { error: { code: 'invalid_request', message } }])
  }
})

/** An open answer, and what has arrived of it. */
interface Following {
  readonly answer: IncomingMessage
  text: string
  readonly ended: Promise<void>
}

async function follow(app: TestApp, path = PATH, headers: Record<string, string> = {}): Promise<Following> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port: app.port, path, headers, agent: false }, resolve)
    request.on('error', reject)
    onTestFinished(() => void request.destroy())
  })
  let ended = () => {}
  const following: Following = {
    answer,
    text: '',
    ended: new Promise((resolve) => (ended = resolve)),
  }
  answer.setEncoding('utf8')
  answer.on('data', (text: string) => (following.text += text))
  answer.on('close', ended)
  answer.on('error', () => {})
  return following
}

function withChannel(limits: Record<string, number> = {}, config = {}) {
  const channel = new Channel()
  const queries = new FakeQueries()
  queries.items = (request) => channel.items(request)
  return { channel, queries, start: () => testApp({ apis: apisWithQueries(queries), limits, config }) }
}

test('headers come at once, and each item as it is published', async () => {
  const { channel, start } = withChannel()
  const app = await start()
  const following = await follow(app)
  expect(following.answer.statusCode).toBe(200)
  channel.send(ITEMS[0]!)
  await expect.poll(() => following.text, POLL).toContain('event: rows\n')
  channel.send(ITEMS[4]!)
  await expect.poll(() => following.text, POLL).toContain('event: commit\nid: two\n')
  channel.send(ITEMS.at(-1)!)
  await following.ended
  expect(following.text.endsWith('event: end\ndata: {"reason":"deleted","cursor":"two"}\n\n')).toBe(true)
})

test('heartbeats while there is nothing to send, as comments, blank lines or events', async () => {
  const { channel, start } = withChannel({ idleSeconds: 1 }) // heartbeats are twice as frequent
  const app = await start()
  app.nowMs = 7_000
  const forms = [
    ['', {}, '\n\n:\n\n'],
    ['?heartbeats=event', {}, '\n\nevent: heartbeat\ndata: {"timestamp":7000,"cursor":null}\n\n'],
    ['', { Accept: 'application/x-ndjson' }, '\n'],
    [
      '?heartbeats=event',
      { Accept: 'application/x-ndjson' },
      '{"event":"heartbeat","timestamp":7000,"cursor":null}\n',
    ],
  ] as const
  const open = await Promise.all(forms.map(([query, headers]) => follow(app, PATH + query, { ...headers })))
  for (const [i, [, , text]] of forms.entries()) await expect.poll(() => open[i]!.text, POLL).toContain(text)
  const silent = await follow(app, `${PATH}?heartbeat=0`)
  await silent.ended // nothing moves on its connection
  expect(silent.text).toBe('retry: 1000\n\n')
  channel.end()
})

test('after the time of an answer it ends, and says from where to go on', async () => {
  const { channel, start } = withChannel({ maxReadSeconds: 1 })
  const app = await start()
  const following = await follow(app)
  channel.send(ITEMS[0]!)
  await following.ended
  expect(following.text.endsWith('event: end\ndata: {"reason":"lifetime","cursor":"one"}\n\n')).toBe(true)
  const resumed = await follow(app, `${PATH}?after=one`)
  await resumed.ended
  expect(resumed.text).toContain('{"reason":"lifetime","cursor":"one"}')
  const lifetimes = Array.from(
    { length: 20 },
    (() => {
      const spread = new Spread()
      return () => spread.near(1_000)
    })(),
  )
  expect(Math.min(...lifetimes)).toBeGreaterThan(900)
  expect(Math.max(...lifetimes)).toBeLessThanOrEqual(1_000)
  expect(new Set(lifetimes.map((one) => Math.round(one / 5))).size).toBeGreaterThan(15)
})

test('an answer ends when its token loses the grant', async () => {
  const tokens = await tokenFile([
    { name: 'reader', grants: ['default:env1-q2:read'] },
    { name: 'soon', grants: ['default:env1-*:read'], expiresMs: 2_000_000 },
  ])
  const { channel, start } = withChannel({}, { authFile: tokens.path })
  const app = await start()
  const stays = await follow(app, PATH, tokens.bearer('reader'))
  const following = await follow(app, PATH, tokens.bearer('soon'))
  channel.send(ITEMS[0]!)
  await expect.poll(() => stays.text + following.text, POLL).toContain('event: rows')
  app.nowMs = 2_000_000
  await following.ended
  expect(following.text).toContain('event: end\ndata: {"reason":"revoked","cursor":')
  expect(stays.answer.closed).toBe(false)
  expect((await app.get(PATH, { headers: tokens.bearer('soon') })).status).toBe(401)
})

test('places of followers are shared and given back', async () => {
  const { channel, queries, start } = withChannel({ maxFollowers: 1 })
  const app = await start()
  const first = await follow(app)
  const refused = await app.get(PATH)
  expect([refused.status, refused.headers['retry-after'], refused.json()]).toEqual([
    503,
    '1',
    { error: { code: 'overloaded', message: expect.any(String) } },
  ])
  first.answer.destroy()
  await expect.poll(async () => (await follow(app)).answer.statusCode, POLL).toBe(200)
  channel.end()
  expect(queries.queryList).toEqual([queryView()])
  expect(app.reported).toEqual([])
})

test('a client that does not read holds up nothing but its own items, and its disconnection ends them', async () => {
  const queries = new FakeQueries()
  let made = 0
  let isOver = false
  const big = JSON.stringify('x'.repeat(100_000))
  queries.items = async function* ({ signal }) {
    try {
      for (; !signal.aborted; made++)
        yield { event: 'rows', rows: [[big, '1']], asOf: MOMENT, cursor: 'c' } satisfies QueryItem
    } finally {
      isOver = true
    }
  }
  const app = await testApp({ apis: apisWithQueries(queries) })
  const answer = await new Promise<IncomingMessage>((resolve) => {
    get({ host: '127.0.0.1', port: app.port, path: PATH, agent: false }, resolve)
  })
  answer.on('error', () => {})
  let before = -1
  await expect
    .poll(
      () => {
        const isStill = made === before
        before = made
        return isStill
      },
      { ...POLL, interval: 200 },
    )
    .toBe(true)
  expect(made).toBeLessThan(1_000)
  answer.destroy()
  await expect.poll(() => isOver, POLL).toBe(true)
  expect(app.reported).toEqual([])
})

test('a result of 100,000 rows is one whole item', async () => {
  const rows = Array.from({ length: 100_000 }, (_, i) => [`"region ${i}"`, `${i}`])
  const app = await testApp({
    apis: apisWithQueries(
      scripted([
        { event: 'rows', rows, asOf: MOMENT, cursor: 'c' },
        { event: 'end', reason: 'shutdown', cursor: 'c' },
      ]),
    ),
  })
  const { text } = await app.get(PATH)
  const data = /\ndata: (.*)\n/.exec(text)![1]!
  expect((JSON.parse(data) as { rows: unknown[] }).rows).toHaveLength(100_000)
  expect(text.endsWith('{"reason":"shutdown","cursor":"c"}\n\n')).toBe(true)
})

test('a failure after the beginning closes the connection and is reported', async () => {
  const queries = new FakeQueries()
  queries.items = async function* () {
    yield ITEMS[0]!
    throw new Error('a bug')
  }
  const app = await testApp({ apis: apisWithQueries(queries) })
  await expect(app.get(PATH)).rejects.toThrow()
  expect(app.reported).toEqual([new Error('a bug')])
})
