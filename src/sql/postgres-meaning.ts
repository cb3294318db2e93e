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
import { engineCast } from './engine-cast.ts'
import { orText } from './postgres-casts.ts'
import { as, asColumn, keyOf, unified } from './postgres-common.ts'
import { type GroupedValue, PgExpressions, signatureOf } from './postgres-expressions.ts'
import { asExact, asNumeric } from './postgres-numbers.ts'
import { nullableRelations, PgScope, type PgScopeColumn } from './postgres-scope.ts'
import { columnPgType, dataTypeOf, engineType, printPgType, type Typed } from './postgres-types.ts'
import { call, constantOf, type Node, TreeProblem, UnsupportedTree } from './tree.ts'

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
  const { node, columns } = new Queries(context).query(query, new Map(), undefined)
  return {
    tree: node,
    columns: columns.map(({ name, type, nullable }) => {
      if (type.kind === 'interval')
        throw new TreeProblem(
          `column ${name} is an interval, which a result cannot hold; use extract(epoch from …)`,
          query,
        )
      return { name, postgresType: printPgType(type), type: dataTypeOf(type), nullable }
    }),
  }
}

interface Query {
  readonly node: Node
  readonly columns: readonly PgScopeColumn[]
}

type Ctes = ReadonlyMap<string, readonly PgScopeColumn[]>
type CteEntry = { readonly key: string; readonly value: Node }

class Queries {
  readonly #context: PostgresContext

  constructor(context: PostgresContext) {
    this.#context = context
  }

  query(node: Node, outerCtes: Ctes, outer: PgScope | undefined): Query {
    const { ctes, map } = this.#ctes(node, outerCtes, outer)
    const withCtes = { ...node, cte_map: { ...(node.cte_map as object), map } }
    if (node.type === 'SELECT_NODE') return this.#select(withCtes, ctes, outer)
    if (node.type === 'SET_OPERATION_NODE') return this.#setOperation(withCtes, ctes, outer)
    throw new UnsupportedTree('recursive queries are not supported here', node)
  }

  #ctes(node: Node, outerCtes: Ctes, outer: PgScope | undefined): { ctes: Ctes; map: readonly CteEntry[] } {
    const entries = ((node.cte_map as { map?: readonly CteEntry[] } | undefined)?.map ??
      []) as readonly CteEntry[]
    const ctes = new Map(outerCtes)
    const map = entries.map(({ key, value }) => {
      const inner = (value.query as { node: Node }).node
      const { node: replaced, columns } = this.query(inner, ctes, outer)
      ctes.set(key, renamed(columns, value.aliases as readonly string[] | undefined))
      return { key, value: { ...value, query: { ...(value.query as object), node: replaced } } }
    })
    return { ctes, map }
  }

  #expressions(ctes: Ctes): PgExpressions {
    return new PgExpressions((query, scope) => this.query(query, ctes, scope))
  }

  #select(node: Node, ctes: Ctes, outer: PgScope | undefined): Query {
    const from = this.#from(node.from_table as Node, ctes, outer)
    const { scope } = from
    const expressions = this.#expressions(ctes)
    const optional = (part: unknown): Node | null =>
      part === null || part === undefined ? null : expressions.condition(part as Node, scope)
    const where_clause = optional(node.where_clause)
    const groups = ((node.group_expressions ?? []) as readonly Node[]).map((group) => ({
      group,
      value: orText(expressions.typed(group, scope), group),
    }))
    expressions.grouped = groups.flatMap(({ group, value }) => groupedValue(signatureOf(group), value))
    const items = (node.select_list as readonly Node[]).map((item) => {
      const value = expressions.typed(item, scope)
      const column = asColumn(value, item)
      return {
        item,
        value: orText(value, item),
        column: { ...column, node: { ...column.node, alias: item.alias ?? '' } },
      }
    })
    const columns = items.map(({ item, column }) => ({
      name: item.alias || lastName(item),
      type: column.type,
      nullable: column.nullable,
    }))
    const orderBy = (part: Node): Node => {
      const place = constantOf(part)
      if (typeof place !== 'number') return expressions.orderKey(part, scope)
      const item = items[place - 1]
      if (item === undefined) throw new TreeProblem(`ORDER BY position ${place} is not in select list`, part)
      return isSortedAsIs(item.value) ? part : { ...keyOf(item.value), alias: '' }
    }
    const having = optional(node.having)
    const modifiers = ((node.modifiers ?? []) as readonly Node[]).map((modifier) => {
      if (modifier.type === 'ORDER_MODIFIER')
        return { ...modifier, orders: expressions.orders(modifier.orders as readonly Node[], orderBy) }
      if (modifier.type !== 'DISTINCT_MODIFIER' || items.every(({ value }) => isSortedAsIs(value)))
        return modifier
      return { ...modifier, distinct_on_targets: items.map(({ value }) => ({ ...keyOf(value), alias: '' })) }
    })
    const rewritten = {
      ...node,
      from_table: from.node,
      select_list: items.map(({ column }) => column.node),
      where_clause,
      group_expressions: groups.map(({ value }) => keyOfGroup(value)),
      having,
      modifiers,
    }
    return { node: rewritten, columns }
  }

  #from(node: Node, ctes: Ctes, outer: PgScope | undefined): { node: Node; scope: PgScope } {
    const alone = (columns: readonly PgScopeColumn[], replaced: Node) => {
      const named = renamed(columns, node.column_name_alias as readonly string[] | undefined)
      const alias = String(node.alias || node.table_name || '')
      return { node: replaced, scope: new PgScope([{ alias, columns: named }], outer) }
    }
    switch (node.type) {
      case 'EMPTY':
        return { node, scope: new PgScope([], outer) }
      case 'BASE_TABLE': {
        const table = String(node.table_name)
        const columns = ctes.get(table) ?? this.#context.columnsOf(table)?.map(scopeColumn)
        if (columns === undefined) throw new TreeProblem(`relation "${table}" does not exist`, node)
        return alone(columns, node)
      }
      case 'SUBQUERY': {
        const { node: query, columns } = this.query((node.subquery as { node: Node }).node, ctes, outer)
        return alone(columns, { ...node, subquery: { ...(node.subquery as object), node: query } })
      }
      case 'EXPRESSION_LIST':
        return this.#values(node, outer)
      case 'JOIN':
        return this.#join(node, ctes, outer)
      default:
        throw new UnsupportedTree(`${String(node.type).toLowerCase()} in FROM is not supported here`, node)
    }
  }

  #values(node: Node, outer: PgScope | undefined): { node: Node; scope: PgScope } {
    const scope = new PgScope([], outer)
    const expressions = this.#expressions(new Map())
    const rows = (node.values as readonly (readonly Node[])[]).map((row) =>
      row.map((value) => expressions.typed(value, scope)),
    )
    const columns = rows[0]!.map((_, index) => {
      const { values } = unified(
        rows.map((row) => row[index]!),
        node,
      )
      return values.map((value) => asColumn(value, node))
    })
    const values = rows.map((row, at) => row.map((_, index) => columns[index]![at]!.node))
    const names = node.expected_names as readonly string[] | undefined
    const named = columns.map((column, index) => ({
      name: names?.[index] ?? `column${index + 1}`,
      type: column[0]!.type,
      nullable: column.some(({ nullable }) => nullable),
    }))
    const relation = { alias: String(node.alias ?? ''), columns: named }
    return { node: { ...node, values }, scope: new PgScope([relation], outer) }
  }

  #join(node: Node, ctes: Ctes, outer: PgScope | undefined): { node: Node; scope: PgScope } {
    const left = this.#from(node.left as Node, ctes, outer)
    const right = this.#from(node.right as Node, ctes, outer)
    const inside = new PgScope([...left.scope.relations, ...right.scope.relations], outer)
    const { condition: given, join_type: kind } = node
    const condition =
      given === null || given === undefined ? null : this.#expressions(ctes).condition(given as Node, inside)
    const isOuter = (...kinds: string[]) => kinds.includes(String(kind))
    const relations = [
      ...(isOuter('RIGHT', 'FULL', 'OUTER') ? nullableRelations(left.scope.relations) : left.scope.relations),
      ...(isOuter('LEFT', 'FULL', 'OUTER')
        ? nullableRelations(right.scope.relations)
        : right.scope.relations),
    ]
    return {
      node: { ...node, left: left.node, right: right.node, condition },
      scope: new PgScope(relations, outer),
    }
  }

  #setOperation(node: Node, ctes: Ctes, outer: PgScope | undefined): Query {
    const left = this.query(node.left as Node, ctes, outer)
    const right = this.query(node.right as Node, ctes, outer)
    if (left.columns.length !== right.columns.length)
      throw new TreeProblem(
        `each ${String(node.setop_type)} query must have the same number of columns`,
        node,
      )
    const columns = left.columns.map((column, index) => {
      const other = right.columns[index]!
      const reference = (name: string): Node => ({
        class: 'COLUMN_REF',
        type: 'COLUMN_REF',
        column_names: [name],
      })
      const { values } = unified(
        [column, other].map(({ name, type }) => ({ node: reference(name), type, nullable: false })),
        node,
      )
      const type = asColumn(values[0]!, node).type
      return { name: column.name, type, nullable: column.nullable || other.nullable }
    })
    const isMerged = !(node.setop_type === 'UNION' && node.setop_all === true)
    const unsorted = columns.find(
      ({ type }) => type.kind === 'numeric' && !isSortedAsIs({ node, type, nullable: true }),
    )
    if (isMerged && unsorted !== undefined)
      throw new UnsupportedTree(
        `column ${unsorted.name} has numerics with differing digits, which ${String(node.setop_type)} cannot compare here; cast it to numeric(p,s)`,
        node,
      )
    const sides = {
      left: withTypes(left, columns, node),
      right: withTypes(right, columns, node),
    }
    const modifiers = ((node.modifiers ?? []) as readonly Node[]).map((modifier) =>
      modifier.type === 'ORDER_MODIFIER'
        ? {
            ...modifier,
            orders: this.#expressions(ctes).orders(modifier.orders as readonly Node[], (part) =>
              orderOfSet(part, columns),
            ),
          }
        : modifier,
    )
    return { node: { ...node, ...sides, modifiers }, columns }
  }
}

const scopeColumn = ({ name, databaseType, nullable }: PostgresColumn): PgScopeColumn => ({
  name,
  type: columnPgType(databaseType),
  nullable,
})

/** Values are sorted, and are duplicates, as DuckDB compares them. */
function isSortedAsIs({ type, scale }: Typed): boolean {
  if (type.kind === 'bpchar') return false
  return scale === undefined && !(type.kind === 'numeric' && type.form === 'exact')
}

/** Values of one group may show different digits: the group shows the fewest of them. */
function groupedValue(signature: string, value: Typed): GroupedValue[] {
  if (value.type.kind === 'bpchar' && value.node.class !== 'COLUMN_REF')
    return [{ signature, value: { ...value, node: call('max', value.node) } }]
  if (value.type.kind !== 'numeric' || isSortedAsIs(value)) return []
  if (value.scale === undefined) return [{ signature, value: { ...value, node: call('min', value.node) } }]
  return [{ signature, value: { ...value, scale: call('min', value.scale) } }]
}

/** Values of a column of character(n) have one length, so that they are equal as they are. */
const keyOfGroup = (value: Typed): Node =>
  value.type.kind === 'bpchar' && value.node.class === 'COLUMN_REF' ? value.node : keyOf(value)

/** Only ordinals and names of columns: they are sorted as DuckDB compares them. */
function orderOfSet(part: Node, columns: readonly PgScopeColumn[]): Node {
  const place = constantOf(part)
  const names = part.column_names as readonly string[] | undefined
  const column =
    typeof place === 'number' ? columns[place - 1] : columns.find(({ name }) => name === names?.at(-1))
  if (column === undefined)
    throw new TreeProblem('ORDER BY of UNION, INTERSECT or EXCEPT takes columns of the result', part)
  if (column.type.kind === 'numeric' && column.type.form === 'exact')
    throw new UnsupportedTree(
      `ORDER BY ${column.name} needs a cast to numeric(p,s) in both queries here`,
      part,
    )
  return part
}

/** The query with its columns in these types. */
function withTypes({ node, columns }: Query, target: readonly PgScopeColumn[], place: Node): Node {
  if (columns.every(({ type }, index) => engineType(type) === engineType(target[index]!.type))) return node
  const reference = (index: number): Node => ({
    class: 'COLUMN_REF',
    type: 'COLUMN_REF',
    column_names: ['q', `c${index}`],
  })
  const select_list = columns.map(({ type, nullable }, index) => {
    const to = target[index]!.type
    const value: Typed = { node: reference(index), type, nullable }
    const cast =
      to.kind === 'numeric'
        ? to.form === 'exact'
          ? asExact(asNumeric(value))
          : { ...value, node: engineCast(asNumeric(value).node, engineType(to)) }
        : as(value, to, place)
    return { ...cast.node, alias: target[index]!.name }
  })
  return {
    type: 'SELECT_NODE',
    modifiers: [],
    cte_map: { map: [] },
    select_list,
    from_table: {
      type: 'SUBQUERY',
      alias: 'q',
      sample: null,
      subquery: { node, named_param_map: [] },
      column_name_alias: columns.map((_, index) => `c${index}`),
    },
    where_clause: null,
    group_expressions: [],
    group_sets: [],
    aggregate_handling: 'STANDARD_HANDLING',
    having: null,
    sample: null,
    qualify: null,
  }
}

function renamed(columns: readonly PgScopeColumn[], names: readonly string[] | undefined): PgScopeColumn[] {
  return columns.map((column, index) => ({ ...column, name: names?.[index] ?? column.name }))
}

const lastName = (node: Node): string => (node.column_names as readonly string[] | undefined)?.at(-1) ?? ''
