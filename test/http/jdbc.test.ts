/** What CDAP's JDBC driver asks about the database, as its client sends it. */
import { describe, expect, test } from 'vitest'
import { answerOf, empty, json, plain } from '../support/answer.ts'
import { QUERIES } from '../support/explore.ts'
import { type RequestOptions, STREAMS, type TestApp, testApp } from '../support/test-app.ts'
import { tokenFile } from '../support/tokens.ts'

const J = '/v3/data/explore/jdbc'
const of = (schema: string, what: string) => `/v3/namespaces/${schema}/data/explore/jdbc/${what}`

async function appWithTables(options: Parameters<typeof testApp>[0] = {}, headers: RequestOptions = {}) {
  const app = await testApp(options)
  await app.put('/v3/namespaces/shop', headers)
  for (const path of [`${STREAMS}/logs`, `${STREAMS}/Log-2`, '/v3/namespaces/shop/streams/orders'])
    await app.put(path, headers)
  const schema = {
    type: 'record',
    name: 'r',
    fields: [
      { name: 'id', type: 'long' },
      { name: 'Price', type: ['double', 'null'] },
      { name: 'tags', type: { type: 'array', items: 'string' } },
    ],
  }
  await app.put(`${STREAMS}/logs/properties`, {
    ...headers,
    body: JSON.stringify({ format: { name: 'csv', schema } }),
  })
  return app
}

/** Columns as `NAME TYPE`, and rows. */
async function asked(app: TestApp, path: string, body?: unknown, options: RequestOptions = {}) {
  const given = body === undefined ? options : { ...options, body: JSON.stringify(body) }
  const answer = await app.post(path, given)
  expect(answer.status, answer.text).toBe(200)
  const { handle } = answer.json() as { handle: string }
  const status = (await app.get(`${QUERIES}/${handle}/status`, options)).json()
  expect(status).toEqual({ status: 'FINISHED', hasResults: true })
  const schema = (await app.get(`${QUERIES}/${handle}/schema`, options)).json() as {
    name: string
    type: string
  }[]
  const page = (await app.post(`${QUERIES}/${handle}/next`, { ...options, body: '{"size":1000}' })).json()
  expect((await app.post(`${QUERIES}/${handle}/next`, options)).json()).toEqual([])
  expect((await app.delete(`${QUERIES}/${handle}`, options)).status).toBe(200)
  return {
    columns: schema.map(({ name, type }) => `${name} ${type}`),
    rows: (page as { columns: unknown[] }[]).map(({ columns }) => columns),
  }
}

describe('questions without a schema', () => {
  test('catalogs: there are none', async () => {
    const app = await testApp()
    expect(await asked(app, `${J}/catalogs`)).toEqual({ columns: ['TABLE_CAT STRING'], rows: [] })
  })

  test('types of tables', async () => {
    const app = await testApp()
    expect(await asked(app, `${J}/tableTypes`)).toEqual({
      columns: ['TABLE_TYPE STRING'],
      rows: [['TABLE'], ['VIEW']],
    })
  })

  test('types of columns', async () => {
    const app = await testApp()
    const { columns, rows } = await asked(app, `${J}/types`)
    expect(columns).toHaveLength(18)
    expect(columns.slice(0, 3)).toEqual(['TYPE_NAME STRING', 'DATA_TYPE INT', 'PRECISION INT'])
    const row = (name: string) => rows.find(([type]) => type === name)
    const none = [null, null, null]
    expect(row('BIGINT')).toEqual([
      'BIGINT',
      -5,
      19,
      ...none,
      1,
      false,
      3,
      false,
      false,
      false,
      null,
      0,
      0,
      null,
      null,
      10,
    ])
    expect(row('STRING')).toEqual([
      'STRING',
      12,
      null,
      ...none,
      1,
      true,
      3,
      true,
      false,
      false,
      null,
      0,
      0,
      ...none,
    ])
    expect(row('MAP')?.slice(0, 9)).toEqual(['MAP', 2000, null, null, null, null, 1, false, 0])
  })

  test.each([
    { type: 'DBMS_NAME', answer: '{"stringValue":"CDAP","shortValue":0,"intValue":0,"longValue":0}' },
    { type: 'DBMS_VER', answer: '{"stringValue":"2.4.0","shortValue":0,"intValue":0,"longValue":0}' },
    { type: 'SERVER_NAME', answer: '{"stringValue":"Hive","shortValue":0,"intValue":0,"longValue":0}' },
    { type: 'MAX_TABLE_NAME_LEN', answer: '{"shortValue":0,"intValue":128,"longValue":0}' },
  ])('info $type', async ({ type, answer }) => {
    const app = await testApp()
    expect(answerOf(await app.get(`${J}/info/${type}`))).toEqual(json(answer))
  })

  test('an unknown info', async () => {
    const app = await testApp()
    expect(answerOf(await app.get(`${J}/info/NOPE`))).toEqual(
      plain(400, '[SQLState HY000] Unrecognized GetInfoType value: NOPE'),
    )
  })
})

const SCHEMAS = ['TABLE_SCHEM STRING', 'TABLE_CATALOG STRING']
const schemas = [
  { path: 'null', body: {}, rows: ['default', 'shop'] },
  { path: 'null', body: undefined, rows: ['default', 'shop'] },
  { path: 'default', body: undefined, rows: ['default'] },
  { path: 'null', body: { schemaPattern: '%' }, rows: ['default', 'shop'] },
  { path: '%', body: { schemaPattern: '%' }, rows: ['default', 'shop'] },
  { path: 's%', body: { schemaPattern: 's%' }, rows: ['shop'] },
  { path: 'sh_p', body: { catalog: null, schemaPattern: 'sh_p' }, rows: ['shop'] },
  { path: 'null', body: { schemaPattern: 'sh\\_p' }, rows: [] },
  { path: 'nope', body: { schemaPattern: 'nope' }, rows: [] },
]
test.each(schemas)('schemas for $path and $body', async ({ path, body, rows }) => {
  const app = await appWithTables()
  expect(await asked(app, of(path, 'schemas'), body)).toEqual({
    columns: SCHEMAS,
    rows: rows.map((name) => [name, '']),
  })
})

const tables = [
  { path: 'null', body: { tableNamePattern: '%' }, names: ['stream_log_2', 'stream_logs', 'stream_orders'] },
  { path: 'null', body: undefined, names: ['stream_log_2', 'stream_logs', 'stream_orders'] },
  { path: 'default', body: undefined, names: ['stream_log_2', 'stream_logs'] },
  {
    path: 'default',
    body: { schemaPattern: 'default', tableNamePattern: 'stream_logs' },
    names: ['stream_logs'],
  },
  { path: 'default', body: { tableNamePattern: 'STREAM\\_LOG_' }, names: ['stream_logs'] },
  { path: 'default', body: { tableNamePattern: '%LOG%2' }, names: ['stream_log_2'] },
  { path: 'default', body: { tableNamePattern: 'stream.logs' }, names: [] },
  {
    path: 'default',
    body: { tableNamePattern: 'stream_logs', tableTypes: ['TABLE', 'VIEW'] },
    names: ['stream_logs'],
  },
  { path: 'default', body: { tableNamePattern: '%', tableTypes: ['VIEW'] }, names: [] },
  { path: 'shop', body: { schemaPattern: 'shop', tableNamePattern: '' }, names: ['stream_orders'] },
]
test.each(tables)('tables for $path and $body', async ({ path, body, names }) => {
  const app = await appWithTables()
  const schemaOf = (name: string) => (name === 'stream_orders' ? 'shop' : 'default')
  expect(await asked(app, of(path, 'tables'), body)).toEqual({
    columns: [
      'TABLE_CAT STRING',
      'TABLE_SCHEM STRING',
      'TABLE_NAME STRING',
      'TABLE_TYPE STRING',
      'REMARKS STRING',
    ],
    rows: names.map((name) => ['', schemaOf(name), name, 'TABLE', 'CDAP Stream']),
  })
})

test('columns, with types and digits', async () => {
  const app = await appWithTables()
  const { columns, rows } = await asked(app, of('default', 'columns'), {
    schemaPattern: 'default',
    tableNamePattern: 'stream_logs',
    columnNamePattern: '%',
  })
  expect(columns).toHaveLength(23)
  const no = (count: number) => new Array(count).fill(null)
  const row = (name: string, type: readonly unknown[], position: number) => [
    null,
    'default',
    'stream_logs',
    name,
    ...type,
    1,
    'from deserializer',
    ...no(4),
    position,
    'YES',
    ...no(4),
    'NO',
  ]
  expect(rows).toEqual([
    row('ts', [-5, 'BIGINT', 19, null, 0, 10], 1),
    row('headers', [2000, 'map<string,string>', ...no(4)], 2),
    row('id', [-5, 'BIGINT', 19, null, 0, 10], 3),
    row('Price', [8, 'DOUBLE', 15, null, 15, 2], 4),
    row('tags', [2003, 'array<string>', ...no(4)], 5),
  ])
  const some = await asked(app, of('null', 'columns'), { tableNamePattern: '%', columnNamePattern: 'PR%' })
  expect(some.rows.map(([, , , name, ...rest]) => [name, rest[12]])).toEqual([['Price', 4]])
})

test('functions', async () => {
  const app = await testApp()
  const { columns, rows } = await asked(app, of('null', 'functions'), { functionNamePattern: 'SU%' })
  expect(columns).toEqual([
    'FUNCTION_CAT STRING',
    'FUNCTION_SCHEM STRING',
    'FUNCTION_NAME STRING',
    'REMARKS STRING',
    'FUNCTION_TYPE INT',
    'SPECIFIC_NAME STRING',
  ])
  expect(rows).toEqual(['substr', 'substring', 'sum'].map((name) => [null, null, name, '', 1, name]))
  const all = (await asked(app, of('null', 'functions'))).rows
  for (const [, , name] of all) {
    const call = `${name}(1, 2, 3, 4, 5, 6, 7)`
    const texts = []
    for (const query of [`SELECT ${call}`, `SELECT ${call} OVER ()`]) {
      const body = JSON.stringify({ query })
      texts.push((await app.post('/v3/namespaces/default/data/explore/queries', { body })).text)
    }
    expect(
      texts.every((text) => /does not exist/.test(text)),
      String(name),
    ).toBe(false)
  }
})

test.each([
  { body: '[', text: /^the body is not JSON: / },
  { body: '[1]', text: /^the body is not a JSON object$/ },
  { body: '{"tableNamePattern":{}}', text: /^tableNamePattern is not a text$/ },
  { body: '{"tableTypes":"TABLE"}', text: /^tableTypes is not a list of at most 100 texts$/ },
])('the body $body is refused', async ({ body, text }) => {
  const app = await testApp()
  const answer = await app.post(of('default', 'tables'), { body })
  expect(answer.status).toBe(400)
  expect(answer.text).toMatch(text)
})

test('a pattern that takes long is none', async () => {
  const app = await appWithTables()
  const since = performance.now()
  const tableNamePattern = `${'%a'.repeat(20_000)}b`
  expect((await asked(app, of('null', 'tables'), { tableNamePattern })).rows).toEqual([])
  expect(performance.now() - since).toBeLessThan(2_000)
})

test('a token sees what its grants include, and only its own questions', async () => {
  const tokens = await tokenFile([
    { name: 'root' },
    { name: 'one', grants: ['default:logs:write'] },
    { name: 'none', grants: ['other:*:read'] },
  ])
  const root = { headers: tokens.bearer('root') }
  const app = await appWithTables({ config: { authFile: tokens.path } }, root)
  const one = { headers: tokens.bearer('one') }
  const none = { headers: tokens.bearer('none') }
  const namesOf = async (what: string, at: number, schema: string, options: RequestOptions) => [
    ...new Set((await asked(app, of(schema, what), undefined, options)).rows.map((row) => row[at])),
  ]
  for (const schema of ['null', '%']) {
    expect(await namesOf('schemas', 0, schema, one)).toEqual(['default'])
    expect(await namesOf('tables', 2, schema, one)).toEqual(['stream_logs'])
    expect(await namesOf('columns', 2, schema, one)).toEqual(['stream_logs'])
    expect(await namesOf('tables', 2, schema, none)).toEqual([])
    expect(await namesOf('tables', 2, schema, root)).toEqual(['stream_log_2', 'stream_logs', 'stream_orders'])
  }
  expect(await namesOf('schemas', 0, 'shop', one)).toEqual(await namesOf('schemas', 0, 'missing', one))
  expect(await namesOf('tables', 2, 'shop', one)).toEqual([])
  const { handle } = (await app.post(of('null', 'tables'), root)).json() as { handle: string }
  expect(answerOf(await app.post(`${QUERIES}/${handle}/next`, one))).toEqual(empty(404))
})
