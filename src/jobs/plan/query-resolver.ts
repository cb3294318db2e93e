/**
 * Resolves a query: the relations and columns of every level, how its rows come about (`Kind`), and the hidden columns that
 * carry the order of rows. Throws SqlProblem for what the engine cannot run.
 */
import { encodedName } from '../../sql/encoded-name.ts'
import { SqlProblem } from '../../sql/sql-problem.ts'
import type { Node } from '../../sql/tree.ts'
import { ExpressionResolver, outputName } from './expression-resolver.ts'
import type { FromPart } from './from-part.ts'
import { FromResolver } from './from-resolver.ts'
import { lookupUse } from './lookup-join.ts'
import { checkedModifiers } from './query-modifiers.ts'
import { type Cte, type Ctes, type Resolution, type Resolved, shownName } from './resolution.ts'
import type { Kind, Scope, ScopeColumn } from './scope.ts'
import { checkSelect, queriesOf, type SelectLevel, withHiddenColumns } from './select-kinds.ts'
import { type CteNode, columnOf, cteNode, neededCtes, outputColumn } from './tree-nodes.ts'
import type { ViewTree } from './view-trees.ts'

export function resolveQuery(resolution: Resolution, root: Node): Resolved {
  const resolved = new QueryResolver(resolution).query(root, new Map(), undefined, 0)
  const { node } = resolved
  const views = neededCtes(resolution.views.nodes, node)
  if (views.length === 0) return resolved
  const { map } = node.cte_map as { readonly map: readonly CteNode[] }
  return { ...resolved, node: { ...node, cte_map: { map: [...views, ...map] } } }
}

/** A view as a query of WITH; undefined if there is no view of this name. `refuse` makes a problem at the place of the reference. */
function viewOf(
  resolution: Resolution,
  name: string,
  depth: number,
  refuse: (reason: string) => SqlProblem,
): Cte | undefined {
  const view = resolution.catalog.views?.get(name)
  if (view === undefined) return undefined
  return resolution.views.resolved(name, () => resolvedView(resolution, view, depth, refuse), refuse)
}

function resolvedView(
  resolution: Resolution,
  view: ViewTree,
  depth: number,
  refuse: (reason: string) => SqlProblem,
): Cte {
  const { key, tree } = view
  const { columns: names, isTemporary } = view.view
  const inner = resolution.within(view)
  try {
    const { value: resolved, size } = inner.sizeOf(() =>
      new QueryResolver(inner).query(tree, new Map(), undefined, depth + 1),
    )
    const { length } = resolved.columns
    if (names !== undefined && names.length !== length)
      throw inner.problem(`view ${view.view.name} names ${names.length} columns, and its query has ${length}`)
    const columns = resolved.columns.map((column, i) => ({
      ...column,
      name: names?.[i] === undefined ? column.name : encodedName(names[i]),
    }))
    return { resolved: { ...resolved, columns }, node: cteNode(key, resolved.node), size }
  } catch (error) {
    if (!(error instanceof SqlProblem) || isTemporary || error.place !== undefined) throw error
    throw refuse(error.reason)
  }
}

class QueryResolver {
  readonly #resolution: Resolution

  constructor(resolution: Resolution) {
    this.#resolution = resolution
  }

  query = (node: Node, ctes: Ctes, outer: Scope | undefined, depth: number): Resolved => {
    this.#resolution.checkDepth(depth)
    this.#resolution.countNode()
    const scope = this.#ctes(node, ctes, depth)
    const resolved = this.#body(node, scope, outer, depth)
    const own = [...scope.entries()]
      .filter(([name, cte]) => ctes.get(name) !== cte)
      .map(([, cte]) => cte.node)
    return { ...resolved, node: { ...resolved.node, cte_map: { map: neededCtes(own, resolved.node) } } }
  }

  #body(node: Node, ctes: Ctes, outer: Scope | undefined, depth: number): Resolved {
    switch (node.type) {
      case 'SELECT_NODE':
        return this.#select(node, ctes, outer, depth)
      case 'SET_OPERATION_NODE':
        return this.#setOperation(node, ctes, outer, depth)
      default:
        throw this.#resolution.unsupported(`a query of kind ${node.type} is not supported`, node)
    }
  }

  #ctes(node: Node, outer: Ctes, depth: number): Ctes {
    const defined = (node.cte_map as { readonly map: readonly { key: string; value: Node }[] } | undefined)
      ?.map
    if (defined === undefined || defined.length === 0) return outer
    const ctes = new Map<string, Cte>(outer)
    for (const { key, value } of defined) {
      const { node: inner } = value.query as { readonly node: Node }
      const { value: resolved, size } = this.#resolution.sizeOf(() =>
        this.query(inner, ctes, undefined, depth + 1),
      )
      const names = value.aliases as readonly string[]
      if (names.length > resolved.columns.length) {
        throw this.#resolution.problem(
          `${shownName(key)} has ${resolved.columns.length} columns, not ${names.length}`,
          inner,
        )
      }
      const columns = resolved.columns.map((column, i) => ({ ...column, name: names[i] ?? column.name }))
      const visible = { ...resolved, columns }
      // A later definition of the same name replaces an earlier one, in the order of definition.
      ctes.delete(key)
      ctes.set(key, { resolved: visible, node: cteNode(key, resolved.node), size })
    }
    return ctes
  }

  #select(node: Node, ctes: Ctes, outer: Scope | undefined, depth: number): Resolved {
    const resolution = this.#resolution
    if (node.aggregate_handling !== 'STANDARD_HANDLING')
      throw resolution.problem('GROUP BY ALL is not supported', node)
    if (node.qualify !== null || node.sample !== null)
      throw resolution.problem('QUALIFY and samples are not supported', node)
    const from = new FromResolver(resolution, this.query, ctes, outer, viewOf).resolve(
      node.from_table as Node,
      depth + 1,
    )
    const scope = { entries: from.entries, outer }
    const expressions = (clause: readonly Node[]) => {
      const resolver = new ExpressionResolver(resolution, this.query, ctes, scope)
      return { nodes: clause.map((one) => resolver.resolve(one, depth + 1)), contents: resolver.contents }
    }
    const list = expressions(this.#expanded(node.select_list as readonly Node[], from))
    const where = expressions(node.where_clause === null ? [] : [node.where_clause as Node])
    const groups = expressions(node.group_expressions as readonly Node[])
    const having = expressions(node.having === null ? [] : [node.having as Node])
    for (const pending of from.lookups) {
      resolution.lookups.push(lookupUse(resolution, pending, where.nodes[0] ?? null, ctes))
    }
    const outputs = named(list.nodes, resolution)
    const level: SelectLevel = { node, from, list, where, groups, having, outputs }
    const kind = checkSelect(resolution, level)
    const modifiers = this.#modifiers(node, level, expressions)
    const resolved: Node = {
      ...node,
      modifiers,
      select_list: outputs.map(({ item }) => item),
      from_table: from.node,
      where_clause: where.nodes[0] ?? null,
      group_expressions: groups.nodes,
      having: having.nodes[0] ?? null,
    }
    return {
      node: withHiddenColumns(resolved, kind, from.hidden),
      columns: outputs.map(({ item, column }) => this.#outputColumn(item, column, level, kind)),
      kind,
      sources: new Set([...from.sources, ...queriesOf(level).flatMap((one) => [...one.resolved.sources])]),
      isCumulate: from.isCumulate,
    }
  }

  /** A column that is passed on unchanged keeps what it is, as long as each row is one of the input. */
  #outputColumn(item: Node, column: ScopeColumn, { groups, list }: SelectLevel, kind: Kind): ScopeColumn {
    const found = this.#resolution.meanings.get(item)
    if (found === undefined || found.fields.length > 0 || found.isOuter) return column
    const isGrouped = groups.nodes.length > 0 || list.contents.aggregates.length > 0
    return {
      ...column,
      time: isGrouped || kind !== 'append' ? undefined : found.column.time,
      bound: found.column.bound,
    }
  }

  #expanded(list: readonly Node[], { entries }: FromPart): readonly Node[] {
    return list.flatMap((item) => {
      if (item.class !== 'STAR') return [item]
      const isPlain =
        item.columns === false &&
        item.expr === null &&
        ['exclude_list', 'replace_list', 'qualified_exclude_list', 'rename_list'].every(
          (member) => ((item[member] as readonly unknown[] | undefined) ?? []).length === 0,
        )
      if (!isPlain) throw this.#resolution.problem('* is not allowed here', item)
      const relation = item.relation_name as string
      const shown = entries.filter(({ alias }) => relation === '' || alias === relation)
      if (shown.length === 0) {
        const reason =
          relation === '' ? 'SELECT * needs FROM' : `table '${shownName(relation)}' does not exist here`
        throw this.#resolution.problem(reason, item)
      }
      return shown.flatMap((entry) =>
        entry.columns
          .filter(({ name }) => relation !== '' || !entry.merged.has(name))
          .map(({ name }) => ({ ...columnOf(entry.alias, name), query_location: item.query_location! })),
      )
    })
  }

  #modifiers(
    node: Node,
    { outputs }: SelectLevel,
    expressions: (clause: readonly Node[]) => { readonly nodes: readonly Node[] },
  ): readonly Node[] {
    return checkedModifiers(node, this.#resolution).map((modifier) => {
      if (modifier.type !== 'ORDER_MODIFIER') return modifier
      const orders = (modifier.orders as readonly Node[]).map((order) => {
        const expression = order.expression as Node
        const names = expression.class === 'COLUMN_REF' ? (expression.column_names as readonly string[]) : []
        const output = names.length === 1 ? outputs.find(({ column }) => column.name === names[0]) : undefined
        if (output !== undefined) return { ...order, expression: outputColumn(output.column.sql) }
        if (expression.class === 'CONSTANT') return order
        return { ...order, expression: expressions([expression]).nodes[0] }
      })
      return { ...modifier, orders }
    })
  }

  #setOperation(node: Node, ctes: Ctes, outer: Scope | undefined, depth: number): Resolved {
    const resolution = this.#resolution
    resolution.countBranch(node.right as Node)
    const left = this.query(node.left as Node, ctes, outer, depth + 1)
    const right = this.query(node.right as Node, ctes, outer, depth + 1)
    if (left.columns.length !== right.columns.length) {
      throw resolution.problem(
        `the queries of ${node.setop_type} have ${left.columns.length} and ${right.columns.length} columns`,
        node.right as Node,
      )
    }
    const kind = this.#setKind(node, left, right)
    const columns = left.columns.map((column, i) => {
      const other = right.columns[i]!
      return {
        ...column,
        time: column.time === other.time ? column.time : undefined,
        bound: column.bound === other.bound ? column.bound : undefined,
      }
    })
    return {
      node: { ...node, left: left.node, right: right.node, modifiers: this.#setModifiers(node, columns) },
      columns,
      kind,
      sources: new Set([...left.sources, ...right.sources]),
      isCumulate: left.isCumulate || right.isCumulate,
    }
  }

  #setKind(node: Node, left: Resolved, right: Resolved): Kind {
    const resolution = this.#resolution
    const kinds = new Set([left.kind, right.kind])
    const name =
      node.setop_type === 'UNION' && node.setop_all === true ? 'UNION ALL' : String(node.setop_type)
    const place = node.right as Node
    if ([...kinds].every((kind) => kind === 'fixed' || kind === 'changing')) {
      return kinds.has('changing') ? 'changing' : 'fixed'
    }
    if (name !== 'UNION ALL') throw resolution.unsupported(`${name} over a stream is not supported`, place)
    if ((node.modifiers as readonly Node[]).length > 0) throw this.#streamModifier(node)
    if (kinds.size === 1 && !kinds.has('running')) return left.kind
    throw resolution.unsupported(
      `UNION ALL of ${shownKind(left.kind)} and ${shownKind(right.kind)} is not supported`,
      place,
    )
  }

  #streamModifier(node: Node): Error {
    return this.#resolution.unsupported('ORDER BY and LIMIT over a stream are not supported', node)
  }

  #setModifiers(node: Node, columns: readonly ScopeColumn[]): readonly Node[] {
    return checkedModifiers(node, this.#resolution).map((modifier) => {
      if (modifier.type !== 'ORDER_MODIFIER') return modifier
      const orders = (modifier.orders as readonly Node[]).map((order) => {
        const expression = order.expression as Node
        if (expression.class === 'CONSTANT') return order
        const names = expression.class === 'COLUMN_REF' ? (expression.column_names as readonly string[]) : []
        const column = names.length === 1 ? columns.find(({ name }) => name === names[0]) : undefined
        if (column === undefined) {
          throw this.#resolution.problem(
            `ORDER BY of ${node.setop_type} takes columns of the result`,
            expression,
          )
        }
        return { ...order, expression: outputColumn(column.sql) }
      })
      return { ...modifier, orders }
    })
  }
}

const SHOWN: Readonly<Record<Kind, string>> = {
  fixed: 'a database table or VALUES',
  append: 'a stream',
  window: 'windows',
  running: 'a GROUP BY without window',
  changing: 'a changing table',
}

function shownKind(kind: Kind): string {
  return SHOWN[kind]
}

/** The items under names that are unique within the level. */
function named(
  items: readonly Node[],
  { meanings }: Resolution,
): readonly { readonly item: Node; readonly column: ScopeColumn }[] {
  const taken = new Set<string>()
  return items.map((item, i) => {
    const found = meanings.get(item)
    const hasAlias = item.alias !== undefined && item.alias !== ''
    const name =
      found !== undefined && !hasAlias && found.fields.length === 0 ? found.column.name : outputName(item, i)
    const sql = taken.has(name) ? `__${i}` : name
    taken.add(sql)
    const renamed = { ...item, alias: sql }
    if (found !== undefined) meanings.set(renamed, found)
    return { item: renamed, column: { name, sql } }
  })
}
