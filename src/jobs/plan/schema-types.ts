/** Types the computed columns of a table, and checks its watermark. */
import { type DataType, printType, type TypedColumn } from '../../sql/data-types.ts'
import { encodedName } from '../../sql/encoded-name.ts'
import { SqlProblem } from '../../sql/sql-problem.ts'
import type { TableSchema, Watermark } from '../../sql/table-schema.ts'
import type { PlanEngine } from './plan-engine.ts'
import { atItsPlace, type ResolvedExpression, resolveExpression } from './schema-expressions.ts'
import { baseTable, selectNode } from './tree-nodes.ts'

const STORED = 'in_s0'
const TABLE = 's0'
/** Of a watermark column: milliseconds. */
const PRECISION_MAX = 3

/** In the order of the schema. Rejects with SqlProblem, whose place is in `schemaSql`. */
export async function typesOfSchema(
  engine: PlanEngine,
  schemaSql: string,
  schema: TableSchema,
): Promise<readonly TypedColumn[]> {
  const stored = schema.columns.flatMap((column): TypedColumn[] =>
    column.kind === 'computed' ? [] : [column],
  )
  if (!schema.columns.some(({ kind }) => kind === 'computed') && schema.watermark === undefined)
    return typed(stored)
  await engine.declare(STORED, encoded(stored))
  const names = stored.map(({ name }) => ({ name, sql: encodedName(name) }))
  const columns: TypedColumn[] = []
  for (const column of schema.columns) {
    if (column.kind !== 'computed') {
      columns.push(...typed([column]))
      continue
    }
    const expression = await resolveExpression(engine, { schemaSql, place: column.place }, STORED, names)
    const { type, nullable } = await typeOf(engine, expression, STORED)
    columns.push({ name: column.name, type, nullable })
  }
  if (schema.watermark !== undefined) await checkWatermark(engine, schemaSql, schema.watermark, columns)
  return columns
}

function typed(columns: readonly TypedColumn[]): readonly TypedColumn[] {
  return columns.map(({ name, type, nullable }) => ({ name, type, nullable }))
}

/** The names are encoded, and a table needs a column. */
function encoded(columns: readonly TypedColumn[]): readonly TypedColumn[] {
  const hidden: TypedColumn = { name: '__seq', type: { kind: 'BIGINT' }, nullable: false }
  return [hidden, ...columns.map((column) => ({ ...column, name: encodedName(column.name) }))]
}

async function typeOf(
  engine: PlanEngine,
  expression: ResolvedExpression,
  relation: string,
): Promise<TypedColumn> {
  return atItsPlace(expression.resolution, async () => {
    const query = selectNode({ list: [{ ...expression.node, alias: 'x' }], from: baseTable(relation, '') })
    const { tree, columns } = await engine.withMeaning(query)
    await engine.bind(await engine.print(tree))
    return columns[0]!
  })
}

async function checkWatermark(
  engine: PlanEngine,
  schemaSql: string,
  watermark: Watermark,
  columns: readonly TypedColumn[],
): Promise<void> {
  const { place, column: name } = watermark
  const column = columns.find((one) => one.name === name)
  if (column === undefined) throw new SqlProblem(`column '${name}' of WATERMARK does not exist`, place)
  if (!isTimestamp(column.type) || column.type.precision > PRECISION_MAX) {
    throw new SqlProblem(
      `the column of WATERMARK must be TIMESTAMP(3) or TIMESTAMP_LTZ(3), '${name}' is ${printType(column.type)}`,
      place,
    )
  }
  await engine.declare(TABLE, encoded(columns))
  const names = columns.map((one) => ({ name: one.name, sql: encodedName(one.name) }))
  const expression = await resolveExpression(engine, { schemaSql, place }, TABLE, names)
  const { type } = await typeOf(engine, expression, TABLE)
  if (type.kind !== column.type.kind) {
    throw new SqlProblem(
      `the expression of WATERMARK must be ${printType(column.type)} as its column, it is ${printType(type)}`,
      place,
    )
  }
}

function isTimestamp(type: DataType): type is DataType & { readonly precision: number } {
  return type.kind === 'TIMESTAMP' || type.kind === 'TIMESTAMP_LTZ'
}
