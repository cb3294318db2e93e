/** From the text of a statement to the plan of its job. */
import type { TypedColumn } from '../../sql/data-types.ts'
import { SqlProblem } from '../../sql/sql-problem.ts'
import { type NamedPlace, type RewrittenInsert, rewriteStatement } from '../../sql/statement-rewriter.ts'
import { planInsert } from './insert-plan.ts'
import type { FixedPlan, InsertPlan, JobPlan, LookupPlan, SourcePlan } from './job-plan.ts'
import { checkLoops } from './loop-check.ts'
import type { PlanEngine } from './plan-engine.ts'
import { encodedColumns, PlanRelations, type TableRelation, usedColumns } from './plan-relations.ts'
import { changesTaken, type PlannerTable, unusable } from './planner-table.ts'
import { resolveQuery } from './query-resolver.ts'
import { type Catalog, Resolution, type Resolved } from './resolution.ts'
import type { ResolvedInsert } from './resolved-insert.ts'
import { atItsPlace } from './schema-expressions.ts'
import { signatureOf } from './signature.ts'
import { sinkPlan } from './sink-check.ts'
import { planSource } from './source-plans.ts'
import { type VertexInput, verticesOf } from './vertices.ts'

/** What is known of a statement, without the engine that runs it: JobOutline of jobs/job-engine.ts. */
export interface PlannedStatement {
  readonly plan: JobPlan
  /** Ids of tables. */
  readonly reads: readonly string[]
  readonly writes: readonly string[]
  readonly warnings: readonly string[]
  /** Names of views whose queries it has. */
  readonly views: readonly string[]
}

/** Every source of a job has a reader of its own. */
const SOURCES_MAX = 64

/** Rejects with SqlProblem for a statement that is wrong, and for one that this engine cannot run. */
export async function planStatement(
  engine: PlanEngine,
  statement: string,
  catalog: Catalog,
): Promise<PlannedStatement> {
  const relations = new PlanRelations()
  const resolved: ResolvedInsert[] = []
  let windows = 0
  for (const insert of rewriteStatement(statement)) {
    const one = await resolveInsert(engine, statement, insert, catalog, relations, windows)
    windows += one.resolution.windows.length
    resolved.push(one)
    if (relations.sources.length > SOURCES_MAX) {
      throw new SqlProblem(`the statement reads more than ${SOURCES_MAX} tables`, insert.sink.place)
    }
  }
  checkLoops(resolved)
  const { sources, fixed } = await planRelations(engine, relations)
  const lookups: LookupPlan[] = []
  const inserts: InsertPlan[] = []
  const vertices: VertexInput[] = []
  for (const one of resolved) {
    const planned = await planInsert(engine, one, relations)
    lookups.push(...planned.lookups)
    inserts.push(planned.insert)
    vertices.push({
      insert: planned.insert,
      sources: one.resolved.sources,
      lookups: planned.lookups.map(({ tableName }) => tableName),
    })
  }
  const plan: JobPlan = {
    signature: signatureOf({ sources, fixed, inserts, tables: catalog.tables }),
    sources,
    lookups,
    fixed,
    inserts,
    vertices: verticesOf(sources, vertices),
  }
  return {
    plan,
    reads: unique(
      [...relations.sources, ...relations.lookups, ...relations.fixed].map(({ table }) => table.id),
    ),
    writes: unique(resolved.map(({ table }) => table.id)),
    warnings: warningsOf(resolved),
    views: unique(resolved.flatMap(({ resolution }) => resolution.views.names)),
  }
}

/** Declares all relations. The columns that all queries use are known. */
export async function planRelations(
  engine: PlanEngine,
  relations: PlanRelations,
): Promise<{ readonly sources: readonly SourcePlan[]; readonly fixed: readonly FixedPlan[] }> {
  const sources: SourcePlan[] = []
  for (const source of relations.sources) sources.push(await planSource(engine, source))
  for (const { relation, source } of relations.bases)
    await engine.declare(relation, encodedColumns(usedColumns(source)))
  const fixed: FixedPlan[] = []
  for (const relation of relations.fixed) fixed.push(await planFixed(engine, relation))
  for (const relation of relations.lookups)
    await engine.declare(relation.relation, encodedColumns(storedColumns(relation)))
  return { sources, fixed }
}

async function resolveInsert(
  engine: PlanEngine,
  statement: string,
  insert: RewrittenInsert,
  catalog: Catalog,
  relations: PlanRelations,
  firstWindow: number,
): Promise<ResolvedInsert> {
  const table = sinkTable(catalog, insert.sink)
  const sink = sinkPlan(table, insert.sink)
  const resolution = new Resolution(statement, insert.query, catalog, relations, firstWindow)
  const root = await atItsPlace(resolution, () => engine.parse(insert.query.sql))
  const resolved = resolveQuery(resolution, root)
  checkChanges(resolved, table, insert.sink)
  return { insert, table, sink, resolution, resolved }
}

function sinkTable({ tables, otherNames, views }: Catalog, { name, place }: NamedPlace): PlannerTable {
  const table = tables.get(name)
  const problem = table && unusable(table)
  if (problem !== undefined) throw new SqlProblem(problem, place)
  if (table !== undefined) return table
  if (views?.has(name)) throw new SqlProblem(`'${name}' is a view, which cannot be written`, place)
  const reason = otherNames.has(name) ? `table ${name} is not in table_ids` : `table '${name}' does not exist`
  throw new SqlProblem(reason, place)
}

function checkChanges({ kind }: Resolved, table: PlannerTable, { place }: NamedPlace): void {
  if (kind !== 'running' && kind !== 'changing') return
  if (changesTaken(table) !== 'inserts') return
  throw new SqlProblem(
    `Table sink '${table.name}' doesn't support consuming update and delete changes`,
    place,
  )
}

/** A database table has no metadata, and its computed columns are not part of it. */
function storedColumns(relation: TableRelation): readonly TypedColumn[] {
  const { table } = relation
  return usedColumns(relation).map((column) => {
    if (table.schema.columns.find(({ name }) => name === column.name)?.kind === 'physical') return column
    throw new SqlProblem(
      `column '${column.name}' of table ${table.name} is computed, which is not possible in a database table`,
    )
  })
}

async function planFixed(engine: PlanEngine, fixed: TableRelation): Promise<FixedPlan> {
  const { relation, table } = fixed
  // A table of which no column is used still has its rows: COUNT(*).
  if (fixed.used.size === 0) fixed.used.add(table.columns[0]!.name)
  const columns = storedColumns(fixed)
  await engine.declare(relation, encodedColumns(columns))
  return {
    relation,
    tableId: table.id,
    tableName: table.name,
    columns: columns.map(({ name, type }) => ({ name, type })),
  }
}

function unique(ids: readonly string[]): readonly string[] {
  return [...new Set(ids)]
}

function warningsOf(inserts: readonly ResolvedInsert[]): readonly string[] {
  return unique(
    inserts.flatMap(({ resolution, resolved }) => {
      const sources = resolution.relations.sources.filter(({ relation }) => resolved.sources.has(relation))
      if (resolved.kind !== 'window' || sources.length < 2) return []
      const names = sources.map(({ table }) => table.name).join(', ')
      return [`the windows of ${names} close together: a source without events holds those of the others`]
    }),
  )
}
