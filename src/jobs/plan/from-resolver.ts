/** Resolves FROM: tables become relations of the plan, and joins are checked for what the engine can run. */
import { encodedName } from '../../sql/encoded-name.ts'
import type { SqlProblem } from '../../sql/sql-problem.ts'
import type { Node } from '../../sql/tree.ts'
import { ExpressionResolver } from './expression-resolver.ts'
import type { FromPart } from './from-part.ts'
import { type LookupSide, lookupOf } from './lookup-join.ts'
import { columnsOf } from './plan-relations.ts'
import { type PlannerTable, relationKind } from './planner-table.ts'
import {
  type Cte,
  type Ctes,
  type Resolution,
  type Resolved,
  type ResolveQuery,
  shownName,
} from './resolution.ts'
import type { Entry, Kind, Scope, ScopeColumn } from './scope.ts'
import { baseTable, coalesce, columnOf, conjunction, conjuncts, equality } from './tree-nodes.ts'
import { windowRelation } from './window-relation.ts'

type Refuse = (reason: string) => SqlProblem

/** A view as a query of WITH; undefined if there is no view of this name. */
type ViewOf = (resolution: Resolution, name: string, depth: number, refuse: Refuse) => Cte | undefined

const WINDOW = /^__window(\d+)$/
const LOOKUP = /^__lookup(\d+)$/

export class FromResolver {
  readonly #resolution: Resolution
  readonly #resolveQuery: ResolveQuery
  readonly #ctes: Ctes
  readonly #outer: Scope | undefined
  readonly #viewOf: ViewOf

  constructor(
    resolution: Resolution,
    resolveQuery: ResolveQuery,
    ctes: Ctes,
    outer: Scope | undefined,
    viewOf: ViewOf,
  ) {
    this.#viewOf = viewOf
    this.#resolution = resolution
    this.#resolveQuery = resolveQuery
    this.#ctes = ctes
    this.#outer = outer
  }

  resolve(node: Node, depth: number): FromPart {
    this.#resolution.checkDepth(depth)
    this.#resolution.countNode()
    switch (node.type) {
      case 'BASE_TABLE':
        return this.#named(node, depth)
      case 'SUBQUERY':
        return this.#query(node, depth)
      case 'JOIN':
        return this.#join(node, depth)
      case 'EMPTY':
        return fixedPart(node, [])
      case 'EXPRESSION_LIST':
        return this.#values(node, depth)
      default:
        throw this.#resolution.unsupported(`${shownReference(node)} is not supported in FROM`, node)
    }
  }

  #named(node: Node, depth: number): FromPart {
    const name = String(node.table_name)
    if (node.schema_name !== '' || node.catalog_name !== '') {
      throw this.#resolution.problem('tables have names without a catalog and a database', node)
    }
    const window = WINDOW.exec(name)
    if (window !== null) return this.#window(node, Number(window[1]), depth)
    if (LOOKUP.test(name)) {
      throw this.#resolution.problem('FOR SYSTEM_TIME AS OF stands at the right side of a JOIN', node)
    }
    const cte = this.#ctes.get(name)
    if (cte !== undefined) {
      this.#resolution.countReference(cte.size, node)
      return queryPart(node, name, cte.resolved, node.alias)
    }
    const refuse = (reason: string) => this.#resolution.problem(reason, node)
    const view = this.#viewOf(this.#resolution, shownName(name), depth, refuse)
    if (view !== undefined) {
      this.#resolution.countReference(view.size, node)
      return queryPart(node, view.node.key, view.resolved, aliasOf(node, name))
    }
    return this.#table(node, this.#resolution.table(shownName(name), refuse))
  }

  #table(node: Node, table: PlannerTable): FromPart {
    const { relations } = this.#resolution
    const alias = aliasOf(node, encodedName(table.name))
    const kind = relationKind(table)
    switch (kind) {
      case 'append': {
        const source = relations.source(table)
        return part(node, source.relation, alias, columnsOf(source), 'append', [source.relation])
      }
      case 'changing': {
        const base = relations.base(table)
        return part(node, base.relation, alias, columnsOf(base), 'changing', [base.source.relation])
      }
      case 'fixed': {
        const fixed = relations.fixedTable(table)
        return part(node, fixed.relation, alias, columnsOf(fixed), 'fixed', [])
      }
      case 'none':
        throw this.#resolution.problem(`table ${table.name} cannot be read: it is a sink`, node)
    }
  }

  #window(node: Node, index: number, depth: number): FromPart {
    const viewOf = (name: string, refuse: Refuse) => this.#viewOf(this.#resolution, name, depth, refuse)
    const use = windowRelation(this.#resolution, this.#ctes, index, viewOf)
    const alias = aliasOf(node, use.relation)
    const made = part(node, use.relation, alias, use.visible, 'window', [...use.sources])
    return { ...made, isCumulate: use.kind === 'CUMULATE' }
  }

  #query(node: Node, depth: number): FromPart {
    const holder = node.subquery as { readonly node: Node }
    const resolved = this.#resolveQuery(holder.node, this.#ctes, undefined, depth + 1)
    const alias = aliasOf(node, `__q${this.#resolution.nextNumber()}`)
    const columns = renamed(resolved.columns, node, (reason) => this.#resolution.problem(reason, node))
    const copy = { ...node, alias, column_name_alias: [], subquery: { ...holder, node: resolved.node } }
    return partOf(copy, alias, columns, resolved)
  }

  #values(node: Node, depth: number): FromPart {
    const scope = { entries: [], outer: this.#outer }
    const rows = (node.values as readonly (readonly Node[])[]).map((row) =>
      row.map((value) =>
        new ExpressionResolver(this.#resolution, this.#resolveQuery, this.#ctes, scope).resolve(
          value,
          depth + 1,
        ),
      ),
    )
    const width = rows[0]?.length ?? 0
    if (rows.some((row) => row.length !== width)) {
      throw this.#resolution.problem('rows of VALUES have different numbers of columns', rows.flat()[0])
    }
    const alias = aliasOf(node, 'valueslist')
    const columns = Array.from({ length: width }, (_, i) => ({
      name: encodedName(`EXPR$${i}`),
      sql: `col${i}`,
    }))
    const entry = { alias, columns, kind: 'fixed' as const, merged: new Set<string>() }
    return fixedPart({ ...node, alias, values: rows }, [entry])
  }

  #join(node: Node, depth: number): FromPart {
    const { ref_type: form } = node
    if (form === 'NATURAL')
      throw this.#resolution.problem('NATURAL JOIN is not supported; write the condition with ON', node)
    if (form !== 'REGULAR' && form !== 'CROSS')
      throw this.#resolution.unsupported(`a join of kind ${form} is not supported`, node)
    const left = this.resolve(node.left as Node, depth + 1)
    const right = node.right as Node
    const lookup = right.type === 'BASE_TABLE' ? LOOKUP.exec(String(right.table_name)) : null
    if (lookup !== null) return this.#lookup(node, left, Number(lookup[1]), depth)
    return this.#regular(node, left, this.resolve(right, depth + 1), depth)
  }

  #regular(node: Node, left: FromPart, right: FromPart, depth: number): FromPart {
    const entries = [...left.entries, ...right.entries]
    this.#checkAliases(entries, node.right as Node)
    const condition = this.#condition(node, left, right, depth)
    const kind = this.#kind(node, left, right, condition)
    const hidden = hiddenOf(node, left, right)
    return {
      node: { ...node, left: left.node, right: right.node, condition, using_columns: [] },
      entries,
      kind,
      sources: new Set([...left.sources, ...right.sources]),
      isCumulate: left.isCumulate || right.isCumulate,
      hidden,
      lookups: [...left.lookups, ...right.lookups],
    }
  }

  #checkAliases(entries: readonly Entry[], node: Node): void {
    const seen = new Set<string>()
    for (const { alias } of entries) {
      if (seen.has(alias)) {
        throw this.#resolution.problem(
          `two tables are named '${shownName(alias)}'; give one of them another name with AS`,
          node,
        )
      }
      seen.add(alias)
    }
  }

  #condition(node: Node, left: FromPart, right: FromPart, depth: number): Node | null {
    const using = node.using_columns as readonly string[]
    if (using.length > 0) return this.#using(node, using, left, right)
    if (node.condition === null) return null
    return this.#on(node.condition as Node, [...left.entries, ...right.entries], depth)
  }

  #on(condition: Node, entries: readonly Entry[], depth: number): Node {
    const scope = { entries, outer: this.#outer }
    const resolver = new ExpressionResolver(this.#resolution, this.#resolveQuery, this.#ctes, scope)
    const resolved = resolver.resolve(condition, depth + 1)
    const { aggregates, overs, queries } = resolver.contents
    const wrong = aggregates[0] ?? overs[0] ?? queries[0]?.node
    if (wrong !== undefined)
      throw this.#resolution.problem('ON takes neither aggregates nor sub-queries', wrong)
    return resolved
  }

  #using(node: Node, names: readonly string[], left: FromPart, right: FromPart): Node | null {
    if (node.join_type !== 'INNER' && node.join_type !== 'LEFT') {
      throw this.#resolution.problem(`${node.join_type} JOIN takes ON, not USING`, node)
    }
    const find = (entries: readonly Entry[], name: string) => {
      const found = entries.flatMap((entry) =>
        entry.columns.filter((column) => column.name === name).map((column) => ({ entry, column })),
      )
      if (found.length === 1) return found[0]!
      const reason = found.length === 0 ? 'does not exist at both sides' : 'is ambiguous'
      throw this.#resolution.problem(`column '${shownName(name)}' of USING ${reason}`, node)
    }
    const equalities = names.map((name) => {
      const [a, b] = [find(left.entries, name), find(right.entries, name)]
      b.entry.merged.add(name)
      return equality(this.#reference(a), this.#reference(b))
    })
    return conjunction(equalities)
  }

  #reference({ entry, column }: { readonly entry: Entry; readonly column: ScopeColumn }): Node {
    column.use?.()
    const reference = columnOf(entry.alias, column.sql)
    this.#resolution.meanings.set(reference, { entry, column, fields: [], isOuter: false, written: 1 })
    return reference
  }

  #kind(node: Node, left: FromPart, right: FromPart, condition: Node | null): Kind {
    const kinds = [left.kind, right.kind]
    const is = (kind: Kind) => kinds.includes(kind)
    const place = node.right as Node
    if (is('running'))
      throw this.#resolution.unsupported('a join with a GROUP BY without window is not supported', place)
    if (left.kind === 'fixed' && right.kind === 'fixed') return 'fixed'
    if (kinds.every((kind) => kind === 'fixed' || kind === 'changing')) return 'changing'
    if (is('changing'))
      throw this.#resolution.unsupported('a join of a stream with a changing table is not supported', place)
    if (is('fixed')) return this.#withFixed(node, left.kind, right.kind)
    if (left.kind === 'window' && right.kind === 'window') {
      this.#checkWindowJoin(condition, left, right, place)
      return 'window'
    }
    if (is('window'))
      throw this.#resolution.unsupported('a join of windows with a stream is not supported', place)
    throw this.#resolution.unsupported('a join of two streams is not supported', place)
  }

  #withFixed(node: Node, left: Kind, right: Kind): Kind {
    const stream = left === 'fixed' ? right : left
    const outer = left === 'fixed' ? 'RIGHT' : 'LEFT'
    if (node.join_type === 'INNER' || node.join_type === outer) return stream
    throw this.#resolution.unsupported(
      `a ${node.join_type} JOIN that keeps rows of a database table without a partner in the stream is not supported`,
      node.right as Node,
    )
  }

  #checkWindowJoin(condition: Node | null, left: FromPart, right: FromPart, place: Node): void {
    const equal = new Set<string>()
    for (const one of conjuncts(condition)) {
      if (one.type !== 'COMPARE_EQUAL') continue
      const [a, b] = [one.left as Node, one.right as Node].map((side) => this.#resolution.meanings.get(side))
      if (a?.column.bound === undefined || a.column.bound !== b?.column.bound) continue
      const isAcross = left.entries.includes(a.entry) !== left.entries.includes(b.entry)
      if (isAcross && (right.entries.includes(a.entry) || right.entries.includes(b.entry)))
        equal.add(a.column.bound)
    }
    if (equal.size < 2) {
      throw this.#resolution.unsupported(
        'a join of windows needs equality of window_start and of window_end of both sides in ON',
        place,
      )
    }
  }

  #lookup(node: Node, left: FromPart, index: number, depth: number): FromPart {
    const side: LookupSide = { node, left, index, ctes: this.#ctes }
    const { entry, relation, table } = lookupOf(this.#resolution, side)
    const entries = [...left.entries, entry]
    this.#checkAliases(entries, node.right as Node)
    const using = node.using_columns as readonly string[]
    const right = fixedPart(baseTable(relation.relation, entry.alias), [entry])
    const condition =
      using.length > 0
        ? this.#using(node, using, left, right)
        : node.condition === null
          ? null
          : this.#on(node.condition as Node, entries, depth)
    const pending = { relation, table, entry, left, condition, node }
    return {
      ...left,
      node: { ...node, left: left.node, right: right.node, condition, using_columns: [] },
      entries,
      lookups: [...left.lookups, pending],
    }
  }
}

function aliasOf({ alias }: Node, otherwise: string): string {
  return alias === undefined || alias === '' ? otherwise : alias
}

function part(
  node: Node,
  relation: string,
  alias: string,
  columns: readonly ScopeColumn[],
  kind: Kind,
  sources: readonly string[],
): FromPart {
  const names = node.column_name_alias as readonly string[] | undefined
  const visible = columns.map((column, i) =>
    names?.[i] === undefined ? column : { ...column, name: names[i]! },
  )
  const entry = { alias, columns: visible, kind, merged: new Set<string>() }
  return {
    node: { ...node, table_name: relation, alias, column_name_alias: [] },
    entries: [entry],
    kind,
    sources: new Set(sources),
    isCumulate: false,
    hidden: hiddenColumn(kind, alias),
    lookups: [],
  }
}

function queryPart(node: Node, name: string, resolved: Resolved, alias: string | undefined): FromPart {
  const shown = alias === undefined || alias === '' ? name : alias
  const made = part(node, name, shown, resolved.columns, resolved.kind, [...resolved.sources])
  return { ...made, isCumulate: resolved.isCumulate }
}

function partOf(node: Node, alias: string, columns: readonly ScopeColumn[], resolved: Resolved): FromPart {
  const { kind, sources, isCumulate } = resolved
  const entry = { alias, columns, kind, merged: new Set<string>() }
  return { node, entries: [entry], kind, sources, isCumulate, hidden: hiddenColumn(kind, alias), lookups: [] }
}

function fixedPart(node: Node, entries: readonly Entry[]): FromPart {
  return {
    node,
    entries,
    kind: 'fixed',
    sources: new Set(),
    isCumulate: false,
    hidden: undefined,
    lookups: [],
  }
}

function hiddenColumn(kind: Kind, alias: string): Node | undefined {
  if (kind === 'append') return columnOf(alias, '__ord')
  return kind === 'window' ? columnOf(alias, '__end') : undefined
}

function hiddenOf({ join_type: type }: Node, left: FromPart, right: FromPart): Node | undefined {
  if (left.hidden === undefined || right.hidden === undefined) return left.hidden ?? right.hidden
  if (type === 'OUTER' || type === 'FULL') return coalesce(left.hidden, right.hidden)
  return type === 'RIGHT' ? right.hidden : left.hidden
}

/** The columns under the names of `AS q (a, b)`. */
function renamed(
  columns: readonly ScopeColumn[],
  node: Node,
  problem: (reason: string) => Error,
): readonly ScopeColumn[] {
  const names = node.column_name_alias as readonly string[]
  if (names.length > columns.length)
    throw problem(`${names.length} names are given to ${columns.length} columns`)
  return columns.map((column, i) => ({ ...column, name: names[i] ?? column.name }))
}

function shownReference({ type }: Node): string {
  return type === 'TABLE_FUNCTION' ? 'a function' : String(type)
}
