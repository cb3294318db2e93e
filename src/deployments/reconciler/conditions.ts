/** The conditions of a deployment that is RUNNING, from its job. */
import type { JobView } from '../../jobs/job.ts'
import type { Condition, ConditionType, Deployment, JobResource } from '../resources.ts'
import { progressOf } from './progress.ts'
import { isOtherTemplate } from './restore-point.ts'

/** A job that has restarted within this time is unstable. */
const UNSTABLE_MS = 10 * 60_000

type Found = Pick<Condition, 'type' | 'reason' | 'message'>

export function conditionsOf(
  deployment: Deployment,
  job: JobResource,
  view: JobView | undefined,
  nowMs: number,
): readonly Condition[] {
  const before = deployment.status.running?.conditions ?? []
  return found(deployment, job, view, nowMs).map((one) => {
    const same = before.find(({ type }) => type === one.type)
    if (same !== undefined && same.reason === one.reason && same.message === one.message) return same
    const lastTransitionMs = same?.lastTransitionMs ?? nowMs
    return { ...one, status: 'True', lastTransitionMs, lastUpdateMs: nowMs }
  })
}

function found(
  deployment: Deployment,
  job: JobResource,
  view: JobView | undefined,
  nowMs: number,
): readonly Found[] {
  const { suspensionFailed } = progressOf(deployment)
  const { parallelism } = job.spec
  const restarts = view?.exceptions.filter(
    ({ isRoot, record, timestampMs }) => isRoot && record === undefined && nowMs - timestampMs < UNSTABLE_MS,
  )
  const last = view?.exceptions.at(-1)?.message ?? ''
  return [
    ...when(view?.state === 'RESTARTING', 'JobFailing', 'JobRestarting', `The job restarts: ${last}`),
    ...when(
      view !== undefined && view.attempt > 0 && (restarts?.length ?? 0) > 0,
      'JobUnstable',
      'JobHasRestarted',
      `The job has restarted in the last 10 minutes: ${restarts?.at(-1)?.message ?? ''}`,
    ),
    ...when(
      suspensionFailed !== undefined,
      'SuspensionFailed',
      'TooManyFailedSavepoints',
      `No savepoint could be taken, and the job goes on; change the deployment to try again. ${suspensionFailed}`,
    ),
    ...when(
      parallelism > 1,
      'ParallelismReduced',
      'EmbeddedJob',
      `The parallelism is ${parallelism}, and an embedded job runs with 1.`,
    ),
    ...when(
      isOtherTemplate(deployment, job),
      'UpgradePending',
      'TemplateChanged',
      'The template or the target was changed, and the job runs with the former one; the next start takes the new one.',
    ),
  ]
}

function when(holds: boolean, type: ConditionType, reason: string, message: string): readonly Found[] {
  return holds ? [{ type, reason, message }] : []
}
