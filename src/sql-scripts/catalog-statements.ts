/** Runs statements about tables and views on the tables of a namespace. */
import { ServiceError, type ServiceErrorCode } from '../service-error.ts'
import { SqlProblem } from '../sql/sql-problem.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { TableService } from '../tables/table-service.ts'
import type { CatalogRunner, RunnableStatement } from './catalog-runner.ts'
import { type Command, runCommand } from './commands.ts'
import { Ddl, type DdlStatement } from './ddl.ts'
import type { ScriptRows } from './sql-script-service.ts'

export class CatalogStatements implements CatalogRunner {
  readonly #tables: TableService
  readonly #ddl: Ddl

  constructor(tables: TableService) {
    this.#tables = tables
    this.#ddl = new Ddl(tables)
  }

  check(namespace: NamespaceName, statement: RunnableStatement): Promise<void> {
    return asProblem(async () => {
      if (isCommand(statement)) runCommand(this.#tables, namespace, statement)
      else await this.#ddl.check(namespace, statement)
    })
  }

  run(namespace: NamespaceName, statement: RunnableStatement): Promise<ScriptRows> {
    return asProblem(async () => {
      if (isCommand(statement)) return runCommand(this.#tables, namespace, statement)
      await this.#ddl.run(namespace, statement)
      return undefined
    })
  }
}

/** What is wrong with a statement, however the tables say it. */
const OF_STATEMENTS: ReadonlySet<ServiceErrorCode> = new Set([
  'table_exists',
  'table_not_found',
  'table_in_use',
  'invalid_table',
  'integration_not_found',
])

/** Rejects with SqlProblem, without a place, where the statement is wrong. */
async function asProblem<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof ServiceError && OF_STATEMENTS.has(error.code))) throw error
    throw new SqlProblem(error.message, undefined, { cause: error })
  }
}

function isCommand(statement: RunnableStatement): statement is Command {
  const { kind } = statement satisfies Command | DdlStatement
  return (
    kind === 'show' ||
    kind === 'show-current' ||
    kind === 'show-create' ||
    kind === 'describe' ||
    kind === 'use'
  )
}
