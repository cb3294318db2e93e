/** The largest watermark of a tick is that of all its rows, and for a column less a fixed time it is computed once. */
import duckdb from '@duckdb/node-api'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { largestWatermark } from '../../../src/jobs/worker/largest-watermark.ts'
import { TestPlanner } from '../plan/plan-support.ts'

const COLUMN = 'ts TIMESTAMP(3), ltz TIMESTAMP_LTZ(3), ms BIGINT, `order` TIMESTAMP(3)'
const WATERMARKS = [
  { of: "ts - INTERVAL '5' SECOND", once: true },
  { of: "ltz - INTERVAL '10' SECOND", once: true },
  { of: "`order` - INTERVAL '2' MINUTE", once: true },
  { of: "ts - INTERVAL '1.5' SECOND", once: true },
  { of: "ts - INTERVAL '1' HOUR", once: true },
  { of: 'ts', once: false },
  { of: "ts - INTERVAL '1' DAY", once: true },
  { of: "ts - INTERVAL '1' MONTH", once: false },
].map((row, index) => ({ ...row, table: `t${index}`, column: /\w+/.exec(row.of)![0] }))

const TIMES = ["TIMESTAMP '2021-10-11 12:00:01.001'", "TIMESTAMP '1969-12-31 23:59:59.999'", 'NULL']
const ROWS = [[], ['NULL'], TIMES, TIMES.toReversed()].map((times) => times.map((time) => `(${time})`))

let planner: TestPlanner
let connection: Awaited<ReturnType<typeof duckdb.DuckDBConnection.create>>
beforeAll(async () => {
  planner = await TestPlanner.open(
    Object.fromEntries([
      ...WATERMARKS.map(({ of, table, column }) => {
        return [
          table,
          [`${COLUMN}, WATERMARK FOR ${column === 'order' ? '`order`' : column} AS ${of}`],
        ] as const
      }),
      ['sink', ['ts TIMESTAMP(3)']] as const,
    ]),
  )
  connection = await duckdb.DuckDBConnection.create()
  await connection.run("SET TimeZone = 'UTC'")
})
afterAll(() => {
  planner.close()
  connection.closeSync()
})

test.each(WATERMARKS)('$of', async ({ table, once, column }) => {
  const plan = await planner.plan(`INSERT INTO sink SELECT ts FROM ${table}`)
  const { watermark } = plan.sources[0]!
  const sql = largestWatermark(watermark!, 's')
  expect(sql.includes('max(epoch_ms(')).toBe(!once)
  const type = column === 'ltz' ? 'TIMESTAMPTZ' : 'TIMESTAMP'
  const name = plan.sources[0]!.columns.find(({ name }) => watermark!.includes(name))!.name
  for (const rows of ROWS) {
    await connection.run(`CREATE OR REPLACE TABLE s ("${name}" ${type})`)
    if (rows.length > 0) await connection.run(`INSERT INTO s VALUES ${rows.join(', ')}`)
    const largestOf = async (query: string) => (await (await connection.run(query)).getRows())[0]![0]
    expect(await largestOf(sql)).toEqual(await largestOf(`SELECT CAST(max(${watermark}) AS BIGINT) FROM s`))
  }
})
