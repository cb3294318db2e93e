/** Rows of tables that are read once when a job starts, by the queries that read them. */
import type { InsertPlan, JobPlan } from '../plan/job-plan.ts'

/** For each insert: the rows of the fixed tables that its query names. `rows`: by relation, `f0`. */
export function rowsOnceOf(plan: JobPlan, rows: ReadonlyMap<string, number>): readonly number[] {
  return plan.inserts.map((insert) => {
    const text = textsOf(insert)
      .join(' ')
      .replace(/'(?:[^']|'')*'/g, '')
    let sum = 0
    for (const [relation, count] of rows) if (new RegExp(`\\b${relation}\\b`).test(text)) sum += count
    return sum
  })
}

function textsOf(insert: InsertPlan): readonly string[] {
  switch (insert.way) {
    case 'running':
      return [insert.running.input, insert.running.select]
    case 'refresh':
      return [insert.refresh.select]
    case 'window':
      return [insert.select, ...insert.windows.map(({ input }) => input)]
    default:
      return [insert.select]
  }
}
