/** The metrics of jobs and of their operators, under Flink's names. */
import type { CheckpointHistory } from '../../jobs/checkpoint-history.ts'
import { isTerminal, type JobView } from '../../jobs/job.ts'
import type { VertexRates } from '../../jobs/job-rates.ts'
import type { VertexPlan } from '../../jobs/plan/job-plan.ts'
import { ioMetrics, vertexFigures } from '../../jobs/vertex-detail.ts'
import { type Metrics, metricsOf } from './metric-answer.ts'

/** Of all jobs, whether or not a job has a value for each: clients ask for these names before they ask for values of one job. */
export const JOB_METRIC_NAMES = [
  'uptime',
  'downtime',
  'restartingTime',
  'numRestarts',
  'fullRestarts',
  'lastCheckpointDuration',
  'lastCheckpointSize',
  'lastCheckpointFullSize',
  'lastCheckpointExternalPath',
  'lastCheckpointRestoreTimestamp',
  'numberOfCompletedCheckpoints',
  'numberOfFailedCheckpoints',
  'numberOfInProgressCheckpoints',
  'totalNumberOfCheckpoints',
] as const
type JobMetricName = (typeof JOB_METRIC_NAMES)[number]

/** Flink's values where there is nothing yet: -1, and `n/a` for a path. */
export function jobMetrics(job: JobView, { counts, latest }: CheckpointHistory, nowMs: number): Metrics {
  const { completed, restored } = latest
  const values: Record<JobMetricName, number | string> = {
    ...timesOf(job, nowMs),
    numRestarts: job.attempt,
    fullRestarts: job.attempt,
    lastCheckpointDuration: Math.trunc(completed?.durationMs ?? -1),
    lastCheckpointSize: completed?.bytes ?? -1,
    lastCheckpointFullSize: completed?.stateBytes ?? -1,
    lastCheckpointExternalPath: completed?.location ?? 'n/a',
    lastCheckpointRestoreTimestamp: Math.trunc(restored?.restoredMs ?? -1),
    numberOfCompletedCheckpoints: counts.completed,
    numberOfFailedCheckpoints: counts.failed,
    numberOfInProgressCheckpoints: counts.inProgress,
    totalNumberOfCheckpoints: counts.total,
  }
  return metricsOf(values)
}

/** Of a job that has ended Flink knows none. */
function timesOf({ state, enteredMs }: JobView, nowMs: number) {
  if (isTerminal(state)) return { uptime: -1, downtime: -1, restartingTime: -1 }
  const { RUNNING, RESTARTING } = enteredMs
  const isRunning = state === 'RUNNING'
  const sinceRestart = RESTARTING === undefined ? 0 : Math.trunc(nowMs - RESTARTING)
  return {
    uptime: isRunning ? Math.trunc(nowMs - RUNNING!) : 0,
    downtime: isRunning ? 0 : sinceRestart,
    restartingTime: isRunning && RESTARTING !== undefined ? Math.trunc(RUNNING! - RESTARTING) : sinceRestart,
  }
}

const NO_WATERMARK = '-9223372036854775808'

export function watermarkText(vertex: VertexPlan, job: JobView): string {
  const watermarkMs = vertexFigures(vertex, job)?.watermarkMs
  return watermarkMs === undefined ? NO_WATERMARK : `${Math.trunc(watermarkMs)}`
}

/** `prefix` is `0.` where a path is about all subtasks. */
export function vertexMetrics(
  vertex: VertexPlan,
  job: JobView,
  rates: VertexRates | undefined,
  prefix = '',
): Metrics {
  const io = ioMetrics(vertex, job)
  const own = vertexFigures(vertex, job)
  return metricsOf(
    {
      numRecordsIn: io['read-records'] as number,
      numRecordsOut: io['write-records'] as number,
      numBytesIn: io['read-bytes'] as number,
      numBytesOut: io['write-bytes'] as number,
      numRecordsInPerSecond: rates?.recordsInPerSecond,
      numRecordsOutPerSecond: rates?.recordsOutPerSecond,
      numBytesInPerSecond: rates?.bytesInPerSecond,
      numBytesOutPerSecond: rates?.bytesOutPerSecond,
      currentInputWatermark: watermarkText(vertex, job),
      busyTimeMsPerSecond: perSecond(rates?.busyRatio),
      idleTimeMsPerSecond: perSecond(rates?.idleRatio),
      backPressuredTimeMsPerSecond: perSecond(rates?.backpressuredRatio),
      numLateRecordsDropped: own?.recordsLate,
      numRecordsInErrors: own?.recordsBad,
      pendingRecords: own?.pendingRecords,
    },
    prefix,
  )
}

function perSecond(ratio: number | undefined): number | undefined {
  return ratio === undefined ? undefined : Math.round(ratio * 1000)
}
