/**
 * Views in a statement: the query of a view stands in place of its name, as a query of WITH would. Views are parsed before the statement
 * is resolved, and resolved when it first names them.
 *
 * The tree of a view has locations of its own: `base` more than those in its text, so that a node of any tree leads to its text.
 */
import type { RewrittenQuery } from '../../sql/query-rewriter.ts'
import { type Place, SqlProblem, SyntaxProblem } from '../../sql/sql-problem.ts'
import { rewriteQuery } from '../../sql/statement-rewriter.ts'
import type { Node } from '../../sql/tree.ts'
import type { PlannedView } from './job-plan.ts'
import { EngineProblem, type PlanEngine } from './plan-engine.ts'
import { type CteNode, nodesOf } from './tree-nodes.ts'

export interface ViewTree {
  readonly view: PlannedView
  readonly query: RewrittenQuery
  readonly tree: Node
  readonly base: number
  /** Its name as a query of WITH, which no user can give. */
  readonly key: string
}

/** More than any text has. */
const BASE_STEP = 2 ** 32

/** Parses views. Rejects with SqlProblem. */
export async function viewTrees(
  engine: PlanEngine,
  views: readonly PlannedView[],
): Promise<ReadonlyMap<string, ViewTree>> {
  const trees = new Map<string, ViewTree>()
  for (const [index, view] of views.entries()) {
    const query = rewritten(view)
    const tree = await parsed(engine, view, query)
    const base = (index + 1) * BASE_STEP
    trees.set(view.name, { view, query, tree: movedBy(base, tree), base, key: `__view${index}` })
  }
  return trees
}

/** The view in whose tree a location is; undefined for that of the statement. */
export function viewAt(
  views: ReadonlyMap<string, ViewTree> | undefined,
  location: number,
): ViewTree | undefined {
  const base = Math.floor(location / BASE_STEP) * BASE_STEP
  if (base === 0 || views === undefined) return undefined
  for (const view of views.values()) if (view.base === base) return view
  return undefined
}

/** A problem in the text of a view. Clients see no text of a view of the catalog, so its problems have no place. */
export function problemOfView(view: PlannedView, reason: string, place: Place | undefined): SqlProblem {
  if (view.isTemporary) return new SqlProblem(reason, place, { definition: view.name })
  return new SqlProblem(`view ${view.name}: ${reason}`)
}

function rewritten(view: PlannedView): RewrittenQuery {
  try {
    return rewriteQuery(view.query)
  } catch (error) {
    if (!(error instanceof SqlProblem)) throw error
    throw view.isTemporary ? error.of(view.name) : problemOfView(view, error.reason, error.place)
  }
}

async function parsed(engine: PlanEngine, view: PlannedView, { sql, map }: RewrittenQuery): Promise<Node> {
  try {
    return await engine.parse(sql)
  } catch (error) {
    if (!(error instanceof EngineProblem)) throw error
    const { message, location } = error
    const place = location === undefined ? map.whole() : map.placeAt(location)
    const problem = problemOfView(view, message, place)
    throw new SyntaxProblem(problem.reason, problem.place, { definition: problem.definition, cause: error })
  }
}

/** `tree` is not used elsewhere: its nodes are changed. */
function movedBy(base: number, tree: Node): Node {
  for (const node of nodesOf(tree) as Iterable<{ query_location?: number }>)
    if (node.query_location !== undefined) node.query_location += base
  return tree
}

/** The views that a statement has named so far. */
export class ViewReferences<T extends { readonly node: CteNode }> {
  readonly #resolved = new Map<string, T | 'being resolved'>()

  /** In an order in which each names only earlier ones. */
  get nodes(): readonly CteNode[] {
    return [...this.#resolved.values()].flatMap((cte) => (cte === 'being resolved' ? [] : [cte.node]))
  }

  get names(): readonly string[] {
    return [...this.#resolved.keys()]
  }

  /** `refuse` makes a problem at the place of the reference. */
  resolved(name: string, resolve: () => T, refuse: (reason: string) => SqlProblem): T {
    const known = this.#resolved.get(name)
    if (known === 'being resolved') throw refuse(`view '${name}' names itself`)
    if (known !== undefined) return known
    this.#resolved.set(name, 'being resolved')
    const cte = resolve()
    this.#resolved.delete(name) // those that it names come before it
    this.#resolved.set(name, cte)
    return cte
  }
}
