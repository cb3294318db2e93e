/** An operator of a job as Flink shows it. Each has one subtask: the engine runs it once. */
import type { JobView } from '../../jobs/job.ts'
import type { VertexRates } from '../../jobs/job-rates.ts'
import type { VertexPlan } from '../../jobs/plan/job-plan.ts'
import { TASK_STATES, type TaskState, taskTimesOf } from '../../jobs/task-times.ts'
import { countsOf, MAX_PARALLELISM, vertexDetail, whole } from '../../jobs/vertex-detail.ts'
import type { Place } from './place.ts'

export interface VertexParts {
  readonly vertex: VertexPlan
  readonly job: JobView
  readonly place: Place
  readonly nowMs: number
}

export function subtaskJson({ vertex, job, place, nowMs }: VertexParts) {
  const detail = vertexDetail(vertex, job, nowMs)
  return {
    subtask: 0,
    status: detail.status,
    attempt: job.attempt,
    host: place.host,
    endpoint: place.endpoint,
    'start-time': detail['start-time'],
    start_time: detail['start-time'],
    'end-time': detail['end-time'],
    duration: detail.duration,
    metrics: detail.metrics,
    'taskmanager-id': place['taskmanager-id'],
    'status-duration': everyState(taskTimesOf(job, nowMs).lastedMs, -1),
  }
}

export function vertexJson(parts: VertexParts): object {
  const { id, name } = vertexDetail(parts.vertex, parts.job, parts.nowMs)
  const subtask = subtaskJson(parts)
  return {
    id,
    name,
    parallelism: 1,
    maxParallelism: MAX_PARALLELISM,
    now: Math.trunc(parts.nowMs),
    subtasks: [subtask],
    aggregated: aggregatedJson(subtask),
  }
}

export function vertexTimes({ vertex, job, place, nowMs }: VertexParts): object {
  const { id, name, duration } = vertexDetail(vertex, job, nowMs)
  const { host, endpoint } = place
  const subtask = {
    subtask: 0,
    host,
    endpoint,
    duration,
    timestamps: everyState(taskTimesOf(job, nowMs).enteredMs, 0),
  }
  return { id, name, now: Math.trunc(nowMs), subtasks: [subtask] }
}

export function vertexTaskManagers(parts: VertexParts): object {
  const { vertex, job, place, nowMs } = parts
  const detail = vertexDetail(vertex, job, nowMs)
  const { host, endpoint } = place
  return {
    id: detail.id,
    name: detail.name,
    now: Math.trunc(nowMs),
    taskmanagers: [
      {
        host,
        endpoint,
        status: detail.status,
        'start-time': detail['start-time'],
        'end-time': detail['end-time'],
        duration: detail.duration,
        metrics: detail.metrics,
        'status-counts': countsOf([detail.status]),
        'taskmanager-id': place['taskmanager-id'],
        aggregated: aggregatedJson(subtaskJson(parts)),
      },
    ],
  }
}

/** With Flink's number for states that the task has not entered in this attempt. */
function everyState(
  times: Readonly<Partial<Record<TaskState, number>>>,
  none: number,
): Readonly<Record<TaskState, number>> {
  return Object.fromEntries(TASK_STATES.map((state) => [state, whole(times[state] ?? none)])) as Record<
    TaskState,
    number
  >
}

/** Of one subtask, so every statistic is its value. */
function aggregatedJson(subtask: ReturnType<typeof subtaskJson>): object {
  const numbers = Object.entries(subtask.metrics).filter(([, value]) => typeof value === 'number')
  return {
    metrics: Object.fromEntries(numbers.map(([name, value]) => [name, statistics(value as number)])),
    'status-duration': Object.fromEntries(
      Object.entries(subtask['status-duration']).map(([state, ms]) => [state, statistics(ms)]),
    ),
  }
}

function statistics(value: number): object {
  const all = ['min', 'max', 'avg', 'sum', 'median', 'p25', 'p75', 'p95']
  return Object.fromEntries(all.map((name) => [name, value]))
}

/** Flink's bounds of the levels. */
const LOW_ABOVE = 0.1
const HIGH_ABOVE = 0.5

/** Before the first sample the answer is that of Flink without one. */
export function backpressureJson(rates: VertexRates | undefined, attempt: number): object {
  if (rates === undefined) return { status: 'deprecated' }
  const { backpressuredRatio: ratio, idleRatio, busyRatio, sampledMs } = rates
  const level = ratio <= LOW_ABOVE ? 'ok' : ratio <= HIGH_ABOVE ? 'low' : 'high'
  const levels = { 'backpressure-level': level, backpressureLevel: level }
  return {
    status: 'ok',
    ...levels,
    'end-timestamp': Math.trunc(sampledMs),
    subtasks: [{ subtask: 0, 'attempt-number': attempt, ...levels, ratio, idleRatio, busyRatio }],
  }
}
