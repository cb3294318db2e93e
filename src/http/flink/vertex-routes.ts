/** Operators of a job, and their subtasks. */
import type { JobView } from '../../jobs/job.ts'
import type { JobService } from '../../jobs/job-service.ts'
import type { VertexPlan } from '../../jobs/plan/job-plan.ts'
import { vertexId } from '../../jobs/vertex-detail.ts'
import { ServiceError } from '../../service-error.ts'
import type { AppOptions } from '../api.ts'
import type { HttpContext } from '../server/bindings.ts'
import { answer } from './answers.ts'
import { watermarkText } from './job-metrics.ts'
import { pathNumber } from './path-ids.ts'
import { placeOf } from './place.ts'
import { type Scope, vertexOf } from './scope.ts'
import {
  backpressureJson,
  subtaskJson,
  type VertexParts,
  vertexJson,
  vertexTaskManagers,
  vertexTimes,
} from './vertex-json.ts'

export function vertexRoutes({ jobs }: { readonly jobs: JobService }, scope: Scope, { nowMs }: AppOptions) {
  const partsOf = (job: JobView, vertex: VertexPlan): VertexParts => ({
    ...{ vertex, job, nowMs: nowMs() },
    place: placeOf(job, jobs.worker()),
  })
  const shown =
    (show: (parts: VertexParts) => unknown, missing?: (id: string) => string) =>
    (c: HttpContext): Response => {
      const job = scope.job(c)
      return answer(c, show(partsOf(job, vertexOf(c, job, missing))))
    }
  /** For paths that name a subtask. */
  const ofSubtask = (show: (parts: VertexParts, c: HttpContext) => unknown) => (c: HttpContext) => {
    const index = pathNumber(c, 'subtask')
    const job = scope.job(c)
    const vertex = vertexOf(c, job)
    if (index !== 0)
      throw new ServiceError('part_not_found', `Invalid subtask index for vertex ${vertexId(vertex)}`)
    return answer(c, show(partsOf(job, vertex), c))
  }
  /** Only the present attempt is known. */
  const ofAttempt = (show: (parts: VertexParts) => unknown) => {
    return ofSubtask((parts, c) => {
      const attempt = pathNumber(c, 'attempt')
      if (attempt !== parts.job.attempt)
        throw new ServiceError('part_not_found', `Invalid attempt num ${attempt}`)
      return show(parts)
    })
  }
  const accumulatorsOf = ({ vertex, job }: VertexParts) => ({
    subtask: 0,
    attempt: job.attempt,
    id: vertexId(vertex),
    'user-accumulators': [],
  })

  return {
    get: shown(vertexJson, (id) => `JobVertex ${id} not found`),
    times: shown(vertexTimes),
    taskManagers: shown(vertexTaskManagers),
    accumulators: shown(({ vertex }) => ({ id: vertexId(vertex), 'user-accumulators': [] })),
    flameGraph: shown(() => ({ endTimestamp: -2 })),
    watermarks: shown(({ vertex, job }) => [
      { id: '0.currentInputWatermark', value: watermarkText(vertex, job) },
    ]),
    backpressure: shown(({ vertex, job }) =>
      backpressureJson(jobs.rates(job.namespace, job.jid)[job.vertices.indexOf(vertex)], job.attempt),
    ),
    subtaskAccumulators: shown(({ vertex, job, place: { host, endpoint } }) => ({
      id: vertexId(vertex),
      parallelism: 1,
      subtasks: [{ subtask: 0, attempt: job.attempt, host, endpoint, 'user-accumulators': [] }],
    })),
    subtask: ofSubtask(subtaskJson),
    attempt: ofAttempt(subtaskJson),
    attemptAccumulators: ofAttempt(accumulatorsOf),
  }
}
