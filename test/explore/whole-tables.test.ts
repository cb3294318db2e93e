/** In whatever way a statement names columns, it sees those of the whole table, though only the columns it reads are decoded. */
import { expect, test } from 'vitest'
import { answered, ended, handleOf, rowsOf } from '../support/explore.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const HEADERS = '{"content.type":"text/plain"}'
const ROW = {
  ts: 1_000_000,
  headers: { 'content.type': 'text/plain' },
  id: 7,
  name: 'ann',
  city: 'Lyon',
  n: 3,
}

async function appWithPeople(): Promise<TestApp> {
  const app = await testApp({ streams: ['p'] })
  const fields = ['id:int', 'name:string', 'city:string', 'n:long'].map((field) => {
    const [name, type] = field.split(':')
    return { name, type }
  })
  const schema = { type: 'record', name: 'e', fields }
  await app.put(`${STREAMS}/p/properties`, { body: JSON.stringify({ format: { name: 'csv', schema } }) })
  await add(app, '7,ann,Lyon,3')
  return app
}

async function add(app: TestApp, body: string): Promise<void> {
  const sent = await app.post(`${STREAMS}/p/batch`, { headers: { 'Content-Type': 'text/plain' }, body })
  expect(sent.status).toBe(200)
}

/** Columns as `name TYPE`, and the only row. */
const STATEMENTS: readonly (readonly [sql: string, columns: readonly string[], row: readonly unknown[]])[] = [
  ['SELECT #3, name, city FROM stream_p', ['id INT', 'name STRING', 'city STRING'], [7, 'ann', 'Lyon']],
  ['SELECT #6, #1 FROM stream_p', ['n BIGINT', 'ts BIGINT'], [3, 1_000_000]],
  ['SELECT max(#4) FROM stream_p', ['_c0 STRING'], ['ann']],
  [
    'SELECT main.stream_p FROM stream_p',
    ['stream_p struct<ts:bigint,headers:map<string,string>,id:int,name:string,city:string,n:bigint>'],
    [JSON.stringify(ROW)],
  ],
  ['SELECT to_json(main.stream_p) AS j FROM stream_p', ['j STRING'], [JSON.stringify(ROW)]],
  ['SELECT temp.main.stream_p.city FROM stream_p', ['city STRING'], ['Lyon']],
  ['SELECT p.city FROM stream_p p', ['city STRING'], ['Lyon']],
  ['SELECT (p).n FROM stream_p p', ['_c0 BIGINT'], [3]],
  ["SELECT struct_extract(p, 'city') AS c FROM stream_p AS p", ['c STRING'], ['Lyon']],
  ["SELECT (main.stream_p)['n'] AS n FROM stream_p", ['n BIGINT'], [3]],
  ["SELECT COLUMNS('^n') FROM stream_p", ['name STRING', 'n BIGINT'], ['ann', 3]],
  ["SELECT COLUMNS(c -> c LIKE '%i%') FROM stream_p", ['id INT', 'city STRING'], [7, 'Lyon']],
  ["SELECT COLUMNS(['ID']) FROM stream_p", ['id INT'], [7]],
  ["SELECT * LIKE 'n%' FROM stream_p", ['name STRING', 'n BIGINT'], ['ann', 3]],
  ['SELECT * EXCLUDE (ts, headers, city, n) FROM stream_p', ['id INT', 'name STRING'], [7, 'ann']],
  [
    'SELECT * EXCLUDE (ts, headers) REPLACE (n + 1 AS id) FROM stream_p',
    ['id BIGINT', 'name STRING', 'city STRING', 'n BIGINT'],
    [4, 'ann', 'Lyon', 3],
  ],
  [
    'SELECT * EXCLUDE (ts, headers, id, n) RENAME (city AS town) FROM stream_p',
    ['name STRING', 'town STRING'],
    ['ann', 'Lyon'],
  ],
  ['SELECT d FROM stream_p t(a, b, c, d)', ['d STRING'], ['ann']],
  ['SELECT ts FROM stream_p AS t(x, y, ts)', ['ts INT'], [7]],
  ['SELECT d, city FROM (FROM stream_p) t(a, b, c, d)', ['d STRING', 'city STRING'], ['ann', 'Lyon']],
  ['WITH w(a, b, c) AS (SELECT * FROM stream_p) SELECT c FROM w', ['c INT'], [7]],
  ['WITH stream_p AS (SELECT city FROM stream_p) FROM stream_p', ['city STRING'], ['Lyon']],
  ['SELECT #1 FROM (SELECT city, * FROM stream_p)', ['city STRING'], ['Lyon']],
  ['FROM stream_p SELECT CITY', ['city STRING'], ['Lyon']],
  ['SELECT "City", `NAME` FROM STREAM_P', ['city STRING', 'name STRING'], ['Lyon', 'ann']],
  ['SELECT b.city FROM stream_p a JOIN stream_p b USING (id)', ['city STRING'], ['Lyon']],
  ['SELECT #3 FROM stream_p a NATURAL JOIN stream_p b', ['id INT'], [7]],
  ['SELECT #9 FROM stream_p a, stream_p b', ['id INT'], [7]],
  ['SELECT #7 FROM stream_p a JOIN stream_p b USING (id)', ['ts BIGINT'], [1_000_000]],
  ['SELECT l.c FROM stream_p, LATERAL (SELECT city || name AS c) l', ['c STRING'], ['Lyonann']],
  ['SELECT (SELECT s.city FROM stream_p s WHERE s.id = o.id) AS c FROM stream_p o', ['c STRING'], ['Lyon']],
  ['SELECT 1 AS one FROM stream_p WHERE EXISTS (SELECT * FROM stream_p)', ['one INT'], [1]],
  ['SELECT count(*) AS c FROM (SELECT DISTINCT * FROM stream_p)', ['c BIGINT'], [1]],
  ['SELECT id AS city, city AS id FROM stream_p', ['city INT', 'id STRING'], [7, 'Lyon']],
  ['SELECT id, id FROM stream_p', ['id INT', 'id INT'], [7, 7]],
  [
    "SELECT 1 AS x, count(*) AS c FROM stream_p GROUP BY ALL HAVING max(city) = 'Lyon'",
    ['x INT', 'c BIGINT'],
    [1, 1],
  ],
  ['SELECT id FROM stream_p QUALIFY row_number() OVER (ORDER BY city) = 1', ['id INT'], [7]],
  ['SELECT first(name) OVER w AS f FROM stream_p WINDOW w AS (PARTITION BY city)', ['f STRING'], ['ann']],
  ['SELECT v FROM (UNPIVOT stream_p ON city INTO NAME k VALUE v)', ['v STRING'], ['Lyon']],
  [
    "SELECT id, Lyon FROM (PIVOT stream_p ON city IN ('Lyon') USING max(n))",
    ['id INT', 'Lyon BIGINT'],
    [7, 3],
  ],
  ['SELECT headers FROM stream_p', ['headers map<string,string>'], [HEADERS]],
]

test('columns are those of the whole table, by position and by name', async () => {
  const app = await appWithPeople()
  for (const [sql, columns, row] of STATEMENTS) {
    await app.post(`${STREAMS}/p/truncate`) // nothing is decoded yet
    await add(app, '7,ann,Lyon,3')
    const answer = await answered(app, sql)
    expect([answer.columns, answer.rows], sql).toEqual([columns, [row]])
    expect(await rowsOf(app, sql), `${sql}, with decoded columns`).toEqual([row])
  }
  expect(app.reported).toEqual([])
})

test('a statement is planned again after the format of its table has changed', async () => {
  const app = await appWithPeople()
  const sql = 'SELECT #3 FROM stream_p'
  expect((await answered(app, sql)).columns).toEqual(['id INT'])
  for (const [type, value] of [
    ['string', '7'],
    ['int', 7],
  ] as const) {
    const schema = { type: 'record', name: 'e', fields: [{ name: 'key', type }] }
    await app.put(`${STREAMS}/p/properties`, { body: JSON.stringify({ format: { name: 'csv', schema } }) })
    expect((await answered(app, sql)).rows).toEqual([[value]])
  }
})

test('errors in columns that are not read do not count, and those in columns that are read do', async () => {
  const app = await appWithPeople()
  await add(app, 'x,bob,Bern,y')
  for (const [sql, badEvents] of [
    ['SELECT name FROM stream_p', undefined],
    ['SELECT count(*) FROM stream_p', undefined],
    ['SELECT 1 FROM stream_p WHERE EXISTS (SELECT id FROM stream_p)', undefined],
    ['SELECT name AS id FROM stream_p', undefined],
    ["SELECT 'id', name FROM stream_p", undefined],
    ['SELECT #3 FROM stream_p', 1],
    ['SELECT count(id) FROM stream_p', 1],
    ['SELECT name FROM stream_p ORDER BY n', 1],
    ['SELECT p FROM stream_p p', 1],
  ] as const) {
    const state = await ended(app, await handleOf(app, sql))
    expect([state.status, state.badEvents], sql).toEqual(['FINISHED', badEvents])
  }
})

test('a limit and a time range leave out no event that can influence the answer', async () => {
  const app = await appWithPeople()
  await add(app, '8,bob,Bern,4\n9,zoe,Rome,5')
  app.nowMs = 2_000_000
  await add(app, '10,eve,Oslo,6')
  for (const [sql, rows] of [
    [
      'SELECT * EXCLUDE (ts, headers) REPLACE (count(*) OVER () AS n) FROM stream_p LIMIT 1',
      [[7, 'ann', 'Lyon', 4]],
    ],
    [
      'SELECT * EXCLUDE (ts, headers) REPLACE (max(id) OVER () AS id) FROM stream_p LIMIT 1',
      [[10, 'ann', 'Lyon', 3]],
    ],
    ["SELECT COLUMNS('^id$') FROM stream_p LIMIT 2", [[7], [8]]],
    ['SELECT * EXCLUDE (ts, headers, name, city) FROM stream_p LIMIT 1', [[7, 3]]],
    ['SELECT count(*) FROM (SELECT * FROM stream_p WHERE ts >= 2000000 USING SAMPLE 4 ROWS)', [[1]]],
    ['SELECT count(*) FROM stream_p t(x, ts) WHERE x < 2000000', [[3]]],
    ['SELECT id AS ts FROM stream_p WHERE ts >= 2000000', [[10]]],
  ] as const) {
    expect(await rowsOf(app, sql), sql).toEqual(rows)
  }
})
