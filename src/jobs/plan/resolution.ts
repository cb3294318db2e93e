/** What the parts of resolving share: the statement, its tables, what has been found so far, and refusals with their place. */
import { decodedName } from '../../sql/encoded-name.ts'
import type { RewrittenQuery } from '../../sql/query-rewriter.ts'
import { ON_FLINK, type Place, placeOf, SqlProblem } from '../../sql/sql-problem.ts'
import type { Node } from '../../sql/tree.ts'
import type { WindowFunction } from '../../sql/window-function.ts'
import type { PlanRelations, TableRelation } from './plan-relations.ts'
import { type PlannerTable, unusable } from './planner-table.ts'
import type { Kind, Meanings, Scope, ScopeColumn } from './scope.ts'
import type { CteNode } from './tree-nodes.ts'
import { problemOfView, ViewReferences, type ViewTree, viewAt } from './view-trees.ts'

/** Tables and views that the statement may name, and names of others that it may not. */
export interface Catalog {
  readonly tables: ReadonlyMap<string, PlannerTable>
  readonly otherNames: ReadonlySet<string>
  readonly views?: ReadonlyMap<string, ViewTree> | undefined
}

/** Of a query in which the queries of WITH stand in place of their names, as the engine runs it. */
export interface QuerySize {
  /** Expressions, tables and queries. */
  readonly nodes: number
  /** UNION and other set operations. */
  readonly branches: number
}

/** A query of WITH. */
export interface Cte {
  readonly resolved: Resolved
  readonly node: CteNode
  readonly size: QuerySize
}

export type Ctes = ReadonlyMap<string, Cte>

export interface Resolved {
  readonly node: Node
  readonly columns: readonly ScopeColumn[]
  readonly kind: Kind
  /** Sources whose rows it has: s0, … */
  readonly sources: ReadonlySet<string>
  /** Its windows are CUMULATE: their start alone does not identify them. */
  readonly isCumulate: boolean
}

/** A window of the statement, before it is planned. */
export interface WindowUse {
  /** `w0`, … */
  readonly relation: string
  readonly window: WindowFunction
  /** The relation of its rows: a source, or a query of WITH. */
  readonly from: string
  readonly ctes: readonly CteNode[]
  readonly columns: readonly ScopeColumn[]
  /** Names of columns in `from`. */
  readonly used: Set<string>
  readonly timeColumn: string
  readonly sources: ReadonlySet<string>
}

export interface LookupUse {
  readonly lookup: TableRelation
  /** Encoded. */
  readonly keyColumns: readonly string[]
  /** SELECT of the keys, without casts. */
  readonly keys: Node
}

/** Resolves a query within others. */
export type ResolveQuery = (node: Node, ctes: Ctes, outer: Scope | undefined, depth: number) => Resolved

/** DuckDB's own limit is 1000. */
export const DEPTH_MAX = 600
/** Queries of WITH multiply with their references: the engine plans each reference on its own. */
const EXPANDED_NODES_MAX = 50_000
const BRANCHES_MAX = 200
const NO_SIZE: QuerySize = { nodes: 0, branches: 0 }

export class Resolution {
  readonly statement: string
  readonly query: RewrittenQuery
  readonly catalog: Catalog
  readonly relations: PlanRelations
  readonly meanings: Meanings
  readonly windows: WindowUse[]
  readonly lookups: LookupUse[]
  /** Number of windows of the inserts before this one. */
  readonly firstWindow: number
  /** Of the statement and the views that it names. */
  readonly views: ViewReferences<Cte>
  readonly #counts: { number: number; size: QuerySize }
  /** The view whose query this is. */
  readonly #view: ViewTree | undefined

  /** `within`: what the statement has found; this is the query of a view that it names. */
  constructor(
    statement: string,
    query: RewrittenQuery,
    catalog: Catalog,
    relations: PlanRelations,
    firstWindow: number,
    within?: { readonly resolution: Resolution; readonly view: ViewTree },
  ) {
    this.statement = statement
    this.query = query
    this.catalog = catalog
    this.relations = relations
    this.firstWindow = firstWindow
    this.#view = within?.view
    const shared = within?.resolution
    this.meanings = shared?.meanings ?? new WeakMap()
    this.windows = shared?.windows ?? []
    this.lookups = shared?.lookups ?? []
    this.views = shared?.views ?? new ViewReferences()
    this.#counts = shared === undefined ? { number: 0, size: NO_SIZE } : shared.#counts
  }

  /** For the query of a view that this one names. */
  within(view: ViewTree): Resolution {
    const { catalog, relations, firstWindow } = this
    return new Resolution(view.view.query, view.query, catalog, relations, firstWindow, {
      ...{ resolution: this, view },
    })
  }

  /** For names within the query. */
  nextNumber(): number {
    return this.#counts.number++
  }

  problem(reason: string, node?: Node): SqlProblem {
    const located = node === undefined ? undefined : locationIn(node)
    if (located === undefined) return this.problemIn(reason, undefined)
    const written = this.meanings.get(located)?.written
    const names = written ?? (located.column_names as readonly string[] | undefined)?.length ?? 1
    return this.problemIn(reason, located.query_location, names)
  }

  /** A refusal at a location of the tree: that of the statement, or of a view in it. Undefined: at the whole query. */
  problemIn(reason: string, location: number | undefined, names = 1): SqlProblem {
    if (location === undefined) return this.#problemOf(this.#view, reason, this.query.map.whole())
    const view = viewAt(this.catalog.views, location)
    if (view === undefined) return new SqlProblem(reason, this.query.map.placeAt(location, names))
    return this.#problemOf(view, reason, view.query.map.placeAt(location - view.base, names))
  }

  #problemOf(view: ViewTree | undefined, reason: string, place: Place): SqlProblem {
    return view === undefined ? new SqlProblem(reason, place) : problemOfView(view.view, reason, place)
  }

  /** A refusal of what a cluster would run. */
  unsupported(reason: string, node?: Node): SqlProblem {
    return this.problem(reason + ON_FLINK, node)
  }

  problemAt(reason: string, { start, end }: { readonly start: number; readonly end: number }): SqlProblem {
    return this.#problemOf(this.#view, reason, placeOf(this.statement, start, end))
  }

  table(name: string, refuse: (reason: string) => SqlProblem): PlannerTable {
    const table = this.catalog.tables.get(name)
    const problem = table && unusable(table)
    if (problem !== undefined) throw refuse(problem)
    if (table !== undefined) return table
    if (this.catalog.views?.has(name)) throw refuse(`'${name}' is a view; a table is needed here`)
    throw refuse(
      this.catalog.otherNames.has(name)
        ? `table ${name} is not in table_ids`
        : `table '${name}' does not exist`,
    )
  }

  /** Counts one expression, table or query of the present query. */
  countNode(): void {
    const { size } = this.#counts
    this.#counts.size = { ...size, nodes: size.nodes + 1 }
  }

  countBranch(node: Node): void {
    this.#add({ nodes: 0, branches: 1 }, node)
  }

  /** Counts a reference to a query of WITH. */
  countReference(size: QuerySize, node: Node): void {
    this.#add(size, node)
    if (this.#counts.size.nodes <= EXPANDED_NODES_MAX) return
    throw this.problem(
      `the queries of WITH have more than ${EXPANDED_NODES_MAX} expressions with all their references; make the statement simpler`,
      node,
    )
  }

  #add({ nodes, branches }: QuerySize, node: Node): void {
    const { size } = this.#counts
    this.#counts.size = { nodes: size.nodes + nodes, branches: size.branches + branches }
    if (this.#counts.size.branches < BRANCHES_MAX) return
    throw this.problem(
      `the statement has more than ${BRANCHES_MAX} branches of UNION ALL with all references to queries of WITH`,
      node,
    )
  }

  /** What `work` counts, which does not count for the present query. */
  sizeOf<T>(work: () => T): { readonly value: T; readonly size: QuerySize } {
    const outer = this.#counts.size
    this.#counts.size = NO_SIZE
    const value = work()
    const size = this.#counts.size
    this.#counts.size = outer
    return { value, size }
  }

  checkDepth(depth: number): void {
    if (depth > DEPTH_MAX) throw this.problem(`the query is nested deeper than ${DEPTH_MAX} levels`)
  }
}

/** The node itself, or the first one within it that has a place. */
function locationIn(node: Node): Node | undefined {
  if (typeof node.query_location === 'number') return node
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) {
      if (typeof child !== 'object' || child === null) continue
      const found = locationIn(child as Node)
      if (found !== undefined) return found
    }
  }
  return undefined
}

export function shownName(encoded: string): string {
  return decodedName(encoded)
}
