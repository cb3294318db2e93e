/** The tree of a SELECT, as DuckDB's json_serialize_sql makes it, and what rewriting it needs from the engine. */

/** A node: a query, a reference to a table, or an expression. `type` determines the other members. */
export interface SqlNode {
  type?: unknown
  [member: string]: unknown
}

/** A column of a result, with the name of its type in DuckDB: `DECIMAL(10,2)`, `TIMESTAMP WITH TIME ZONE`. */
export interface DescribedColumn {
  readonly name: string
  readonly type: string
}

/** The part of the engine that typed rewriting uses. `select` is a query node: SELECT_NODE or SET_OPERATION_NODE. */
export interface TreeEngine {
  /** Binds the query to tables without rows. Rejects with an error of the engine. */
  describe(select: SqlNode): Promise<readonly DescribedColumn[]>
  /** The text of the query in DuckDB's SQL. */
  print(select: SqlNode): Promise<string>
  /** The query node of a SELECT in DuckDB's SQL. */
  parse(sql: string): Promise<SqlNode>
}
