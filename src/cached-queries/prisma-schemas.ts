/** Prisma schemas for the checks of a query. */
import { QueryProblem } from '../jobs/plan/query-plan.ts'
import type { QuerySchemas } from './query-schema.ts'

export const PRISMA_SCHEMAS: QuerySchemas = {
  read() {
    throw new QueryProblem('invalid_schema', 'this version does not read schemas')
  },
}
