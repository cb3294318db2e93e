/** When the operators of a job entered their states in its present attempt, and how long they were in them, as Flink shows tasks. */
import type { JobState, JobView } from './job.ts'

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

export interface TaskTimes {
  /** Begin of the attempt; undefined where it is not known. */
  readonly startMs: number | undefined
  /** When each state was entered; states that were not entered are missing. */
  readonly enteredMs: Readonly<Partial<Record<TaskState, number>>>
  /** How long each state lasted, or has lasted so far; 0 for the last state of a job that has ended. */
  readonly lastedMs: Readonly<Partial<Record<TaskState, number>>>
}

export function taskTimesOf({ attemptStates, endMs }: JobView, nowMs: number): TaskTimes {
  const enteredMs: Partial<Record<TaskState, number>> = {}
  const lastedMs: Partial<Record<TaskState, number>> = {}
  for (const [index, { state, atMs }] of attemptStates.entries()) {
    const task = TASK_STATE_OF[state]
    const untilMs = attemptStates[index + 1]?.atMs ?? endMs ?? nowMs
    enteredMs[task] ??= atMs
    lastedMs[task] = (lastedMs[task] ?? 0) + Math.max(0, untilMs - atMs)
  }
  return { startMs: attemptStates[0]?.atMs, enteredMs, lastedMs }
}
