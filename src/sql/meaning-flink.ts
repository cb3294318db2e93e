/**
 * Flink SQL's meaning for a query that DuckDB runs: types, arithmetic, casts, functions and order of NULLs are replaced in the
 * tree of DuckDB's parser by what gives Flink's results (docs/sql-jobs.md has the differences that stay).
 *
 * Types of expressions are inferred with Flink's rules from the types of columns, so no engine is asked. The functions that
 * the rewritten query calls are those of flink-macros.ts.
 */
import type { DataType, TypedColumn } from './data-types.ts'
import { Expressions } from './flink-expressions.ts'
import { as, unified } from './flink-operators.ts'
import { Scope, type ScopeColumn, scopeColumns } from './flink-scope.ts'
import { commonType, engineType, type FlinkType, printFlinkType, type Typed } from './flink-types.ts'
import { constantOf, type Node, TreeProblem } from './tree.ts'

export interface MeaningContext {
  /** Columns of a relation that FROM names (`s0`, `w0`, …), in order; undefined if there is none. CTEs need not be given. */
  readonly columnsOf: (relation: string) => readonly TypedColumn[] | undefined
}

export interface FlinkQuery {
  /** The query for DuckDB. `printTree` gives the text for json_deserialize_sql. */
  readonly tree: Node
  /** Its columns with Flink's names and types. A column of NULL is INT. */
  readonly columns: readonly MeantColumn[]
}

export interface MeantColumn extends TypedColumn {
  /** All its values are NULL without a type. */
  readonly isNull: boolean
}

/**
 * `query` is `statements[0].node` of parseTree. Throws TreeProblem, whose location is a place in the parsed text, for what
 * Flink does not accept and for what has no equivalent.
 */
export function withFlinkMeaning(query: Node, context: MeaningContext): FlinkQuery {
  const { node, columns } = new Queries(context).query(query, new Map(), undefined)
  return {
    tree: node,
    columns: columns.map(({ name, type }) => ({
      name,
      type: storedType(type, name),
      nullable: true,
      isNull: type.kind === 'NULL',
    })),
  }
}

function storedType(type: FlinkType, name: string): DataType {
  if (type.kind === 'NULL') return { kind: 'INT' }
  if (type.kind === 'INTERVAL')
    throw new TreeProblem(`column ${name} is an INTERVAL, which a table cannot hold`)
  return type
}

interface Query {
  readonly node: Node
  readonly columns: readonly ScopeColumn[]
}

type Ctes = ReadonlyMap<string, readonly ScopeColumn[]>
type CteEntry = { readonly key: string; readonly value: Node }

class Queries {
  readonly #context: MeaningContext

  constructor(context: MeaningContext) {
    this.#context = context
  }

  query(node: Node, outerCtes: Ctes, outer: Scope | undefined): Query {
    const { ctes, map } = this.#ctes(node, outerCtes, outer)
    const withCtes = { ...node, cte_map: { ...(node.cte_map as object), map } }
    if (node.type === 'SELECT_NODE') return this.#select(withCtes, ctes, outer)
    if (node.type === 'SET_OPERATION_NODE') return this.#setOperation(withCtes, ctes, outer)
    throw new TreeProblem('recursive queries are not supported here', node)
  }

  #ctes(node: Node, outerCtes: Ctes, outer: Scope | undefined): { ctes: Ctes; map: readonly CteEntry[] } {
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

  #select(node: Node, ctes: Ctes, outer: Scope | undefined): Query {
    const from = this.#from(node.from_table as Node, ctes, outer)
    const { scope } = from
    const expressions = new Expressions((query, inner) => {
      const { node: replaced, columns } = this.query(query, ctes, inner)
      return { node: replaced, types: columns.map(({ type }) => type) }
    })
    const optional = (part: unknown): Node | null =>
      part === null || part === undefined ? null : expressions.condition(part as Node, scope)
    const items = this.#items(node, scope, expressions)
    const columns = items.map(({ node: item, type }) => ({ name: item.alias || lastName(item), type }))
    const rewritten = {
      ...node,
      from_table: from.node,
      select_list: items.map((item) => item.node),
      where_clause: optional(node.where_clause),
      group_expressions: ((node.group_expressions ?? []) as readonly Node[]).map(
        (group) => expressions.typed(group, scope).node,
      ),
      having: optional(node.having),
      qualify: optional(node.qualify),
    }
    const orderBy = (part: Node) => orderItem(part, columns) ?? expressions.typed(part, scope).node
    return { node: { ...rewritten, modifiers: modifiers(node, expressions, orderBy) }, columns }
  }

  /** The select list with stars expanded. Items without a name get Flink's. */
  #items(node: Node, scope: Scope, expressions: Expressions): Typed[] {
    const items = (node.select_list as readonly Node[]).flatMap((item): Typed[] => {
      if (item.type !== 'STAR') return [expressions.typed(item, scope)]
      return scope.expanded(item).map(({ node: column, column: { type } }) => ({ node: column, type }))
    })
    const used = new Set<string>()
    return items.map(({ node: item, type }, index) => {
      const name = item.alias || (item.class === 'COLUMN_REF' ? lastName(item) : `EXPR$${index}`)
      const unique = used.has(name) && item.alias === undefined ? freeName(name, used) : name
      used.add(unique)
      const isPlain = item.class === 'COLUMN_REF' && lastName(item) === unique
      return { node: isPlain ? item : { ...item, alias: unique }, type }
    })
  }

  #from(node: Node, ctes: Ctes, outer: Scope | undefined): { node: Node; scope: Scope } {
    const alone = (name: string, columns: readonly ScopeColumn[], replaced: Node) => {
      const named = renamed(columns, node.column_name_alias as readonly string[] | undefined)
      return { node: replaced, scope: new Scope([{ name, columns: named }], outer) }
    }
    switch (node.type) {
      case 'EMPTY':
        return { node, scope: new Scope([], outer) }
      case 'BASE_TABLE': {
        const table = String(node.table_name)
        const found = this.#context.columnsOf(table)
        const columns = ctes.get(table) ?? (found === undefined ? undefined : scopeColumns(found))
        if (columns === undefined) throw new TreeProblem(`Object '${table}' not found`, node)
        return alone(String(node.alias || table), columns, node)
      }
      case 'SUBQUERY': {
        const { node: query, columns } = this.query((node.subquery as { node: Node }).node, ctes, outer)
        const subquery = { ...(node.subquery as object), node: query }
        return alone(String(node.alias ?? ''), columns, { ...node, subquery })
      }
      case 'EXPRESSION_LIST':
        return this.#values(node, outer)
      case 'JOIN':
        return this.#join(node, ctes, outer)
      case 'TABLE_FUNCTION':
        return this.#unnest(node, outer)
      default:
        throw new TreeProblem(`${String(node.type)} in FROM is not supported here`, node)
    }
  }

  #values(node: Node, outer: Scope | undefined): { node: Node; scope: Scope } {
    const scope = new Scope([], outer)
    const expressions = new Expressions(() => {
      throw new TreeProblem('a sub-query within VALUES is not supported here', node)
    })
    const rows = (node.values as readonly (readonly Node[])[]).map((row) =>
      row.map((value) => expressions.typed(value, scope)),
    )
    const columns = rows[0]!.map((_, index) =>
      unified(
        rows.map((row) => row[index]!),
        node,
      ),
    )
    const values = rows.map((row, at) => row.map((_, index) => columns[index]!.nodes[at]!))
    const names = columns.map(({ type }, index) => ({ name: `col${index}`, type }))
    const relation = {
      name: String(node.alias ?? ''),
      columns: renamed(names, node.expected_names as readonly string[]),
    }
    return { node: { ...node, values }, scope: new Scope([relation], outer) }
  }

  #join(node: Node, ctes: Ctes, outer: Scope | undefined): { node: Node; scope: Scope } {
    const left = this.#from(node.left as Node, ctes, outer)
    const right = this.#from(node.right as Node, ctes, new Scope(left.scope.relations, outer))
    const names = (scope: Scope) => scope.relations.flatMap(({ columns }) => columns.map(({ name }) => name))
    const natural =
      node.ref_type === 'NATURAL' ? names(left.scope).filter((name) => names(right.scope).includes(name)) : []
    const using = [...((node.using_columns ?? []) as readonly string[]), ...natural]
    const scope = new Scope(left.scope.relations, outer).joined(right.scope, using)
    const expressions = new Expressions((query, inner) => {
      const { node: replaced, columns } = this.query(query, ctes, inner)
      return { node: replaced, types: columns.map(({ type }) => type) }
    })
    const condition =
      node.condition === null || node.condition === undefined
        ? null
        : expressions.condition(node.condition as Node, scope)
    return { node: { ...node, left: left.node, right: right.node, condition }, scope }
  }

  /** UNNEST of an array, the only function that FROM may call. */
  #unnest(node: Node, outer: Scope | undefined): { node: Node; scope: Scope } {
    const call = node.function as Node
    const [of] = (call.children ?? []) as readonly Node[]
    if (call.function_name !== 'unnest' || of === undefined)
      throw new TreeProblem(`${String(call.function_name)}() in FROM is not supported here`, node)
    const expressions = new Expressions(() => {
      throw new TreeProblem('a sub-query within UNNEST is not supported here', node)
    })
    const array = expressions.typed(of, outer ?? new Scope([], undefined))
    if (array.type.kind !== 'ARRAY')
      throw new TreeProblem(`UNNEST needs an ARRAY, not ${printFlinkType(array.type)}`, node)
    const columns = renamed(
      [{ name: 'EXPR$0', type: array.type.element }],
      node.column_name_alias as readonly string[],
    )
    const replaced = { ...node, function: { ...call, children: [array.node] } }
    return { node: replaced, scope: new Scope([{ name: String(node.alias ?? ''), columns }], outer) }
  }

  #setOperation(node: Node, ctes: Ctes, outer: Scope | undefined): Query {
    const left = this.query(node.left as Node, ctes, outer)
    const right = this.query(node.right as Node, ctes, outer)
    if (left.columns.length !== right.columns.length)
      throw new TreeProblem('both sides of UNION, INTERSECT or EXCEPT need the same number of columns', node)
    const types = left.columns.map(({ name, type }, index) => {
      const common = commonType([type, right.columns[index]!.type])
      if (common !== undefined) return common
      throw new TreeProblem(`column ${name} has no type that both sides have in common; cast it`, node)
    })
    const columns = left.columns.map(({ name }, index) => ({ name, type: types[index]! }))
    const expressions = new Expressions(() => {
      throw new TreeProblem('a sub-query in ORDER BY is not supported here', node)
    })
    const scope = new Scope([{ name: '', columns }], outer)
    const orderBy = (part: Node) => orderItem(part, columns) ?? expressions.typed(part, scope).node
    const sides = { left: withTypes(left, types), right: withTypes(right, types) }
    return { node: { ...node, ...sides, modifiers: modifiers(node, expressions, orderBy) }, columns }
  }
}

/** The query with its columns cast to these types. */
function withTypes({ node, columns }: Query, types: readonly FlinkType[]): Node {
  if (
    columns.every(({ type }, index) => engineType(type) === engineType(types[index]!) && type.kind !== 'NULL')
  )
    return node
  if (node.type !== 'SELECT_NODE') {
    const side = (part: unknown) => withTypes({ node: part as Node, columns }, types)
    return { ...node, left: side(node.left), right: side(node.right) }
  }
  const select_list = (node.select_list as readonly Node[]).map((item, index) => {
    const cast = as({ node: item, type: columns[index]!.type }, types[index]!)
    return cast === item ? item : { ...cast, alias: columns[index]!.name }
  })
  return { ...node, select_list }
}

function modifiers(node: Node, expressions: Expressions, orderBy: (part: Node) => Node): Node[] {
  return ((node.modifiers ?? []) as readonly Node[]).map((modifier) => {
    if (modifier.type !== 'ORDER_MODIFIER') return modifier
    return { ...modifier, orders: expressions.orders(modifier.orders as readonly Node[], orderBy) }
  })
}

/** An item of ORDER BY that is a place or a name of the select list: it stays as it is. */
function orderItem(part: Node, columns: readonly ScopeColumn[]): Node | undefined {
  if (typeof constantOf(part) === 'number') return part
  const names = part.column_names as readonly string[] | undefined
  return names?.length === 1 && columns.some(({ name }) => name === names[0]) ? part : undefined
}

function renamed(columns: readonly ScopeColumn[], names: readonly string[] | undefined): ScopeColumn[] {
  return columns.map(({ name, type }, index) => ({ name: names?.[index] ?? name, type }))
}

const lastName = (node: Node): string => (node.column_names as readonly string[]).at(-1)!

/** As Flink names a second column of the same name: x0, x1. */
function freeName(name: string, used: ReadonlySet<string>): string {
  for (let n = 0; ; n += 1) if (!used.has(`${name}${n}`)) return `${name}${n}`
}
