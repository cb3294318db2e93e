import type { RewrittenInsert } from '../../sql/statement-rewriter.ts'
import type { SinkPlan } from './job-plan.ts'
import type { PlannerTable } from './planner-table.ts'
import type { Resolution, Resolved } from './resolution.ts'

/** An INSERT INTO whose query is resolved. */
export interface ResolvedInsert {
  readonly insert: RewrittenInsert
  readonly table: PlannerTable
  readonly sink: SinkPlan
  readonly resolution: Resolution
  readonly resolved: Resolved
}
