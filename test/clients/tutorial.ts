/** The vendor's tutorial of four jobs: tables, statements, events, and the rows that each job writes for them. */

/** In PostgreSQL, before the jobs start. */
export const SET_UP = [
  'CREATE TABLE cpu_thresholds (hostname VARCHAR, allowed_top INT)',
  "INSERT INTO cpu_thresholds VALUES ('doc',20),('grumpy',30),('sleepy',40),('bashful',60),('happy',70),('sneezy',80),('dopey',90)",
  'CREATE TABLE cpu_load_stats_agg_pg (time_ltz TIMESTAMP(3) PRIMARY KEY, nr_cpus_over_threshold INT)',
]
export const AGG_ROWS =
  "SELECT to_char(time_ltz, 'YYYY-MM-DD HH24:MI:SS') AS t, nr_cpus_over_threshold AS n FROM cpu_load_stats_agg_pg ORDER BY 1"

export interface TutorialTable {
  readonly name: string
  readonly place: { readonly topic: string } | { readonly table: string }
  readonly schema: string
}

export const IN = 'cpu_load_stats_real'

export const TABLES: readonly TutorialTable[] = [
  {
    name: 'CPU_IN',
    place: { topic: IN },
    schema:
      'hostname STRING, cpu STRING, usage DOUBLE, occurred_at BIGINT, proctime AS PROCTIME(), time_ltz AS TO_TIMESTAMP_LTZ(occurred_at, 3), ' +
      "WATERMARK FOR time_ltz AS time_ltz - INTERVAL '10' SECOND",
  },
  {
    name: 'CPU_OUT_FILTER',
    place: { topic: 'cpu_load_stats_real_filter' },
    schema: 'time_ltz TIMESTAMP(3), hostname STRING, cpu STRING, usage DOUBLE',
  },
  {
    name: 'CPU_OUT_AGG',
    place: { topic: 'cpu_load_stats_agg' },
    schema:
      'window_start TIMESTAMP(3), window_end TIMESTAMP(3), hostname STRING, cpu STRING, usage_avg DOUBLE, usage_max DOUBLE',
  },
  {
    name: 'SOURCE_THRESHOLDS',
    place: { table: 'cpu_thresholds' },
    schema: 'hostname STRING, allowed_top INT, PRIMARY KEY (hostname) NOT ENFORCED',
  },
  {
    name: 'CPU_OUT_FILTER_PG',
    place: { topic: 'cpu_load_stats_real_filter_pg' },
    schema: 'time_ltz TIMESTAMP(3), hostname STRING, cpu STRING, usage DOUBLE, threshold INT',
  },
  {
    name: 'CPU_OUT_AGG_PG',
    place: { table: 'cpu_load_stats_agg_pg' },
    schema: 'time_ltz TIMESTAMP(3), nr_cpus_over_threshold BIGINT, PRIMARY KEY (time_ltz) NOT ENFORCED',
  },
]

const LOOKUP =
  'FROM CPU_IN CPU INNER JOIN SOURCE_THRESHOLDS FOR SYSTEM_TIME AS OF proctime AS ST ON CPU.hostname = ST.hostname'

export interface TutorialJob {
  readonly name: string
  readonly tables: readonly string[]
  readonly statement: string
  /** Events of this stream, else rows of AGG_ROWS. */
  readonly topic?: string
  /** Whether the order of events is part of the promise. */
  readonly isOrdered?: true
  readonly rows: readonly object[]
}

const at = (time: string) => `2021-10-11 ${time}`
const filtered = (time: string, hostname: string, cpu: string, usage: number, threshold?: number) => ({
  time_ltz: at(time),
  hostname,
  cpu,
  usage,
  ...(threshold !== undefined && { threshold }),
})
const averaged = (start: string, hostname: string, cpu: string, usage_avg: number, usage_max: number) => ({
  window_start: at(start),
  window_end: at(start === '12:53:00' ? '12:53:30' : '12:54:00'),
  hostname,
  cpu,
  usage_avg,
  usage_max,
})

export const JOBS: readonly TutorialJob[] = [
  {
    name: 'simple_filter',
    tables: ['CPU_IN', 'CPU_OUT_FILTER'],
    statement:
      'INSERT INTO CPU_OUT_FILTER SELECT time_ltz, hostname, cpu, usage FROM CPU_IN WHERE usage > 80',
    topic: 'cpu_load_stats_real_filter',
    isOrdered: true,
    rows: [
      filtered('12:53:09.277', 'dopey', 'cpu4', 98.5),
      filtered('12:53:03.483', 'sleepy', 'cpu2', 87.25),
      filtered('12:53:30', 'sneezy', 'cpu1', 80.5),
      filtered('12:53:32', 'stranger', 'cpu1', 99),
      filtered('12:53:40.001', 'dopey', 'cpu4', 91.5),
      filtered('12:53:10', 'doc', 'cpu1', 90),
    ],
  },
  {
    name: 'simple_agg',
    tables: ['CPU_IN', 'CPU_OUT_AGG'],
    statement:
      'INSERT INTO CPU_OUT_AGG SELECT window_start, window_end, hostname, cpu, AVG(usage), MAX(usage) ' +
      "FROM TABLE( TUMBLE( TABLE CPU_IN, DESCRIPTOR(time_ltz), INTERVAL '30' SECONDS)) GROUP BY window_start, window_end, hostname, cpu",
    topic: 'cpu_load_stats_agg',
    rows: [
      averaged('12:53:00', 'doc', 'cpu1', 30, 50),
      averaged('12:53:00', 'dopey', 'cpu4', 98.5, 98.5),
      averaged('12:53:00', 'happy', 'cpu2', 70, 70),
      averaged('12:53:00', 'sleepy', 'cpu2', 87.25, 87.25),
      averaged('12:53:30', 'dopey', 'cpu4', 91.5, 91.5),
      averaged('12:53:30', 'sneezy', 'cpu1', 80.5, 80.5),
      averaged('12:53:30', 'stranger', 'cpu1', 99, 99),
    ],
  },
  {
    name: 'simple_filter_pg',
    tables: ['CPU_IN', 'SOURCE_THRESHOLDS', 'CPU_OUT_FILTER_PG'],
    statement: `INSERT INTO CPU_OUT_FILTER_PG SELECT time_ltz, CPU.hostname, cpu, usage, allowed_top ${LOOKUP} WHERE usage > allowed_top`,
    topic: 'cpu_load_stats_real_filter_pg',
    isOrdered: true,
    rows: [
      filtered('12:53:00', 'doc', 'cpu1', 50, 20),
      filtered('12:53:09.277', 'dopey', 'cpu4', 98.5, 90),
      filtered('12:53:03.483', 'sleepy', 'cpu2', 87.25, 40),
      filtered('12:53:30', 'sneezy', 'cpu1', 80.5, 80),
      filtered('12:53:40.001', 'dopey', 'cpu4', 91.5, 90),
      filtered('12:53:10', 'doc', 'cpu1', 90, 20),
    ],
  },
  {
    name: 'simple_filter_pg_agg',
    tables: ['CPU_IN', 'SOURCE_THRESHOLDS', 'CPU_OUT_AGG_PG'],
    statement:
      `INSERT INTO CPU_OUT_AGG_PG WITH JOINING_INFO AS( SELECT time_ltz, CPU.hostname, cpu, usage, allowed_top ${LOOKUP} ), ` +
      'WINDOWING AS ( SELECT window_start, window_end, hostname, cpu, AVG(usage) USAGE, allowed_top ' +
      "FROM TABLE(TUMBLE(TABLE JOINING_INFO, DESCRIPTOR(time_ltz), INTERVAL '30' SECONDS)) " +
      'GROUP BY window_start, window_end, hostname, cpu, allowed_top ) ' +
      'SELECT window_start, COUNT(*) FROM WINDOWING WHERE USAGE > allowed_top GROUP BY window_start',
    rows: [
      { t: '2021-10-11 12:53:00', n: 3 },
      { t: '2021-10-11 12:53:30', n: 2 },
    ],
  },
]

/** 2021-10-11T12:53:00Z */
const BASE_MS = 1_633_956_780_000

const event = (hostname: string, cpu: string, usage: number, offsetMs: number) =>
  JSON.stringify({ hostname, cpu, usage, occurred_at: BASE_MS + offsetMs })

export const EVENTS: readonly string[] = [
  event('doc', 'cpu1', 50, 0), // first of window 1
  event('dopey', 'cpu4', 98.5, 9277),
  event('sleepy', 'cpu2', 87.25, 3483), // out of order, within 10 s
  event('doc', 'cpu1', 10, 20_000),
  event('happy', 'cpu2', 70, 29_999), // last millisecond of window 1; equal to its threshold
  event('sneezy', 'cpu1', 80.5, 30_000), // first millisecond of window 2
  event('stranger', 'cpu1', 99, 32_000), // has no threshold
  event('dopey', 'cpu4', 91.5, 40_001), // the watermark is 12:53:30.001: window 1 closes
  event('doc', 'cpu1', 90, 10_000), // late for window 1
  event('flush', 'cpu0', 1, 100_000), // the watermark is 12:54:30: window 2 closes
]
