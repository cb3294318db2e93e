/** What each step of the table writes: resources and events, in one change. */
import type { JobView } from '../../jobs/job.ts'
import type { ResourceChange } from '../resource-store.ts'
import type {
  Deployment,
  DeploymentStatus,
  JobResource,
  SavepointOrigin,
  SavepointResource,
} from '../resources.ts'
import { deleteWithFiles } from '../savepoint-disposals.ts'
import { conditionsOf } from './conditions.ts'
import type { Goal, Sight } from './phases.ts'
import { type Progress, progressDocument, progressOf } from './progress.ts'
import { restoreLocation } from './restore-point.ts'
import { completed } from './status-after-change.ts'
import type { StepName } from './transitions.ts'

export interface WriteContext extends Sight {
  readonly change: ResourceChange
  readonly goal: Goal
  readonly newId: () => string
  /** Of an action that has just failed. */
  readonly failure?: JobFailureFound | undefined
}

export interface JobFailureFound {
  readonly reason: string
  readonly message: string
  /** Another attempt has the same end. */
  readonly isLasting: boolean
}

export type WritingStep = Exclude<StepName, 'wait' | 'create-job' | 'send-savepoint' | 'cancel-job'>

/** Ended ones of a deployment. */
export const JOBS_KEPT = 100
/** Of the templates of ended jobs of one deployment, which are in memory; the last one may be longer. */
const JOBS_CHARACTERS_MAX = 128 * 1024
/** Ended ones of a deployment that the reconciler has taken; those of clients are never removed. */
const SAVEPOINTS_KEPT = 100
const RESET_MS = 60_000
const DELAY_MS_MAX = 8_000

export const WRITES: Readonly<Record<WritingStep, (context: WriteContext) => void>> = {
  observe(context) {
    const { job, change, deployment } = context
    const observed = observedJob(job!, context.view, context.nowMs)
    if (observed !== job) change.putJob(observed)
    const { state } = deployment.status
    putStatus(context, running({ ...context, job: observed }))
    if (state !== 'RUNNING') event(context, completed('RUNNING'))
  },

  'record-job'(context) {
    const { change, deployment, newId, nowMs } = context
    const { namespace, id: deploymentId, name: deploymentName } = deployment.metadata
    const { template, deploymentTargetId, restoreStrategy } = deployment.spec
    const target = change.targets(namespace).find(({ metadata }) => metadata.id === deploymentTargetId)
    if (target === undefined) {
      const message = `Deployment target ${deploymentTargetId} does not exist.`
      event(context, { name: 'REFERENCED_DEPLOYMENT_TARGET_DOES_NOT_EXIST', message })
      fail(context)
      return
    }
    const savepoint = restoreLocation(deployment, change.savepoints(namespace, deploymentId))
    const job = change.putJob({
      metadata: {
        ...{ id: newId(), namespace, createdMs: nowMs, modifiedMs: nowMs, labels: {} },
        ...{ annotations: template.metadata.annotations, resourceVersion: 0, deploymentId, deploymentName },
      },
      spec: {
        ...template.spec,
        deploymentTarget: { id: target.metadata.id, name: target.metadata.name },
        allowNonRestoredState: restoreStrategy.allowNonRestoredState,
        ...(savepoint !== undefined && { savepointLocation: savepoint }),
      },
      status: { state: 'STARTING' },
      jid: hexId(newId),
      ...(deployment.owner !== undefined && { owner: deployment.owner }),
    })
    const { upgrade: _, nextJobMs: __, ...progress } = progressOf(deployment)
    putStatus(context, deployment.status, progress)
    const from = savepoint === undefined ? 'with empty state' : `from savepoint ${savepoint}`
    const { id } = job.metadata
    event(context, { name: 'CREATING_A_NEW_JOB', message: `Creating job ${id}, ${from}.` }, id)
    event(context, { name: 'AWAITING_A_JOB_TO_START', message: `Waiting for job ${id} to start.` }, id)
    removeOldJobs(context)
  },

  'drop-job'(context) {
    endJob(context, 'TERMINATED')
  },

  'note-start'(context) {
    const { goal, nowMs } = context
    const job = started(context)
    if (goal !== 'run') return
    putStatus(context, { ...running({ ...context, job }, nowMs) })
    event(context, completed('RUNNING'))
  },

  'record-savepoint'(context) {
    const { change, goal, deployment, job, newId, nowMs } = context
    const { namespace, id: deploymentId } = deployment.metadata
    const isUpgrade = goal === 'replace-stateful'
    const { id } = change.putSavepoint({
      metadata: {
        ...{ id: newId(), namespace, createdMs: nowMs, modifiedMs: nowMs, labels: {}, annotations: {} },
        ...{ resourceVersion: 0, deploymentId, jobId: job!.metadata.id },
        origin: isUpgrade ? 'SUSPEND_AND_UPGRADE' : 'SUSPEND',
      },
      spec: {},
      status: { state: 'STARTED' },
      triggerId: hexId(newId),
    }).metadata
    removeOldSavepoints(context)
    const { nextSavepointMs: _, ...progress } = progressOf(deployment)
    putStatus(context, deployment.status, progress)
    const message = `Savepoint ${id} of job ${job!.metadata.id} is needed.`
    if (isUpgrade) usingUpgrade(context)
    else jobEvent(context, 'CREATING_A_SAVEPOINT_BEFORE_SUSPENSION', message)
    jobEvent(context, 'NEED_TO_TRIGGER_A_SAVEPOINT', message)
    const awaiting = `Waiting for savepoint ${id}.`
    if (!isUpgrade) jobEvent(context, 'AWAITING_SAVEPOINT_COMPLETION_TO_TRANSITION_TO_SUSPENDED', awaiting)
  },

  'drop-savepoint'(context) {
    endSavepoint(context, { reason: 'NotNeeded', message: 'The deployment was changed before it was taken.' })
  },

  'note-save-failure'(context) {
    const { deployment, operation, view, nowMs, failure } = context
    const message =
      failure?.message ?? failedMessage(operation) ?? `job is ${view?.state ?? 'gone'}; it takes no savepoint`
    endSavepoint(context, { reason: 'SavepointFailed', message })
    jobEvent(context, 'AN_UNRECOVERABLE_FAILURE_WHILE_TAKING_A_SAVEPOINT', message)
    const { failedSavepoints: failedBefore = 0, ...progress } = progressOf(deployment)
    const failedSavepoints = failedBefore + 1
    if (failedSavepoints < deployment.spec.maxSavepointCreationAttempts) {
      const nextSavepointMs = nowMs + delayMs(failedSavepoints)
      putStatus(context, deployment.status, { ...progress, failedSavepoints, nextSavepointMs })
      return
    }
    const { upgrade: _, ...kept } = progress
    const given = { ...deployment, progress: progressDocument({ ...kept, suspensionFailed: message }) }
    putStatus({ ...context, deployment: given }, running({ ...context, deployment: given }, nowMs))
    jobEvent(
      context,
      'TOO_MANY_FAILED_SUSPENSION_ATTEMPTS',
      `${failedSavepoints} savepoints have failed, and the job goes on: ${message}`,
    )
  },

  'record-cancel'(context) {
    const { change, goal, job } = context
    change.putJob({ ...job!, status: { ...job!.status, state: 'TERMINATING' } })
    const { id } = job!.metadata
    if (goal === 'replace-stateless') usingUpgrade(context)
    jobEvent(context, 'FOUND_A_JOB_TO_TERMINATE', `Job ${id} is to end.`)
    jobEvent(context, 'AWAITING_A_JOB_TO_TERMINATE', `Waiting for the end of job ${id}.`)
  },

  'note-stop'(context) {
    const { change, savepoint, view, newId, goal } = context
    const savepointLocation = view!.stopped!.location
    const { id } = savepoint!.metadata
    change.putSavepoint({
      ...savepoint!,
      spec: { savepointLocation, flinkSavepointId: newId() },
      status: { state: 'COMPLETED' },
    })
    const message = `Savepoint ${id} is at ${savepointLocation}.`
    jobEvent(context, 'SUCCESSFULLY_TRIGGERED_A_SAVEPOINT', message)
    jobEvent(context, 'TRANSITIONED_TO_COMPLETED', message)
    if (goal === 'suspend') jobEvent(context, 'FOUND_A_COMPLETED_SAVEPOINT_READY_FOR_SUSPENSION', message)
    endJob(context, 'TERMINATED')
  },

  'note-end'(context) {
    const { view } = context
    endSavepoint(context, NO_JOB_ANY_MORE)
    retainState(context)
    if (view?.state === 'FAILED' && context.job!.status.state !== 'TERMINATING')
      endJob(context, 'FAILED', failureOf(context))
    else endJob(context, view?.state === 'FINISHED' ? 'FINISHED' : 'TERMINATED')
  },

  'note-failure'(context) {
    const { goal, job, deployment, nowMs } = context
    const failure = failureOf(context)
    endSavepoint(context, NO_JOB_ANY_MORE)
    retainState(context)
    endJob(context, 'FAILED', failure)
    if (goal === 'suspend') return
    if (deployment.status.state === 'RUNNING')
      event(context, {
        name: 'STATE_TRANSITION_IS_NEEDED',
        message: `Job ${job!.metadata.id} has failed: ${failure.message}`,
      })
    const name = failure.isLasting
      ? 'TERMINATING_A_JOB_DUE_TO_AN_UNRECOVERABLE_FAILURE'
      : job!.status.started === undefined
        ? 'FAILED_CREATING_A_NEW_JOB'
        : 'GENERAL_FAILURE'
    jobEvent(context, name, failure.message)
    const { failedJobs = 0, upgrade: _ } = progressOf(deployment)
    const failed = ranLong(context) ? 1 : failedJobs + 1
    if (failure.isLasting) return fail(context)
    if (failed < deployment.spec.maxJobCreationAttempts) {
      const progress = { failedJobs: failed, nextJobMs: nowMs + delayMs(failed) }
      return void putStatus(context, { state: 'TRANSITIONING' }, progress)
    }
    const message = `${failed} jobs have failed one after another; the last one: ${failure.message}`
    jobEvent(context, 'TOO_MANY_FAILED_JOB_CREATION_ATTEMPTS', message)
    fail(context)
  },

  'note-finish'(context) {
    const { deployment, job } = context
    endSavepoint(context, NO_JOB_ANY_MORE)
    if (job!.status.started === undefined) started(context)
    endJob(context, 'FINISHED')
    const message = `Job ${job!.metadata.id} has read all its input.`
    jobEvent(context, 'JOB_SUCCESSFULLY_FINISHED', message)
    jobEvent(context, 'TRANSITIONED_TO_FINISHED_STATE', 'The deployment is FINISHED.')
    if (deployment.status.state === 'TRANSITIONING') event(context, completed('FINISHED'))
    putStatus(context, { state: 'FINISHED' }, {})
  },

  settle(context) {
    const { change, deployment } = context
    const { namespace, id } = deployment.metadata
    const { state } = deployment.spec
    const jobId = change.jobs(namespace, id).at(-1)?.metadata.id
    const isSaved = change
      .savepoints(namespace, id)
      .some(({ metadata, status }) => metadata.jobId === jobId && status.state === 'COMPLETED')
    if (state === 'SUSPENDED' && !isSaved)
      event(context, {
        name: 'COULD_NOT_FIND_A_JOB_TO_SUSPEND',
        message: 'The deployment has no job that could be suspended.',
      })
    putStatus(context, { state }, {})
    event(context, completed(state))
  },
}

const NO_JOB_ANY_MORE = { reason: 'JobEnded', message: 'The job has ended before.' }

/** The same object if nothing is new. */
export function observedJob(job: JobResource, view: JobView | undefined, nowMs: number): JobResource {
  const { started: before } = job.status
  if (view === undefined || before === undefined) return job
  const { state, attempt } = view
  if (before.observedFlinkJobStatus === state && before.observedFlinkJobRestarts === attempt) return job
  const now = { observedFlinkJobStatus: state, observedFlinkJobRestarts: attempt, lastUpdateMs: nowMs }
  return { ...job, status: { ...job.status, started: { ...before, ...now } } }
}

/** The status of a deployment with this job. */
export function running(
  { deployment, job, view, nowMs }: Pick<WriteContext, 'deployment' | 'job' | 'view' | 'nowMs'>,
  transitionMs = deployment.status.running?.transitionMs ?? nowMs,
): DeploymentStatus {
  const conditions = conditionsOf(deployment, job!, view, nowMs)
  return { state: 'RUNNING', running: { jobId: job!.metadata.id, transitionMs, conditions } }
}

/** 1, 2, 4, 8 s, and 8 s from then on. */
export function delayMs(failures: number): number {
  return Math.min(1_000 * 2 ** (failures - 1), DELAY_MS_MAX)
}

function started(context: WriteContext): JobResource {
  const { change, job, view, nowMs } = context
  const put = change.putJob({
    ...job!,
    status: {
      state: 'STARTED',
      started: {
        ...{ jid: job!.jid, startedMs: view!.enteredMs.RUNNING ?? nowMs, lastUpdateMs: nowMs },
        ...{ observedFlinkJobStatus: view!.state, observedFlinkJobRestarts: view!.attempt },
      },
    },
  })
  jobEvent(context, 'JOB_SUCCESSFULLY_STARTED', `Job ${job!.metadata.id} runs.`)
  return put
}

function endJob(
  { change, job, view, nowMs, deployment }: WriteContext,
  state: 'TERMINATED' | 'FAILED' | 'FINISHED',
  failure?: JobFailureFound,
): void {
  const { namespace } = deployment.metadata
  const present = change.job(namespace, job!.metadata.id) ?? job!
  const endMs = view?.endMs ?? nowMs
  const observed = observedJob(present, view, nowMs)
  const failed = failure && { reason: failure.reason, message: failure.message, failedMs: endMs }
  const { started: begun } = observed.status
  change.putJob({
    ...observed,
    metadata: { ...observed.metadata, terminatedMs: endMs },
    status: { state, ...(begun && { started: begun }), ...(failed && { failure: failed }) },
  })
}

/** No effect if the job is not to end with a savepoint. */
function endSavepoint(
  { change, savepoint, nowMs }: WriteContext,
  { reason, message }: { readonly reason: string; readonly message: string },
): void {
  if (savepoint === undefined) return
  change.putSavepoint(failedSavepoint(savepoint, reason, message, nowMs))
}

/** The last state of a job that was not stopped with a savepoint. It replaces that of an earlier job. */
function retainState(context: WriteContext): void {
  const { change, deployment, job, view, nowMs, newId } = context
  const retained = view?.retained
  if (retained === undefined) return
  if ('failure' in retained) {
    jobEvent(context, 'GENERAL_FAILURE', `The last state of the job is lost: ${retained.failure}`)
    return
  }
  const { namespace, id: deploymentId } = deployment.metadata
  for (const earlier of change.savepoints(namespace, deploymentId))
    if (earlier.metadata.origin === 'RETAINED_CHECKPOINT') deleteWithFiles(context.change, earlier)
  change.putSavepoint({
    metadata: {
      ...{ id: newId(), namespace, createdMs: nowMs, modifiedMs: nowMs, labels: {}, annotations: {} },
      ...{ resourceVersion: 0, deploymentId, jobId: job!.metadata.id, origin: 'RETAINED_CHECKPOINT' },
    },
    spec: { savepointLocation: retained.location, flinkSavepointId: newId() },
    status: { state: 'COMPLETED' },
  })
}

export function failedSavepoint(
  savepoint: SavepointResource,
  reason: string,
  message: string,
  failedMs: number,
): SavepointResource {
  return { ...savepoint, status: { state: 'FAILED', failure: { reason, message, failedMs } } }
}

function failedMessage(operation: WriteContext['operation']): string | undefined {
  return operation?.state === 'failed' ? operation.message : undefined
}

function failureOf({ failure, view }: WriteContext): JobFailureFound {
  if (failure !== undefined) return failure
  if (view === undefined)
    return { reason: 'JobLost', message: 'The job does not exist any more.', isLasting: false }
  if (view.state === 'CANCELED')
    return { reason: 'JobCanceled', message: 'The job was cancelled by a client.', isLasting: false }
  const message = view.exceptions.at(-1)?.message ?? 'the job has failed'
  return { reason: 'JobFailed', message, isLasting: false }
}

/** Failures before are forgotten then. */
function ranLong({ job, view, nowMs }: WriteContext): boolean {
  const { started: begun } = job!.status
  return begun !== undefined && (view?.endMs ?? nowMs) - begun.startedMs >= RESET_MS
}

function fail(context: WriteContext): void {
  putStatus(context, { state: 'FAILED' }, {})
  event(context, completed('FAILED'))
}

function putStatus(
  { change, deployment }: WriteContext,
  status: DeploymentStatus,
  progress: Progress = progressOf(deployment),
): Deployment {
  return change.putDeployment({ ...deployment, status, progress: progressDocument(progress) })
}

function usingUpgrade(context: WriteContext): void {
  const { kind } = context.deployment.spec.upgradeStrategy
  const message = `The template or the target was changed; the job is replaced (${kind}).`
  jobEvent(context, 'USING_AN_UPGRADE_STRATEGY', message)
}

function jobEvent(context: WriteContext, name: string, message: string): void {
  event(context, { name, message }, context.job?.metadata.id)
}

function event(
  { change, deployment }: WriteContext,
  { name, message }: { readonly name: string; readonly message: string },
  jobId?: string,
): void {
  change.addEvent(deployment, name, message, jobId)
}

function removeOldJobs({ change, deployment }: WriteContext): void {
  const { namespace, id } = deployment.metadata
  const ended = change.jobs(namespace, id).filter(({ metadata }) => metadata.terminatedMs !== undefined)
  let characters = 0
  for (const [index, job] of ended.reverse().entries()) {
    const isKept = index < JOBS_KEPT && characters <= JOBS_CHARACTERS_MAX
    if (isKept) characters += JSON.stringify(job.spec).length
    if (!isKept || (index > 0 && characters > JOBS_CHARACTERS_MAX)) change.deleteJob(job)
  }
}

/** The newest complete one is kept, for the case that the job ends without another. */
function removeOldSavepoints(context: WriteContext): void {
  const { namespace, id } = context.deployment.metadata
  const ended = context.change
    .savepoints(namespace, id)
    .filter(({ metadata, status }) => OWN.has(metadata.origin) && status.state !== 'STARTED')
  const newest = ended.findLast(({ status }) => status.state === 'COMPLETED')
  for (const savepoint of ended.slice(0, Math.max(0, ended.length - SAVEPOINTS_KEPT)))
    if (savepoint !== newest) deleteWithFiles(context.change, savepoint)
}

const OWN: ReadonlySet<SavepointOrigin> = new Set(['SUSPEND', 'SUSPEND_AND_UPGRADE'])

/** 32 hexadecimal digits, as jobs and their operations have. */
export function hexId(newId: () => string): string {
  return newId().replaceAll('-', '')
}
