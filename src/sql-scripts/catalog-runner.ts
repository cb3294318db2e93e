/** What runs statements about tables and views: DDL and commands that show the catalog. Places of problems are in the statement's text. */
import type { JobOwner } from '../jobs/job-service.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { ScriptRows } from './sql-script-service.ts'
import type { AlterTable, CreateTable, CreateView, Describe, Drop, Show, Use } from './statements.ts'

export type RunnableStatement = CreateTable | CreateView | Drop | AlterTable | Show | Describe | Use

export interface CatalogRunner {
  /** The checks of `run`, without its effect. Rejects as `run` does. */
  check(namespace: NamespaceName, statement: RunnableStatement, owner: JobOwner): Promise<void>
  /** Resolves when the effect is durable. Rejects with SqlProblem and ServiceError. */
  run(namespace: NamespaceName, statement: RunnableStatement, owner: JobOwner): Promise<ScriptRows>
}
