/** Whether the result of a query fits a sink: columns by position or by the list of the statement, and Flink's implicit casts. */
import { type DataType, duckdbType, printType } from '../../sql/data-types.ts'
import { decodedName } from '../../sql/encoded-name.ts'
import { type CastStep, castText, sinkCast } from '../../sql/flink-casts.ts'
import type { MeantColumn } from '../../sql/meaning-flink.ts'
import { SqlProblem } from '../../sql/sql-problem.ts'
import type { NamedPlace, RewrittenInsert } from '../../sql/statement-rewriter.ts'
import type { DecodedColumn, SinkPlan } from './job-plan.ts'
import type { SinkValue } from './plan-context.ts'
import { changesTaken, type PlannerTable } from './planner-table.ts'

/** A column of the result of a query. NULL without a type fits every column. */
export type OutputColumn = MeantColumn

function castSteps({ type, isNull }: OutputColumn, to: DataType): readonly CastStep[] | undefined {
  return sinkCast(isNull ? { kind: 'NULL' } : type, to)
}

export function sinkPlan(table: PlannerTable, sink: NamedPlace): SinkPlan {
  if (changesTaken(table) === 'none')
    throw new SqlProblem(`table ${table.name} cannot be written`, sink.place)
  return {
    tableId: table.id,
    tableName: table.name,
    columns: writtenColumns(table, sink),
    primaryKey: table.schema.primaryKey,
  }
}

/** Physical columns and metadata that is not VIRTUAL. */
function writtenColumns(table: PlannerTable, { place }: NamedPlace): readonly DecodedColumn[] {
  return table.schema.columns.flatMap((column): DecodedColumn[] => {
    if (column.kind === 'computed') return []
    const { name, type } = column
    if (column.kind === 'physical') return [{ name, type }]
    if (column.isVirtual) return []
    if (column.key !== 'headers' && column.key !== 'timestamp') {
      throw new SqlProblem(
        `metadata column '${name}' of table ${table.name} cannot be written; declare it as VIRTUAL`,
        place,
      )
    }
    return [{ name, type, metadata: column.key }]
  })
}

/** Throws SqlProblem if the columns do not fit. */
export function sinkValues(
  table: PlannerTable,
  { columns }: SinkPlan,
  insert: RewrittenInsert,
  query: readonly OutputColumn[],
): readonly SinkValue[] {
  const targets =
    insert.columns === undefined ? columns : insert.columns.map((one) => target(table, columns, one))
  if (insert.columns !== undefined) checkList(table, columns, insert.columns)
  const problem = (cause: string) => {
    const shown = (list: readonly { readonly name: string; readonly type: DataType }[]) =>
      `[${list.map(({ name, type }) => `${name}: ${printType(type)}`).join(', ')}]`
    const shownQuery = query.map(({ name, type }) => ({ name: decodedName(name), type }))
    return new SqlProblem(
      `Column types of query result and sink for '${table.name}' do not match.\nCause: ${cause}\n\n` +
        `Query schema: ${shown(shownQuery)}\nSink schema:  ${shown(targets)}`,
      insert.sink.place,
    )
  }
  if (query.length !== targets.length) throw problem('Different number of columns.')
  for (const [i, { name, type }] of targets.entries()) {
    if (castSteps(query[i]!, type) === undefined)
      throw problem(`Incompatible types for sink column '${name}' at position ${i}.`)
  }
  return columns.map(({ type, name }) => {
    const output = targets.findIndex((one) => one.name === name)
    const from = query[output]
    // The engine gives a column of NULL the type INTEGER, which has no cast to some types.
    if (from === undefined || from.isNull)
      return { output: undefined, type: undefined, cast: () => `CAST(NULL AS ${duckdbType(type)})` }
    const steps = castSteps(from, type) ?? []
    return { output, type: from.type, cast: (expression) => castText(expression, steps) }
  })
}

function target(
  table: PlannerTable,
  columns: readonly DecodedColumn[],
  { name, place }: NamedPlace,
): DecodedColumn {
  const column = columns.find((one) => one.name === name)
  if (column !== undefined) return column
  const isKnown = table.schema.columns.some((one) => one.name === name)
  const reason = isKnown
    ? `column '${name}' of table ${table.name} cannot be written`
    : `column '${name}' does not exist in table ${table.name}; its columns are ${columns.map((one) => one.name).join(', ')}`
  throw new SqlProblem(reason, place)
}

function checkList(
  table: PlannerTable,
  columns: readonly DecodedColumn[],
  list: readonly NamedPlace[],
): void {
  const seen = new Set<string>()
  for (const { name, place } of list) {
    if (seen.has(name)) throw new SqlProblem(`column '${name}' is named twice`, place)
    seen.add(name)
  }
  for (const { name } of columns) {
    const column = table.schema.columns.find((one) => one.name === name)
    const isRequired = column !== undefined && column.kind !== 'computed' && !column.nullable
    if (isRequired && !seen.has(name)) {
      throw new SqlProblem(
        `column '${name}' of table ${table.name} is NOT NULL, so the statement has to write it`,
        list[0]?.place,
      )
    }
  }
}
