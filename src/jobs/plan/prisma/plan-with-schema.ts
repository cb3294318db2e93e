/**
 * Plans a query for the tables that a Prisma schema describes. The text of the schema is read here, in the planner process, and the
 * answer has those models and fields alone that the query reads: a schema may be large.
 */
import type { SourcePlan } from '../job-plan.ts'
import type { PlanEngine } from '../plan-engine.ts'
import { planQuery } from '../query/plan-query.ts'
import type { QueryPlan, QuerySource, QueryTable } from '../query-plan.ts'
import { type Model, schemaModels } from './schema-models.ts'

export interface SchemaSource {
  readonly sql: string
  /** Text of the Prisma schema. */
  readonly schema: string
}

export interface SchemaPlan {
  readonly plan: QueryPlan
  /** Those of the tables that the query reads, with the fields that it reads. */
  readonly models: readonly Model[]
}

/** Rejects with QueryProblem, whose place is in the schema if its code is 'invalid_schema', else in the SQL. */
export async function planWithSchema(engine: PlanEngine, { sql, schema }: SchemaSource): Promise<SchemaPlan> {
  const models = schemaModels(schema)
  const tables = models.map(tableOf)
  const plan = await planQuery(engine, { sql, tables, models: models.map(namesOf) })
  return { plan, models: plan.plan.sources.flatMap((source) => usedPart(models, source)) }
}

function usedPart(models: readonly Model[], { tableId, decoded }: SourcePlan): Model[] {
  const used = new Set(decoded.map(({ name }) => name))
  return models
    .filter((model) => tableOf(model).tableId === tableId)
    .map((model) => ({ ...model, fields: model.fields.filter(({ column }) => used.has(column)) }))
}

/** The names that a query may use. */
export function namesOf({ model, schema, table, fields }: Model): QuerySource['models'][number] {
  return { model, schema, table, fields: fields.map(({ field, column }) => ({ field, column })) }
}

/** The table as the schema describes it. */
export function tableOf({ schema, table, fields, key }: Model): QueryTable {
  return {
    schema,
    table,
    tableId: `${schema}.${table}`,
    key,
    columns: fields.map(({ column, databaseType, dataType, isList, isOptional }) => ({
      name: column,
      databaseType: isList ? `${databaseType}[]` : databaseType,
      type: dataType,
      nullable: isOptional,
    })),
  }
}
