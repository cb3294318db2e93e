/** The plan of a query over changing tables: the query itself, and what the worker may do instead of running it whole. */
import type { PlanContext, ResolvedQuery } from './plan-context.ts'
import type { RefreshPlan } from './refresh-plan.ts'
import { keyIsUnique, scopeOf } from './refresh-scope.ts'
import { tablesIn } from './tree-nodes.ts'

/** Rejects with SqlProblem. */
export async function planRefresh(resolved: ResolvedQuery, context: PlanContext): Promise<RefreshPlan> {
  const { tree, columns } = await context.withMeaning(resolved.query)
  const names = columns.map((_, index) => `o${index}`)
  const values = resolved.values.map(({ output, cast }, index) => `${cast(`q.o${output}`)} AS c${index}`)
  const key = resolved.sink.primaryKey.map((name) =>
    resolved.sink.columns.findIndex((one) => one.name === name),
  )
  const used = tablesIn(resolved.query)
  const bases = resolved.relations.flatMap(({ relation, kind, source }) =>
    kind === 'changing' && source !== undefined && used.has(relation) ? [{ relation, source }] : [],
  )
  return {
    bases,
    select: `SELECT ${values.join(', ')} FROM (${await context.print(tree)}) AS q(${names.join(', ')})`,
    key,
    keyIsUnique: keyIsUnique(resolved, key),
    scope: scopeOf(resolved),
  }
}
