/** Prisma schemas for the checks of a query. */
import type { QueryTable } from '../jobs/plan/query-plan.ts'
import { checkSchema } from './prisma/schema-check.ts'
import { type Model, prismaSchema } from './prisma/schema-models.ts'
import { tableIdOf } from './query-definition.ts'
import type { QuerySchemas } from './query-schema.ts'

export const PRISMA_SCHEMAS: QuerySchemas = {
  read(text) {
    const schema = prismaSchema(text)
    return {
      models: schema.models.map(({ model, schema: inSchema, table, fields }) => ({
        model,
        schema: inSchema,
        table,
        fields: fields.map(({ field, column }) => ({ field, column })),
      })),
      tables: schema.models.map(tableOf),
      check: (plan, described) => checkSchema(schema, plan, described),
    }
  },
}

function tableOf({ schema, table, fields, key }: Model): QueryTable {
  return {
    schema,
    table,
    tableId: tableIdOf({ schema, table }),
    key,
    columns: fields.map(({ column, databaseType, dataType, isList, isOptional }) => ({
      name: column,
      databaseType: isList ? `${databaseType}[]` : databaseType,
      type: dataType,
      nullable: isOptional,
    })),
  }
}
