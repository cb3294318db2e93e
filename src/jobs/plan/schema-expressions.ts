/** Computed columns and watermarks of a table: expressions of Flink SQL over its columns. */
import { encodedName } from '../../sql/encoded-name.ts'
import { tokensOf } from '../../sql/flink-tokens.ts'
import { QueryRewriter } from '../../sql/query-rewriter.ts'
import { type Place, SyntaxProblem } from '../../sql/sql-problem.ts'
import { StatementCursor } from '../../sql/statement-cursor.ts'
import { type Node, TreeProblem } from '../../sql/tree.ts'
import { ExpressionResolver } from './expression-resolver.ts'
import { EngineProblem, type PlanEngine } from './plan-engine.ts'
import { PlanRelations } from './plan-relations.ts'
import { Resolution } from './resolution.ts'

export interface SchemaExpression {
  readonly schemaSql: string
  readonly place: Place
}

/** A column of the table, and its name in the relation. */
export interface NamedColumn {
  readonly name: string
  readonly sql: string
}

export interface ResolvedExpression {
  /** Over `relation`, with Flink's functions. */
  readonly node: Node
  /** Columns that it names. */
  readonly uses: ReadonlySet<string>
  readonly resolution: Resolution
}

/** Throws SqlProblem with a place in the schema. */
export async function resolveExpression(
  engine: PlanEngine,
  { schemaSql, place }: SchemaExpression,
  relation: string,
  columns: readonly NamedColumn[],
): Promise<ResolvedExpression> {
  const start = offsetOf(schemaSql, place.line, place.column)
  const end = offsetOf(schemaSql, place.endLine, place.endColumn) + 1
  const tokens = tokensOf(schemaSql).filter((token) => token.start >= start && token.end <= end)
  const query = new QueryRewriter(new StatementCursor(schemaSql, tokens), 'SELECT ').rewrite()
  const catalog = { tables: new Map(), otherNames: new Set<string>() }
  const resolution = new Resolution(schemaSql, query, catalog, new PlanRelations(), 0)
  const root = await atItsPlace(resolution, () => engine.parse(query.sql))
  const [item, ...others] = (root.select_list ?? []) as readonly Node[]
  const isExpression = root.type === 'SELECT_NODE' && (root.from_table as Node | null)?.type === 'EMPTY'
  if (item === undefined || others.length > 0 || !isExpression)
    throw resolution.problem('expected one expression')
  const uses = new Set<string>()
  const visible = columns.map(({ name, sql }) => ({
    name: encodedName(name),
    sql,
    use: () => void uses.add(name),
  }))
  const entry = { alias: relation, columns: visible, kind: 'append' as const, merged: new Set<string>() }
  const refuse = () => {
    throw resolution.problem('a sub-query is not allowed in the expression of a column')
  }
  const resolver = new ExpressionResolver(resolution, refuse, new Map(), {
    entries: [entry],
    outer: undefined,
  })
  const node = resolver.resolve(item, 0)
  const wrong = resolver.contents.aggregates[0] ?? resolver.contents.overs[0]
  if (wrong !== undefined) throw resolution.problem('the expression of a column takes no aggregates', wrong)
  return { node, uses, resolution }
}

/** Errors of the engine and of the meaning become SqlProblem with their place. */
export async function atItsPlace<T>(resolution: Resolution, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof EngineProblem) && !(error instanceof TreeProblem)) throw error
    const problem = resolution.problemIn(error.message, error.location)
    const isSyntax = error instanceof EngineProblem && error.isSyntax
    throw isSyntax ? new SyntaxProblem(problem.reason, problem.place, { cause: error }) : problem
  }
}

function offsetOf(text: string, line: number, column: number): number {
  let start = 0
  for (let i = 1; i < line; i++) start = text.indexOf('\n', start) + 1
  return start + column - 1
}
