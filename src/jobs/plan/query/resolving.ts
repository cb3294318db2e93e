/** What resolving an expression needs of what is around it. */
import type { QueryContext } from './query-context.ts'
import type { Resolved, Scope } from './query-scope.ts'
import type { Expression, Window } from './syntax.ts'

export interface WindowScope {
  readonly named: ReadonlyMap<string, Window>
  /** Columns that identify a row of the level: they decide between rows that are equal in an order. */
  readonly ties: readonly Resolved[]
}

export interface Resolving {
  readonly context: QueryContext
  readonly scope: Scope
  /** Known when the select list is resolved. */
  readonly windows: () => WindowScope
  readonly resolve: (expression: Expression) => Resolved
}
