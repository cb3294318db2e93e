import { describe, expect, test } from 'vitest'
import { answerOf, empty, json, plain } from '../support/answer.ts'
import { answered, DEFAULT_QUERIES, ended, handleOf, QUERIES, rowsOf, submit } from '../support/explore.ts'
import { STREAMS, type TestApp, testApp } from '../support/test-app.ts'

const TEXT = { 'Content-Type': 'text/plain' }
const field = (name: string, type: unknown) => ({ name, type })
const csv = (...fields: { name: string; type: unknown }[]) => ({
  name: 'csv',
  schema: { type: 'record', name: 'event', fields },
})
const SALES = csv(field('item', 'string'), field('price', ['double', 'null']), field('count', 'int'))

async function appWith(stream: string, format: unknown, body: string, nowMs = 1_000_000): Promise<TestApp> {
  const app = await testApp({ streams: [stream], nowMs })
  expect(
    (await app.put(`${STREAMS}/${stream}/properties`, { body: JSON.stringify({ format }) })).status,
  ).toBe(200)
  await add(app, stream, body)
  return app
}

async function add(app: TestApp, stream: string, body: string): Promise<void> {
  expect((await app.post(`${STREAMS}/${stream}/batch`, { headers: TEXT, body })).status).toBe(200)
}

describe('one query, from submit to close', () => {
  test('status, schema, rows in pages, preview, download, list', async () => {
    const app = await appWith('sales', SALES, 'apple,1.5,3\npear,,2\nplum,0.25,40')
    const handle = await handleOf(app, 'SELECT item, price, count FROM stream_sales ORDER BY item')
    expect(handle).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(await ended(app, handle)).toEqual({ status: 'FINISHED', hasResults: true })
    const q = `${QUERIES}/${handle}`
    expect(answerOf(await app.get(`${q}/schema`))).toEqual(
      json(
        '[{"name":"item","type":"STRING","position":1},{"name":"price","type":"DOUBLE","position":2},' +
          '{"name":"count","type":"INT","position":3}]',
      ),
    )
    expect(answerOf(await app.post(`${q}/preview`))).toEqual(
      json('[{"columns":["apple",1.5,3]},{"columns":["pear",null,2]},{"columns":["plum",0.25,40]}]'),
    )
    expect(answerOf(await app.post(`${q}/next`, { body: '{"size":"2"}' }))).toEqual(
      json('[{"columns":["apple",1.5,3]},{"columns":["pear",null,2]}]'),
    )
    expect(answerOf(await app.post(`${q}/next`))).toEqual(json('[{"columns":["plum",0.25,40]}]'))
    expect(answerOf(await app.post(`${q}/next`))).toEqual(json('[]'))
    const download = await app.post(`${q}/download`)
    expect([download.status, download.headers['content-type'], download.text]).toEqual([
      200,
      'text/csv; charset=utf-8',
      'item,price,count\n"apple",1.5,3\n"pear",null,2\n"plum",0.25,40\n',
    ])
    expect((await app.get(DEFAULT_QUERIES)).json()).toEqual([
      {
        timestamp: 1_000_000,
        statement: 'SELECT item, price, count FROM stream_sales ORDER BY item',
        status: 'FINISHED',
        query_handle: handle,
        has_results: true,
        is_active: true,
      },
    ])
    expect(app.reported).toEqual([])
  })

  test('a closed one has no rows any more', async () => {
    const app = await testApp({ streams: ['s'] })
    const handle = await handleOf(app, 'SELECT 1 AS one')
    await ended(app, handle)
    const q = `${QUERIES}/${handle}`
    expect(answerOf(await app.delete(q))).toEqual(empty(200))
    expect(answerOf(await app.get(`${q}/status`))).toEqual(json('{"status":"CLOSED","hasResults":false}'))
    expect(answerOf(await app.get(`${q}/schema`))).toEqual(json('[{"name":"one","type":"INT","position":1}]'))
    expect(answerOf(await app.post(`${q}/preview`))).toEqual(
      plain(409, 'Preview is unavailable for inactive queries.'),
    )
    expect(answerOf(await app.post(`${q}/download`))).toEqual(plain(409, 'Query is inactive'))
    expect(answerOf(await app.post(`${q}/next`))).toEqual(empty(404))
    expect(answerOf(await app.delete(q))).toEqual(empty(404))
  })

  test('an unknown one is 404 without a text', async () => {
    const app = await testApp({ streams: ['s'] })
    for (const handle of ['nope', '019a0000-0000-7000-8000-000000000000']) {
      for (const path of ['status', 'schema']) {
        expect(answerOf(await app.get(`${QUERIES}/${handle}/${path}`))).toEqual(empty(404))
      }
      for (const path of ['next', 'preview', 'download']) {
        expect(answerOf(await app.post(`${QUERIES}/${handle}/${path}`))).toEqual(empty(404))
      }
      expect(answerOf(await app.delete(`${QUERIES}/${handle}`))).toEqual(empty(404))
    }
  })

  test('NO_OP is always finished and has nothing', async () => {
    const app = await testApp()
    expect(answerOf(await app.get(`${QUERIES}/NO_OP/status`))).toEqual(
      json('{"status":"FINISHED","hasResults":false}'),
    )
    expect(answerOf(await app.post(`${QUERIES}/NO_OP/next`))).toEqual(json('[]'))
    expect(answerOf(await app.get(`${QUERIES}/NO_OP/schema`))).toEqual(json('[]'))
    expect(answerOf(await app.delete(`${QUERIES}/NO_OP`))).toEqual(empty(200))
  })

  test('a restart forgets it', async () => {
    const app = await testApp({ streams: ['s'], onDisk: true })
    const handle = await handleOf(app, 'SELECT 1')
    await ended(app, handle)
    await app.restart()
    expect(answerOf(await app.get(`${QUERIES}/${handle}/status`))).toEqual(empty(404))
    expect(await rowsOf(app, 'SELECT 1')).toEqual([[1]])
  })

  test('it expires when it is not used', async () => {
    const app = await testApp({ streams: ['s'], limits: { queryIdleSeconds: 60 } })
    const handle = await handleOf(app, 'SELECT 1')
    await ended(app, handle)
    app.nowMs += 60_000
    expect((await app.get(`${QUERIES}/${handle}/status`)).status).toBe(200)
    app.nowMs += 60_001
    expect(answerOf(await app.get(`${QUERIES}/${handle}/status`))).toEqual(empty(404))
  })

  test('so many may be open', async () => {
    const app = await testApp({ streams: ['s'], limits: { maxQueries: 2 } })
    const handles = [await handleOf(app, 'SELECT 1'), await handleOf(app, 'SELECT 2')]
    const refused = await submit(app, 'SELECT 3')
    expect(answerOf(refused)).toMatchObject(
      plain(503, '2 queries are open, which is as many as may be; close some, or wait until they expire'),
    )
    await ended(app, handles[0]!)
    await app.delete(`${QUERIES}/${handles[0]}`)
    expect((await submit(app, 'SELECT 3')).status).toBe(200)
    expect((await app.get(`${QUERIES}/${handles[0]}/status`)).text).toContain('CLOSED')
  })

  test('one that runs is cancelled by closing it, within a second', async () => {
    const app = await testApp({ streams: ['s'] })
    await rowsOf(app, 'SELECT 1')
    const handle = await handleOf(
      app,
      'SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range > b.range',
    )
    for (;;) {
      if ((await app.get(`${QUERIES}/${handle}/status`)).text.includes('RUNNING')) break
    }
    expect(answerOf(await app.get(`${QUERIES}/${handle}/schema`)).status).toBe(400)
    for (const rows of ['next', 'preview']) {
      expect(answerOf(await app.post(`${QUERIES}/${handle}/${rows}`))).toEqual(
        plain(400, 'the query is RUNNING; it has rows once it is FINISHED'),
      )
    }
    expect(answerOf(await app.post(`${QUERIES}/${handle}/download`))).toEqual(empty(409))
    const begun = performance.now()
    expect(answerOf(await app.delete(`${QUERIES}/${handle}`))).toEqual(empty(200))
    expect(await ended(app, handle)).toEqual({ status: 'CANCELED', hasResults: false })
    // Two run at a time: that others get their turn shows that it has really ended.
    await Promise.all([rowsOf(app, 'SELECT 1'), rowsOf(app, 'SELECT 2'), rowsOf(app, 'SELECT 3')])
    expect(performance.now() - begun).toBeLessThan(10_000)
    expect(app.reported).toEqual([])
  })
})

describe('lists', () => {
  test('the newest first, in pages both ways', async () => {
    const app = await testApp({ streams: ['s'] })
    for (const [i, ms] of [10, 20, 30, 40].entries()) {
      app.nowMs = 1_000_000 + ms
      await handleOf(app, `SELECT ${i}`)
    }
    const statements = async (query: string) =>
      ((await app.get(`${DEFAULT_QUERIES}${query}`)).json() as { statement: string }[]).map(
        ({ statement }) => statement,
      )
    expect(await statements('')).toEqual(['SELECT 3', 'SELECT 2', 'SELECT 1', 'SELECT 0'])
    expect(await statements('?limit=2')).toEqual(['SELECT 3', 'SELECT 2'])
    expect(await statements('?limit=2&offset=1000030&cursor=next')).toEqual(['SELECT 1', 'SELECT 0'])
    expect(await statements('?limit=2&offset=1000010&cursor=prev')).toEqual(['SELECT 2', 'SELECT 1'])
    expect(answerOf(await app.get(`${DEFAULT_QUERIES}/count`))).toEqual(json('{"count":4}'))
    await app.put('/v3/namespaces/other')
    expect(answerOf(await app.get('/v3/namespaces/other/data/explore/queries'))).toEqual(json('[]'))
  })

  test.each([
    ['limit=x', "limit is 'x'; use a whole number"],
    ['offset=-1', "offset is '-1'; use a whole number"],
    ['cursor=up', "cursor is 'up'; use next or prev"],
  ])('%s is refused', async (query, text) => {
    const app = await testApp()
    expect(answerOf(await app.get(`${DEFAULT_QUERIES}?${query}`))).toEqual(plain(400, text))
  })
})

const refused = [
  { body: '', text: 'there is no query; send {"query":"SELECT …"}' },
  { body: '{}', text: 'there is no query; send {"query":"SELECT …"}' },
  { body: '{"query":"SELECT 1","strict":"maybe"}', text: "strict is 'maybe'; use true or false" },
  { body: '{"query":{}}', text: 'the body is not an object of texts' },
  {
    body: '{"query":"SELECT *\\n  FROM FROM x"}',
    text: '[SQLState 42000] Parser Error: syntax error at or near "FROM", line 2, column 8',
  },
  { body: '{"query":"SELECT * FROM stream_nope"}', text: "[SQLState 42S02] Table not found 'stream_nope'" },
  {
    body: '{"query":"SELECT nope FROM stream_s"}',
    text:
      '[SQLState 42S22] Binder Error: Referenced column "nope" not found in FROM clause!\n' +
      'Candidate bindings: "body"\n\nLINE 1: SELECT nope FROM stream_s\n               ^',
  },
]
test.each(refused)('submit $body is 400 with a reason', async ({ body, text }) => {
  const app = await testApp({ streams: ['s'] })
  const answer = await app.post(DEFAULT_QUERIES, { body })
  expect([answer.status, answer.text]).toEqual([400, text])
})

test('a namespace that is missing is 404', async () => {
  const app = await testApp()
  const answer = await app.post('/v3/namespaces/nope/data/explore/queries', { body: '{"query":"SELECT 1"}' })
  expect(answerOf(answer)).toEqual(plain(404, "'namespace:nope' was not found."))
})

test('errors of the data are in the status', async () => {
  const app = await appWith('sales', SALES, 'apple,1.5,3')
  const state = await ended(app, await handleOf(app, 'SELECT item::INT FROM stream_sales'))
  expect(state).toMatchObject({ status: 'ERROR', hasResults: false, sqlState: '22000' })
  expect(state.errorMessage).toContain("Could not convert string 'apple' to INT32")
  expect(app.reported).toEqual([])
})

describe('columns', () => {
  test('a star names them with their table, a name does not', async () => {
    const app = await appWith('sales', SALES, 'apple,1.5,3')
    const star = await answered(app, 'SELECT * FROM stream_sales')
    expect(star.columns).toEqual([
      'stream_sales.ts BIGINT',
      'stream_sales.headers map<string,string>',
      'stream_sales.item STRING',
      'stream_sales.price DOUBLE',
      'stream_sales.count INT',
    ])
    expect(star.rows).toEqual([[1_000_000, '{"content.type":"text/plain"}', 'apple', 1.5, 3]])
    const named = await answered(app, 'SELECT s.item, count AS n, s.* FROM stream_sales s')
    expect(named.columns.slice(0, 3)).toEqual(['item STRING', 'n INT', 's.ts BIGINT'])
  })

  test('habits of Hive', async () => {
    const app = await testApp({ streams: ['Web-Logs'] })
    await app.post(`${STREAMS}/Web-Logs`, { headers: { 'Web-Logs.host': 'a1' }, body: 'x' })
    expect(await rowsOf(app, 'SELECT `body` FROM `stream_web_logs` WHERE headers["host"] = \'a1\';')).toEqual(
      [['x']],
    )
    expect(await rowsOf(app, 'SELECT Headers["nope"] FROM STREAM_Web_Logs')).toEqual([[null]])
    expect(await rowsOf(app, 'SHOW TABLES')).toEqual([['stream_web_logs']])
    expect((await answered(app, 'DESCRIBE stream_web_logs')).rows).toEqual([
      ['ts', 'bigint', 'from deserializer'],
      ['headers', 'map<string,string>', 'from deserializer'],
      ['body', 'string', 'from deserializer'],
    ])
  })

  test('types of every kind, and NULL', async () => {
    const schema = {
      type: 'record',
      name: 'all',
      fields: [
        field('b', 'boolean'),
        field('i', 'int'),
        field('l', 'long'),
        field('f', 'float'),
        field('d', 'double'),
        field('y', 'bytes'),
        field('s', ['string', 'null']),
        field('e', { type: 'enum', symbols: ['up', 'down'] }),
        field('a', { type: 'array', items: 'int' }),
        field('m', { type: 'map', keys: 'string', values: 'long' }),
        field('r', {
          type: 'record',
          name: 'inner',
          fields: [field('x', 'int'), field('y', ['string', 'null'])],
        }),
      ],
    }
    const line = (l: string, s: string) =>
      `{"b":true,"i":-7,"l":${l},"f":3.4028235E38,"d":1e300,"y":"a\\\\x00b","s":${s},"e":"up","a":[1,2],"m":{"k":5},"r":{"x":1,"y":"é"}}`
    const app = await appWith(
      'all',
      { name: 'json', schema },
      [line('9223372036854775807', '"a \\"long\\" text with é in it"'), line('-5', 'null')].join('\n'),
    )
    const { columns, rows } = await answered(app, 'SELECT * EXCLUDE (ts, headers) FROM stream_all')
    expect(columns).toEqual([
      'b BOOLEAN',
      'i INT',
      'l BIGINT',
      'f FLOAT',
      'd DOUBLE',
      'y BINARY',
      's STRING',
      'e STRING',
      'a array<int>',
      'm map<string,bigint>',
      'r struct<x:int,y:string>',
    ])
    const BINARY = [0x61, 0, 0x62] // as the clients of CDAP read it
    const rest = ['up', '[1,2]', '{"k":5}', '{"x":1,"y":"é"}']
    expect(rows).toEqual([
      [true, -7, 2 ** 63, 3.4028235e38, 1e300, BINARY, 'a "long" text with é in it', ...rest],
      [true, -7, -5, 3.4028235e38, 1e300, BINARY, null, ...rest],
    ])
    // The long is exact on the wire, and in the engine.
    const handle = await handleOf(app, "SELECT l, l - 1, m['k'], r.x, a[1] FROM stream_all WHERE l > 0")
    await ended(app, handle)
    expect((await app.post(`${QUERIES}/${handle}/next`)).text).toBe(
      '[{"columns":[9223372036854775807,9223372036854775806,5,1,1]}]',
    )
    expect(await rowsOf(app, 'SELECT count(*) FROM stream_all WHERE s IS NULL')).toEqual([[1]])
  })

  test('values within arrays, maps and structs are what they are by themselves', async () => {
    const nested = { type: 'record', name: 'in', fields: [field('b', 'bytes'), field('t', 'string')] }
    const schema = {
      type: 'record',
      name: 'all',
      fields: [
        field('b', 'bytes'),
        field('t', 'string'),
        field('bs', { type: 'array', items: 'bytes' }),
        field('ts_', { type: 'array', items: 'string' }),
        field('m', { type: 'map', keys: 'string', values: 'bytes' }),
        field('r', nested),
      ],
    }
    const bytes = '"\\u0000\\\\x\\u00ff"' // of the JSON: NUL, a backslash, x, 255
    const texts = ['"\\ud800"', '"\\\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"']
    const lines = texts.map(
      (text) =>
        `{"b":${bytes},"t":${text},"bs":[${bytes}],"ts_":[${text}],"m":{"k":${bytes}},"r":{"b":${bytes},"t":${text}}}`,
    )
    const app = await appWith('n', { name: 'json', schema }, lines.join('\n'))
    const same = "bs[1] = b AND m['k'] = b AND r.b = b AND ts_[1] = t AND r.t = t"
    expect(await rowsOf(app, `SELECT octet_length(bs[1]), ${same}, t FROM stream_n`)).toEqual([
      [4, true, '\ufffd'],
      [4, true, '\\ud800'],
      [4, true, '😀'],
      [4, true, '\0'],
    ])
    expect(await rowsOf(app, 'SELECT bs, m, r FROM stream_n LIMIT 1')).toEqual([
      [
        '["\\\\x00\\\\x5Cx\\\\xFF"]',
        '{"k":"\\\\x00\\\\x5Cx\\\\xFF"}',
        '{"b":"\\\\x00\\\\x5Cx\\\\xFF","t":"\ufffd"}',
      ],
    ])
  })

  test('bytes are numbers from -128 to 127, in quotes where cells have commas between them', async () => {
    const app = await appWith('raw', csv(field('y', 'bytes'), field('n', 'int')), '\\xFF\\x80\\x7Fa,5')
    const sql = "SELECT y, n, NULL::BLOB AS none, ''::BLOB AS empty FROM stream_raw"
    expect(await rowsOf(app, sql)).toEqual([[[-1, -128, 127, 97], 5, null, []]])
    const handle = await handleOf(app, sql)
    await ended(app, handle)
    const { text } = await app.post(`${QUERIES}/${handle}/download`)
    expect(text).toBe('y,n,none,empty\n"[-1,-128,127,97]",5,null,"[]"\n')
  })

  test('values of each chunk are its own', async () => {
    const count = 5_000 // more than two chunks of 2,048
    const lines = Array.from(
      { length: count },
      (_, i) => `${i},${i % 3 === 0 ? '' : `t${i}${'x'.repeat(i % 20)}`},${i % 2 === 0}`,
    )
    const schema = csv(field('n', 'long'), field('t', ['string', 'null']), field('b', 'boolean'))
    const app = await appWith('many', schema, lines.join('\n'))
    const { rows } = await answered(app, 'SELECT n, t, b FROM stream_many')
    expect(rows).toEqual(
      lines.map((_, i) => [i, i % 3 === 0 ? null : `t${i}${'x'.repeat(i % 20)}`, i % 2 === 0]),
    )
  })
})

describe('time', () => {
  test.each([
    ['ts >= 2000', [2, 3, 4]],
    ['ts > 2000', [3, 4]],
    ['ts < 2000', [1]],
    ['ts <= 2000', [1, 2]],
    ['ts = 3000', [3]],
    ['3000 >= ts AND ts > 1000', [2, 3]],
    ['ts BETWEEN 2000 AND 3000', [2, 3]],
    ['ts BETWEEN 2000 AND 3000 AND body <> 2', [3]],
    ['ts < 2000 OR ts > 3000', [1, 4]],
    ['NOT ts < 2000', [2, 3, 4]],
    ['ts < 1', []],
    ['ts > 9223372036854775806', []],
    ['ts > -5', [1, 2, 3, 4]],
    ['ts >= 1999.5', [2, 3, 4]],
  ] as const)('%s', async (condition, expected) => {
    const app = await testApp({ streams: ['s'] })
    await app.put(`${STREAMS}/s/properties`, {
      body: JSON.stringify({ format: csv(field('body', 'int')) }),
    })
    for (const i of [1, 2, 3, 4]) {
      app.nowMs = i * 1000
      await app.post(`${STREAMS}/s`, { body: String(i) })
    }
    const sql = `SELECT body FROM stream_s WHERE ${condition} ORDER BY ts`
    expect((await rowsOf(app, sql)).flat()).toEqual(expected)
    await rowsOf(app, 'SELECT body FROM stream_s') // all events are decoded now
    expect((await rowsOf(app, sql)).flat()).toEqual(expected)
  })

  test('a condition of one part of a query is not one of another', async () => {
    const app = await appWith('s', csv(field('n', 'int')), '1\n2')
    expect(
      await rowsOf(
        app,
        'SELECT (SELECT count(*) FROM stream_s WHERE ts > 1000000), count(*) FROM stream_s a(ts, h, n) WHERE a.n > 0',
      ),
    ).toEqual([[0, 2]])
  })

  test('expired events are not visible, decoded or not', async () => {
    const app = await appWith('s', csv(field('n', 'int')), '1', 1_000_000)
    app.nowMs = 1_005_000
    await add(app, 's', '2')
    expect(await rowsOf(app, 'SELECT n FROM stream_s')).toEqual([[1], [2]])
    await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":10}' })
    app.nowMs = 1_012_000
    expect(await rowsOf(app, 'SELECT n FROM stream_s')).toEqual([[2]])
    await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":100}' })
    expect(await rowsOf(app, 'SELECT n FROM stream_s')).toEqual([[1], [2]])
    await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":0}' })
    expect(await rowsOf(app, 'SELECT n FROM stream_s')).toEqual([])
  })
})

describe('the first rows of a table', () => {
  test.each([
    ['SELECT n FROM stream_s LIMIT 2', [1, 2]],
    ['SELECT n FROM stream_s LIMIT 2 OFFSET 1', [2, 3]],
    ['SELECT n FROM stream_s WHERE ts > 1000 LIMIT 2', [2, 3]],
    ['SELECT n FROM stream_s WHERE stream_s.ts BETWEEN 2000 AND 3000 LIMIT 9', [2, 3]],
    ['SELECT n FROM stream_s WHERE n > 2 LIMIT 1', [3]],
    ['SELECT n FROM stream_s WHERE ts > 1000 AND n > 3 LIMIT 1', [4]],
    ['SELECT n FROM stream_s ORDER BY n DESC LIMIT 1', [4]],
    ['SELECT DISTINCT headers FROM stream_s LIMIT 5', ['{}']],
    ['SELECT max(n) FROM stream_s LIMIT 1', [4]],
    ['SELECT n FROM stream_s WHERE ts BETWEEN 2000 AND 1 + 3000 LIMIT 5', [2, 3]],
    ['SELECT n FROM stream_s LIMIT 0', []],
    ['SELECT n FROM stream_s WHERE ts < 0 LIMIT 2', []],
  ] as const)('%s', async (sql, expected) => {
    const app = await testApp({ streams: ['s'] })
    await app.put(`${STREAMS}/s/properties`, { body: JSON.stringify({ format: csv(field('n', 'int')) }) })
    for (const n of [1, 2, 3, 4]) {
      app.nowMs = n * 1000
      await app.post(`${STREAMS}/s`, { body: String(n) })
    }
    expect((await rowsOf(app, sql)).flat()).toEqual(expected)
    expect(await rowsOf(app, 'SELECT sum(n) FROM stream_s')).toEqual([[10]])
    expect((await rowsOf(app, sql)).flat()).toEqual(expected)
  })

  test('report only bad events among them', async () => {
    const app = await appWith('s', csv(field('n', 'int')), '1\nx\ny')
    expect((await answered(app, 'SELECT n FROM stream_s LIMIT 1')).state.badEvents).toBeUndefined()
    expect((await answered(app, 'SELECT n FROM stream_s LIMIT 2')).state.badEvents).toBe(1)
    expect((await answered(app, 'SELECT n FROM stream_s')).state.badEvents).toBe(2)
    expect((await answered(app, 'SELECT n FROM stream_s LIMIT 2')).state.badEvents).toBe(1)
  })
})

describe('decoded events', () => {
  test('new events are seen by the next query', async () => {
    const app = await appWith('s', csv(field('n', 'int')), '1\n2')
    expect(await rowsOf(app, 'SELECT sum(n) FROM stream_s')).toEqual([[3]])
    await add(app, 's', '3')
    expect(await rowsOf(app, 'SELECT sum(n) FROM stream_s')).toEqual([[6]])
    await add(app, 's', '4\n5')
    expect(await rowsOf(app, 'SELECT sum(n), count(*) FROM stream_s')).toEqual([[15, 5]])
  })

  test('are those of the query after other columns, a new format, truncate and re-creation', async () => {
    const app = await appWith('s', csv(field('a', 'int'), field('b', 'int')), '1,10\n2,20')
    expect(await rowsOf(app, 'SELECT a FROM stream_s')).toEqual([[1], [2]])
    expect(await rowsOf(app, 'SELECT b FROM stream_s')).toEqual([[10], [20]])
    expect(await rowsOf(app, 'SELECT a + b FROM stream_s')).toEqual([[11], [22]])
    await app.put(`${STREAMS}/s/properties`, {
      body: JSON.stringify({ format: csv(field('a', 'string'), field('b', 'int')) }),
    })
    expect(await rowsOf(app, "SELECT a || '!' FROM stream_s")).toEqual([['1!'], ['2!']])
    await app.post(`${STREAMS}/s/truncate`)
    expect(await rowsOf(app, 'SELECT a FROM stream_s')).toEqual([])
    await add(app, 's', '7,8')
    expect(await rowsOf(app, 'SELECT a FROM stream_s')).toEqual([['7']])
    await app.delete(`${STREAMS}/s`)
    expect((await submit(app, 'SELECT body FROM stream_s')).status).toBe(400)
    await app.put(`${STREAMS}/s`)
    await add(app, 's', 'text')
    expect(await rowsOf(app, 'SELECT body FROM stream_s')).toEqual([['text']])
  })

  test('concurrent queries over a growing stream each see a whole number of batches', async () => {
    const app = await appWith('s', csv(field('n', 'int')), '1\n'.repeat(100))
    const counts: number[] = []
    for (let round = 0; round < 10; round++) {
      const adding = add(app, 's', '1\n'.repeat(100))
      const asked = await Promise.all(
        [1, 2, 3].map(() => rowsOf(app, 'SELECT count(*), sum(n) FROM stream_s')),
      )
      for (const [[count, sum]] of asked as [[number, number]][]) {
        expect(count % 100).toBe(0)
        expect(sum).toBe(count)
        counts.push(count)
      }
      await adding
    }
    expect(await rowsOf(app, 'SELECT count(*) FROM stream_s')).toEqual([[1_100]])
    expect(counts.length).toBe(30)
  })
})

describe('bad events', () => {
  const LINES = 'a,1,1\nb,x,2\nc,3,3\nd,4,y'

  test('have the fields that fit, and are counted with reasons', async () => {
    const app = await appWith('s', csv(field('k', 'string'), field('n', 'int'), field('m', 'int')), LINES)
    const { rows, state } = await answered(app, 'SELECT k, n, m, ts FROM stream_s')
    expect(rows).toEqual([
      ['a', 1, 1, 1_000_000],
      ['b', null, 2, 1_000_000],
      ['c', 3, 3, 1_000_000],
      ['d', 4, null, 1_000_000],
    ])
    expect(state).toEqual({
      status: 'FINISHED',
      hasResults: true,
      badEvents: 2,
      firstBadEvents: [
        {
          table: 'stream_s',
          sequence: 1,
          timestamp: 1_000_000,
          reason: "field n has 'x', which is not an int",
        },
        {
          table: 'stream_s',
          sequence: 3,
          timestamp: 1_000_000,
          reason: "field m has 'y', which is not an int",
        },
      ],
    })
  })

  test('are bad to those who ask for the field, whatever others asked before', async () => {
    const app = await appWith('s', csv(field('k', 'string'), field('n', 'int'), field('m', 'int')), LINES)
    for (let round = 0; round < 2; round++) {
      const all = await answered(app, 'SELECT k, n, m FROM stream_s')
      expect([all.rows.map(([k]) => k), all.state.badEvents]).toEqual([['a', 'b', 'c', 'd'], 2])
      const k = await answered(app, 'SELECT k FROM stream_s')
      expect([k.rows.flat(), k.state.badEvents]).toEqual([['a', 'b', 'c', 'd'], undefined])
      const m = await answered(app, 'SELECT k, m FROM stream_s')
      expect([m.rows.map(([key]) => key), m.state.badEvents]).toEqual([['a', 'b', 'c', 'd'], 1])
    }
    await add(app, 's', 'e,z,z')
    const k = await answered(app, 'SELECT k FROM stream_s')
    expect([k.rows.flat(), k.state.badEvents]).toEqual([['a', 'b', 'c', 'd', 'e'], undefined])
  })

  test('fail a strict query, as in CDAP, and only those it looks at', async () => {
    const app = await appWith('s', csv(field('k', 'string'), field('n', 'int'), field('m', 'int')), LINES)
    const state = await ended(app, await handleOf(app, 'SELECT n FROM stream_s', { strict: 'true' }))
    expect(state).toMatchObject({ status: 'ERROR', hasResults: false, sqlState: '22000', badEvents: 1 })
    expect(state.errorMessage).toBe(
      "Unable to format the stream body. Event 1 of stream_s: field n has 'x', which is not an int",
    )
    const k = await ended(app, await handleOf(app, 'SELECT k FROM stream_s', { strict: 'true' }))
    expect(k.status).toBe('FINISHED')
    app.nowMs = 2_000_000
    await add(app, 's', 'e,5,5')
    const later = await ended(
      app,
      await handleOf(app, 'SELECT n FROM stream_s WHERE ts > 1000000', { strict: 'true' }),
    )
    expect(later.status).toBe('FINISHED')
  })
})

describe('tables', () => {
  test('a view is one', async () => {
    const app = await appWith('s', csv(field('n', 'int')), '1\n2')
    await app.put(`${STREAMS}/s/views/raw`, { body: '{"format":{"name":"text"},"tableName":"Lines"}' })
    expect(
      await rowsOf(app, 'SELECT body, n FROM lines l JOIN stream_s s ON l.body = s.n::VARCHAR ORDER BY n'),
    ).toEqual([
      ['1', 1],
      ['2', 2],
    ])
    expect(await rowsOf(app, 'SHOW TABLES')).toEqual([['lines'], ['stream_s']])
    expect((await app.get('/v3/namespaces/default/data/explore/tables')).json()).toEqual([
      { database: 'default', table: 'stream_s' },
      { database: 'default', table: 'lines' },
    ])
    expect((await app.get('/v3/namespaces/default/data/explore/tables/lines/info')).json()).toEqual({
      table_name: 'lines',
      db_name: 'default',
      parameters: { 'explore.stream.name': 's', 'explore.view.name': 'raw' },
      from_dataset: false,
      schema: [
        { name: 'ts', type: 'bigint' },
        { name: 'headers', type: 'map<string,string>' },
        { name: 'body', type: 'string' },
      ],
    })
    expect(answerOf(await app.get('/v3/namespaces/default/data/explore/tables/nope/info'))).toEqual(
      empty(404),
    )
  })

  const enable = (app: TestApp, stream: string, table: string, body = '{"name":"text"}') =>
    app.post(`/v3/namespaces/default/data/explore/streams/${stream}/tables/${table}/enable`, { body })

  test('of two streams with one table name the older has it, and the other gets an error', async () => {
    const app = await testApp({ streams: ['a-b', 'a_b', 'A-B'] })
    await app.post(`${STREAMS}/a-b`, { body: 'first' })
    await app.post(`${STREAMS}/a_b`, { body: 'second' })
    expect(await rowsOf(app, 'SELECT body FROM stream_a_b')).toEqual([['first']])
    expect(answerOf(await enable(app, 'a_b', 'stream_a_b'))).toEqual(
      plain(400, 'table stream_a_b is the one of stream a-b, so stream a_b has none; disable that first'),
    )
    await app.post(`${STREAMS}/a-b/truncate`)
    expect(await rowsOf(app, 'SELECT body FROM stream_a_b')).toEqual([])
    await app.delete(`${STREAMS}/a-b`)
    expect(await rowsOf(app, 'SELECT body FROM stream_a_b')).toEqual([['second']])
    expect((await app.events('a_b')).length).toBe(1)
  })

  test('enable and disable', async () => {
    const app = await appWith('s', csv(field('n', 'int')), '1')
    expect(answerOf(await enable(app, 's', 'raw'))).toEqual(json('{"handle":"NO_OP"}'))
    expect(await rowsOf(app, 'SELECT body FROM raw')).toEqual([['1']])
    const disable = '/v3/namespaces/default/data/explore/streams/s/tables/raw/disable'
    expect(answerOf(await app.post(disable))).toEqual(json('{"handle":"NO_OP"}'))
    expect((await submit(app, 'SELECT body FROM raw')).status).toBe(400)
    expect(answerOf(await app.post(disable.replace('/s/', '/nope/')))).toEqual(
      plain(404, 'Could not find stream nope'),
    )
    expect(answerOf(await enable(app, 's', 'raw', ''))).toEqual(plain(400, 'Expected format in the body'))
    for (const table of ['my-table', '1st', 'x'.repeat(257)]) {
      expect(answerOf(await enable(app, 's', table))).toEqual(
        plain(400, `tableName is '${table}'; use up to 256 letters, digits and _, a letter first`),
      )
    }
    expect(answerOf(await enable(app, 's', 'stream_s', JSON.stringify(csv(field('n', 'int')))))).toEqual(
      json('{"handle":"NO_OP"}'),
    )
    expect(answerOf(await enable(app, 's', 'stream_s'))).toEqual(
      plain(400, 'table stream_s has the format of stream s; change that, or use another name'),
    )
  })

  describe('the table of a stream itself', () => {
    const disable = (app: TestApp, stream: string, table: string) =>
      app.post(`/v3/namespaces/default/data/explore/streams/${stream}/tables/${table}/disable`)
    const NOT_THERE = plain(400, "[SQLState 42S02] Table not found 'stream_s'")
    const NO_OP = json('{"handle":"NO_OP"}')

    const expectNone = async (app: TestApp) => {
      expect(answerOf(await submit(app, 'SELECT body FROM stream_s'))).toEqual(NOT_THERE)
      expect(answerOf(await submit(app, 'DESCRIBE stream_s'))).toEqual(NOT_THERE)
      expect(await rowsOf(app, 'SHOW TABLES')).toEqual([['raw']])
      const tables = '/v3/namespaces/default/data/explore/tables'
      expect((await app.get(tables)).json()).toEqual([{ database: 'default', table: 'raw' }])
      expect(answerOf(await app.get(`${tables}/stream_s/info`))).toEqual(empty(404))
      expect((await app.get(`${STREAMS}/s/metadata/tags`)).json()).toEqual([])
    }

    test('is gone once it is disabled, and back once it is enabled', async () => {
      const app = await testApp({ streams: ['s'], onDisk: true })
      await app.post(`${STREAMS}/s`, { body: 'one' })
      await enable(app, 's', 'raw')
      expect(answerOf(await disable(app, 's', 'Stream_S'))).toEqual(NO_OP)
      await expectNone(app)
      expect(answerOf(await disable(app, 's', 'stream_s'))).toEqual(NO_OP)
      await app.restart()
      await expectNone(app)
      await app.post(`${STREAMS}/s/truncate`)
      await app.put(`${STREAMS}/s`)
      await app.put(`${STREAMS}/s/properties`, { body: '{"ttl":1000}' })
      await app.post(`${STREAMS}/s`, { body: 'two' })
      await expectNone(app)
      await app.restart()
      await expectNone(app)
      expect((await app.events('s')).length).toBe(1)
      expect(await rowsOf(app, 'SELECT body FROM raw')).toEqual([['two']])

      expect(answerOf(await enable(app, 's', 'stream_s', '{"name":"clf"}'))).toEqual(
        plain(400, 'table stream_s has the format of stream s; change that, or use another name'),
      )
      await expectNone(app)
      expect(answerOf(await enable(app, 's', 'stream_s'))).toEqual(NO_OP)
      for (const restart of [false, true]) {
        if (restart) await app.restart()
        expect(await rowsOf(app, 'SELECT body FROM stream_s')).toEqual([['two']])
        expect(await rowsOf(app, 'SHOW TABLES')).toEqual([['raw'], ['stream_s']])
        expect((await app.get(`${STREAMS}/s/metadata/tags`)).json()).toEqual(['explore'])
      }
    })

    test('a new stream of that name has one', async () => {
      const app = await testApp({ streams: ['s'] })
      await disable(app, 's', 'stream_s')
      await app.delete(`${STREAMS}/s`)
      await app.put(`${STREAMS}/s`)
      expect(await rowsOf(app, 'SHOW TABLES')).toEqual([['stream_s']])
    })

    test('leaves its name to others, and comes back when it is free', async () => {
      const app = await testApp({ streams: ['a-b', 'a_b'] })
      await app.post(`${STREAMS}/a_b`, { body: 'second' })
      expect(answerOf(await disable(app, 'a-b', 'stream_a_b'))).toEqual(NO_OP)
      expect(await rowsOf(app, 'SELECT body FROM stream_a_b')).toEqual([['second']])
      expect(answerOf(await enable(app, 'a-b', 'stream_a_b'))).toEqual(
        plain(400, 'table stream_a_b is the one of stream a_b, so stream a-b has none; disable that first'),
      )
      await disable(app, 'a_b', 'stream_a_b')
      const taken = '{"format":{"name":"text"},"tableName":"stream_a_b"}'
      expect((await app.put(`${STREAMS}/a_b/views/v`, { body: taken })).status).toBe(400)
      expect(answerOf(await enable(app, 'a-b', 'stream_a_b'))).toEqual(NO_OP)
      expect(await rowsOf(app, 'SELECT body FROM stream_a_b')).toEqual([])
    })

    test('a stream that is not there is 404', async () => {
      const app = await testApp({ streams: ['s'] })
      expect(answerOf(await disable(app, 'nope', 'stream_nope'))).toEqual(
        plain(404, 'Could not find stream nope'),
      )
      expect(answerOf(await enable(app, 'nope', 'stream_nope'))).toEqual(
        plain(404, "'stream:default.nope' was not found."),
      )
    })
  })

  const noTables = [
    {
      name: 'a column ts',
      fields: [field('TS', 'int')],
      reason: 'there are two columns ts: case does not count, and ts and headers are taken',
    },
    {
      name: 'two names that differ in case',
      fields: [field('a', 'int'), field('A', 'int')],
      reason: 'there are two columns a: case does not count, and ts and headers are taken',
    },
    {
      name: 'a union',
      fields: [field('u', ['int', 'string'])],
      reason: 'field u is a union of more than a type and null, which no column can be',
    },
    {
      name: 'a record that holds itself',
      fields: [
        field('r', ['null', { type: 'record', name: 'tree', fields: [field('next', ['null', 'tree'])] }]),
      ],
      reason: 'field r holds itself, which no column can',
    },
  ]
  test.each(noTables)(
    'a schema with $name has none, and the stream stays usable',
    async ({ fields, reason }) => {
      const format = { name: 'json', schema: { type: 'record', name: 'e', fields } }
      const app = await testApp({ streams: ['s'] })
      const set = await app.put(`${STREAMS}/s/properties`, { body: JSON.stringify({ format }) })
      expect(set.status, set.text).toBe(200)
      const answer = await submit(app, 'SELECT ts FROM stream_s')
      expect([answer.status, answer.text]).toEqual([400, `[SQLState 42S02] stream s has no table: ${reason}`])
      expect(await rowsOf(app, 'SHOW TABLES')).toEqual([])
      expect((await app.post(`${STREAMS}/s`, { body: 'x' })).status).toBe(200)
    },
  )

  test('namespaces do not see each other', async () => {
    const app = await appWith('s', csv(field('n', 'int')), '1')
    await app.put('/v3/namespaces/other')
    await app.put('/v3/namespaces/other/streams/s')
    await app.post('/v3/namespaces/other/streams/s', { body: 'theirs' })
    const answer = await app.post('/v3/namespaces/other/data/explore/queries', {
      body: '{"query":"SELECT * FROM stream_s"}',
    })
    const { handle } = answer.json() as { handle: string }
    await ended(app, handle)
    expect((await app.post(`${QUERIES}/${handle}/next`)).text).toContain('theirs')
    expect(await rowsOf(app, 'SELECT n FROM stream_s')).toEqual([[1]])
  })
})

test('the service is there', async () => {
  const app = await testApp()
  expect(answerOf(await app.get('/v3/explore/status'))).toEqual(json('{"status":"OK"}'))
})
