/** The operators of a job, which Flink calls vertices: their ids, states and counters. */
import { createHash } from 'node:crypto'
import type { JobView } from './job.ts'
import type { VertexPlan } from './plan/job-plan.ts'
import { TASK_STATE_OF, TASK_STATES, type TaskState } from './task-times.ts'
import type { VertexFigures } from './worker/job-worker-protocol.ts'

export const MAX_PARALLELISM = 128

/** 32 lower-case hexadecimal digits: the same in every run of a statement. */
export function vertexId({ kind, index }: Pick<VertexPlan, 'kind' | 'index'>): string {
  return md5(`${kind} ${index}`)
}

const SLOT_SHARING_GROUP = md5('slot sharing group')

export function vertexDetail(vertex: VertexPlan, job: JobView, nowMs: number) {
  const status = TASK_STATE_OF[job.state]
  const startMs = job.enteredMs.RUNNING
  return {
    id: vertexId(vertex),
    slotSharingGroupId: SLOT_SHARING_GROUP,
    name: vertex.name,
    maxParallelism: MAX_PARALLELISM,
    parallelism: 1,
    status,
    'start-time': whole(startMs ?? -1),
    'end-time': whole(job.endMs ?? -1),
    duration: startMs === undefined ? -1 : whole((job.endMs ?? nowMs) - startMs),
    tasks: countsOf([status]),
    metrics: ioMetrics(vertex, job),
  }
}

/**
 * What a vertex has read and written since the job was created, and its times in this attempt. Without a report it has done
 * nothing yet.
 */
export function ioMetrics(vertex: VertexPlan, job: JobView): Readonly<Record<string, number | boolean>> {
  const figures = vertexFigures(vertex, job)
  return {
    'read-bytes': whole(figures?.bytesIn ?? 0),
    'read-bytes-complete': true,
    'write-bytes': whole(figures?.bytesOut ?? 0),
    'write-bytes-complete': true,
    'read-records': whole(figures?.recordsIn ?? 0),
    'read-records-complete': true,
    'write-records': whole(figures?.recordsOut ?? 0),
    'write-records-complete': true,
    'accumulated-backpressured-time': whole(figures?.backpressuredMs ?? 0),
    'accumulated-idle-time': whole(figures?.idleMs ?? 0),
    'accumulated-busy-time': whole(figures?.busyMs ?? 0),
  }
}

/** Undefined before the first report. */
export function vertexFigures(vertex: VertexPlan, { vertices, figures }: JobView): VertexFigures | undefined {
  return figures?.vertices[vertices.indexOf(vertex)]
}

/** All states, those of no task too. */
export function countsOf(states: readonly TaskState[]): Readonly<Record<TaskState, number>> {
  const counts = Object.fromEntries(TASK_STATES.map((state) => [state, 0])) as Record<TaskState, number>
  for (const state of states) counts[state]++
  return counts
}

export function whole(value: number): number {
  return Math.trunc(value)
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex')
}
