/** `JOIN t FOR SYSTEM_TIME AS OF p`: rows of a database table for the keys of a tick. */
import { encodedName } from '../../sql/encoded-name.ts'
import { ON_FLINK } from '../../sql/sql-problem.ts'
import type { Node } from '../../sql/tree.ts'
import type { FromPart, PendingLookup } from './from-part.ts'
import { columnsOf, type TableRelation } from './plan-relations.ts'
import { type PlannerTable, relationKind } from './planner-table.ts'
import type { Ctes, LookupUse, Resolution } from './resolution.ts'
import { type Entry, findColumn } from './scope.ts'
import { conjunction, conjuncts, neededCtes, nodesOf, selectNode } from './tree-nodes.ts'

export interface LookupSide {
  /** The JOIN. */
  readonly node: Node
  readonly left: FromPart
  /** Of `__lookup<k>`. */
  readonly index: number
  readonly ctes: Ctes
}

export function lookupOf(
  resolution: Resolution,
  { node, left, index }: LookupSide,
): { readonly entry: Entry; readonly relation: TableRelation; readonly table: PlannerTable } {
  const reference = resolution.query.lookups[index]!
  const { table: token, time } = reference
  const table = resolution.table(token.value, (reason) => resolution.problemAt(reason, token))
  if (node.join_type !== 'INNER' && node.join_type !== 'LEFT') {
    throw resolution.problem('FOR SYSTEM_TIME AS OF takes INNER JOIN or LEFT JOIN', node.right as Node)
  }
  if (relationKind(table) !== 'fixed') {
    throw resolution.problemAt(
      `FOR SYSTEM_TIME AS OF takes a database table, and ${table.name} is none${ON_FLINK}`,
      token,
    )
  }
  const place = { start: time[0]!.start, end: time.at(-1)!.end }
  const found = findColumn(
    time.map(({ value }) => encodedName(value)),
    { entries: left.entries, outer: undefined },
  )
  if (typeof found === 'string') throw resolution.problemAt(found, place)
  if (found.column.time !== 'proctime') {
    throw resolution.problemAt(
      `FOR SYSTEM_TIME AS OF takes a column that is AS PROCTIME(); ${time.at(-1)!.value} is none${ON_FLINK}`,
      place,
    )
  }
  if (left.kind !== 'append') {
    throw resolution.unsupported(
      'a lookup join with something else than rows of a stream is not supported',
      node.right as Node,
    )
  }
  const relation = resolution.relations.lookup(table)
  const alias = (node.right as Node).alias
  const entry: Entry = {
    alias: alias === undefined || alias === '' ? encodedName(table.name) : alias,
    columns: columnsOf(relation),
    kind: 'lookup',
    merged: new Set(),
  }
  return { entry, relation, table }
}

/** The keys of a lookup: expressions over the left side that ON makes equal to columns of the database table. */
export function lookupUse(
  resolution: Resolution,
  { relation, table, entry, left, condition, node }: PendingLookup,
  where: Node | null,
  ctes: Ctes,
): LookupUse {
  const keys = new Map<string, Node>()
  for (const one of conjuncts(condition)) {
    if (one.type !== 'COMPARE_EQUAL') continue
    for (const [side, other] of [
      [one.left, one.right],
      [one.right, one.left],
    ] as [Node, Node][]) {
      const found = resolution.meanings.get(side)
      if (found?.entry !== entry || found.fields.length > 0) continue
      if (!refersTo(resolution, other, left.entries) || keys.has(found.column.sql)) continue
      keys.set(found.column.sql, other)
    }
  }
  if (keys.size === 0) {
    throw resolution.problem(
      `the join with ${table.name} needs an equality of one of its columns with the left side in ON`,
      node.right as Node,
    )
  }
  const conditions = conjuncts(where).filter((one) => refersTo(resolution, one, left.entries))
  const query = selectNode({
    list: [...keys.values()].map((key, i) => ({ ...key, alias: `k${i}` })),
    from: left.node,
    where: conjunction(conditions),
  })
  const known = [...resolution.views.nodes, ...[...ctes.values()].map((cte) => cte.node)]
  const needed = neededCtes(known, query)
  return { lookup: relation, keyColumns: [...keys.keys()], keys: { ...query, cte_map: { map: needed } } }
}

/** Whether the expression has columns of these relations alone, and no sub-query. */
function refersTo(resolution: Resolution, expression: Node, entries: readonly Entry[]): boolean {
  for (const node of nodesOf(expression)) {
    if (node.class === 'SUBQUERY') return false
    if (node.class !== 'COLUMN_REF') continue
    const found = resolution.meanings.get(node)
    if (found === undefined || !entries.includes(found.entry)) return false
  }
  return true
}
