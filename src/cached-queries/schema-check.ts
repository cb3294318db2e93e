/** Compares the models that a query uses with the tables of the database. */
import { CaptureError, type DescribedTable } from '../cdc/capture-service.ts'
import type { CapturedColumn, CapturedTable } from '../cdc/captured-table.ts'
import { typeFits } from '../jobs/plan/prisma/native-types.ts'
import type { Model, ModelField } from '../jobs/plan/prisma/schema-models.ts'
import { type QueryPlan, QueryProblem, type QueryTable } from '../jobs/plan/query-plan.ts'
import { queryTable, tableIdOf } from './query-definition.ts'

/** Returns the tables as the database has them. Throws QueryProblem and CaptureError. */
export function checkSchema(
  models: readonly Model[],
  plan: QueryPlan,
  described: readonly DescribedTable[],
): readonly QueryTable[] {
  return plan.plan.sources.map(({ tableId, decoded }) => {
    const model = models.find((one) => tableIdOf(one) === tableId)
    if (model === undefined) throw new Error(`no model of table ${tableId}`)
    const used = new Set(decoded.map(({ name }) => name))
    for (const { field, unsupported, column } of model.fields) {
      if (unsupported === undefined || !used.has(column)) continue
      throw new QueryProblem(
        'invalid_schema',
        `model ${model.model}, field ${field}: Unsupported("${unsupported.type}") cannot be used in a query`,
        unsupported.place,
      )
    }
    const table = described.find((one) => tableIdOf(one) === tableId)
    if (table === undefined) throw mismatch(`model ${model.model}: the database has no table ${tableId}`)
    if (table.captured === undefined) {
      const { problem } = table
      throw new CaptureError(
        problem?.code ?? 'schema_mismatch',
        problem?.message ?? `table ${tableId} cannot be captured`,
      )
    }
    checkColumns(model, used, table.captured)
    return queryTable(table.captured)
  })
}

function checkColumns(model: Model, used: ReadonlySet<string>, table: CapturedTable): void {
  for (const field of model.fields) {
    if (!used.has(field.column)) continue
    const where = `model ${model.model}, field ${field.field}`
    const column = table.columns.find(({ name }) => name === field.column)
    if (column === undefined)
      throw mismatch(`${where}: table ${tableIdOf(table)} of the database has no column ${field.column}`)
    if (!fits(field, column))
      throw mismatch(`${where}: the database has ${column.databaseType}, the schema says ${field.shown}`)
  }
}

function fits(field: ModelField, { databaseType, isArray }: CapturedColumn): boolean {
  return field.isList === isArray && typeFits(field.type, databaseType.replace(/\[\]$/, ''))
}

function mismatch(message: string): QueryProblem {
  return new QueryProblem('schema_mismatch', message)
}
