/** PostgreSQL's rule for queries with GROUP BY or aggregates: columns outside of aggregates are grouped, or follow from a grouped key. */
import type { QueryContext } from './query-context.ts'
import { type Entry, type Level, partsOf, type Resolved } from './query-scope.ts'

export interface Grouping {
  readonly isGrouped: boolean
  readonly groups: readonly Resolved[]
  readonly level: Level
  readonly entries: readonly Entry[]
  /** Of the select list, HAVING and ORDER BY. */
  readonly expressions: readonly Resolved[]
}

/** Returns the columns that have to be grouped too, because the grouped key of their table determines them. */
export function checkGrouping(context: QueryContext, grouping: Grouping): readonly Resolved[] {
  const { isGrouped, groups, level, entries, expressions } = grouping
  if (!isGrouped) return []
  const grouped = new Set(groups.map(({ id }) => id))
  const determined = new Set(entries.filter((entry) => isDetermined(entry, groups)))
  const more = new Map<number, Resolved>()
  for (const expression of expressions) {
    const stops = (part: Resolved) => grouped.has(part.id) || part.kind === 'aggregate'
    for (const part of partsOf(expression, stops)) {
      if (stops(part) || part.use === undefined || part.use.level !== level) continue
      const { entry, column } = part.use
      if (determined.has(entry)) {
        more.set(part.id, part)
        continue
      }
      const name = `${entry.name}.${column.name}`
      throw context.invalid(
        part.isOfSubquery === true
          ? `subquery uses ungrouped column "${name}" from outer query`
          : `column "${name}" must appear in the GROUP BY clause or be used in an aggregate function`,
        part,
      )
    }
  }
  return [...more.values()]
}

function isDetermined(entry: Entry, groups: readonly Resolved[]): boolean {
  const { table, keys } = entry
  if (table === undefined || keys === undefined || keys.length === 0) return false
  return keys.every((key) => groups.some(({ use }) => use?.entry === entry && use.column.sql === key.sql))
}
