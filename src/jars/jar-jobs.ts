/** Plans and runs SQL jars: the scripts of a jar are one job. Jars of Java classes are refused. */

import type { JobOutlineView, JobOwner, JobRequest, JobService } from '../jobs/job-service.ts'
import type { JobId } from '../jobs/worker/job-worker-protocol.ts'
import { ServiceError, type ServiceErrorCode } from '../service-error.ts'
import { SqlProblem } from '../sql/sql-problem.ts'
import { jobOfScripts } from '../sql-scripts/script-job.ts'
import type { ScriptJob } from '../sql-scripts/sql-script-service.ts'
import { DEFAULT_NAMESPACE, type NamespaceName, parseNamespaceName } from '../streams/names.ts'
import { scriptsOf } from './jar-contents.ts'
import type { JarStore, StoredJar } from './jar-store.ts'
import { parametersOf } from './program-arguments.ts'
import { withParameters } from './script-parameters.ts'
import { ZipProblem } from './zip-archive.ts'

export interface JarRun {
  /** Program arguments: `--key value` pairs. */
  readonly given: readonly string[]
  /** Of the path. Undefined: that of the argument `--namespace`, or `default`. */
  readonly namespace: NamespaceName | undefined
  readonly jid: JobId | undefined
  /** Undefined: that of the scripts, or the engine's. */
  readonly name: string | undefined
  readonly restore: JobRequest['restore']
}

/** The argument that names the namespace. */
const NAMESPACE = 'namespace'

export class JarJobs {
  readonly #store: JarStore
  readonly #jobs: Pick<JobService, 'create' | 'outline'>

  constructor(store: JarStore, jobs: Pick<JobService, 'create' | 'outline'>) {
    this.#store = store
    this.#jobs = jobs
  }

  /**
   * Resolves when the job is durably recorded. Rejects with ServiceError 'jar_not_found', 'invalid_jar', 'invalid_parameter', and as
   * JobService.create; what the scripts or the arguments are refused for begins with the sentence of Flink.
   */
  run(
    id: string,
    run: JarRun,
    owner: JobOwner,
  ): Promise<{ readonly jid: JobId; readonly namespace: NamespaceName }> {
    return this.#with(id, run, async (namespace, request) => {
      const { jid } = await this.#jobs.create(namespace, request, owner)
      return { jid, namespace }
    })
  }

  /** The plan of what `run` would run. Rejects as `run`. */
  plan(id: string, run: JarRun): Promise<JobOutlineView> {
    return this.#with(id, run, (namespace, request) => this.#jobs.outline(namespace, request))
  }

  /** What the scripts of the jar run. Rejects as `run`. */
  async script(id: string, given: readonly string[], namespace: NamespaceName): Promise<ScriptJob> {
    const jar = this.#store.get(id)
    await this.#assertScripts(jar)
    try {
      const parameters = parametersOf(given)
      namespaceOf({ namespace }, parameters)
      return await jobOf(jar, parameters)
    } catch (error) {
      throw notExecuted(jar, error)
    }
  }

  async #with<T>(
    id: string,
    run: JarRun,
    work: (namespace: NamespaceName, request: JobRequest) => Promise<T>,
  ): Promise<T> {
    const jar = this.#store.get(id)
    await this.#assertScripts(jar)
    try {
      const parameters = parametersOf(run.given)
      const namespace = namespaceOf(run, parameters)
      const { statement, temporary, jobName, inScript } = await jobOf(jar, parameters)
      const name = run.name ?? jobName
      const { jid, restore } = run
      const request: JobRequest = {
        ...{ statement, temporary, tableIds: [], name },
        ...{ ...(jid && { jid }), ...(restore && { restore }) },
      }
      try {
        return await work(namespace, request)
      } catch (error) {
        throw error instanceof SqlProblem ? inScript(error) : error
      }
    } catch (error) {
      throw notExecuted(jar, error)
    }
  }

  async #assertScripts(jar: StoredJar): Promise<void> {
    const { scripts, problem } = await this.#store.contents(jar)
    if (problem !== undefined) throw unreadable(jar, problem)
    if (scripts.length > 0) return
    throw new ServiceError(
      'invalid_jar',
      `${jar.name} holds Java classes; running it needs a Flink cluster (--flink URL)`,
    )
  }
}

async function jobOf({ path }: StoredJar, parameters: ReadonlyMap<string, string>): Promise<ScriptJob> {
  const scripts = await scriptsOf(path)
  return jobOfScripts(scripts.map((script) => ({ ...script, text: withParameters(script, parameters) })))
}

function namespaceOf(
  { namespace }: Pick<JarRun, 'namespace'>,
  parameters: ReadonlyMap<string, string>,
): NamespaceName {
  const given = parameters.get(NAMESPACE)
  if (given === undefined) return namespace ?? DEFAULT_NAMESPACE
  if (namespace === undefined || namespace === given) return parseNamespaceName(given)
  throw new ServiceError(
    'invalid_parameter',
    `--${NAMESPACE} is '${given}', and the path is of the namespace '${namespace}'; leave one of them out`,
  )
}

/** What the jar, its scripts or the arguments are refused for. Other errors keep their own status. */
const CAUSES: ReadonlySet<ServiceErrorCode> = new Set([
  'invalid_id',
  'invalid_parameter',
  'invalid_table',
  'namespace_not_found',
  'savepoint_outside',
  'savepoint_unreadable',
  'table_not_found',
])

function notExecuted(jar: StoredJar, error: unknown): unknown {
  if (error instanceof ZipProblem) return unreadable(jar, error.message)
  const isCause = error instanceof SqlProblem || (error instanceof ServiceError && CAUSES.has(error.code))
  if (!isCause) return error
  return new ServiceError('invalid_jar', `Could not execute application. ${error.message}`, { cause: error })
}

function unreadable({ name }: StoredJar, problem: string): ServiceError {
  return new ServiceError('invalid_jar', `${name} cannot be read: ${problem}`)
}
