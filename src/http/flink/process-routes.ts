/** The processes as Flink shows them: the service is the JobManager, the process that runs jobs the TaskManager. */
import type { JobService } from '../../jobs/job-service.ts'
import type { ServiceProcess } from '../../process/service-process.ts'
import { ServiceError } from '../../service-error.ts'
import type { HttpContext } from '../server/bindings.ts'
import { answer, refuse } from './answers.ts'
import { taskManagerOf } from './log-routes.ts'
import type { Scope } from './scope.ts'
import { taskManagerJson, taskManagerWithMetrics } from './taskmanager-json.ts'

export interface ProcessParts {
  readonly jobs: JobService
  readonly process: ServiceProcess
}

export function processRoutes({ jobs, process: { settings } }: ProcessParts, scope: Scope) {
  return {
    config: (c: HttpContext) => answer(c, settings),

    environment: (c: HttpContext) =>
      answer(c, {
        jvm: {
          version: `Node.js ${process.version}`,
          arch: process.arch,
          options: process.execArgv,
        },
        classpath: [],
      }),

    taskManagers(c: HttpContext) {
      scope.assertExists(c)
      const worker = jobs.worker()
      return answer(c, {
        taskmanagers: worker === undefined ? [] : [taskManagerJson(worker, jobs.slots())],
      })
    },

    taskManager(c: HttpContext) {
      const worker = taskManagerOf(c, jobs)
      return answer(c, taskManagerWithMetrics(worker, jobs.slots(), runningJobs(c)))
    },

    profiles: (c: HttpContext) => answer(c, { profilingList: [] }),
    profile: (c: HttpContext) => refuse(c, 400, 'Profiling is not supported'),
    profileFile(): never {
      throw new ServiceError('part_not_found', 'There is no such profile.')
    },
  }

  function runningJobs(c: HttpContext): readonly string[] {
    const running: string[] = []
    for (const { jid, state } of scope.jobs(c)) if (state === 'RUNNING') running.push(jid)
    return running
  }
}
