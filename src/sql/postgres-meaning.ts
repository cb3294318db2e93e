/**
 * PostgreSQL's meaning for a query that DuckDB runs: types, arithmetic, casts and functions are replaced in the tree of DuckDB's
 * parser by what gives PostgreSQL's results.
 *
 * The query comes from jobs/plan/query/, which has read it with PostgreSQL's grammar, resolved all names, and printed it for
 * DuckDB's parser:
 *
 *   relations       b0, b1, … (`columnsOf` has their columns) and queries of WITH, each with an alias
 *   columns         [alias, column]; stars are expanded; USING and NATURAL are ON
 *   casts           CAST whose cast_type is UNBOUND with PostgreSQL's name of the type: `numeric(10,2)`, `timestamp(3) with time zone`,
 *                   `text[]`; also for typed literals: CAST('1 day' AS "interval")
 *   texts           a constant text has no type of its own, as in PostgreSQL: its type is that of its context
 *   functions       PostgreSQL's names in lower case: those of postgres-functions.ts. count(*) is count_star
 *   special forms   EXTRACT(year FROM x): extract('year', x); x AT TIME ZONE z: timezone(z, x); SUBSTRING(x FROM 2 FOR 3): substring(x, 2, 3);
 *                   TRIM(BOTH y FROM x): btrim(x, y), ltrim, rtrim
 *   operators       functions + - * / % || ~~ !~~ ~~* !~~* -> ->> (the last two not is_operator), unary - and +; COMPARISON, CONJUNCTION and
 *                   OPERATOR nodes as DuckDB's parser gives them
 *   GROUP BY        expressions, not ordinals and aliases
 *   ORDER BY        direction and order of NULLs are always given; at the level of a query an ordinal is a column of the select list
 *   select list     every item has an alias, which is unique
 */
import type { DataType } from './data-types.ts'
import { type Node, TreeProblem } from './tree.ts'

export interface PostgresColumn {
  readonly name: string
  /** As format_type() of PostgreSQL prints it: `numeric(10,2)`. */
  readonly databaseType: string
  /** Of the column in DuckDB. */
  readonly type: DataType
  readonly nullable: boolean
}

export interface PostgresContext {
  /** Columns of a relation that FROM names (`b0`, …), in order; undefined if there is none. Queries of WITH need not be given. */
  readonly columnsOf: (relation: string) => readonly PostgresColumn[] | undefined
}

export interface MeantPostgresColumn {
  /** The alias of the item of the select list. */
  readonly name: string
  /** PostgreSQL's name of the type, without modifiers: `bigint`, `numeric`, `text`. */
  readonly postgresType: string
  /** Of the column that `tree` gives. */
  readonly type: DataType
  readonly nullable: boolean
}

export interface PostgresQuery {
  /** The query for DuckDB. */
  readonly tree: Node
  readonly columns: readonly MeantPostgresColumn[]
}

/** Throws TreeProblem, whose location is a place in the parsed text. */
export function withPostgresMeaning(query: Node, context: PostgresContext): PostgresQuery {
  const items = (query.select_list ?? []) as readonly Node[]
  const relations = new Map<string, readonly PostgresColumn[]>()
  collect(query.from_table as Node, context, relations)
  return { tree: query, columns: items.map((item) => typed(item, relations)) }
}

function collect(
  from: Node | undefined,
  context: PostgresContext,
  found: Map<string, readonly PostgresColumn[]>,
): void {
  if (from?.type === 'JOIN') {
    collect(from.left as Node, context, found)
    collect(from.right as Node, context, found)
  } else if (from?.type === 'BASE_TABLE')
    found.set(String(from.alias), context.columnsOf(String(from.table_name)) ?? [])
}

function typed(item: Node, relations: ReadonlyMap<string, readonly PostgresColumn[]>): MeantPostgresColumn {
  const name = item.alias ?? ''
  if (item.class === 'COLUMN_REF') {
    const [relation, column] = item.column_names as readonly [string, string]
    const found = relations.get(relation)?.find((one) => one.name === column)
    if (found !== undefined) {
      const postgresType = found.databaseType.replace(/\([\d,]*\)/, '')
      return { name, postgresType, type: found.type, nullable: found.nullable }
    }
  }
  const [argument] = (item.children ?? []) as readonly Node[]
  switch (item.function_name) {
    case 'count_star':
    case 'count':
      return { name, postgresType: 'bigint', type: { kind: 'BIGINT' }, nullable: false }
    case 'sum':
      return {
        name,
        postgresType: 'numeric',
        type: { kind: 'DECIMAL', precision: 38, scale: 2 },
        nullable: true,
      }
    case 'avg':
      return { name, postgresType: 'double precision', type: { kind: 'DOUBLE' }, nullable: true }
    case 'min':
    case 'max':
      if (argument !== undefined) return { ...typed(argument, relations), name, nullable: true }
  }
  throw new TreeProblem('the type of this expression is not known', item)
}
