/** From a job of a deployment to what the service of jobs is asked for. Secrets are resolved here, and not stored. */
import type { JobRequest } from '../../jobs/job-service.ts'
import type { NamespaceName } from '../../streams/names.ts'
import { DeploymentError } from '../deployment-error.ts'
import type { DeploymentTarget, JobResource, TemplateSpec } from '../resources.ts'

/** A script as `JobRequest` has it. */
export type RunnableScript = Omit<JobRequest, 'tableIds' | 'name' | 'restore' | 'jid'> & {
  /** Of the script itself. */
  readonly name: string | undefined
}

export interface JobRequestsParts {
  /** Rejects with SqlProblem, ServiceError, and DeploymentError 'NotImplemented'. The artifact's secrets are resolved. */
  readonly runnable: (namespace: NamespaceName, artifact: TemplateSpec['artifact']) => Promise<RunnableScript>
  /** With the values of secrets. Throws DeploymentError 'SecretValueNotFound'. */
  readonly resolveSecrets: (text: string, namespace: NamespaceName) => string
}

/** Names of jobs. */
const NAME_CHARACTERS_MAX = 1_000
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

  async of({ spec, metadata, jid }: Template, target: DeploymentTarget | undefined): Promise<JobRequest> {
    const { namespace, deploymentName } = metadata
    assertEmbedded(target)
    const configuration = this.#configuration(spec, namespace)
    const { name, ...script } = await this.#parts.runnable(namespace, this.#artifact(spec, namespace))
    const location = spec.savepointLocation && this.#parts.resolveSecrets(spec.savepointLocation, namespace)
    const { allowNonRestoredState } = spec
    return {
      ...script,
      tableIds: [],
      name: (configuration.get(JOB_NAME) ?? name ?? deploymentName).slice(0, NAME_CHARACTERS_MAX),
      ...(location !== undefined && { restore: { location, allowNonRestoredState } }),
      ...(jid !== undefined && { jid }),
    }
  }

  /** Undefined: the default of the service. */
  savepointFolder({ spec, metadata: { namespace } }: Template): string | undefined {
    return this.#configuration(spec, namespace).get(SAVEPOINT_FOLDER)
  }

  #artifact({ artifact }: TemplateSpec, namespace: NamespaceName): TemplateSpec['artifact'] {
    if (artifact.kind !== 'JAR') return artifact
    return { ...artifact, jarUri: this.#parts.resolveSecrets(artifact.jarUri, namespace) }
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
