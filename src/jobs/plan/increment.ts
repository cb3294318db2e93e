/**
 * How the result of an aggregate over tables can follow their changes without reading the tables again. The aggregate is split
 * into three queries:
 *
 *   rows     the rows that enter it: k0, k1, … (its groups), x0, x1, … (arguments of its functions), __sign
 *   groups   kept by the worker (worker/increment.ts): for each group the number of its rows and the parts of the functions
 *   result   the query again, over the groups in place of the aggregate
 *
 * A table is linear if each of its rows gives its own rows of `rows`, whatever the other rows of the table are: the sides of inner
 * joins, and the preserved sides of outer ones. Of changes of such tables alone, `rows` over the rows that came and went (with
 * the column __sign_<relation>, 1 and -1) are the rows that enter and leave the groups.
 */
import type { Node } from '../../sql/tree.ts'
import { baseTable, columnOf, isNode, nodesOf, selectNode } from './tree-nodes.ts'

/** `count`: of values that are not NULL; `rows`: of rows. The argument is x<index of the function>. */
export interface IncrementFunction {
  readonly kind: 'rows' | 'count' | 'sum' | 'min' | 'max'
}

export interface IncrementNodes {
  readonly linear: readonly string[]
  readonly groups: number
  readonly functions: readonly IncrementFunction[]
  readonly rows: Node
  /** Reads GROUPS: g0, g1, … (groups) and a0, a1, … (values of the functions). */
  readonly result: Node
}

/** The relation of the groups in `result`. */
export const GROUPS = '__groups'

export function signOf(relation: string): string {
  return `__sign_${relation}`
}

const KINDS = new Set(['count', 'sum', 'min', 'max'])

/** Undefined: after each change the whole query runs. `aggregates`: names of all functions of the engine that aggregate. */
export function incrementOf(
  query: Node,
  bases: readonly string[],
  aggregates: ReadonlySet<string>,
): IncrementNodes | undefined {
  const core = coreOf(query, aggregates)
  if (core === undefined || !isPlainAggregate(core)) return undefined
  const known = new Set(bases)
  const leaves = linearLeaves(core.from_table as Node, known)
  if (leaves === undefined) return undefined
  const counts = occurrences(query)
  const linear = leaves.filter(({ relation }) => counts.get(relation) === 1)
  if (linear.length === 0) return undefined

  const groups = core.group_expressions as readonly Node[]
  const split = new Split(groups, aggregates)
  const list = (core.select_list as readonly Node[]).map((item) => split.over(item))
  const having = core.having === null ? null : split.over(core.having as Node)
  split.aliases = new Set(list.flatMap(({ alias }) => (alias ? [alias] : [])))
  const modifiers = (core.modifiers as readonly Node[]).map((modifier) => split.over(modifier))
  if (!split.isPossible) return undefined

  const items = [
    ...groups.map((group, index) => ({ ...group, alias: `k${index}` })),
    ...split.arguments.map((argument, index) => ({ ...argument, alias: `x${index}` })),
    { ...productOf(linear.map(({ relation, alias }) => columnOf(alias, signOf(relation)))), alias: '__sign' },
  ]
  const rows = {
    ...selectNode({ list: items, from: core.from_table as Node, where: core.where_clause as Node | null }),
    cte_map: core.cte_map,
  }
  const over = {
    ...selectNode({ list, from: baseTable(GROUPS, ''), where: having }),
    ...{ modifiers, cte_map: core.cte_map },
  }
  return {
    linear: linear.map(({ relation }) => relation),
    groups: groups.length,
    functions: split.functions,
    rows,
    result: replaced(query, core, over) as Node,
  }
}

/** The first query with an aggregate, from the outside in through FROM. */
function coreOf(query: Node, aggregates: ReadonlySet<string>): Node | undefined {
  let node = query
  for (;;) {
    if (node.type !== 'SELECT_NODE') return undefined
    const own = [node.select_list, node.having] as unknown as Node
    if ((node.group_expressions as readonly Node[]).length > 0 || hasAggregate(own, aggregates)) return node
    const from = node.from_table as Node
    if (from.type !== 'SUBQUERY') return undefined
    node = (from.subquery as { node: Node }).node
  }
}

function hasAggregate(part: Node, aggregates: ReadonlySet<string>): boolean {
  for (const node of nodesOf(part)) if (isAggregate(node, aggregates)) return true
  return false
}

function isAggregate(node: Node, aggregates: ReadonlySet<string>): boolean {
  return node.class === 'FUNCTION' && aggregates.has(String(node.function_name))
}

function isPlainAggregate({
  group_expressions,
  group_sets,
  aggregate_handling,
  qualify,
  sample,
}: Node): boolean {
  const groups = group_expressions as readonly Node[]
  const sets = (group_sets ?? []) as readonly unknown[]
  // An ordinal would be another expression in the rows.
  const hasOrdinal = groups.some(({ class: kind }) => kind === 'CONSTANT')
  return !hasOrdinal && sets.length <= 1 && aggregate_handling === 'STANDARD_HANDLING' && !qualify && !sample
}

interface Leaf {
  readonly relation: string
  readonly alias: string
}

/** Undefined if FROM has a table that is no base: a query of WITH, for example. */
function linearLeaves(from: Node, bases: ReadonlySet<string>): readonly Leaf[] | undefined {
  switch (from.type) {
    case 'BASE_TABLE': {
      const relation = String(from.table_name)
      if (!bases.has(relation)) return undefined
      const hasNames = ((from.column_name_alias ?? []) as readonly unknown[]).length > 0
      return hasNames || from.sample ? [] : [{ relation, alias: from.alias || relation }]
    }
    case 'JOIN': {
      const left = linearLeaves(from.left as Node, bases)
      const right = linearLeaves(from.right as Node, bases)
      if (left === undefined || right === undefined) return undefined
      const hasUsing = ((from.using_columns ?? []) as readonly unknown[]).length > 0
      if (hasUsing || !['REGULAR', 'CROSS'].includes(String(from.ref_type))) return []
      const kept = { INNER: [...left, ...right], LEFT: left, RIGHT: right }[String(from.join_type)]
      return kept ?? []
    }
    case 'SUBQUERY':
      return []
    default:
      return undefined
  }
}

function occurrences(query: Node): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { type, table_name } of nodesOf(query))
    if (type === 'BASE_TABLE') counts.set(String(table_name), (counts.get(String(table_name)) ?? 0) + 1)
  return counts
}

/** Replaces groups and functions by columns of GROUPS. */
class Split {
  readonly functions: IncrementFunction[] = []
  /** Of the functions, in their order. */
  readonly arguments: Node[] = []
  /** Names of the select list, which ORDER BY may use. */
  aliases: ReadonlySet<string> = new Set()
  /** False: something remains that needs the rows. */
  isPossible = true
  readonly #groups: readonly string[]
  readonly #aggregates: ReadonlySet<string>
  readonly #known = new Map<string, number>()

  constructor(groups: readonly Node[], aggregates: ReadonlySet<string>) {
    this.#groups = groups.map(signature)
    this.#aggregates = aggregates
  }

  over(node: Node): Node {
    return this.#replaced(node) as Node
  }

  #replaced(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#replaced(item))
    if (!isNode(value)) return value
    const group = this.#groups.indexOf(signature(value))
    if (group >= 0) return columnOf(GROUPS, `g${group}`, value.alias ?? '')
    if (isAggregate(value, this.#aggregates)) return this.#function(value)
    if (this.#isAlias(value)) return value
    const isRefused = value.class === 'COLUMN_REF' || value.class === 'SUBQUERY' || value.class === 'STAR'
    if (isRefused || value.class === 'LAMBDA') this.isPossible = false
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.#replaced(member)]))
  }

  #isAlias({ class: kind, column_names }: Node): boolean {
    const names = column_names as readonly string[] | undefined
    return kind === 'COLUMN_REF' && names?.length === 1 && this.aliases.has(names[0]!)
  }

  #function(node: Node): Node {
    const { function_name, children, distinct, filter, order_bys } = node
    const name = String(function_name)
    const [argument, ...others] = children as readonly Node[]
    const isSorted = ((order_bys as Node | null)?.orders as readonly unknown[] | undefined)?.length
    const kind = name === 'count_star' || (name === 'count' && argument === undefined) ? 'rows' : name
    if (distinct || isSorted || others.length > 0 || (kind !== 'rows' && !KINDS.has(kind))) {
      this.isPossible = false
      return node
    }
    const value = argument ?? ONE
    const taken = filter ? filtered(value, filter as Node) : value
    const isCounted = kind === 'rows' && filter
    const index = this.#indexOf(isCounted ? 'count' : (kind as IncrementFunction['kind']), taken)
    return columnOf(GROUPS, `a${index}`, node.alias ?? '')
  }

  #indexOf(kind: IncrementFunction['kind'], argument: Node): number {
    const key = `${kind} ${signature(argument)}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    this.#known.set(key, this.functions.length)
    this.functions.push({ kind })
    this.arguments.push(argument)
    return this.functions.length - 1
  }
}

const ONE: Node = {
  ...{ class: 'CONSTANT', type: 'VALUE_CONSTANT', alias: '' },
  value: { type: { id: 'INTEGER', type_info: null }, is_null: false, value: 1 },
}

const NOTHING: Node = {
  ...{ class: 'CONSTANT', type: 'VALUE_CONSTANT', alias: '' },
  value: { type: { id: 'NULL', type_info: null }, is_null: true },
}

function filtered(value: Node, filter: Node): Node {
  return {
    ...{ class: 'CASE', type: 'CASE_EXPR', alias: '', else_expr: NOTHING },
    case_checks: [{ when_expr: filter, then_expr: value }],
  }
}

function productOf([first, ...others]: readonly Node[]): Node {
  return others.reduce(
    (product, factor) => ({
      ...{ class: 'FUNCTION', type: 'FUNCTION', alias: '', function_name: '*', schema: '', catalog: '' },
      ...{ children: [product, factor], filter: null, order_bys: { type: 'ORDER_MODIFIER', orders: [] } },
      ...{ distinct: false, is_operator: true, export_state: false },
    }),
    first!,
  )
}

/** Equal for equal expressions, wherever they are and whatever they are called. */
function signature(node: Node): string {
  return JSON.stringify(node, (member, value: unknown) =>
    member === 'query_location' || member === 'alias' ? undefined : value,
  )
}

function replaced(value: unknown, from: Node, to: Node): unknown {
  if (value === from) return to
  if (Array.isArray(value)) return value.map((item) => replaced(item, from, to))
  if (!isNode(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, replaced(member, from, to)]))
}
