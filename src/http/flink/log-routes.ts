/** Log files and thread dumps of the service, which Flink calls the JobManager, and of the process of jobs, its TaskManager. */
import type { JobService } from '../../jobs/job-service.ts'
import type { WorkerView } from '../../jobs/worker-view.ts'
import { mainThread, type ServiceProcess, type ThreadText } from '../../process/service-process.ts'
import { ServiceError } from '../../service-error.ts'
import type { HttpContext } from '../server/bindings.ts'
import { answer, answerFile } from './answers.ts'

export interface LogParts {
  readonly jobs: JobService
  readonly process: ServiceProcess
}

export function jobManagerLogs({ process: { logs } }: LogParts) {
  const file = async (c: HttpContext, found: Promise<Buffer | undefined> | undefined) => {
    const text = await found
    if (text === undefined)
      throw new ServiceError(
        'part_not_found',
        `This file does not exist in JobManager log dir.${logs === undefined ? ' Start with --log-dir to have one.' : ''}`,
      )
    return answerFile(c, text)
  }
  return {
    async list(c: HttpContext) {
      const found = (await logs?.list()) ?? []
      return answer(c, {
        logs: found.map(({ name, bytes, modifiedMs }) => ({ name, size: bytes, mtime: modifiedMs })),
      })
    },
    file: (c: HttpContext) => file(c, logs?.read(c.req.param('file') ?? '')),
    log: (c: HttpContext) => file(c, logs?.current('log')),
    stdout: (c: HttpContext) => file(c, logs?.current('out')),
    threads: (c: HttpContext) => answer(c, threadsJson([mainThread()])),
  }
}

/** Of the one process that runs jobs: the newest lines that it has reported. */
export function taskManagerLogs({ jobs }: LogParts) {
  const files = ({ id, log, stdout }: WorkerView) => [
    { name: `${id}.log`, text: log },
    { name: `${id}.out`, text: stdout },
  ]
  return {
    list(c: HttpContext) {
      const worker = taskManagerOf(c, jobs)
      return answer(c, {
        logs: files(worker).map(({ name, text }) => ({
          name,
          size: Buffer.byteLength(text),
          mtime: Math.trunc(worker.heartbeatMs),
        })),
      })
    },
    file(c: HttpContext) {
      const found = files(taskManagerOf(c, jobs)).find(({ name }) => name === c.req.param('file'))
      if (found === undefined)
        throw new ServiceError('part_not_found', 'This file does not exist in TaskManager log dir.')
      return answerFile(c, found.text)
    },
    log: (c: HttpContext) => answerFile(c, taskManagerOf(c, jobs).log),
    stdout: (c: HttpContext) => answerFile(c, taskManagerOf(c, jobs).stdout),
    async threads(c: HttpContext) {
      taskManagerOf(c, jobs)
      return answer(c, threadsJson(await jobs.threadDump()))
    },
  }
}

/** Throws ServiceError 'part_not_found'. */
export function taskManagerOf(c: HttpContext, jobs: JobService): WorkerView {
  const id = c.req.param('taskmanager') ?? ''
  const worker = jobs.worker()
  if (worker?.id === id) return worker
  throw new ServiceError('part_not_found', `Could not find TaskExecutor ${id.slice(0, 100)}.`)
}

function threadsJson(threads: readonly ThreadText[]): object {
  return {
    threadInfos: threads.map(({ name, text }) => ({ threadName: name, stringifiedThreadInfo: text })),
  }
}
