/** Runs statements about tables and views on the tables of a namespace. */
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

  async check(namespace: NamespaceName, statement: RunnableStatement): Promise<void> {
    if (isCommand(statement)) runCommand(this.#tables, namespace, statement)
    else await this.#ddl.check(namespace, statement)
  }

  async run(namespace: NamespaceName, statement: RunnableStatement): Promise<ScriptRows> {
    if (isCommand(statement)) return runCommand(this.#tables, namespace, statement)
    await this.#ddl.run(namespace, statement)
    return undefined
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
