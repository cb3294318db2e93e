/** SQL scripts: what clients type, one statement after another. Their tables are those of `src/tables`. */
import type { JobOwner } from '../jobs/job-service.ts'
import type { TemporaryDefinition } from '../jobs/temporary-definition.ts'
import type { Place, SqlProblem } from '../sql/sql-problem.ts'
import type { NamespaceName } from '../streams/names.ts'

export type ScriptKind =
  | 'VALID_DDL_STATEMENT'
  | 'VALID_COMMAND_STATEMENT'
  | 'VALID_INSERT_QUERY'
  | 'VALID_SELECT_QUERY'
  /** Does not parse. */
  | 'INVALID'
  /** An unknown table, column or type; a name that is taken. */
  | 'INVALID_QUERY'
  /** Parses, but the embedded engine cannot run it. */
  | 'UNSUPPORTED_QUERY'

export interface ScriptVerdict {
  readonly kind: ScriptKind
  /** Of an invalid one. */
  readonly problem?: { readonly message: string; readonly cause: string; readonly place: Place | undefined }
}

/** Texts; NULL is an empty one. Undefined: the statement has no rows. */
export type ScriptRows =
  | { readonly headers: readonly string[]; readonly rows: readonly (readonly string[])[] }
  | undefined

export interface Completion {
  readonly text: string
  readonly type: 'HINT_TYPE_UNKNOWN'
}

export interface SqlScriptService {
  /** Never rejects because of the statement. */
  validate(namespace: NamespaceName, statement: string, owner: JobOwner): Promise<ScriptVerdict>
  /** Resolves when the effect is durable. Rejects with SqlProblem and ServiceError. */
  execute(namespace: NamespaceName, statement: string, owner: JobOwner): Promise<ScriptRows>
  /** Whole words that may stand at a position, in characters from the start; at most 100. */
  suggest(
    namespace: NamespaceName,
    script: string,
    position: number,
    owner: JobOwner,
  ): Promise<readonly Completion[]>
}

/** A script as a job: INSERT INTO or a statement set, behind temporary tables and views of its own. */
export interface ScriptJob {
  readonly statement: string
  /** In the order of the script. Names of the namespace's catalog that they repeat are hidden by them. */
  readonly temporary: readonly TemporaryDefinition[]
  /** Of SET 'pipeline.name'. */
  readonly jobName: string | undefined
  /** A problem with its place in the script, for a problem with a place in `statement` or in a temporary definition. */
  readonly inScript: (problem: SqlProblem) => SqlProblem
}

export type { TemporaryDefinition }
