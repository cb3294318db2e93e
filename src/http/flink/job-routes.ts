/** Jobs: lists, details, cancel. */

import type { JobView } from '../../jobs/job.ts'
import { jobDetail, planDetail } from '../../jobs/job-detail.ts'
import type { JobService } from '../../jobs/job-service.ts'
import { ServiceError } from '../../service-error.ts'
import type { AppOptions } from '../api.ts'
import { assertSameSite } from '../messages/cross-site.ts'
import { arrayParts } from '../messages/sliced-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { answer, answerInParts, refuse } from './answers.ts'
import {
  exceptionsJson,
  executionResult,
  jobConfig,
  jobEntry,
  jobOverview,
  resourceRequirements,
} from './job-json.ts'
import { queryNumber, unresolved } from './path-ids.ts'
import type { Scope } from './scope.ts'

const EXCEPTIONS_SHOWN = 20
const STOP_MOVED =
  'The termination mode "stop" has been removed. For a graceful termination of a job with a savepoint, use jobs/:jobId/stop'

export function jobRoutes({ jobs }: { readonly jobs: JobService }, scope: Scope, options: AppOptions) {
  const { nowMs } = options
  const shown = (show: (job: JobView) => unknown) => (c: HttpContext) => answer(c, show(scope.job(c)))

  function* listParts(c: HttpContext, show: (job: JobView) => object): Generator<string | undefined> {
    yield '{"jobs":'
    yield* arrayParts(scope.jobs(c), (job) => JSON.stringify(show(job)))
    yield '}'
  }

  async function cancel(c: HttpContext): Promise<Response> {
    const { namespace, jid, state } = scope.jobToChange(c, () => 'Job could not be found.')
    if (state === 'FINISHED' || state === 'FAILED')
      throw new ServiceError(
        'job_ended',
        `Job cancellation failed because the job has already reached another terminal state (${state}).`,
      )
    await jobs.cancel(namespace, jid)
    return answer(c, {}, 202)
  }

  function stopMoved(c: HttpContext): Response {
    scope.jobToChange(c, () => 'Job could not be found.')
    return refuse(c, 308, STOP_MOVED)
  }

  /** A HEAD must not change anything. */
  const byGet = (change: (c: HttpContext) => Response | Promise<Response>) => (c: HttpContext) => {
    assertSameSite(c)
    if (c.req.method === 'HEAD') return refuse(c, 405, 'Method not allowed; use GET', { Allow: 'GET' })
    return change(c)
  }

  return {
    list(c: HttpContext) {
      scope.assertExists(c)
      return answerInParts(c, listParts(c, jobEntry), options)
    },

    overview(c: HttpContext) {
      scope.assertExists(c)
      const now = nowMs()
      return answerInParts(
        c,
        listParts(c, (job) => jobOverview(job, now)),
        options,
      )
    },

    get: shown((job) => jobDetail(job, nowMs())),
    status: shown(({ state }) => ({ status: state })),
    config: shown(jobConfig),
    plan: shown((job) => ({ plan: planDetail(job) })),
    result: shown(executionResult),
    requirements: shown(resourceRequirements),
    accumulators: shown(() => ({
      'job-accumulators': [],
      'user-task-accumulators': [],
      'serialized-user-task-accumulators': {},
    })),

    exceptions(c: HttpContext) {
      const shownMax = queryNumber(c, 'maxExceptions', EXCEPTIONS_SHOWN)
      return answer(c, exceptionsJson(scope.job(c), shownMax))
    },

    patch(c: HttpContext) {
      const mode = c.req.query('mode') ?? 'cancel'
      if (mode === 'cancel') return cancel(c)
      if (mode === 'stop') return stopMoved(c)
      throw unresolved('query', 'mode', mode)
    },

    yarnCancel: byGet(cancel),
    yarnStop: byGet(stopMoved),

    heartbeat(c: HttpContext) {
      scope.jobToChange(c)
      return answer(c, {}, 202)
    },

    require(c: HttpContext) {
      scope.jobToChange(c)
      return refuse(c, 400, 'this job does not support rescaling')
    },

    /** As Flink answers since it has no such operation. */
    rescale(c: HttpContext) {
      scope.jobToChange(c)
      return refuse(c, 503, RESCALING_DISABLED)
    },

    rescaling(c: HttpContext) {
      scope.job(c)
      return refuse(c, 503, RESCALING_DISABLED)
    },

    submit(c: HttpContext) {
      scope.assertExists(c)
      return refuse(c, 501, 'submitting job graphs needs a Flink cluster; use SQL')
    },
  }
}

const RESCALING_DISABLED = 'Rescaling is temporarily disabled. See FLINK-12312.'
