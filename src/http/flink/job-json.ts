/** Parts of a job as Flink shows them beside its detail (jobs/job-detail.ts): lists, configuration, result, exceptions. */
import { isTerminal, type JobException, type JobView } from '../../jobs/job.ts'
import { TASK_STATE_OF } from '../../jobs/task-times.ts'
import { countsOf, vertexId } from '../../jobs/vertex-detail.ts'
import type { BadRecord } from '../../jobs/worker/job-worker-protocol.ts'
import { causeJson, EXCEPTION_CLASS } from './operation-json.ts'
import { UNASSIGNED } from './place.ts'

export function jobEntry({ jid, state }: JobView): object {
  return { id: jid, status: state }
}

export function jobOverview(job: JobView, nowMs: number): object {
  const { jid, name, state, startMs, endMs, enteredMs, vertices } = job
  const counts = countsOf(vertices.map(() => TASK_STATE_OF[state]))
  const tasks = Object.entries(counts).map(([task, count]) => [task.toLowerCase(), count] as const)
  return {
    jid,
    name,
    'start-time': Math.trunc(startMs),
    'end-time': Math.trunc(endMs ?? -1),
    duration: Math.trunc((endMs ?? nowMs) - startMs),
    state,
    'last-modification': Math.trunc(Math.max(startMs, ...Object.values(enteredMs))),
    tasks: { total: vertices.length, ...Object.fromEntries(tasks) },
    'pending-operators': 0,
    'job-type': 'STREAMING',
  }
}

export function jobConfig({ jid, name }: JobView): object {
  return {
    jid,
    name,
    'execution-config': {
      'execution-mode': 'PIPELINED',
      'restart-strategy': 'Restart with a delay of 1 s, doubled at each failure up to 60 s',
      'job-parallelism': 1,
      'object-reuse-mode': false,
      'user-config': {},
    },
  }
}

export function executionResult(job: JobView): object {
  const { jid, state, startMs, endMs } = job
  if (!isTerminal(state)) return { status: { id: 'IN_PROGRESS' } }
  const outcome = state === 'FINISHED' ? 'SUCCEEDED' : state
  return {
    status: { id: 'COMPLETED' },
    'job-execution-result': {
      id: jid,
      'application-status': outcome,
      'accumulator-results': {},
      'net-runtime': Math.trunc((endMs ?? startMs) - startMs),
      ...(state === 'FAILED' && { 'failure-cause': causeJson(job.exceptions.at(-1)?.message ?? '') }),
    },
  }
}

export function resourceRequirements({ vertices }: JobView): object {
  const one = { parallelism: { lowerBound: 1, upperBound: 1 } }
  return Object.fromEntries(vertices.map((vertex) => [vertexId(vertex), one]))
}

/** A failure, or an event that was skipped, newest first in the answer. */
interface HistoryEntry {
  readonly timestampMs: number
  readonly name: string
  readonly message: string
  readonly task: string | null
}

/** `shownMax`: entries of the history, and failures. */
export function exceptionsJson(job: JobView, shownMax: number): object {
  const failures = [...job.exceptions].reverse()
  const root = isTroubled(job) ? failures[0] : undefined
  const history = [
    ...failures.map((failure) => failureEntry(failure, job)),
    ...job.badRecords.map((bad) => badRecordEntry(bad, job)),
  ].sort((a, b) => b.timestampMs - a.timestampMs)
  return {
    'root-exception': root?.message ?? null,
    timestamp: root === undefined ? null : Math.trunc(root.timestampMs),
    'all-exceptions': failures.slice(0, shownMax).map((failure) => ({
      exception: failure.message,
      task: taskOf(failure, job) ?? job.name,
      location: UNASSIGNED,
      endpoint: UNASSIGNED,
      timestamp: Math.trunc(failure.timestampMs),
      taskManagerId: UNASSIGNED,
    })),
    truncated: failures.length > shownMax,
    exceptionHistory: {
      entries: history.slice(0, shownMax).map(({ timestampMs, name, message, task }) => ({
        exceptionName: name,
        stacktrace: message,
        timestamp: Math.trunc(timestampMs),
        failureLabels: {},
        taskName: task,
        location: task === null ? null : UNASSIGNED,
        endpoint: task === null ? null : UNASSIGNED,
        taskManagerId: task === null ? null : UNASSIGNED,
        concurrentExceptions: [],
      })),
      truncated: history.length > shownMax,
    },
  }
}

/** While the job is well its failures are history. */
function isTroubled({ state }: JobView): boolean {
  return state === 'FAILED' || state === 'FAILING' || state === 'RESTARTING'
}

function failureEntry(failure: JobException, job: JobView): HistoryEntry {
  const { timestampMs, message } = failure
  return { timestampMs, name: EXCEPTION_CLASS, message, task: taskOf(failure, job) ?? null }
}

/** The operator in which it arose, where that is known. */
function taskOf({ vertex }: JobException, { vertices }: JobView): string | undefined {
  return vertex === undefined ? undefined : vertices[vertex]?.name
}

/** The time is that of the event: when it was skipped is not kept. */
function badRecordEntry({ tableName, sequence, timestampMs, reason }: BadRecord, job: JobView): HistoryEntry {
  const source = job.vertices.find(({ kind, name }) => kind === 'source' && name.endsWith(tableName))
  const message = `${tableName}, event ${sequence}: ${reason}`
  return { timestampMs, name: 'BadRecord', message, task: source?.name ?? tableName }
}
