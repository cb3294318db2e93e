/** Whether what a deployment is to run can run. */
import type { JarJobs } from '../jars/jar-jobs.ts'
import type { JobOwner } from '../jobs/job-service.ts'
import { ServiceError } from '../service-error.ts'
import { SqlProblem } from '../sql/sql-problem.ts'
import type { ScriptKind, SqlScriptService } from '../sql-scripts/sql-script-service.ts'
import type { NamespaceName } from '../streams/names.ts'
import { type AttributeError, DeploymentError } from './deployment-error.ts'
import { jarOf } from './jar-artifact.ts'
import type { Artifact, DeploymentTarget } from './resources.ts'

/** How the refusal of a jar of Java classes ends. */
const NEEDS_FLINK = 'running it needs a Flink cluster (--flink URL)'
const WANTED = 'a deployment runs INSERT INTO or a statement set'

const OTHERS: Partial<Record<ScriptKind, string>> = {
  VALID_DDL_STATEMENT: `the script creates or changes tables; ${WANTED}`,
  VALID_COMMAND_STATEMENT: `the script only shows something; ${WANTED}`,
  VALID_SELECT_QUERY: `the script has rows and no table for them; ${WANTED}`,
}

export interface ArtifactParts {
  readonly scripts: Pick<SqlScriptService, 'validate'>
  readonly jars: Pick<JarJobs, 'script'>
}

/**
 * What is wrong with a script, with its place. Rejects with DeploymentError 'NotImplemented' for what this service cannot run on the
 * target.
 */
export async function artifactErrors(
  parts: ArtifactParts,
  namespace: NamespaceName,
  artifact: Artifact,
  target: DeploymentTarget | undefined,
  owner: JobOwner,
): Promise<readonly AttributeError[]> {
  const problem =
    artifact.kind === 'JAR'
      ? await jarProblem(parts.jars, namespace, artifact)
      : await scriptProblem(parts.scripts, namespace, artifact.sqlScript, owner)
  if (target !== undefined && 'flink' in target.spec)
    throw new DeploymentError(
      'NotImplemented',
      `deployment target ${target.metadata.name} is of kind flink, and this service runs no jobs on a Flink cluster; use a target of kind embedded`,
    )
  if (problem === undefined) return []
  const name = artifact.kind === 'JAR' ? 'jarUri' : 'sqlScript'
  return [{ attribute: `spec.template.spec.artifact.${name}`, message: problem }]
}

async function scriptProblem(
  scripts: ArtifactParts['scripts'],
  namespace: NamespaceName,
  script: string | undefined,
  owner: JobOwner,
): Promise<string | undefined> {
  if (script === undefined) return undefined
  const { kind, problem } = await scripts.validate(namespace, script, owner)
  if (kind === 'VALID_INSERT_QUERY') return undefined
  return problem === undefined ? (OTHERS[kind] ?? 'the script cannot run') : placed(problem)
}

/** One whose URI has a secret in it is checked when its job starts. */
async function jarProblem(
  jars: ArtifactParts['jars'],
  namespace: NamespaceName,
  artifact: Extract<Artifact, { readonly kind: 'JAR' }>,
): Promise<string | undefined> {
  const { jarUri } = artifact as { readonly jarUri?: string }
  if (jarUri === undefined || jarUri.includes('${')) return undefined
  const { id, given } = jarOf(artifact, jarUri)
  try {
    await jars.script(id, given, namespace)
    return undefined
  } catch (cause) {
    if (cause instanceof SqlProblem) return cause.message
    if (!(cause instanceof ServiceError)) throw cause
    const isOfFlink = cause.code === 'jar_not_found' || cause.message.endsWith(NEEDS_FLINK)
    if (!isOfFlink) return cause.message
    const message = 'artifact kind JAR needs a deployment target of kind flink'
    throw new DeploymentError('NotImplemented', message, {}, { cause })
  }
}

interface Problem {
  readonly message: string
  readonly place: { readonly line: number; readonly column: number } | undefined
}

function placed({ message, place }: Problem): string {
  const isPlaced = place === undefined || /\bline \d+, column \d+/.test(message)
  return isPlaced ? message : `${message} at line ${place.line}, column ${place.column}`
}
