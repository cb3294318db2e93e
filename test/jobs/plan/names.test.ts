/**
 * Columns with names that plans, the worker or the engine might use themselves, all in one table, also with such that differ
 * only in case: each way of running a statement takes the user's columns.
 */
import { expect, test } from 'vitest'
import { JobRunner } from '../corpus/job-runner.ts'

const NAMES =
  `n N k e m i k.x rowid ROWID __row __last __wm __end __END __ord __n __e __seq __op __key __k __place __0
  WINDOW_START TS s0 in_s0 w0 k0 c0 o0 g0 a0 v0 x X x$0 x$1`.split(/\s+/)
const TIMES = ['2024-01-01 00:01:00', '2024-01-01 00:06:00', '2024-01-01 00:12:00']

/** The value of the column with this index in a row. */
const valueIn = (row: number) => (_: string, index: number) => 10 * index + row
const values = (row: number) => NAMES.map(valueIn(row))
/** The sum of each column over some rows. */
const sums = (...rows: readonly number[]) =>
  NAMES.map((name, index) => rows.reduce((sum, row) => sum + valueIn(row)(name, index), 0))
/** All columns, each within an expression. */
const all = (wrap: (column: string) => string) => NAMES.map((name) => wrap(`\`${name}\``)).join(', ')

const SUMS = all((column) => `SUM(${column})`)
const window = (call: string) =>
  `SELECT ${SUMS} FROM TABLE(${call} INTERVAL '10' MINUTE)) GROUP BY window_start, window_end`
const STATEMENTS: readonly (readonly [way: string, sql: string, rows: readonly (readonly unknown[])[]])[] = [
  ['TUMBLE', window('TUMBLE(TABLE s, DESCRIPTOR(ts),'), [sums(0, 1), sums(2)]],
  [
    'HOP',
    window("HOP(TABLE s, DESCRIPTOR(ts), INTERVAL '5' MINUTE,"),
    [sums(0), sums(0, 1), sums(1, 2), sums(2)],
  ],
  [
    'CUMULATE',
    window("CUMULATE(TABLE s, DESCRIPTOR(ts), INTERVAL '5' MINUTE,"),
    [sums(0), sums(0, 1), sums(2), sums(2)],
  ],
  ['arrival', `SELECT ${all((column) => column)} FROM s`, [values(0), values(1), values(2)]],
  [
    'a query of WITH',
    `WITH q AS (SELECT *, 1 AS y FROM s) SELECT ${all((column) => column)} FROM q WHERE \`__ord\` % 10 = 2`,
    [values(2)],
  ],
  [
    'groups',
    `SELECT ${all((column) => `MAX(t.${column})`)} FROM s t GROUP BY \`__key\``,
    [values(0), values(1), values(2)],
  ],
  ['one group', `SELECT ${SUMS} FROM s`, [sums(0, 1, 2)]],
]

test.each(STATEMENTS)('%s', async (_, sql, rows) => {
  const columns = `${all((column) => `${column} INT`)}, ts TIMESTAMP(3), WATERMARK FOR ts AS ts`
  const stream = { columns, rows: TIMES.map((ts, row) => `${values(row)},${ts}`) }
  const runner = await JobRunner.open({ s: stream })
  expect(await runner.run(sql)).toMatchObject({ rows })
  await runner.close()
})
