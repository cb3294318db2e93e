/**
 * Flink SQL's meaning for a query that DuckDB runs: types, arithmetic, casts, functions and order of NULLs are replaced in the
 * tree of DuckDB's parser by what gives Flink's results (docs/sql-jobs.md has the differences that stay).
 */
import type { TypedColumn } from './data-types.ts'
import type { Node } from './tree.ts'

export interface MeaningContext {
  /** Columns of a relation that FROM names (`s0`, `w0`, …), in order; undefined if there is none. CTEs need not be given. */
  readonly columnsOf: (relation: string) => readonly TypedColumn[] | undefined
}

export interface FlinkQuery {
  /** The query for DuckDB. `printTree` gives the text for json_deserialize_sql. */
  readonly tree: Node
  /** Its columns with Flink's names and types. */
  readonly columns: readonly TypedColumn[]
}

/**
 * `query` is `statements[0].node` of parseTree. Throws TreeProblem, whose location is a place in the parsed text, for what
 * Flink does not accept and for what has no equivalent.
 */
export function withFlinkMeaning(_query: Node, _context: MeaningContext): FlinkQuery {
  throw new Error('in work')
}
