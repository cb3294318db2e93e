/** Metrics of processes, jobs, operators and subtasks. What does not exist has none: the answer is an empty list, as in Flink. */
import { isTerminal, type JobView } from '../../jobs/job.ts'
import type { JobService } from '../../jobs/job-service.ts'
import type { VertexPlan } from '../../jobs/plan/job-plan.ts'
import type { ServiceProcess } from '../../process/service-process.ts'
import type { AppOptions } from '../api.ts'
import { inTurn } from '../messages/sliced-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { JOB_METRIC_NAMES, jobMetrics, vertexMetrics } from './job-metrics.ts'
import { answerMetrics, answerStatistics, type Metrics } from './metric-answer.ts'
import { pathNumber, queryIds, queryList, querySubtasks } from './path-ids.ts'
import { jobManagerMetrics, taskManagerMetrics } from './process-metrics.ts'
import { type Scope, vertexIfAny } from './scope.ts'

export interface MetricParts {
  readonly jobs: JobService
  readonly process: ServiceProcess
}

export function metricRoutes({ jobs, process }: MetricParts, scope: Scope, options: AppOptions) {
  const ofJob = (job: JobView): Metrics =>
    jobMetrics(job, jobs.checkpoints(job.namespace, job.jid), options.nowMs())
  const ofVertex = (vertex: VertexPlan, job: JobView, prefix?: string): Metrics =>
    vertexMetrics(vertex, job, jobs.rates(job.namespace, job.jid)[job.vertices.indexOf(vertex)], prefix)

  /** Of the vertex that the path names; undefined if there is none. */
  function named(c: HttpContext, prefix?: string): Metrics | undefined {
    const job = scope.jobIfAny(c)
    const vertex = job && vertexIfAny(c, job)
    return vertex && ofVertex(vertex, job, prefix)
  }

  /** The jobs of `jobs=`, or all that have not ended. */
  function* chosenJobs(c: HttpContext): Generator<JobView | undefined> {
    const ids = queryIds(c, 'jobs')
    if (ids === undefined) {
      for (const job of scope.jobs(c)) yield isTerminal(job.state) ? undefined : job
    } else {
      for (const id of ids) yield scope.jobIfAny(c, id)
    }
  }

  return {
    async jobManager(c: HttpContext) {
      const running = await inTurn(c, options, async (slice) => {
        let count = 0
        for (const { state } of scope.jobs(c)) {
          if (slice.isOver) await slice.next()
          if (state === 'RUNNING') count++
        }
        return count
      })
      return answerMetrics(c, jobManagerMetrics(process.figures(), jobs, running))
    },

    taskManagers(c: HttpContext) {
      scope.assertExists(c)
      const ids = queryList(c, 'taskmanagers')
      const worker = jobs.worker()
      const all =
        worker === undefined || ids?.includes(worker.id) === false ? [] : [taskManagerMetrics(worker)]
      return answerStatistics(c, all, all[0]?.keys() ?? [])
    },

    taskManager(c: HttpContext) {
      scope.assertExists(c)
      const worker = jobs.worker()
      const isNamed = worker !== undefined && worker.id === c.req.param('taskmanager')
      return answerMetrics(c, isNamed ? taskManagerMetrics(worker) : undefined)
    },

    async jobs(c: HttpContext) {
      const all = await inTurn(c, options, async (slice) => {
        const found: Metrics[] = []
        for (const job of chosenJobs(c)) {
          if (slice.isOver) await slice.next()
          if (job !== undefined) found.push(ofJob(job))
        }
        return found
      })
      return answerStatistics(c, all, JOB_METRIC_NAMES)
    },

    job(c: HttpContext) {
      const job = scope.jobIfAny(c)
      return answerMetrics(c, job && ofJob(job))
    },

    vertex: (c: HttpContext) => answerMetrics(c, named(c, '0.')),

    subtasks(c: HttpContext) {
      const chosen = querySubtasks(c, 'subtasks')
      const metrics = named(c)
      const all = metrics === undefined || chosen?.(0) === false ? [] : [metrics]
      return answerStatistics(c, all, all[0]?.keys() ?? [])
    },

    subtask(c: HttpContext) {
      const index = pathNumber(c, 'subtask')
      const metrics = named(c)
      return answerMetrics(c, index === 0 ? metrics : undefined)
    },

    /** There is no coordinator of an operator. */
    coordinator(c: HttpContext) {
      named(c)
      return answerMetrics(c, undefined)
    },
  }
}
