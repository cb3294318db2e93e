/** The operators of a job, which Flink calls vertices: their ids, states and counters. */
import { createHash } from 'node:crypto'
import type { JobView } from './job.ts'
import type { VertexPlan } from './plan/job-plan.ts'
import { countsOf, TASK_STATE_OF } from './task-states.ts'
import type { JobFigures, VertexFigures } from './worker/job-worker-protocol.ts'

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

interface Flow {
  readonly records: number
  readonly bytes: number
}

const NOTHING: Flow = { records: 0, bytes: 0 }

/** What a vertex has read and written since the job was created, and how it has spent its time. */
export function ioMetrics(
  vertex: VertexPlan,
  { vertices, figures }: JobView,
): Readonly<Record<string, number | boolean>> {
  const own = figures?.vertices?.[vertices.indexOf(vertex)]
  const [read, written] = own === undefined ? flowsOf(vertex, vertices, figures) : ownFlows(own)
  const times = own ?? figures
  return {
    'read-bytes': whole(read.bytes),
    'read-bytes-complete': true,
    'write-bytes': whole(written.bytes),
    'write-bytes-complete': true,
    'read-records': whole(read.records),
    'read-records-complete': true,
    'write-records': whole(written.records),
    'write-records-complete': true,
    'accumulated-backpressured-time': whole(times?.backpressuredMs ?? 0),
    'accumulated-idle-time': whole(times?.idleMs ?? 0),
    'accumulated-busy-time': whole(times?.busyMs ?? 0),
  }
}

function ownFlows(own: VertexFigures): readonly [read: Flow, written: Flow] {
  return [
    { records: own.recordsIn, bytes: own.bytesIn },
    { records: own.recordsOut, bytes: own.bytesOut },
  ]
}

/** Of figures without vertices, as documents of earlier versions have them. A source reads events and passes on those it can read; a query and its sink write what the insert writes. */
function flowsOf(
  vertex: VertexPlan,
  vertices: readonly VertexPlan[],
  figures: JobFigures | undefined,
): readonly [read: Flow, written: Flow] {
  if (figures === undefined) return [NOTHING, NOTHING]
  if (vertex.kind === 'source') {
    const source = figures.sources[vertex.index]
    if (source === undefined) return [NOTHING, NOTHING] // a table that is looked up
    const { recordsIn, recordsBad, bytesIn } = source
    return [
      { records: recordsIn, bytes: bytesIn },
      { records: recordsIn - recordsBad, bytes: bytesIn },
    ]
  }
  const insert = figures.inserts[vertex.index]
  const out = insert === undefined ? NOTHING : { records: insert.recordsOut, bytes: insert.bytesOut }
  if (vertex.kind === 'sink') return [out, out]
  const read = vertex.inputs
    .map((input) => flowsOf(vertices[input]!, vertices, figures)[1])
    .reduce((sum, flow) => ({ records: sum.records + flow.records, bytes: sum.bytes + flow.bytes }), NOTHING)
  return [read, out]
}

export function whole(value: number): number {
  return Math.trunc(value)
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex')
}
