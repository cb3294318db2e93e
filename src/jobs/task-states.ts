/**
 * The states of Flink's tasks, derived from those of the job: the engine runs all operators of a job in the same ticks, so each
 * operator is one task in the state of its job.
 */
import { isTerminal, type JobState, type JobView } from './job.ts'

export const TASK_STATES = [
  'CREATED',
  'SCHEDULED',
  'DEPLOYING',
  'INITIALIZING',
  'RUNNING',
  'FINISHED',
  'CANCELING',
  'CANCELED',
  'FAILED',
  'RECONCILING',
] as const
export type TaskState = (typeof TASK_STATES)[number]

/** All operators of an embedded job are in the state of the job. */
export const TASK_STATE_OF: Readonly<Record<JobState, TaskState>> = {
  INITIALIZING: 'CREATED',
  CREATED: 'DEPLOYING',
  RUNNING: 'RUNNING',
  FAILING: 'CANCELING',
  FAILED: 'FAILED',
  CANCELLING: 'CANCELING',
  CANCELED: 'CANCELED',
  FINISHED: 'FINISHED',
  RESTARTING: 'SCHEDULED',
  SUSPENDED: 'CANCELED',
  RECONCILING: 'RECONCILING',
}

/** All states, those of no task too. */
export function countsOf(states: readonly TaskState[]): Readonly<Record<TaskState, number>> {
  const counts = Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as Record<TaskState, number>
  for (const state of states) counts[state]++
  return counts
}

/** The states that a task passes on its way, with the state of the job that is entered at the same time. */
const WAY: readonly (readonly [task: TaskState, job: JobState])[] = [
  ['CREATED', 'INITIALIZING'],
  ['DEPLOYING', 'CREATED'],
  ['RUNNING', 'RUNNING'],
]

/** When the task entered each state, in milliseconds; 0 for states that it has not entered. */
export function taskTimes({ state, enteredMs, endMs }: JobView): Readonly<Record<TaskState, number>> {
  const times = Object.fromEntries(TASK_STATES.map((task) => [task, 0])) as Record<TaskState, number>
  for (const [task, job] of WAY) times[task] = Math.trunc(enteredMs[job] ?? 0)
  if (enteredMs.RESTARTING !== undefined) times.SCHEDULED = Math.trunc(enteredMs.RESTARTING)
  if (isTerminal(state)) times[TASK_STATE_OF[state]] = Math.trunc(endMs ?? 0)
  return times
}

/** How long the task was in each state last, in milliseconds; -1 for states that it has not entered, as in Flink. */
export function taskDurations(job: JobView, nowMs: number): Readonly<Record<TaskState, number>> {
  const times = taskTimes(job)
  const entered = TASK_STATES.filter((task) => times[task] > 0).sort((a, b) => times[a] - times[b])
  const durations = Object.fromEntries(TASK_STATES.map((task) => [task, -1])) as Record<TaskState, number>
  for (const [i, task] of entered.entries()) {
    const next = entered[i + 1]
    const leftMs = next === undefined ? (job.endMs ?? nowMs) : times[next]
    durations[task] = Math.max(0, Math.trunc(leftMs) - times[task])
  }
  return durations
}
