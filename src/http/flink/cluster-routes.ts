/** The service as a Flink cluster: overview, configuration, shutdown, data sets, disposal of savepoints. */
import { createHash } from 'node:crypto'
import type { JobState } from '../../jobs/job.ts'
import type { JobService } from '../../jobs/job-service.ts'
import type { BuildFacts } from '../../process/build-facts.ts'
import type { ServiceProcess } from '../../process/service-process.ts'
import { ServiceError } from '../../service-error.ts'
import type { AppOptions } from '../api.ts'
import { documentReader } from '../messages/documents.ts'
import type { HttpContext } from '../server/bindings.ts'
import { answer, answerInParts } from './answers.ts'
import { FLINK_DOCUMENTS } from './documents.ts'
import { operationJson } from './operation-json.ts'
import { pathId } from './path-ids.ts'
import type { Scope } from './scope.ts'

/** The version of Flink whose answers these are, with ours, as vendors of Flink write it. */
const FLINK_VERSION = '1.20.3'
const REFRESH_INTERVAL_MS = 3_000

export interface ClusterParts {
  readonly jobs: JobService
  readonly process: ServiceProcess
}

export function clusterRoutes(
  { jobs, process: { build, shutdown } }: ClusterParts,
  scope: Scope,
  options: AppOptions,
  /** Whether the routes of jars are there. */
  hasJars: boolean,
) {
  const readDocument = documentReader(FLINK_DOCUMENTS, options)

  function* overviewParts(c: HttpContext): Generator<string | undefined> {
    const counts = { running: 0, finished: 0, cancelled: 0, failed: 0 }
    for (const { state } of scope.jobs(c)) {
      counts[countedAs(state)]++
      yield undefined
    }
    const { total, available } = jobs.slots()
    yield JSON.stringify({
      taskmanagers: jobs.worker() === undefined ? 0 : 1,
      'taskmanagers-blocked': 0,
      'slots-total': total,
      'slots-available': available,
      'slots-free-and-blocked': 0,
      'jobs-running': counts.running,
      'jobs-finished': counts.finished,
      'jobs-cancelled': counts.cancelled,
      'jobs-failed': counts.failed,
      'flink-version': versionOf(build),
      'flink-commit': build.commit,
    })
  }

  return {
    overview(c: HttpContext) {
      scope.assertExists(c)
      return answerInParts(c, overviewParts(c), options)
    },

    config(c: HttpContext) {
      scope.assertExists(c)
      return answer(c, {
        'refresh-interval': REFRESH_INTERVAL_MS,
        'timezone-name': 'Coordinated Universal Time',
        'timezone-offset': 0,
        'flink-version': versionOf(build),
        'flink-revision': build.commit,
        features: {
          'web-submit': hasJars,
          'web-cancel': true,
          'web-rescale': false,
          'web-history': false,
        },
      })
    },

    shutdown(c: HttpContext) {
      if (shutdown === undefined)
        throw new ServiceError(
          'shutdown_disabled',
          'Shutting down is not enabled; start with --allow-cluster-shutdown',
        )
      setImmediate(shutdown) // the answer is on its way, and the end of the service waits for it
      return answer(c, {})
    },

    dataSets(c: HttpContext) {
      scope.assertExists(c)
      return answer(c, { dataSets: [] })
    },

    deleteDataSet(c: HttpContext) {
      return answer(c, { 'request-id': triggerOf(pathId(c, 'dataset')) }, 202)
    },

    /** There are no data sets, so each deletion has ended at once, and nothing is kept of it. */
    dataSetDeletion(c: HttpContext) {
      const trigger = pathId(c, 'trigger')
      if (!isTrigger(trigger))
        throw new ServiceError('operation_not_found', `Operation not found under key: ${trigger}`)
      return answer(c, operationJson({ state: 'failed', message: 'no such data set' }))
    },

    async disposeSavepoint(c: HttpContext) {
      const { path } = await readDocument(c, 'savepointDisposal')
      c.set('subject', { namespace: undefined, id: path })
      return answer(c, { 'request-id': await jobs.disposeSavepoint(path) })
    },

    disposal(c: HttpContext) {
      return answer(c, operationJson(jobs.disposal(pathId(c, 'trigger'))))
    },
  }
}

function versionOf({ version }: BuildFacts): string {
  return `${FLINK_VERSION}-millrace-${version}`
}

function countedAs(state: JobState): 'running' | 'finished' | 'cancelled' | 'failed' {
  if (state === 'FINISHED') return 'finished'
  if (state === 'CANCELED') return 'cancelled'
  return state === 'FAILED' ? 'failed' : 'running'
}

/** The second half proves that the first is the answer to a deletion. */
function triggerOf(dataset: string): string {
  const half = halfDigest(`data set ${dataset}`)
  return `${half}${halfDigest(`deletion ${half}`)}`
}

function isTrigger(trigger: string): boolean {
  return trigger.slice(16) === halfDigest(`deletion ${trigger.slice(0, 16)}`)
}

function halfDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
