import { expect, test } from 'vitest'
import { answered, ended, handleOf, rowsOf, submit } from '../support/explore.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

const FUNCTIONS: readonly (readonly [expression: string, expected: unknown])[] = [
  ['from_unixtime(0)', '1970-01-01 00:00:00'],
  ['from_unixtime(1407806944)', '2014-08-12 01:29:04'],
  ['from_unixtime(ts / 1000)', '2014-08-12 01:29:04'],
  ['from_unixtime(-1)', '1969-12-31 23:59:59'],
  ['from_unixtime(NULL)', null],
  ["from_unixtime(1407806944, 'yyyy-MM-dd')", '2014-08-12'],
  ["from_unixtime(1407806944, 'dd/MM/yy HH:mm:ss.SSS')", '12/08/14 01:29:04.000'],
  ["from_unixtime(1407806944, 'yyyy-MM-dd''T''HH:mm:ss''Z''')", '2014-08-12T01:29:04Z'],
  ["from_unixtime(ts // 1000, CASE WHEN n = 2 THEN 'yyyyMMdd' END)", '20140812'],
  ["unix_timestamp('2014-08-12 01:29:04')", 1_407_806_944],
  ["unix_timestamp(TIMESTAMP '2014-08-12 01:29:04.9')", 1_407_806_944],
  ["unix_timestamp('yesterday')", null],
  ['unix_timestamp() > 1700000000', true],
  ["date_format('2014-08-12 01:29:04', 'MM')", '08'],
  ["date_format(DATE '2014-08-12', 'yyyy')", '2014'],
  ["to_date('2014-08-12 01:29:04')", '2014-08-12'],
  ["datediff('2014-08-12', '2014-08-01')", 11],
  ["datediff('hour', TIMESTAMP '2014-08-12 01:00:00', TIMESTAMP '2014-08-12 05:00:00')", 4],
  ['nvl(NULL, 3)', 3],
  ['if(n = 2, 1, 0)', 1],
  ['get_json_object(\'{"a":{"b":[1,2]}}\', \'$.a.b[1]\')', '2'],
  ["get_json_object('{broken', '$.a')", null],
  ['collect_list(n)', '[2]'],
  ['collect_list(NULL)', '[]'],
  ['array_length(collect_set(n))', 1],
  ['percentile(n, 0.5)', 2],
  ['pmod(-7, 3)', 2],
  ['rand() < 1', true],
  ["concat_ws('-', 'a', 'b')", 'a-b'],
  ["instr('abc', 'c')", 3],
  ['array_contains([1, 2], 2)', true],
  ["map_keys(MAP {'a': 1})", '["a"]'],
]

test('functions that Hive has', async () => {
  const app = await testApp({ streams: ['s'], nowMs: 1_407_806_944_181 })
  const schema = { type: 'record', name: 'e', fields: [{ name: 'n', type: 'int' }] }
  await app.put(`${STREAMS}/s/properties`, { body: JSON.stringify({ format: { name: 'csv', schema } }) })
  await app.post(`${STREAMS}/s`, { body: '2' })
  for (const [expression, expected] of FUNCTIONS) {
    expect(await rowsOf(app, `SELECT ${expression} FROM stream_s`), expression).toEqual([[expected]])
  }
})

test('a pattern with an unknown letter is an error', async () => {
  const app = await testApp()
  for (const pattern of ['MMM', 'EEEE', 'yyyy-MM-dd a', "HH 'o''clock'", 'd']) {
    const sql = `SELECT from_unixtime(range, '${pattern.replaceAll("'", "''")}') FROM range(1)`
    const state = await ended(app, await handleOf(app, sql))
    expect(state).toMatchObject({ status: 'ERROR', sqlState: '22000' })
    expect(state.errorMessage).toContain('has more than yyyy yy MM dd HH hh mm ss SSS; use strftime')
  }
})

test('times do not depend on the time zone of the machine', async () => {
  const app = await testApp()
  const sql = `SELECT TIMESTAMPTZ '2014-08-12 01:29:04+02' AS t, (TIMESTAMPTZ '2014-08-12 01:29:04+02')::VARCHAR AS v`
  const { columns, rows } = await answered(app, sql)
  expect(columns).toEqual(['t TIMESTAMP', 'v STRING'])
  expect(rows).toEqual([['2014-08-11 23:29:04', '2014-08-11 23:29:04+00']])
})

test('no statement can define or change a function', async () => {
  const app = await testApp()
  expect((await submit(app, 'CREATE OR REPLACE MACRO nvl(a, b) AS 1')).status).toBe(400)
})
