/** Why the script of a deployment cannot run; undefined if it can. */
import type { JobOwner } from '../jobs/job-service.ts'
import type { ScriptKind, SqlScriptService } from '../sql-scripts/sql-script-service.ts'
import type { NamespaceName } from '../streams/names.ts'

const WANTED = 'a deployment runs INSERT INTO or a statement set'

const OTHERS: Partial<Record<ScriptKind, string>> = {
  VALID_DDL_STATEMENT: `creates or changes tables; ${WANTED}`,
  VALID_COMMAND_STATEMENT: `only shows something; ${WANTED}`,
  VALID_SELECT_QUERY: `has rows and no table for them; ${WANTED}`,
}

export async function scriptProblem(
  scripts: Pick<SqlScriptService, 'validate'>,
  namespace: NamespaceName,
  script: string,
  owner: JobOwner,
): Promise<string | undefined> {
  const { kind, problem } = await scripts.validate(namespace, script, owner)
  if (kind === 'VALID_INSERT_QUERY') return undefined
  if (problem === undefined) return OTHERS[kind] ?? 'cannot run'
  const { message, place } = problem
  const isPlaced = place === undefined || /\bline \d+, column \d+/.test(message)
  return isPlaced ? message : `${message} at line ${place.line}, column ${place.column}`
}
