/**
 * From the SQL of a cached query to its plan. The query is read with PostgreSQL's grammar (`query-parser.ts`), its names are
 * resolved and PostgreSQL's rules checked (`queries.ts`), and it is printed for DuckDB's parser, whose tree gets PostgreSQL's
 * meaning (sql/postgres-meaning.ts). Only what this folder prints reaches the engine.
 */
import { encodedName } from '../../../sql/encoded-name.ts'
import { type MeantPostgresColumn, withPostgresMeaning } from '../../../sql/postgres-meaning.ts'
import type { SourceMap } from '../../../sql/source-map.ts'
import { type Node, TreeProblem, UnsupportedTree } from '../../../sql/tree.ts'
import { EngineProblem, type PlanEngine } from '../plan-engine.ts'
import { type QueryPlan, QueryProblem, type QuerySource } from '../query-plan.ts'
import { jobPlanOf } from './job-plan-of-query.ts'
import { checkLiterals } from './literal-check.ts'
import { Queries } from './queries.ts'
import { QueryContext } from './query-context.ts'
import { parseStatement } from './query-parser.ts'
import { resultOf } from './query-result.ts'
import { textOf } from './sql-pieces.ts'

/** Rejects with QueryProblem. */
export async function planQuery(engine: PlanEngine, source: QuerySource): Promise<QueryPlan> {
  const { query } = parseStatement(source.sql)
  const context = new QueryContext(source)
  const resolved = new Queries(context).query(query, new Map(), undefined, { keys: true, isTop: true })
  if (context.used.length === 0)
    throw new QueryProblem('unsupported_sql', 'the query reads no table, so its result never changes')
  const { text, map } = textOf(resolved.sql, source.sql)
  const { tree, meant, columns } = await meaningOf(engine, context, text, map)
  const result = resultOf(resolved, columns)
  const plan = await inEngine(map, () => jobPlanOf(engine, context, { tree, meant, columns, result }))
  return {
    plan,
    columns: result.columns,
    key: result.key,
    keyIsRow: result.keyIsRow,
    order: result.order,
    tables: context.used.map(({ table }) => table.tableId),
    warnings: result.warnings,
  }
}

interface Meaning {
  /** Before and after the meaning. */
  readonly tree: Node
  readonly meant: Node
  readonly columns: readonly MeantPostgresColumn[]
}

function meaningOf(
  engine: PlanEngine,
  context: QueryContext,
  text: string,
  map: SourceMap,
): Promise<Meaning> {
  const relations = new Map(
    context.used.map(({ base, table }) => [
      base,
      table.columns.map((column) => ({ ...column, name: encodedName(column.name) })),
    ]),
  )
  return inEngine(map, async () => {
    const tree = await engine.parse(text)
    const { tree: meant, columns } = withPostgresMeaning(tree, {
      columnsOf: (relation) => relations.get(relation),
    })
    await checkLiterals(engine, meant)
    return { tree, meant, columns }
  })
}

/** Problems of the tree and of the engine, at their place in the user's text. */
async function inEngine<T>(map: SourceMap, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof TreeProblem) {
      const place = error.location === undefined ? undefined : map.placeAt(error.location)
      const code = error instanceof UnsupportedTree ? 'unsupported_sql' : 'invalid_sql'
      throw new QueryProblem(code, error.message, place)
    }
    if (!(error instanceof EngineProblem)) throw error
    const place = error.location === undefined ? undefined : map.placeAt(error.location)
    throw new QueryProblem('unsupported_sql', `the query cannot be kept up to date: ${error.message}`, place)
  }
}
