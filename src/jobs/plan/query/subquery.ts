/** A query in an expression. */
import type { Resolved, Scope } from './query-scope.ts'
import type { Sql } from './sql-pieces.ts'
import type { Query } from './syntax.ts'

export interface ResolvedSubquery {
  readonly sql: Sql
  readonly columns: number
  /** Columns of the queries around it. */
  readonly outer: readonly Resolved[]
  /** Equal for equal queries; else unique. */
  readonly id: string
}

export type ResolveSubquery = (query: Query, scope: Scope) => ResolvedSubquery
