/** The columns of a query that no statement writes anywhere: of a view, and of a SELECT that is checked. */

import { decodedName } from '../../sql/encoded-name.ts'
import { rewriteQuery } from '../../sql/statement-rewriter.ts'
import { planLookup, planWindows } from './insert-plan.ts'
import type { PlanEngine } from './plan-engine.ts'
import { PlanRelations } from './plan-relations.ts'
import { planRelations } from './plan-statement.ts'
import type { DescribedQuery } from './planner-protocol.ts'
import { resolveQuery } from './query-resolver.ts'
import { type Catalog, Resolution } from './resolution.ts'
import { atItsPlace } from './schema-expressions.ts'

/** Rejects with SqlProblem for a query that is wrong, and for one that no job of this engine could have. */
export async function describeQuery(
  engine: PlanEngine,
  query: string,
  catalog: Catalog,
): Promise<DescribedQuery> {
  const relations = new PlanRelations()
  const rewritten = rewriteQuery(query)
  const resolution = new Resolution(query, rewritten, catalog, relations, 0)
  const root = await atItsPlace(resolution, () => engine.parse(rewritten.sql))
  const { node, columns: names, kind } = resolveQuery(resolution, root)
  await planRelations(engine, relations)
  return atItsPlace(resolution, async () => {
    for (const use of resolution.lookups) await planLookup(engine, use)
    if (kind === 'window') await planWindows(engine, resolution)
    const { tree, columns } = await engine.withMeaning(node)
    await engine.bind(await engine.print(tree))
    const hidden = kind === 'append' || kind === 'window' ? 1 : 0
    const visible = columns.slice(hidden)
    const { sources, lookups, fixed } = relations
    return {
      kind,
      tables: [...new Set([...sources, ...lookups, ...fixed].map(({ table }) => table.name))],
      columns: visible.map(({ name, type, nullable }, i) => ({
        ...{ name: decodedName(names[i]?.name ?? name), type, nullable },
      })),
    }
  })
}
