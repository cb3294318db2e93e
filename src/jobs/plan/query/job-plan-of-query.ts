/** The plan of the job that keeps a query up to date: one insert of the way `refresh`, whose sink is the result. */
import { createHash } from 'node:crypto'
import { encodedName } from '../../../sql/encoded-name.ts'
import type { MeantPostgresColumn } from '../../../sql/postgres-meaning.ts'
import type { Node } from '../../../sql/tree.ts'
import type { JobPlan, SinkPlan, SourcePlan } from '../job-plan.ts'
import type { PlanRelation, SinkValue } from '../plan-context.ts'
import type { PlanEngine } from '../plan-engine.ts'
import { scopeOf } from '../refresh-scope.ts'
import { verticesOf } from '../vertices.ts'
import type { QueryContext, UsedTable } from './query-context.ts'
import type { QueryResult } from './query-result.ts'
import { quoted } from './sql-pieces.ts'

export interface PlannedSelect {
  /** Of DuckDB's parser. */
  readonly tree: Node
  /** With PostgreSQL's meaning. */
  readonly meant: Node
  readonly columns: readonly MeantPostgresColumn[]
  readonly result: QueryResult
}

/** The table of the result, which no statement names. */
export const RESULT_TABLE = 'result'
/** A change of what is hashed makes state of older versions unusable; then this number is raised. */
const SIGNATURE_VERSION = 1

/** Rejects with EngineProblem. */
export async function jobPlanOf(
  engine: PlanEngine,
  { used }: QueryContext,
  { tree, meant, columns, result }: PlannedSelect,
): Promise<JobPlan> {
  const sources = used.map(sourceOf)
  for (const [at, { base }] of used.entries())
    await engine.declare(
      base,
      sources[at]!.columns.map((column) => ({ ...column, nullable: true })),
    )
  const isOneRow = result.key.length === 0 && !result.keyIsRow
  const sink = sinkOf(columns, result, isOneRow)
  const items = columns.map((_, at) => `q.o${at} AS c${at}`)
  // One row has a key, so that it is compared with what it was before.
  if (isOneRow) items.push(`0 AS c${columns.length}`)
  const names = columns.map((_, at) => `o${at}`).join(', ')
  const select = `SELECT ${items.join(', ')} FROM (${await engine.print(meant)}) AS q(${names})`
  await engine.bind(select)
  const key = isOneRow ? [columns.length] : result.key.map(({ column }) => column)
  const values = columns.map(
    (column, output): SinkValue => ({ output, type: column.type, cast: (sql) => sql }),
  )
  const scope = scopeOf({
    query: tree,
    relations: used.map(relationOf),
    lookups: [],
    sink,
    sinkTakes: 'retractions',
    values,
  })
  const isDivided = scope !== undefined && !used.some((one) => hasEqualTexts(one, scope.keys))
  const bases = used.map(({ base, source }) => ({ relation: base, source }))
  const insert = {
    sink,
    way: 'refresh' as const,
    refresh: { bases, select, key, keyIsUnique: true, scope: isDivided ? scope : undefined },
  }
  return {
    signature: signatureOf(used, sources, sink),
    sources,
    lookups: [],
    fixed: [],
    inserts: [insert],
    vertices: verticesOf(sources, [
      { insert, sources: new Set(sources.map(({ relation }) => relation)), lookups: [] },
    ]),
  }
}

/** Whether one of these keys has values that are equal and differ as texts, as 1.5 and 1.50 of a numeric without limits. */
function hasEqualTexts({ table, columns }: UsedTable, keys: readonly string[]): boolean {
  return table.columns.some(
    ({ name, databaseType, type }) =>
      columns.has(name) &&
      keys.includes(quoted(encodedName(name))) &&
      type.kind === 'STRING' &&
      databaseType.startsWith('numeric'),
  )
}

/** Columns that the query uses, and the key, in the order of the table. */
function sourceOf({ table, source, columns }: UsedTable): SourcePlan {
  const decoded = table.columns
    .filter(({ name }) => columns.has(name))
    .map(({ name, type }) => ({ name, type }))
  const encoded = decoded.map(({ name, type }) => ({ name: encodedName(name), type }))
  const items = encoded.map(({ name }) => `in_${source}.${quoted(name)} AS ${quoted(name)}`)
  return {
    relation: source,
    tableId: table.tableId,
    tableName: `${table.schema}.${table.table}`,
    decoded,
    view: `SELECT ${items.join(', ')} FROM in_${source}`,
    columns: encoded,
    watermark: undefined,
    changeKey: table.key.map(encodedName),
  }
}

function sinkOf(
  columns: readonly MeantPostgresColumn[],
  { names, key }: QueryResult,
  isOneRow: boolean,
): SinkPlan {
  const stored = columns.map(({ type }, at) => ({ name: names[at]!, type }))
  return {
    tableId: RESULT_TABLE,
    tableName: RESULT_TABLE,
    columns: isOneRow ? [...stored, { name: '__row', type: { kind: 'INT' } }] : stored,
    primaryKey: isOneRow ? ['__row'] : key.map(({ column }) => names[column]!),
  }
}

function relationOf({ base, source, table, columns }: UsedTable): PlanRelation {
  return {
    relation: base,
    tableName: table.table,
    kind: 'changing',
    source,
    columns: table.columns
      .filter(({ name }) => columns.has(name))
      .map((column) => ({ ...column, name: encodedName(column.name) })),
    primaryKey: table.key.map(encodedName),
  }
}

/** The bases hold the columns of the tables, and the last result the columns of the sink. */
function signatureOf(used: readonly UsedTable[], sources: readonly SourcePlan[], sink: SinkPlan): string {
  const parts = {
    version: SIGNATURE_VERSION,
    bases: used.map(({ table }, at) => [
      table.schema,
      table.table,
      sources[at]!.columns,
      sources[at]!.changeKey,
    ]),
    sink: [sink.columns.map(({ type }) => type), sink.primaryKey],
  }
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
