/** Names of tables and views. The only catalog and the only database are named `default`: they are the namespace. */
import { SqlProblem } from '../sql/sql-problem.ts'
import type { ObjectName } from './statements.ts'

export const DEFAULT = 'default'

/** The name without its catalog and database. Throws SqlProblem for others than `default`. */
export function plainName({ catalog = DEFAULT, database = DEFAULT, name, place }: ObjectName): string {
  if (catalog !== DEFAULT)
    throw new SqlProblem(`catalog '${catalog}' does not exist; the catalog is ${DEFAULT}`, place)
  if (database !== DEFAULT)
    throw new SqlProblem(`database '${database}' does not exist; the database is ${DEFAULT}`, place)
  return name
}

export function fullName(name: string): string {
  return `${DEFAULT}.${DEFAULT}.${name}`
}
