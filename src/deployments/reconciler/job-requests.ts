/** From a job of a deployment to what the service of jobs is asked for. Secrets are resolved here, and not stored. */
import type { JarJobs } from '../../jars/jar-jobs.ts'
import type { JobRequest } from '../../jobs/job-service.ts'
import { SqlProblem } from '../../sql/sql-problem.ts'
import { scriptJobOf } from '../../sql-scripts/script-job.ts'
import type { ScriptJob } from '../../sql-scripts/sql-script-service.ts'
import type { NamespaceName } from '../../streams/names.ts'
import { DeploymentError } from '../deployment-error.ts'
import { jarOf } from '../jar-artifact.ts'
import type { DeploymentTarget, JobResource, TemplateSpec } from '../resources.ts'
import { settingsOf } from './configured-settings.ts'

export interface JobRequestsParts {
  readonly jars: Pick<JarJobs, 'script'>
  /** With the values of secrets. Throws DeploymentError 'SecretValueNotFound'. */
  readonly resolveSecrets: (text: string, namespace: NamespaceName) => string
}

/** Names of jobs. */
const NAME_CHARACTERS_MAX = 1_000
/** Names and places are shown: references to secrets in these options stay as they are. */
const JOB_NAME = 'pipeline.name'
const SAVEPOINT_FOLDER = 'state.savepoints.dir'

export type Template = Pick<JobResource, 'spec'> & {
  readonly metadata: Pick<JobResource['metadata'], 'namespace' | 'deploymentName'>
  readonly jid?: string
}

export class JobRequests {
  readonly #parts: JobRequestsParts

  constructor(parts: JobRequestsParts) {
    this.#parts = parts
  }

  /**
   * Calls `work` with the request. Rejects as `work`, with places in the script of the template; and with DeploymentError
   * 'SecretValueNotFound', 'NotImplemented', SqlProblem, ServiceError 'invalid_jar', 'jar_not_found'.
   */
  async with<T>(
    { spec, metadata, jid }: Template,
    target: DeploymentTarget | undefined,
    work: (request: JobRequest) => Promise<T>,
  ): Promise<T> {
    const { namespace, deploymentName } = metadata
    assertEmbedded(target)
    this.#configuration(spec, namespace) // throws for a secret that does not exist
    const settings = settingsOf(spec.flinkConfiguration) // as written: a refusal has no secret
    const { statement, temporary, jobName, inScript } = await this.#script(spec, namespace)
    const { savepointLocation: location, allowNonRestoredState } = spec
    try {
      return await work({
        ...{ statement, temporary, tableIds: [], retains: true },
        settings,
        name: (spec.flinkConfiguration[JOB_NAME] ?? jobName ?? deploymentName).slice(0, NAME_CHARACTERS_MAX),
        ...(location !== undefined && { restore: { location, allowNonRestoredState } }),
        ...(jid !== undefined && { jid }),
      })
    } catch (error) {
      throw error instanceof SqlProblem ? inScript(error) : error
    }
  }

  /** Undefined: the default of the service. */
  savepointFolder({ spec }: Template): string | undefined {
    return spec.flinkConfiguration[SAVEPOINT_FOLDER]
  }

  async #script({ artifact }: TemplateSpec, namespace: NamespaceName): Promise<ScriptJob> {
    if (artifact.kind === 'SQLSCRIPT') return scriptJobOf(artifact.sqlScript)
    const { id, given } = jarOf(artifact, this.#parts.resolveSecrets(artifact.jarUri, namespace))
    return this.#parts.jars.script(id, given, namespace)
  }

  #configuration(
    { flinkConfiguration }: TemplateSpec,
    namespace: NamespaceName,
  ): ReadonlyMap<string, string> {
    return new Map(
      Object.entries(flinkConfiguration).map(([key, value]) => [
        key,
        this.#parts.resolveSecrets(value, namespace),
      ]),
    )
  }
}

function assertEmbedded(target: DeploymentTarget | undefined): void {
  if (target === undefined || !('flink' in target.spec)) return
  throw new DeploymentError(
    'NotImplemented',
    `Deployment target ${target.metadata.name} is a Flink cluster, and this service runs jobs only by itself; use an embedded target.`,
  )
}
