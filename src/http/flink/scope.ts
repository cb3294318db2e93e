/**
 * The jobs that a request may see: those of the namespace that its path names, or those of all namespaces in which the client has
 * a grant. A job of another namespace is answered as one that does not exist.
 */
import type { JobView } from '../../jobs/job.ts'
import type { JobService } from '../../jobs/job-service.ts'
import type { VertexPlan } from '../../jobs/plan/job-plan.ts'
import { vertexId } from '../../jobs/vertex-detail.ts'
import { ServiceError } from '../../service-error.ts'
import type { NamespaceName } from '../../streams/names.ts'
import type { Namespaces } from '../../streams/namespaces.ts'
import type { Access } from '../server/access.ts'
import type { HttpContext } from '../server/bindings.ts'
import { namespaceOf } from '../server/path-names.ts'
import { serviceOf } from '../server/service-names.ts'
import { pathId } from './path-ids.ts'

/** What names the namespace in the paths of a prefix. */
export type ScopeKind = 'all' | 'namespace' | 'service'

export interface ScopeParts {
  readonly jobs: JobService
  readonly namespaces: Namespaces
}

export class Scope {
  /** Access of routes that show jobs, and of those that change one. Where the path names no namespace, `job` decides. */
  readonly read: Access
  readonly change: Access
  readonly #kind: ScopeKind
  readonly #parts: ScopeParts

  constructor(kind: ScopeKind, parts: ScopeParts) {
    this.#kind = kind
    this.#parts = parts
    this.read = kind === 'all' ? 'client' : 'in-namespace'
    this.change = kind === 'all' ? 'client' : 'jobs'
  }

  /** Throws ServiceError 'namespace_not_found' or 'service_not_found' if the path names a namespace that does not exist. */
  assertExists(c: HttpContext): void {
    this.#namespaceOf(c)
  }

  /** That of the path; undefined if the path names none. Throws as `assertExists`. */
  namespace(c: HttpContext): NamespaceName | undefined {
    return this.#namespaceOf(c)
  }

  /** Newest first. Throws as `assertExists`. */
  jobs(c: HttpContext): Iterable<JobView> {
    const namespace = this.#namespaceOf(c)
    if (namespace !== undefined) return this.#parts.jobs.all(new Set([namespace]))
    return visibleOf(this.#parts.jobs.all(), c)
  }

  /** Throws ServiceError 'job_not_found', 'invalid_parameter' for an id that is none, and as `assertExists`. */
  job(c: HttpContext, missing = (jid: string) => `Job ${jid} not found`): JobView {
    const namespace = this.#namespaceOf(c)
    const jid = pathId(c, 'job')
    const job = this.#find(c, jid, namespace)
    if (job === undefined) throw new ServiceError('job_not_found', missing(jid))
    c.set('subject', { namespace: job.namespace, id: jid })
    return job
  }

  /** Undefined if there is none, for answers that are empty then. Throws like `job` else. */
  jobIfAny(c: HttpContext, jid = pathId(c, 'job')): JobView | undefined {
    return this.#find(c, jid, this.#namespaceOf(c))
  }

  /** Also throws ServiceError 'no_grant'. */
  jobToChange(c: HttpContext, missing?: (jid: string) => string): JobView {
    const job = this.job(c, missing)
    const client = c.get('client')
    if (client && !client.grants.allowJobs(job.namespace))
      throw new ServiceError('no_grant', `token '${client.name}' has no jobs grant for this namespace`)
    return job
  }

  #find(c: HttpContext, jid: string, namespace: NamespaceName | undefined): JobView | undefined {
    const job = this.#parts.jobs.find(jid)
    if (job === undefined || (namespace !== undefined && job.namespace !== namespace)) return undefined
    return c.get('client')?.grants.includePartOf(job.namespace) === false ? undefined : job
  }

  #namespaceOf(c: HttpContext): NamespaceName | undefined {
    if (this.#kind === 'all') return undefined
    const { namespaces } = this.#parts
    return this.#kind === 'service' ? serviceOf(c, namespaces).namespace : namespaces.get(namespaceOf(c)).name
  }
}

function* visibleOf(jobs: Iterable<JobView>, c: HttpContext): Generator<JobView> {
  const grants = c.get('client')?.grants
  const known = new Map<NamespaceName, boolean>()
  for (const job of jobs) {
    let isVisible = known.get(job.namespace)
    if (isVisible === undefined) {
      isVisible = grants === undefined || grants.includePartOf(job.namespace)
      known.set(job.namespace, isVisible)
    }
    if (isVisible) yield job
  }
}

/** Undefined if the job has no such vertex. Throws ServiceError 'invalid_parameter' for an id that is none. */
export function vertexIfAny(c: HttpContext, { vertices }: JobView): VertexPlan | undefined {
  const id = pathId(c, 'vertex')
  return vertices.find((vertex) => vertexId(vertex) === id)
}

/** Also throws ServiceError 'part_not_found'. */
export function vertexOf(
  c: HttpContext,
  job: JobView,
  missing = (id: string) => `No vertex with ID '${id}' exists.`,
): VertexPlan {
  const vertex = vertexIfAny(c, job)
  if (vertex === undefined) throw new ServiceError('part_not_found', missing(pathId(c, 'vertex')))
  return vertex
}
