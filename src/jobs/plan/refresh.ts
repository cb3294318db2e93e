/** The plan of a query over changing tables: the query itself, and what the worker may do instead of running it whole. */
import { ON_FLINK } from '../../sql/sql-problem.ts'
import type { Node } from '../../sql/tree.ts'
import type { PlanContext, ResolvedQuery } from './plan-context.ts'
import type { RefreshPlan } from './refresh-plan.ts'
import { keyIsUnique, scopeOf, volatileCall } from './refresh-scope.ts'
import { nodesOf, tablesIn } from './tree-nodes.ts'

/** Rejects with SqlProblem. */
export async function planRefresh(resolved: ResolvedQuery, context: PlanContext): Promise<RefreshPlan> {
  const { tree, columns } = await context.withMeaning(resolved.query)
  const names = columns.map((_, index) => `o${index}`)
  const values = resolved.values.map(({ output, cast }, index) => `${cast(`q.o${output}`)} AS c${index}`)
  const key = resolved.sink.primaryKey.map((name) =>
    resolved.sink.columns.findIndex((one) => one.name === name),
  )
  const scope = scopeOf(resolved)
  const volatile = volatileCall(resolved.query)
  if (volatile !== undefined && scope === undefined) throw context.problem(volatileText(volatile), volatile)
  return {
    bases: basesOf(resolved, context),
    select: `SELECT ${values.join(', ')} FROM (${await context.print(tree)}) AS q(${names.join(', ')})`,
    key,
    keyIsUnique: keyIsUnique(resolved, key),
    scope,
  }
}

function volatileText({ function_name: name }: Node): string {
  return `${String(name).toUpperCase()} is supported only where each row of one changing table gives its own row of the result${ON_FLINK}`
}

function basesOf({ query, relations }: ResolvedQuery, context: PlanContext): RefreshPlan['bases'] {
  const used = tablesIn(query)
  return relations.flatMap(({ relation, tableName, kind, source, primaryKey }) => {
    if (kind !== 'changing' || source === undefined || !used.has(relation)) return []
    if (primaryKey.length > 0) return [{ relation, source }]
    const place = [...nodesOf(query)].find((node) => node.table_name === relation)
    throw context.problem(`table ${tableName} needs a PRIMARY KEY, by which its changes are applied`, place)
  })
}
