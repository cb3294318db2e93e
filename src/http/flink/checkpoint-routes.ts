/** Checkpoints and savepoints of a job: history, details, and the operations that make them. */
import type { Checkpoint } from '../../jobs/checkpoint-history.ts'
import type { JobView } from '../../jobs/job.ts'
import type { JobService } from '../../jobs/job-service.ts'
import { ServiceError } from '../../service-error.ts'
import type { AppOptions } from '../api.ts'
import { documentReader } from '../messages/documents.ts'
import type { HttpContext } from '../server/bindings.ts'
import { answer } from './answers.ts'
import { checkpointConfig, checkpointJson, checkpointsJson, checkpointTaskJson } from './checkpoint-json.ts'
import { FLINK_DOCUMENTS } from './documents.ts'
import { operationJson } from './operation-json.ts'
import { pathId, pathNumber } from './path-ids.ts'
import { type Scope, vertexOf } from './scope.ts'

/** The shortest pause between two steps of a job, each of which ends with a commit. */
const COMMIT_INTERVAL_MS = 100

export function checkpointRoutes({ jobs }: { readonly jobs: JobService }, scope: Scope, options: AppOptions) {
  const readDocument = documentReader(FLINK_DOCUMENTS, options)
  const historyOf = ({ namespace, jid }: JobView) => jobs.checkpoints(namespace, jid)

  /** Throws ServiceError 'part_not_found' for one that is not kept any more, too. */
  function named(c: HttpContext, job: JobView): Checkpoint {
    const id = pathNumber(c, 'checkpoint')
    const { history, latest } = historyOf(job)
    const kept = [...history, latest.completed, latest.savepoint, latest.failed]
    const found = kept.find((checkpoint) => checkpoint?.id === id)
    if (found !== undefined) return found
    throw new ServiceError('part_not_found', `Could not find checkpointing statistics for checkpoint ${id}.`)
  }

  return {
    config(c: HttpContext) {
      scope.job(c)
      return answer(c, checkpointConfig(COMMIT_INTERVAL_MS))
    },

    list(c: HttpContext) {
      const job = scope.job(c)
      return answer(c, checkpointsJson(historyOf(job), job))
    },

    get(c: HttpContext) {
      const job = scope.job(c)
      return answer(c, checkpointJson(named(c, job), job, true))
    },

    ofVertex(c: HttpContext) {
      const job = scope.job(c)
      const checkpoint = named(c, job)
      const vertex = vertexOf(c, job, (id) => `There is no checkpoint statistics for task ${id}.`)
      return answer(c, checkpointTaskJson(checkpoint, vertex, job))
    },

    async trigger(c: HttpContext) {
      const { namespace, jid } = scope.jobToChange(c)
      const { triggerId } = await readDocument(c, 'checkpoint')
      return answer(c, { 'request-id': await jobs.checkpoint(namespace, jid, triggerId) }, 202)
    },

    async savepoint(c: HttpContext) {
      const { namespace, jid } = scope.jobToChange(c)
      const request = await readDocument(c, 'savepoint')
      return answer(c, { 'request-id': await jobs.savepoint(namespace, jid, request) }, 202)
    },

    async stop(c: HttpContext) {
      const { namespace, jid } = scope.jobToChange(c)
      const request = await readDocument(c, 'stop')
      return answer(c, { 'request-id': await jobs.stop(namespace, jid, request) }, 202)
    },

    operation(c: HttpContext) {
      const { namespace, jid } = scope.job(c)
      const trigger = pathId(c, 'trigger')
      return answer(c, operationJson(jobs.operation(namespace, jid, trigger)))
    },
  }
}
