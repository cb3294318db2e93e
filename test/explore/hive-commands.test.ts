import { expect, test } from 'vitest'
import { answered, DEFAULT_QUERIES, rowsOf, submit } from '../support/explore.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const APP = { streams: ['Web-Logs', 'web', 'sales', 'x'] }

async function appWithView(): Promise<TestApp> {
  const app = await testApp(APP)
  await app.put(`${STREAMS}/x/views/raw`, { body: '{"format":{"name":"text"},"tableName":"lines"}' })
  await app.put('/v3/namespaces/other')
  await app.put('/v3/namespaces/zoo')
  return app
}

const LISTS: readonly (readonly [statement: string, names: readonly string[]])[] = [
  ['SHOW TABLES', ['lines', 'stream_sales', 'stream_web', 'stream_web_logs', 'stream_x']],
  ['show tables;', ['lines', 'stream_sales', 'stream_web', 'stream_web_logs', 'stream_x']],
  ["SHOW TABLES LIKE 'stream*'", ['stream_sales', 'stream_web', 'stream_web_logs', 'stream_x']],
  ["SHOW TABLES 'STREAM_W*';", ['stream_web', 'stream_web_logs']],
  ['SHOW TABLES LIKE "*_web"', ['stream_web']],
  ["SHOW TABLES LIKE '*w*b*'", ['stream_web', 'stream_web_logs']],
  ["SHOW TABLES LIKE '*web*logs*'", ['stream_web_logs']],
  ["SHOW TABLES LIKE 'lines|stream_x'", ['lines', 'stream_x']],
  ["SHOW TABLES LIKE 'lines | *sal*'", ['lines', 'stream_sales']],
  ['SHOW TABLES LIKE lines', ['lines']],
  ["SHOW TABLES LIKE 'stream'", []],
  ["SHOW TABLES LIKE ''", []],
  ["SHOW TABLES LIKE 'lines%'", []],
  ["SHOW TABLES LIKE 'line.'", []],
  ["SHOW TABLES LIKE '*stream_x*stream_x*'", []],
  ["SHOW TABLES IN default LIKE 'l*'", ['lines']],
  ['SHOW TABLES FROM `default`', ['lines', 'stream_sales', 'stream_web', 'stream_web_logs', 'stream_x']],
  ["SHOW /* all */ TABLES -- it's\n LIKE 'l*'", ['lines']],
  ['SHOW DATABASES', ['default', 'other', 'zoo']],
  ['show schemas', ['default', 'other', 'zoo']],
  ["SHOW DATABASES LIKE '*o*'", ['other', 'zoo']],
  ["SHOW SCHEMAS LIKE 'd*|z*'", ['default', 'zoo']],
  ['SHOW COLUMNS FROM stream_x', ['ts', 'headers', 'body']],
  ['SHOW COLUMNS IN Stream_X IN default', ['ts', 'headers', 'body']],
  ['SHOW COLUMNS IN `lines`', ['ts', 'headers', 'body']],
]

test('lists in the forms of Hive', async () => {
  const app = await appWithView()
  for (const [statement, names] of LISTS) {
    expect(await rowsOf(app, statement), statement).toEqual(names.map((name) => [name]))
  }
  expect((await answered(app, "SHOW TABLES LIKE 'l*'")).columns).toEqual(['tab_name STRING'])
  expect((await answered(app, 'SHOW DATABASES')).columns).toEqual(['database_name STRING'])
  expect((await answered(app, 'SHOW COLUMNS FROM lines')).columns).toEqual(['field STRING'])
})

test('DESCRIBE in the forms of Hive', async () => {
  const app = await appWithView()
  const columns = [
    ['ts', 'bigint', 'from deserializer'],
    ['headers', 'map<string,string>', 'from deserializer'],
    ['body', 'string', 'from deserializer'],
  ]
  for (const statement of [
    'DESCRIBE stream_x',
    'DESC stream_x',
    'describe extended Stream_X;',
    'DESCRIBE FORMATTED `stream_x`',
    'DESC EXTENDED lines',
  ]) {
    const answer = await answered(app, statement)
    expect(answer.rows, statement).toEqual(columns)
    expect(answer.columns).toEqual(['col_name STRING', 'data_type STRING', 'comment STRING'])
  }
  expect(await rowsOf(app, 'DESCRIBE stream_x Body')).toEqual([columns[2]])
  expect(await rowsOf(app, 'DESCRIBE FORMATTED stream_x ts')).toEqual([columns[0]])
  expect((await answered(app, 'DESCRIBE SELECT ts FROM stream_x')).rows[0]!.slice(0, 2)).toEqual([
    'ts',
    'BIGINT',
  ])
  expect((await answered(app, 'DESCRIBE FROM stream_x')).rows.length).toBe(3)
  await app.put(`${STREAMS}/x/views/e`, { body: '{"format":{"name":"text"},"tableName":"extended"}' })
  expect((await answered(app, 'DESCRIBE extended')).rows).toEqual(columns)
})

test.each([
  [
    'SHOW TABLES IN other',
    "a query is about the tables of its own namespace, which is default; submit one to namespace 'other'",
  ],
  ['SHOW COLUMNS FROM stream_x IN other', 'a query is about the tables of its own namespace'],
  ["SHOW TABLES LIKE 'a' 'b'", "Parser Error: there is ''b'' where the end of the statement is wanted"],
  ['SHOW TABLES LIKE', 'Parser Error: there is the end where a name is wanted'],
  ['SHOW TABLES LIKE *', "Parser Error: there is '*' where a name is wanted"],
  ['SHOW COLUMNS', 'Parser Error: there is the end where FROM and a table is wanted'],
  ['SHOW COLUMNS FROM nope', "[SQLState 42S02] Table not found 'nope'"],
  ['DESCRIBE EXTENDED nope', "[SQLState 42S02] Table not found 'nope'"],
  ['DESCRIBE stream_x nope', "[SQLState 42S22] Column not found 'nope' in table 'stream_x'"],
  [
    `SHOW TABLES LIKE '${'*a'.repeat(200)}'`,
    'the pattern has 400 characters, and the most it may have is 256',
  ],
  ['SHOW FUNCTIONS', "Table not found 'functions'"],
  ['SHOW ALL TABLES', 'SHOW __SHOW_TABLES_EXPANDED is not allowed'],
  ['EXPLAIN SHOW TABLES', 'SHOW TABLES is not allowed'],
])('%s is refused', async (statement, text) => {
  const app = await appWithView()
  const answer = await submit(app, statement)
  expect(answer.status, answer.text).toBe(400)
  expect(answer.text).toContain(text)
})

test('the namespace is that of the query', async () => {
  const app = await appWithView()
  await app.put('/v3/namespaces/other/streams/theirs')
  const query = JSON.stringify({ query: 'SHOW TABLES IN other' })
  const path = DEFAULT_QUERIES.replace('/default/', '/other/')
  const { handle } = (await app.post(path, { body: query })).json() as { handle: string }
  const rows = await app.post(`/v3/data/explore/queries/${handle}/next`)
  expect(rows.text).toBe('[{"columns":["stream_theirs"]}]')
})

const NAMES: readonly (readonly [list: string, names: readonly string[]])[] = [
  ['count(*)', ['_c0']],
  ['body, count(*), max(ts) AS m, 1', ['body', '_c1', 'm', '_c3']],
  ['s.*, length(body)', ['s.ts', 's.headers', 's.body', '_c1']],
  ['#3, ts + 1, headers["k"]', ['body', '_c1', '_c2']],
  ['x: ts, CASE WHEN true THEN 1 END, (SELECT 1)', ['x', '_c1', '_c2']],
  ['COLUMNS(*), 1', ['ts', 'headers', 'body', '_c1']],
  ['max(COLUMNS(* EXCLUDE headers)), count(*)', ['ts', 'body', '_c1']],
  ['* EXCLUDE (ts), 1', ['headers', 'body', '_c1']],
  ['COLUMNS(*), 1, * EXCLUDE (ts)', ['ts', 'headers', 'body', '1', 'headers', 'body']],
  ["unnest({'a': 1, 'b': 2})", ['a', 'b']],
]

test('columns are named as Hive names them', async () => {
  const app = await testApp({ streams: ['s'] })
  for (const [list, names] of NAMES) {
    const grouped = /body, count/.test(list) ? ' GROUP BY body' : ''
    const { columns } = await answered(app, `SELECT ${list} FROM stream_s s${grouped}`)
    expect(
      columns.map((column) => column.replace(/ [^ ]*$/, '')),
      list,
    ).toEqual(names)
  }
  expect((await answered(app, 'SELECT 1, 2 AS two UNION SELECT 3, 4')).columns).toEqual([
    '_c0 INT',
    'two INT',
  ])
  expect((await answered(app, 'SELECT "r".*, 1 FROM (SELECT 1 AS a) AS r')).columns[0]).toBe('a INT')
})
