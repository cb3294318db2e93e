/** Whether the result of a query fits a sink: columns by position or by the list of the statement, and Flink's implicit casts. */
import { type DataType, duckdbType, printType, type TypedColumn } from '../../sql/data-types.ts'
import { decodedName } from '../../sql/encoded-name.ts'
import { SqlProblem } from '../../sql/sql-problem.ts'
import type { NamedPlace, RewrittenInsert } from '../../sql/statement-rewriter.ts'
import type { DecodedColumn, SinkPlan } from './job-plan.ts'
import type { SinkValue } from './plan-context.ts'
import { changesTaken, type PlannerTable } from './planner-table.ts'

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
  query: readonly TypedColumn[],
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
    if (!isImplicit(query[i]!.type, type))
      throw problem(`Incompatible types for sink column '${name}' at position ${i}.`)
  }
  return columns.map(({ type, name }) => {
    const output = targets.findIndex((one) => one.name === name)
    if (output === -1)
      return { output: undefined, type: undefined, cast: () => `CAST(NULL AS ${duckdbType(type)})` }
    const from = query[output]!.type
    return { output, type: from, cast: (expression) => castText(expression, from, type) }
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

const INTEGERS = ['TINYINT', 'SMALLINT', 'INT', 'BIGINT']
const TEXTS: ReadonlySet<string> = new Set(['STRING', 'CHAR', 'VARCHAR'])
const BYTES: ReadonlySet<string> = new Set(['BYTES', 'BINARY', 'VARBINARY'])

function isNumber({ kind }: DataType): boolean {
  return INTEGERS.includes(kind) || kind === 'DECIMAL' || kind === 'FLOAT' || kind === 'DOUBLE'
}

/** The implicit casts of Flink. */
export function isImplicit(from: DataType, to: DataType): boolean {
  if (isUntypedNull(from)) return true
  if (TEXTS.has(from.kind) && TEXTS.has(to.kind)) return true
  if (BYTES.has(from.kind) && BYTES.has(to.kind)) return true
  if (from.kind === 'TIMESTAMP' || from.kind === 'TIMESTAMP_LTZ') {
    return ['TIMESTAMP', 'TIMESTAMP_LTZ', 'DATE', 'TIME'].includes(to.kind)
  }
  if (isNumber(from)) {
    if (to.kind === 'DECIMAL' || to.kind === 'DOUBLE') return true
    if (to.kind === 'FLOAT') return from.kind !== 'DOUBLE'
    return INTEGERS.includes(from.kind) && INTEGERS.indexOf(to.kind) >= INTEGERS.indexOf(from.kind)
  }
  if (from.kind === 'ARRAY' && to.kind === 'ARRAY') return isImplicit(from.element, to.element)
  if (from.kind === 'MAP' && to.kind === 'MAP')
    return isImplicit(from.key, to.key) && isImplicit(from.value, to.value)
  if (from.kind === 'ROW' && to.kind === 'ROW') {
    return (
      from.fields.length === to.fields.length &&
      from.fields.every((field, i) => isImplicit(field.type, to.fields[i]!.type))
    )
  }
  return from.kind === to.kind
}

function isUntypedNull(type: DataType): boolean {
  return (type.kind as string) === 'NULL'
}

/** DECIMAL that does not fit becomes NULL, timestamps lose what their precision does not hold. */
export function castText(expression: string, from: DataType, to: DataType): string {
  if (to.kind === 'DECIMAL') return `TRY_CAST(${expression} AS ${duckdbType(to)})`
  if (to.kind === 'TIMESTAMP' || to.kind === 'TIMESTAMP_LTZ') {
    const cast = `CAST(${expression} AS ${duckdbType(to)})`
    const isPrecise =
      (from.kind === 'TIMESTAMP' || from.kind === 'TIMESTAMP_LTZ') && from.precision <= to.precision
    return isPrecise ? cast : truncated(cast, to.precision)
  }
  if (from.kind === 'ROW' && to.kind === 'ROW' && JSON.stringify(from) !== JSON.stringify(to)) {
    const fields = to.fields.map(({ name, type }, i) => {
      const field = from.fields[i]!
      const value = `struct_extract(${expression}, '${field.name.replaceAll("'", "''")}')`
      return `"${name.replaceAll('"', '""')}" := ${castText(value, field.type, type)}`
    })
    return `CASE WHEN ${expression} IS NULL THEN NULL ELSE struct_pack(${fields.join(', ')}) END`
  }
  return `CAST(${expression} AS ${duckdbType(to)})`
}

function truncated(expression: string, precision: number): string {
  const part = { 0: 'second', 3: 'milliseconds', 6: undefined }[precision]
  if (precision === 6) return expression
  if (part !== undefined) return `date_trunc('${part}', ${expression})`
  const unit = 10 ** (6 - precision)
  return `${expression} - to_microseconds(((epoch_us(${expression}) % ${unit}) + ${unit}) % ${unit})`
}
