/**
 * Brings every deployment to the state that its spec asks for: at once after a change, and every second. One step of a deployment runs at a
 * time; which one is the table in `transitions.ts`.
 */
import { Semaphore } from '../../../storage/semaphore.ts'
import type { JobView } from '../../jobs/job.ts'
import type { JobOwner, JobService } from '../../jobs/job-service.ts'
import type { Operation } from '../../jobs/savepoints/savepoint.ts'
import { ServiceError } from '../../service-error.ts'
import type { NamespaceName } from '../../streams/names.ts'
import { DeploymentError } from '../deployment-error.ts'
import type { ResourceStore, StoredResources } from '../resource-store.ts'
import type { Deployment, JobResource, SavepointResource } from '../resources.ts'
import type { SavepointDisposals } from '../savepoint-disposals.ts'
import { refusalOf } from './job-refusal.ts'
import type { JobRequests } from './job-requests.ts'
import { type Goal, goalOf, phaseOf, type Sight } from './phases.ts'
import {
  failedSavepoint,
  hexId,
  type JobFailureFound,
  observedJob,
  running,
  WRITES,
  type WritingStep,
} from './resource-writes.ts'
import { isOtherTemplate } from './restore-point.ts'
import { isOtherJob } from './status-after-change.ts'
import { type StepName, TRANSITIONS } from './transitions.ts'
import { type UserStep, userStep } from './user-savepoints.ts'

export { type StatusAfterChange, statusAfterChange } from './status-after-change.ts'

export interface DeploymentReconciler {
  /** A deployment was changed or deleted; the change is durable. */
  changed(namespace: NamespaceName, id: string): void
  /**
   * Call it before a change of the spec is written. Rejects with DeploymentError 'StateNotRestorable' if the job that runs were to be
   * replaced by one that its state does not fit.
   */
  checkUpgrade(before: Deployment, after: Deployment): Promise<void>
  /**
   * Resolves with a savepoint that has begun (STARTED) when that is durable. Rejects with DeploymentError 'NoRunningJob',
   * 'SavepointInProgress'.
   */
  startSavepoint(deployment: Deployment): Promise<SavepointResource>
  /** Call it when the service answers requests. */
  start(): void
  /** Nothing of a deployment changes any more. */
  close(): Promise<void>
}

export type DeploymentJobs = Pick<
  JobService,
  'create' | 'find' | 'cancel' | 'savepoint' | 'operation' | 'fits' | 'settled'
>

export interface ReconcilerParts {
  readonly store: ResourceStore
  readonly jobs: DeploymentJobs
  readonly disposals: Pick<SavepointDisposals, 'dispose'>
  readonly requests: JobRequests
  /** The token of this name, as it is now. Throws ServiceError 'no_grant' if it is not valid any more. */
  readonly owner: (name: string | undefined) => JobOwner
  readonly nowMs: () => number
  readonly report: (error: unknown) => void
  /** Calls `run` after `delayMs`; the result cancels it. */
  readonly timer: (delayMs: number, run: () => void) => () => void
}

const POLL_MS = 1_000
/** While a transition waits for its job. */
const WAIT_MS = 100
/** Creating a job takes the planner. */
const AT_A_TIME = 8
/** Steps in a row, before others have their turn. */
const STEPS_MAX = 50

interface Found extends Sight {
  readonly goal: Goal
  readonly step: StepName
}

export class Reconciler implements DeploymentReconciler {
  readonly #parts: ReconcilerParts
  readonly #atATime = new Semaphore(AT_A_TIME)
  /** By id; true: once more. */
  readonly #active = new Map<string, boolean>()
  readonly #cancelTimers = new Map<string, () => void>()
  readonly #writing = new Set<Promise<unknown>>()
  #cancelPoll: (() => void) | undefined
  #closed = false
  #started = false

  constructor(parts: ReconcilerParts) {
    this.#parts = parts
  }

  changed(namespace: NamespaceName, id: string): void {
    if (this.#started) this.#wake(namespace, id)
  }

  async checkUpgrade(before: Deployment, after: Deployment): Promise<void> {
    const { store, jobs, requests } = this.#parts
    const { namespace, id, name: deploymentName } = before.metadata
    const { state, upgradeStrategy, restoreStrategy, template, deploymentTargetId } = after.spec
    if (state !== 'RUNNING' || upgradeStrategy.kind !== 'STATEFUL' || restoreStrategy.allowNonRestoredState)
      return
    const job = liveJob(store, namespace, id)
    if (job === undefined || !isOtherJob(before.spec, after.spec) || jobs.find(job.jid) === undefined) return
    const target = store.targets(namespace).find(({ metadata }) => metadata.id === deploymentTargetId)
    const spec = { ...job.spec, ...template.spec }
    let fits: boolean
    try {
      const wanted = { spec, metadata: { namespace, deploymentName } }
      fits = await requests.with(wanted, target, (request) => jobs.fits(namespace, job.jid, request))
    } catch (error) {
      if (refusalOf(error) === undefined) throw error
      return // the new job fails with it
    }
    if (fits) return
    throw new DeploymentError(
      'StateNotRestorable',
      `The state of job ${job.metadata.id} does not fit the new template; keep the windows, keys and aggregates, or set ` +
        'spec.restoreStrategy.allowNonRestoredState to true to start with empty state. Nothing was changed.',
      { namespace, id },
    )
  }

  async startSavepoint({ metadata: { namespace, id } }: Deployment): Promise<SavepointResource> {
    const { store } = this.#parts
    const started = await this.#write(() =>
      store.change(namespace, (change) => {
        const deployment = change.deployment(namespace, id)
        const job = liveJob(change, namespace, id)
        if (deployment?.status.state !== 'RUNNING' || job === undefined)
          throw new DeploymentError('NoRunningJob', `Deployment ${id} has no running job.`, { namespace, id })
        if (change.savepoints(namespace, id).some(isStarted)) {
          const message = `A savepoint of deployment ${id} is in progress; wait for its end.`
          throw new DeploymentError('SavepointInProgress', message, { namespace, id })
        }
        const nowMs = this.#parts.nowMs()
        const savepoint = change.putSavepoint({
          metadata: {
            ...{ id: store.newId(), namespace, createdMs: nowMs, modifiedMs: nowMs, labels: {} },
            ...{ annotations: {}, resourceVersion: 0, deploymentId: id, jobId: job.metadata.id },
            origin: 'USER_REQUEST',
          },
          spec: {},
          status: { state: 'STARTED' },
          triggerId: hexId(() => store.newId()),
        })
        const message = `Savepoint ${savepoint.metadata.id} was asked for.`
        change.addEvent(deployment, 'NEED_TO_TRIGGER_A_SAVEPOINT', message, job.metadata.id)
        return savepoint
      }),
    )
    this.changed(namespace, id)
    return started
  }

  start(): void {
    this.#started = true
    for (const { metadata } of this.#parts.store.allDeployments()) this.#wake(metadata.namespace, metadata.id)
    this.#poll()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelPoll?.()
    for (const cancel of this.#cancelTimers.values()) cancel()
    this.#cancelTimers.clear()
    await Promise.allSettled([...this.#writing])
  }

  #poll(): void {
    if (this.#closed) return
    this.#cancelPoll = this.#parts.timer(POLL_MS, () => {
      for (const deployment of this.#parts.store.allDeployments())
        if (goalOf(deployment) !== 'rest') this.#wake(deployment.metadata.namespace, deployment.metadata.id)
      this.#poll()
    })
  }

  #wake(namespace: NamespaceName, id: string): void {
    if (this.#closed) return
    this.#cancelTimers.get(id)?.()
    this.#cancelTimers.delete(id)
    const isActive = this.#active.has(id)
    this.#active.set(id, isActive)
    if (!isActive) void this.#atATime.run(() => this.#bring(namespace, id))
  }

  /** Never rejects. */
  async #bring(namespace: NamespaceName, id: string): Promise<void> {
    let againMs: number | undefined
    try {
      againMs = (await this.#steps(namespace, id)) ? WAIT_MS : undefined
    } catch (error) {
      const isGone = error instanceof ServiceError && error.code === 'namespace_not_found'
      if (!this.#closed && !isGone) this.#parts.report(error)
      againMs = isGone ? undefined : POLL_MS
    }
    const again = this.#active.get(id) === true
    this.#active.delete(id)
    if (again) this.#wake(namespace, id)
    else if (againMs !== undefined && !this.#closed) {
      const cancel = this.#parts.timer(againMs, () => this.#wake(namespace, id))
      this.#cancelTimers.set(id, cancel)
    }
  }

  /** Resolves with whether the deployment is in a transition that goes on when its job changes. */
  async #steps(namespace: NamespaceName, id: string): Promise<boolean> {
    for (let steps = 0; steps < STEPS_MAX && !this.#closed; steps++) {
      const deployment = this.#parts.store.deployment(namespace, id)
      if (deployment === undefined) return false
      const found = this.#find(this.#parts.store, deployment)
      if (await this.#step(found)) continue
      const asked = await this.#userSavepoints(found)
      return asked || deployment.status.state === 'TRANSITIONING'
    }
    return true
  }

  #find(stored: StoredResources, deployment: Deployment): Found {
    const { namespace, id } = deployment.metadata
    const { jobs, nowMs } = this.#parts
    const job = liveJob(stored, namespace, id)
    const view = job && jobs.find(job.jid)
    const savepoint = job && stored.savepoints(namespace, id).find((one) => isStarted(one) && isOwn(one, job))
    const operation = savepoint && this.#operation(job, savepoint)
    const sight: Sight = { deployment, job, view, savepoint, operation, nowMs: nowMs() }
    const goal = goalOf(deployment)
    return { ...sight, goal, step: TRANSITIONS[phaseOf(sight)][goal] }
  }

  /** Resolves with whether something was done, so that the next step may be due. */
  async #step(found: Found): Promise<boolean> {
    switch (found.step) {
      case 'wait':
        return false
      case 'observe':
        return isNews(found) && this.#writes(found, 'observe')
      case 'create-job':
        return this.#createJob(found)
      case 'send-savepoint': {
        const refusal = await this.#send(found.job!, found.savepoint!, true)
        return refusal === undefined || this.#writes(found, 'note-save-failure', refusal)
      }
      case 'cancel-job':
        if (found.view?.state === 'CANCELLING' || found.view?.state === 'FAILING') return false
        await this.#parts.jobs.cancel(found.deployment.metadata.namespace, found.job!.jid)
        return true
      default:
        if (ENDS.has(found.step) && found.view !== undefined) await this.#settled(found)
        return this.#writes(found, found.step)
    }
  }

  async #createJob(found: Found): Promise<boolean> {
    const { store, jobs, requests, owner } = this.#parts
    const { job } = found
    const { namespace } = found.deployment.metadata
    const target = store
      .targets(namespace)
      .find(({ metadata }) => metadata.id === job!.spec.deploymentTarget.id)
    try {
      await requests.with(job!, target, (request) => jobs.create(namespace, request, owner(job!.owner)))
      return true
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'job_exists') return true
      const failure = refusalOf(error)
      if (failure === undefined) throw error
      return this.#writes(found, 'note-failure', failure)
    }
  }

  /** The end of the job is durable when this resolves: after a restart of the service the job is not there again. */
  async #settled({ deployment, job }: Found): Promise<void> {
    try {
      await this.#parts.jobs.settled(deployment.metadata.namespace, job!.jid)
    } catch (error) {
      if (!(error instanceof ServiceError && error.code === 'job_not_found')) throw error
    }
  }

  /** Resolves with false if the step is another one now, or nothing is written any more. */
  async #writes(found: Found, step: WritingStep, failure?: JobFailureFound): Promise<boolean> {
    if (this.#closed) return false
    const { store, nowMs, disposals } = this.#parts
    const { namespace, id } = found.deployment.metadata
    await this.#write(() =>
      store.change(namespace, (change) => {
        const deployment = change.deployment(namespace, id)
        if (deployment === undefined) return
        const now = this.#find(change, deployment)
        if (now.step !== found.step || now.job?.metadata.id !== found.job?.metadata.id) return
        const context = { ...now, nowMs: nowMs(), change, newId: () => store.newId(), failure }
        WRITES[step](context)
      }),
    )
    if (step !== 'observe') disposals.dispose()
    return true
  }

  /** Resolves with whether some have not ended. */
  async #userSavepoints({ deployment }: Found): Promise<boolean> {
    const { store, jobs, nowMs } = this.#parts
    const { namespace, id } = deployment.metadata
    let waits = false
    for (const savepoint of store.savepoints(namespace, id)) {
      if (!isStarted(savepoint) || savepoint.metadata.origin !== 'USER_REQUEST') continue
      const job = store.job(namespace, savepoint.metadata.jobId ?? '')
      const operation = job && this.#operation(job, savepoint)
      const step = userStep(savepoint, job && jobs.find(job.jid), operation, nowMs())
      const refusal = step.kind === 'send' ? await this.#send(job!, savepoint, false) : undefined
      if (refusal !== undefined) await this.#endUserSavepoint(savepoint, { kind: 'fail', ...refusal })
      else if (step.kind === 'complete' || step.kind === 'fail') await this.#endUserSavepoint(savepoint, step)
      else waits = true
    }
    return waits
  }

  async #endUserSavepoint(
    savepoint: SavepointResource,
    step: UserStep & { readonly kind: 'complete' | 'fail' },
  ): Promise<void> {
    if (this.#closed) return
    const { store, nowMs } = this.#parts
    const { namespace, id, deploymentId, jobId } = savepoint.metadata
    await this.#write(() =>
      store.change(namespace, (change) => {
        const deployment = change.deployment(namespace, deploymentId)
        const present = change.savepoint(namespace, id)
        if (deployment === undefined || present === undefined || !isStarted(present)) return
        if (step.kind === 'fail') {
          change.putSavepoint(failedSavepoint(present, 'SavepointFailed', step.message, nowMs()))
          const name = 'AN_UNRECOVERABLE_FAILURE_WHILE_TAKING_A_SAVEPOINT'
          change.addEvent(deployment, name, step.message, jobId)
          return
        }
        const spec = { savepointLocation: step.location, flinkSavepointId: store.newId() }
        change.putSavepoint({ ...present, spec, status: { state: 'COMPLETED' } })
        const message = `Savepoint ${id} is at ${step.location}.`
        change.addEvent(deployment, 'SUCCESSFULLY_TRIGGERED_A_SAVEPOINT', message, jobId)
        change.addEvent(deployment, 'TRANSITIONED_TO_COMPLETED', message, jobId)
      }),
    )
  }

  /** Resolves with why the savepoint cannot be written; undefined if it has begun. */
  async #send(
    job: JobResource,
    { triggerId }: SavepointResource,
    cancels: boolean,
  ): Promise<JobFailureFound | undefined> {
    const { jobs, requests } = this.#parts
    try {
      const directory = requests.savepointFolder(job)
      const request = { directory, cancels, format: 'CANONICAL', triggerId } as const
      await jobs.savepoint(job.metadata.namespace, job.jid, request)
      return undefined
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined) throw error
      return refusal
    }
  }

  #operation(job: JobResource, { triggerId }: SavepointResource): Operation | undefined {
    try {
      return this.#parts.jobs.operation(job.metadata.namespace, job.jid, triggerId ?? '')
    } catch (error) {
      if (error instanceof ServiceError) return undefined // 'operation_not_found', 'job_not_found'
      throw error
    }
  }

  async #write<T>(write: () => Promise<T>): Promise<T> {
    const written = write()
    this.#writing.add(written)
    try {
      return await written
    } finally {
      this.#writing.delete(written)
    }
  }
}

/** Steps that follow from the end of a job. */
const ENDS: ReadonlySet<StepName> = new Set(['note-stop', 'note-end', 'note-failure', 'note-finish'])

/** The newest job that has not ended, as its resource says. There is at most one. */
export function liveJob(
  stored: StoredResources,
  namespace: NamespaceName,
  id: string,
): JobResource | undefined {
  return stored.jobs(namespace, id).findLast(({ metadata }) => metadata.terminatedMs === undefined)
}

function isStarted({ status }: SavepointResource): boolean {
  return status.state === 'STARTED'
}

/** The job is to end with it. */
function isOwn({ metadata: { origin, jobId } }: SavepointResource, job: JobResource): boolean {
  return (origin === 'SUSPEND' || origin === 'SUSPEND_AND_UPGRADE') && jobId === job.metadata.id
}

/** Whether an observation differs from what is stored. */
function isNews({ deployment, job, view, nowMs }: Found): boolean {
  const { status } = deployment
  if (status.state !== 'RUNNING' || observedJob(job!, view, nowMs) !== job) return true
  const before = status.running?.conditions ?? []
  const now = running({ deployment, job, view, nowMs }).running!.conditions
  return before.length !== now.length || now.some((condition) => !before.includes(condition))
}

export type { JobView }
export { isOtherTemplate }
