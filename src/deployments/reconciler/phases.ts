/**
 * Where the present job of a deployment is, and what is wanted of it: the two sides of the table in `transitions.ts`. Both are computed from
 * what is durable and from the job itself; nothing else is remembered, so that they are the same after a restart of the service.
 */
import { isTerminal, type JobView } from '../../jobs/job.ts'
import { isRetaining } from '../../jobs/savepoints/retained-states.ts'
import type { Operation } from '../../jobs/savepoints/savepoint.ts'
import type { Deployment, JobResource, SavepointResource } from '../resources.ts'
import { progressOf } from './progress.ts'

export const GOALS = ['rest', 'run', 'replace-stateful', 'replace-stateless', 'suspend', 'cancel'] as const
export type Goal = (typeof GOALS)[number]

export const PHASES = [
  /** There is no job that has not ended. */
  'none',
  /** As `none`, and the next attempt is not due. */
  'delayed',
  /** The resource of a job is written, and its job is not created. */
  'recorded',
  /** The job is created and has not run. */
  'starting',
  /** The job runs, and its resource says STARTING. */
  'up',
  'running',
  /** The job has run, and waits for its next run after an error, or after a restart of the service. */
  'restarting',
  /** As `running`, and the last savepoint failed a moment ago. */
  'unsaved',
  /** The resource of a savepoint is written, and the job has no such order. */
  'unsent',
  /** As `unsent`, and the job takes no orders now. */
  'unsendable',
  /** The job has the order to write the savepoint and to end. */
  'saving',
  /** That failed, or the job takes no orders for too long. */
  'save-failed',
  /** The resource of the job says TERMINATING, and the job has not ended. */
  'terminating',
  /** The job has ended, and its last state is being written to a savepoint. */
  'retaining',
  /** The job has ended with the savepoint. */
  'stopped',
  /** The job has ended after its resource said TERMINATING. */
  'ended',
  /** The job has ended as CANCELED, and not because of the deployment. */
  'canceled',
  'failed',
  'finished',
  /** The resource says that the job was created, and there is no such job. */
  'lost',
] as const
export type Phase = (typeof PHASES)[number]

/** A job that takes no orders for so long is not stopped with a savepoint. */
export const SEND_MS_MAX = 30_000

export function goalOf(deployment: Deployment): Goal {
  const { spec, status } = deployment
  if (status.state === 'RUNNING') return 'run'
  if (status.state !== 'TRANSITIONING') return 'rest'
  switch (spec.state) {
    case 'SUSPENDED':
      return 'suspend'
    case 'CANCELLED':
      return 'cancel'
    default: {
      const { upgrade } = progressOf(deployment)
      if (upgrade === undefined) return 'run'
      return upgrade === 'STATEFUL' ? 'replace-stateful' : 'replace-stateless'
    }
  }
}

export interface Sight {
  readonly deployment: Deployment
  /** That has not ended as its resource says. */
  readonly job: JobResource | undefined
  /** The job itself. */
  readonly view: JobView | undefined
  /** STARTED, of the present job, with which it is to end. */
  readonly savepoint: SavepointResource | undefined
  readonly operation: Operation | undefined
  readonly nowMs: number
}

export function phaseOf({ deployment, job, view, savepoint, operation, nowMs }: Sight): Phase {
  const { nextJobMs = 0, nextSavepointMs = 0 } = progressOf(deployment)
  if (job === undefined) return nowMs < nextJobMs ? 'delayed' : 'none'
  const { state } = job.status
  if (view === undefined) return state === 'STARTING' ? 'recorded' : 'lost'
  if (isRetaining(view)) return 'retaining'
  if (isTerminal(view.state)) return endOf(view, job, savepoint)
  if (state === 'TERMINATING') return 'terminating'
  const runs = view.state === 'RUNNING'
  if (savepoint !== undefined) {
    if (operation?.state === 'failed') return 'save-failed'
    if (operation !== undefined) return 'saving'
    if (runs) return 'unsent'
    return nowMs - savepoint.metadata.createdMs < SEND_MS_MAX ? 'unsendable' : 'save-failed'
  }
  if (state === 'STARTING') return runs ? 'up' : 'starting'
  if (nowMs < nextSavepointMs) return 'unsaved'
  return runs ? 'running' : 'restarting'
}

function endOf(view: JobView, job: JobResource, savepoint: SavepointResource | undefined): Phase {
  if (savepoint !== undefined && view.stopped?.triggerId === savepoint.triggerId) return 'stopped'
  if (job.status.state === 'TERMINATING') return 'ended'
  if (view.state === 'CANCELED') return 'canceled'
  return view.state === 'FAILED' ? 'failed' : 'finished'
}
