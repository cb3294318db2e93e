/** The plans of the four-job tutorial, run over its events on a bare engine. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run, TestPlanner } from './plan-support.ts'

const BASE_MS = 1_633_956_780_000
const EVENTS = [
  ['doc', 'cpu1', 50, 0],
  ['dopey', 'cpu4', 98.5, 9277],
  ['sleepy', 'cpu2', 87.25, 3483],
  ['doc', 'cpu1', 10, 20000],
  ['happy', 'cpu2', 70, 29999],
  ['sneezy', 'cpu1', 80.5, 30000],
  ['unknown', 'cpu1', 99, 32000],
  ['dopey', 'cpu4', 91.5, 40001],
] as const
const ROWS = {
  'CPU_IN(hostname, cpu, usage, occurred_at)': EVENTS.map(
    ([host, cpu, usage, ms]) => `('${host}', '${cpu}', ${usage}, ${BASE_MS + ms})`,
  ),
  'SOURCE_THRESHOLDS(hostname, allowed_top)': [
    "('doc', 20)",
    "('sleepy', 40)",
    "('happy', 70)",
    "('sneezy', 80)",
    "('dopey', 90)",
  ],
}
const JOINED =
  'SELECT time_ltz, CPU.hostname, cpu, usage, allowed_top FROM CPU_IN CPU INNER JOIN SOURCE_THRESHOLDS FOR SYSTEM_TIME AS OF proctime AS ST ON CPU.hostname = ST.hostname'

let planner: TestPlanner
beforeAll(async () => {
  planner = await TestPlanner.open({
    CPU_IN: [
      "hostname STRING, cpu STRING, usage DOUBLE, occurred_at BIGINT, proctime AS PROCTIME(), time_ltz AS TO_TIMESTAMP_LTZ(occurred_at, 3), WATERMARK FOR time_ltz AS time_ltz - INTERVAL '10' SECOND",
    ],
    CPU_OUT_FILTER: ['time_ltz TIMESTAMP(3), hostname STRING, cpu STRING, usage DOUBLE'],
    CPU_OUT_AGG: [
      'window_start TIMESTAMP(3), window_end TIMESTAMP(3), hostname STRING, cpu STRING, usage_avg DOUBLE, usage_max DOUBLE',
    ],
    SOURCE_THRESHOLDS: ['hostname STRING, allowed_top INT, PRIMARY KEY (hostname) NOT ENFORCED', 'jdbc'],
    CPU_OUT_FILTER_PG: ['time_ltz TIMESTAMP(3), hostname STRING, cpu STRING, usage DOUBLE, threshold INT'],
    CPU_OUT_AGG_PG: [
      'time_ltz TIMESTAMP(3), nr_cpus_over_threshold BIGINT, PRIMARY KEY (time_ltz) NOT ENFORCED',
      'jdbc',
    ],
  })
})
afterAll(() => planner.close())

test('simple_filter', async () => {
  const plan = await planner.plan(
    'INSERT INTO CPU_OUT_FILTER SELECT time_ltz, hostname, cpu, usage FROM CPU_IN WHERE usage > 80',
  )
  const { sources, lookups, fixed, vertices } = plan
  expect(await run(plan, ROWS)).toEqual([
    ['2021-10-11 12:53:09.277', 'dopey', 'cpu4', 98.5],
    ['2021-10-11 12:53:03.483', 'sleepy', 'cpu2', 87.25],
    ['2021-10-11 12:53:30', 'sneezy', 'cpu1', 80.5],
    ['2021-10-11 12:53:32', 'unknown', 'cpu1', 99],
    ['2021-10-11 12:53:40.001', 'dopey', 'cpu4', 91.5],
  ])
  expect([lookups, fixed]).toEqual([[], []])
  expect(
    sources.map(({ decoded, columns }) => [decoded, columns].map((list) => list.map((one) => one.name))),
  ).toEqual([
    [
      ['hostname', 'cpu', 'usage', 'occurred_at'],
      ['hostname', 'cpu', 'usage', 'time_ltz'],
    ],
  ])
  expect(sources[0]!.view).toMatch(/^SELECT .* FROM in_s0$/)
  expect(vertices).toEqual([
    { name: 'Source: CPU_IN', kind: 'source', index: 0, inputs: [] },
    { name: 'Calc', kind: 'query', index: 0, inputs: [0] },
    { name: 'Sink: CPU_OUT_FILTER', kind: 'sink', index: 0, inputs: [1] },
  ])
})

test('simple_agg', async () => {
  const plan = await planner.plan(
    "INSERT INTO CPU_OUT_AGG SELECT window_start, window_end, hostname, cpu, AVG(usage), MAX(usage) FROM TABLE( TUMBLE( TABLE CPU_IN, DESCRIPTOR(time_ltz), INTERVAL '30' SECONDS)) GROUP BY window_start, window_end, hostname, cpu",
  )
  const [first, second, third] = ['2021-10-11 12:53:00', '2021-10-11 12:53:30', '2021-10-11 12:54:00']
  expect(await run(plan, ROWS)).toEqual([
    [first, second, 'doc', 'cpu1', 30, 50],
    [first, second, 'dopey', 'cpu4', 98.5, 98.5],
    [first, second, 'happy', 'cpu2', 70, 70],
    [first, second, 'sleepy', 'cpu2', 87.25, 87.25],
    [second, third, 'dopey', 'cpu4', 91.5, 91.5],
    [second, third, 'sneezy', 'cpu1', 80.5, 80.5],
    [second, third, 'unknown', 'cpu1', 99, 99],
  ])
  expect(plan.inserts[0]).toMatchObject({
    way: 'window',
    windows: [
      {
        relation: 'w0',
        kind: 'TUMBLE',
        sizeMs: 30_000,
        slideMs: 30_000,
        offsetMs: 0,
        timeColumn: 'time_ltz',
        sources: ['s0'],
      },
    ],
  })
})

test('simple_filter_pg', async () => {
  const plan = await planner.plan(`INSERT INTO CPU_OUT_FILTER_PG ${JOINED} WHERE usage > allowed_top`)
  expect(await run(plan, ROWS)).toEqual([
    ['2021-10-11 12:53:00', 'doc', 'cpu1', 50, 20],
    ['2021-10-11 12:53:09.277', 'dopey', 'cpu4', 98.5, 90],
    ['2021-10-11 12:53:03.483', 'sleepy', 'cpu2', 87.25, 40],
    ['2021-10-11 12:53:30', 'sneezy', 'cpu1', 80.5, 80],
    ['2021-10-11 12:53:40.001', 'dopey', 'cpu4', 91.5, 90],
  ])
  expect(plan.lookups).toMatchObject([
    { relation: 'l0', tableName: 'SOURCE_THRESHOLDS', keyColumns: ['hostname'] },
  ])
})

test('simple_filter_pg_agg: usage and USAGE are different columns', async () => {
  const plan = await planner.plan(
    `INSERT INTO CPU_OUT_AGG_PG WITH JOINING_INFO AS( ${JOINED} ), WINDOWING AS ( SELECT window_start, window_end, hostname, cpu, AVG(usage) USAGE, allowed_top FROM TABLE(TUMBLE(TABLE JOINING_INFO, DESCRIPTOR(time_ltz), INTERVAL '30' SECONDS)) GROUP BY window_start, window_end, hostname, cpu, allowed_top ) SELECT window_start, COUNT(*) FROM WINDOWING WHERE USAGE > allowed_top GROUP BY window_start`,
  )
  expect(await run(plan, ROWS)).toEqual([
    ['2021-10-11 12:53:00', '3'],
    ['2021-10-11 12:53:30', '2'],
  ])
})
