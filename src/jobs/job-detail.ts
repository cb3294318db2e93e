/**
 * A job as Flink's REST API describes it: the body of `GET /jobs/:id`, and of the calls of other APIs that show the same. Times are
 * milliseconds, all numbers whole; a time that is not known is 0 in `timestamps` and -1 elsewhere, as in Flink.
 *
 * Flink has no member for the records that a job reads, writes and drops, and for its lag. They are in `millrace`, which
 * clients of Flink ignore.
 */
import { JOB_STATES, type JobException, type JobView } from './job.ts'
import type { VertexPlan } from './plan/job-plan.ts'
import { countsOf, MAX_PARALLELISM, vertexDetail, vertexId, whole } from './vertex-detail.ts'
import type { BadRecord, JobFigures } from './worker/job-worker-protocol.ts'

/** Of the history of a job in its detail. */
const EXCEPTIONS_SHOWN_MAX = 20

export function jobDetail(job: JobView, nowMs: number): object {
  const { jid, name, state, startMs, endMs } = job
  const vertices = job.vertices.map((vertex) => vertexDetail(vertex, job, nowMs))
  return {
    jid,
    name,
    isStoppable: false,
    state,
    'job-type': 'STREAMING',
    'start-time': whole(startMs),
    'end-time': whole(endMs ?? -1),
    duration: whole((endMs ?? nowMs) - startMs),
    maxParallelism: MAX_PARALLELISM,
    now: whole(nowMs),
    timestamps: Object.fromEntries(JOB_STATES.map((one) => [one, whole(job.enteredMs[one] ?? 0)])),
    vertices,
    'status-counts': countsOf(vertices.map(({ status }) => status)),
    'pending-operators': 0,
    plan: planDetail(job),
    millrace: progressOf(job),
  }
}

/** The plan as the dashboard draws it. */
export function planDetail({ jid, name, vertices }: Pick<JobView, 'jid' | 'name' | 'vertices'>): object {
  const nodes = vertices.map((vertex) => ({
    id: vertexId(vertex),
    parallelism: 1,
    operator: '',
    operator_strategy: '',
    description: escapedHtml(vertex.name),
    ...(vertex.inputs.length > 0 && {
      inputs: vertex.inputs.map((input, num) => inputOf(vertices, input, num)),
    }),
    optimizer_properties: {},
  }))
  return { jid, name, type: 'STREAMING', nodes }
}

function inputOf(vertices: readonly VertexPlan[], input: number, num: number): object {
  const ship_strategy = 'FORWARD'
  return { num, id: vertexId(vertices[input]!), ship_strategy, exchange: 'pipelined_bounded' }
}

/** How far the job is, in words that Flink's API does not have. */
function progressOf(job: JobView): object {
  const { figures, vertices } = job
  const sources = figures?.sources ?? []
  const inserts = figures?.inserts ?? []
  const nameOf = (kind: VertexPlan['kind'], index: number) =>
    vertices.find((vertex) => vertex.kind === kind && vertex.index === index)?.name ?? null
  return {
    statement: job.statement,
    tableIds: job.tableIds,
    restarts: job.attempt,
    recordsIn: sum(sources, ({ recordsIn }) => recordsIn),
    recordsOut: sum(inserts, ({ recordsOut }) => recordsOut),
    recordsLate: sum(inserts, ({ recordsLate }) => recordsLate),
    recordsBad: sum(sources, ({ recordsBad }) => recordsBad),
    lagRecords: known(
      sources.map(({ lagRecords }) => lagRecords),
      (lags) => lags.reduce((a, b) => a + b, 0),
    ),
    lagMs: known(
      sources.map(({ lagMs }) => lagMs),
      (lags) => Math.max(...lags),
    ),
    lastCheckpoint: checkpointOf(figures),
    sources: sources.map((source, i) => ({
      name: nameOf('source', i),
      recordsIn: whole(source.recordsIn),
      bytesIn: whole(source.bytesIn),
      recordsBad: whole(source.recordsBad),
      lagRecords: wholeOrNull(source.lagRecords),
      lagMs: wholeOrNull(source.lagMs),
      watermark: wholeOrNull(source.watermarkMs),
    })),
    sinks: inserts.map((insert, i) => ({
      name: nameOf('sink', i),
      recordsOut: whole(insert.recordsOut),
      bytesOut: whole(insert.bytesOut),
      recordsLate: whole(insert.recordsLate),
    })),
    badRecords: job.badRecords.map(badRecordOf),
    exceptions: job.exceptions.slice(-EXCEPTIONS_SHOWN_MAX).reverse().map(exceptionOf),
    warnings: job.warnings,
  }
}

function checkpointOf(figures: JobFigures | undefined): object | null {
  if (figures?.checkpoint === undefined) return null
  const { id, startedMs, durationMs, bytes, stateBytes } = figures.checkpoint
  return {
    id,
    timestamp: whole(startedMs),
    durationMs: whole(durationMs),
    bytes: whole(bytes),
    stateBytes: whole(stateBytes),
  }
}

function badRecordOf({ tableName, partition, sequence, timestampMs, reason }: BadRecord): object {
  return { table: tableName, partition, sequence, timestamp: whole(timestampMs), reason }
}

function exceptionOf({ timestampMs, message, record }: JobException): object {
  return {
    timestamp: whole(timestampMs),
    message,
    ...(record !== undefined && { record: badRecordOf(record) }),
  }
}

/** Null where one is not known: the sum or the largest would be too small. */
function known(
  values: readonly (number | undefined)[],
  join: (values: readonly number[]) => number,
): number | null {
  const all = values.filter((value) => value !== undefined)
  return all.length === 0 || all.length < values.length ? null : whole(join(all))
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return whole(items.reduce((total, item) => total + of(item), 0))
}

/** As Flink prepares texts that the dashboard shows as HTML. */
function escapedHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '<br/>')
    .replaceAll('\\', '&#92;')
}

function wholeOrNull(value: number | undefined): number | null {
  return value === undefined ? null : whole(value)
}
