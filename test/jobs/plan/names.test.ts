/** Columns with names that plans and the worker might use themselves: windows and joins take the user's column. */
import { expect, test } from 'vitest'
import { JobRunner } from '../corpus/job-runner.ts'

const NAMES = ['n', 'N', 'k', 'e', 'm', 'i', 'rowid', 'ROWID', '__row']

test.each(NAMES)('a column %s', async (name) => {
  const columns = `\`${name}\` INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts`
  const rows = ['7,2024-01-01 00:01:00', '8,2024-01-01 00:06:00', '9,2024-01-01 00:12:00']
  const runner = await JobRunner.open({ s: { columns, rows } })
  const from = (call: string) =>
    `SELECT window_start, COUNT(*), SUM(\`${name}\`) FROM TABLE(${call}) GROUP BY window_start, window_end`
  const sums = async (sql: string) => {
    const answer = await runner.run(sql)
    return 'error' in answer ? answer : answer.rows.map((row) => row.slice(1))
  }
  expect(await sums(from("HOP(TABLE s, DESCRIPTOR(ts), INTERVAL '5' MINUTE, INTERVAL '10' MINUTE)"))).toEqual(
    [
      [1, 7],
      [2, 15],
      [2, 17],
      [1, 9],
    ],
  )
  expect(
    await sums(from("CUMULATE(TABLE s, DESCRIPTOR(ts), INTERVAL '5' MINUTE, INTERVAL '10' MINUTE)")),
  ).toEqual([
    [1, 7],
    [2, 15],
    [1, 9],
    [1, 9],
  ])
  await runner.close()
})
