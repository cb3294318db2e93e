/** GETs of connections, queries and rows: whole answers, every form of rows, every digit, paging, tags, waiting, and DELETE. */
import { describe, expect, test } from 'vitest'
import type { RowsPage, RowsRequest } from '../../../src/cached-queries/query-service.ts'
import { CaptureError } from '../../../src/cdc/capture-service.ts'
import { ServiceError } from '../../../src/service-error.ts'
import {
  AS_OF,
  apisWithQueries,
  BIG,
  COLUMNS,
  connectionView,
  FakeQueries,
  JID,
  LSN,
  MOMENT,
  queryView,
  ROWS,
} from '../../support/cached-queries.ts'
import { RawConnection } from '../../support/raw-http.ts'
import { testApp } from '../../support/test-app.ts'

const PRESENT = {
  ...{ id: 2, name: 'env1-q2', status: 'running', connection: 1, stream: 'env1-q2', jobId: JID },
  ...{ columns: COLUMNS, primaryKey: ['region_code'], readUrl: '/queries/2/rows', sqlQuery: 'SELECT 1' },
  ...{ rows: 2, asOf: AS_OF, lastRefreshMs: 12, error: null },
}

async function appWith(change: (queries: FakeQueries) => void = () => {}) {
  const queries = new FakeQueries()
  change(queries)
  return { queries, app: await testApp({ apis: apisWithQueries(queries) }) }
}

test('connections and queries, each alone and in its list', async () => {
  const { app } = await appWith()
  const worker = { worker_id: `127.0.0.1:${app.port}`, version: expect.any(String) }
  const connection = {
    ...{ id: 1, name: 'env1', status: 'running' },
    connector: {
      ...{ name: 'env1', connector: { state: 'RUNNING', ...worker } },
      ...{ tasks: [{ id: 0, state: 'RUNNING', ...worker }], type: 'source' },
      ...{ lsn: '0/256E898', lagBytes: 0, lastCommitMs: MOMENT.timestampMs },
      ...{ snapshot: { done: true, tables: 2, rows: 100_000 }, reconnects: 0, error: null },
    },
    jobs: [{ job_id: JID, name: 'env1-q2', state: 'RUNNING' }],
    queries: [
      {
        ...{ id: 2, name: 'env1-q2', status: 'running', stream: 'env1-q2', rows: 2 },
        ...{ asOf: { lsn: '0/256E898', ts_ms: MOMENT.timestampMs }, error: null },
      },
    ],
  }
  const answers: readonly (readonly [string, object])[] = [
    ['/connections', { connections: [connection] }],
    ['/connections/1', connection],
    ['/queries', { queries: [PRESENT] }],
    ['/queries/2', PRESENT],
  ]
  for (const [path, body] of answers) {
    const answer = await app.get(path)
    expect([answer.status, answer.headers['content-type'], answer.json()], path).toEqual([
      200,
      'application/json',
      body,
    ])
    const head = await app.request('HEAD', path)
    expect([head.status, head.headers['content-type'], head.text]).toEqual([200, 'application/json', ''])
    expect((await app.get(path, { headers: { Accept: 'text/csv' } })).status).toBe(406)
  }
})

test.each(['/connections', '/connections/1', '/queries', '/queries/2'])(
  'asOf of %s is the newest moment',
  async (path) => {
    const { app } = await appWith((queries) => {
      queries.newest = { lsn: LSN + 8n, txId: 729, timestampMs: MOMENT.timestampMs }
    })
    expect((await app.get(path)).text).toContain('"asOf":{"lsn":"0/256E8A0",')
  },
)

test('what is not known yet is null, and a failure has its trace', async () => {
  const { app } = await appWith((queries) => {
    const unknown = { rows: undefined, asOf: undefined, lastRefreshMs: undefined }
    const error = { code: 'schema_mismatch', message: 'column amount was dropped' }
    queries.queryList = [queryView({ ...unknown, status: 'failed', error, primaryKey: [] })]
    queries.connectionList = [
      {
        connection: connectionView({
          ...{ status: 'failed', lsn: undefined, lagBytes: undefined, lastCommitMs: undefined },
          error: 'role app may not replicate; run ALTER ROLE app REPLICATION',
        }),
        jobs: [],
        queries: queries.queryList,
      },
    ]
  })
  expect((await app.get('/queries/2')).json()).toEqual({
    ...PRESENT,
    ...{ status: 'failed', primaryKey: [], rows: null, asOf: null, lastRefreshMs: null },
    error: { code: 'schema_mismatch', message: 'column amount was dropped' },
  })
  const trace = 'role app may not replicate; run ALTER ROLE app REPLICATION'
  expect((await app.get('/connections/1')).json()).toMatchObject({
    status: 'failed',
    connector: {
      connector: { state: 'FAILED', trace },
      tasks: [{ id: 0, state: 'FAILED', trace }],
      ...{ lsn: null, lagBytes: null, lastCommitMs: null, error: trace },
    },
    queries: [{ rows: null, asOf: null, error: { code: 'schema_mismatch' } }],
  })
})

test('ids that are none, or of nothing', async () => {
  const { app } = await appWith()
  for (const id of ['3', '0', '02', '-1', '1e1', '2.0', 'x', '%00', '9'.repeat(30)]) {
    for (const [path, what] of [
      [`/connections/${id}`, 'connection'],
      [`/queries/${id}`, 'query'],
      [`/queries/${id}/rows`, 'query'],
      [`/queries/${id}/changes`, 'query'],
    ] as const) {
      const answer = await app.get(path)
      const named = decodeURIComponent(id).slice(0, 20)
      expect([answer.status, answer.json()], path).toEqual([
        404,
        { error: { code: 'not_found', message: `${what} ${named} does not exist` } },
      ])
    }
    expect((await app.delete(`/queries/${id}`)).status).toBe(404)
  }
  expect(app.reported).toEqual([])
})

test('DELETE of a query, with and without its stream', async () => {
  const { app, queries } = await appWith()
  for (const [query, purge] of [
    ['', false],
    ['?purge=false', false],
    ['?purge=true', true],
  ] as const) {
    const answer = await app.delete(`/queries/2${query}`)
    expect([answer.status, answer.text]).toEqual([200, '{"id":2,"name":"env1-q2","status":"deleted"}'])
    expect(queries.calls.splice(0)).toEqual([['deleteQuery', 2, { purge }]])
  }
  expect((await app.delete('/queries/2?purge=1')).json()).toEqual({
    error: { code: 'invalid_request', message: "purge is '1'; use true or false" },
  })
})

describe('rows', () => {
  const HEAD = `{"id":2,"name":"env1-q2","status":"running","columns":${JSON.stringify(COLUMNS)},"rows":`
  const TAIL = `,"asOf":${JSON.stringify(AS_OF)}}`
  const [, TEXT] = ROWS.map(([first]) => first)
  const ARRAYS = `[["north",${BIG}],[${TEXT},null],["",-1]]`
  const OBJECTS = [
    `{"region_code":"north","orders":${BIG}}`,
    `{"region_code":${TEXT},"orders":null}`,
    '{"region_code":"","orders":-1}',
  ]
  const LINES = OBJECTS.map((line) => `${line}\n`).join('')
  const CSV = `region_code,orders\r\nnorth,${BIG}\r\n"a ""quoted"", text\r\nof two lines",\r\n"",-1\r\n`
  const forms: readonly (readonly [string, string | undefined, string, string])[] = [
    ['', undefined, 'application/json', HEAD + ARRAYS + TAIL],
    ['?objects=false', '*/*', 'application/json', HEAD + ARRAYS + TAIL],
    ['?objects=true', 'application/json', 'application/json', `${HEAD}[${OBJECTS.join(',')}]${TAIL}`],
    ['', 'application/x-ndjson', 'application/x-ndjson', LINES],
    ['?objects=true', 'text/html;q=0.9, application/x-ndjson;q=0.5', 'application/x-ndjson', LINES],
    ['', 'text/csv', 'text/csv; charset=utf-8; header=present', CSV],
    ['', 'application/json;q=0.1, text/*', 'text/csv; charset=utf-8; header=present', CSV],
    ['', 'text/csv, application/json', 'application/json', HEAD + ARRAYS + TAIL],
  ]
  test.each(forms)('%s with Accept %s is %s', async (query, accept, type, text) => {
    const { app } = await appWith()
    const headers = accept === undefined ? {} : { Accept: accept }
    const answer = await app.get(`/queries/2/rows${query}`, { headers })
    expect(answer.text).toBe(text)
    const { etag, vary, link, 'content-type': contentType } = answer.headers
    expect([answer.status, contentType, etag, vary, link]).toEqual([
      200,
      type,
      '"0/256E898"',
      'Accept',
      undefined,
    ])
    const head = await app.request('HEAD', `/queries/2/rows${query}`, { headers })
    expect([head.status, head.text, head.headers.etag, head.headers['content-type']]).toEqual([
      200,
      '',
      '"0/256E898"',
      type,
    ])
    expect(app.reported).toEqual([])
  })

  test('what an Accept leaves no form for is 406', async () => {
    const { app } = await appWith()
    const answer = await app.get('/queries/2/rows', { headers: { Accept: 'text/html' } })
    expect([answer.status, answer.json()]).toEqual([
      406,
      {
        error: {
          code: 'not_acceptable',
          message: "Accept is 'text/html'; there is application/json, application/x-ndjson, text/csv",
        },
      },
    ])
  })

  test('without rows, and with one row without a key', async () => {
    const { app, queries } = await appWith()
    const query = queryView({ columns: [{ name: 'say "n"', type: 'bigint', nullable: false }] })
    const page = (rows: RowsPage['rows']) => async () =>
      ({ query, rows, total: rows.length, asOf: { ...MOMENT, txId: undefined }, next: undefined }) as RowsPage
    queries.page = page([])
    expect((await app.get('/queries/2/rows')).json()).toMatchObject({
      rows: [],
      asOf: { ...AS_OF, txId: null },
    })
    for (const [accept, text] of [
      ['text/csv', '"say ""n"""\r\n'],
      ['application/x-ndjson', ''],
    ] as const)
      expect((await app.get('/queries/2/rows', { headers: { Accept: accept } })).text).toBe(text)
    queries.page = page([['3']])
    expect((await app.get('/queries/2/rows?objects=true')).json()).toMatchObject({ rows: [{ 'say "n"': 3 }] })
  })

  test('a tag that the client has is 304', async () => {
    const { app } = await appWith()
    for (const tag of ['"0/256E898"', 'W/"0/256E898"', '"0/1", "0/256E898"', '*']) {
      const answer = await app.get('/queries/2/rows', { headers: { 'If-None-Match': tag } })
      expect([answer.status, answer.text, answer.headers.etag], tag).toEqual([304, '', '"0/256E898"'])
    }
    for (const tag of ['"0/256E899"', '0/256E898', ''])
      expect((await app.get('/queries/2/rows', { headers: { 'If-None-Match': tag } })).status, tag).toBe(200)
  })

  test('pages: defaults, the link to the next one, and what the service is asked', async () => {
    const { app, queries } = await appWith()
    const asked = async (query: string) => {
      queries.calls.length = 0
      const answer = await app.get(`/queries/2/rows${query}`)
      return [(queries.calls[0] as unknown[])[2], answer.headers.link]
    }
    expect(await asked('')).toEqual([{ limit: 10_000, offset: 0 }, undefined])
    queries.page = async ({ offset, limit }: RowsRequest) => ({
      ...{ query: queryView(), rows: ROWS, total: 9, asOf: MOMENT },
      next: { lsn: LSN, offset: offset + limit },
    })
    const next = (query: string) => `</queries/2/rows?${query}>; rel="next"`
    expect(await asked('?limit=3')).toEqual([{ limit: 3, offset: 0 }, next('limit=3&offset=3&lsn=0/256E898')])
    expect(await asked('?objects=true&limit=3&offset=3&lsn=0/256e898')).toEqual([
      { limit: 3, offset: 3, lsn: LSN },
      next('objects=true&limit=3&offset=6&lsn=0/256E898'),
    ])
    expect(await asked('?limit=100000&atLeast=FFFFFFFF/FFFFFFFF')).toEqual([
      { limit: 100_000, offset: 0, atLeast: 2n ** 64n - 1n },
      next('limit=100000&offset=100000&lsn=0/256E898'),
    ])
  })

  const invalid = [
    ...['0', '-1', '100001', '1.5', 'x', '', '%201'].map((limit) => [
      `limit=${limit}`,
      `limit is '${decodeURIComponent(limit)}'; use a whole number from 1 to 100000`,
    ]),
    ...['-1', 'x', '1e3', '9'.repeat(16)].map((offset) => [
      `offset=${offset}`,
      `offset is '${offset}'; use a whole number from 0 to 999999999999999`,
    ]),
    ...['0', '0/', '/1', '0/G', '000000001/0', 'now', ''].flatMap((lsn) =>
      ['lsn', 'atLeast'].map((name) => [
        `${name}=${lsn}`,
        `${name} is '${lsn}'; use a position as pg_current_wal_lsn() gives it, as in 0/16B3748`,
      ]),
    ),
    ['objects=1', "objects is '1'; use true or false"],
    ['lsn=0/1&atLeast=0/1', 'use lsn or atLeast, not both: lsn is of a page that was answered already'],
  ] as const
  test('parameters that are none', async () => {
    const { app, queries } = await appWith()
    for (const [query, message] of invalid) {
      const answer = await app.get(`/queries/2/rows?${query}`)
      expect([answer.status, answer.json()], query).toEqual([
        400,
        { error: { code: 'invalid_request', message } },
      ])
    }
    expect(queries.calls).toEqual([])
  })

  test('not ready, not yet, and a page that is not kept', async () => {
    const { app, queries } = await appWith()
    const refusals: readonly (readonly [Error, number, string, string | undefined])[] = [
      [new ServiceError('query_not_ready', 'm'), 503, 'not_ready', '1'],
      [new ServiceError('not_yet', 'm'), 504, 'not_yet', undefined],
      [new CaptureError('conflict', 'm'), 409, 'conflict', undefined],
    ]
    for (const [error, status, code, retryAfter] of refusals) {
      queries.page = async () => {
        throw error
      }
      const answer = await app.get('/queries/2/rows')
      expect([answer.status, answer.json(), answer.headers['retry-after']]).toEqual([
        status,
        { error: { code, message: 'm' } },
        retryAfter,
      ])
    }
  })

  test('a client that waits and disconnects ends the wait', async () => {
    const { app, queries } = await appWith()
    let aborted = () => {}
    const isAborted = new Promise<void>((resolve) => (aborted = resolve))
    let begun = () => {}
    const hasBegun = new Promise<void>((resolve) => (begun = resolve))
    queries.page = ({ signal }) => {
      begun()
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          aborted()
          reject(signal.reason as Error)
        })
      })
    }
    const connection = await RawConnection.open(app.port)
    connection.write('GET /queries/2/rows?atLeast=0/9 HTTP/1.1\r\nHost: x\r\n\r\n')
    await hasBegun
    connection.destroy()
    await isAborted
    expect(app.reported).toEqual([])
  })

  test('100,000 rows are sent whole', async () => {
    const { app, queries } = await appWith()
    const rows = Array.from({ length: 100_000 }, (_, i) => [`"region ${i}"`, `${BigInt(BIG) - BigInt(i)}`])
    queries.page = async () => ({
      query: queryView(),
      rows,
      total: rows.length,
      asOf: MOMENT,
      next: undefined,
    })
    const answer = await app.get('/queries/2/rows?limit=100000', { headers: { Accept: 'text/csv' } })
    const lines = answer.text.split('\r\n')
    expect([lines.length, lines[1], lines[100_000]]).toEqual([
      100_002,
      `region 0,${BIG}`,
      `region 99999,${BigInt(BIG) - 99_999n}`,
    ])
  })
})
