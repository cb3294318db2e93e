/** Plans of jobs over one stream `cpu` as the planner makes them, by hand. */
import type { InsertPlan, JobPlan, SourcePlan, WindowPlan } from '../../src/jobs/plan/job-plan.ts'
import { column } from './job-worker.ts'

export const CPU = [
  column('hostname', 'STRING'),
  column('cpu', 'STRING'),
  column('usage', 'DOUBLE'),
  column('occurred_at', 'BIGINT'),
]

const SOURCE_COLUMNS = [...CPU, column('time_ltz', 'TIMESTAMP_LTZ', { precision: 3 })]

export function cpuSource(relation = 's0', table = 'cpu', delayMs = 10_000): SourcePlan {
  return {
    relation,
    tableId: table,
    tableName: table,
    decoded: CPU,
    view: `SELECT "hostname", "cpu", "usage", "occurred_at", CAST(make_timestamp("occurred_at" * 1000) AS TIMESTAMPTZ) AS "time_ltz" FROM in_${relation}`,
    columns: SOURCE_COLUMNS,
    watermark: `epoch_ms("time_ltz") - ${delayMs}`,
    changeKey: [],
  }
}

export function planOf(
  sources: readonly SourcePlan[],
  inserts: readonly InsertPlan[],
  more: Partial<JobPlan> = {},
): JobPlan {
  return { signature: 'ab'.repeat(32), sources, lookups: [], fixed: [], inserts, vertices: [], ...more }
}

export const FILTERED = [
  column('time_ltz', 'TIMESTAMP', { precision: 3 }),
  column('hostname', 'STRING'),
  column('cpu', 'STRING'),
  column('usage', 'DOUBLE'),
]

export const FILTER: InsertPlan = {
  way: 'arrival',
  sink: { tableId: 'out', tableName: 'out', columns: FILTERED, primaryKey: [] },
  select:
    'SELECT __ord, CAST("time_ltz" AS TIMESTAMP) AS c0, "hostname" AS c1, "cpu" AS c2, "usage" AS c3 FROM s0 WHERE "usage" > 80',
}

export const AGGREGATED = [
  column('window_start', 'TIMESTAMP', { precision: 3 }),
  column('window_end', 'TIMESTAMP', { precision: 3 }),
  column('hostname', 'STRING'),
  column('total', 'DOUBLE'),
  column('n', 'BIGINT'),
]

export function windowOf(more: Partial<WindowPlan> = {}): WindowPlan {
  return {
    relation: 'w0',
    kind: 'TUMBLE',
    sizeMs: 30_000,
    slideMs: more.sizeMs ?? 30_000,
    offsetMs: 0,
    input: 'SELECT __ord, "hostname", "usage", "time_ltz" FROM s0',
    columns: [column('hostname', 'STRING'), column('usage', 'DOUBLE'), SOURCE_COLUMNS[4]!],
    timeColumn: 'time_ltz',
    sources: ['s0'],
    ...more,
  }
}

export function windowInsert(window: WindowPlan): InsertPlan {
  return {
    way: 'window',
    sink: { tableId: 'out', tableName: 'out', columns: AGGREGATED, primaryKey: [] },
    windows: [window],
    select: `SELECT __end, window_start AS c0, window_end AS c1, "hostname" AS c2, sum("usage") AS c3, count(*) AS c4 FROM ${window.relation} GROUP BY __end, window_start, window_end, "hostname"`,
  }
}
