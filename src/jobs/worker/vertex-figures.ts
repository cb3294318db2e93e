/**
 * The figures of the operators of a job, in the order of the plan's vertices: sources, queries, sinks.
 *
 *   source   reads events, and passes on the rows of those that it can read. It is busy while events are read and decoded,
 *            and backpressured while a step waits for a sink.
 *   query    takes the rows of its sources and of tables that it reads once; rows of lookups are not counted. It is
 *            backpressured while a step waits for its sink. What queries share counts as time of each.
 *   sink     takes the rows of its query, and is busy while it writes.
 *
 * Rows have no size between operators: bytes are those of the events that were read or written for them.
 */
import type { JobPlan } from '../plan/job-plan.ts'
import { type Counters, sourcesOf } from './counters.ts'
import type { SourceFigures, VertexFigures } from './job-worker-protocol.ts'
import type { StepClock } from './step-clock.ts'

type SourceState = Pick<SourceFigures, 'lagRecords' | 'watermarkMs'>
type Times = Pick<VertexFigures, 'busyMs' | 'backpressuredMs' | 'idleMs'>

export function vertexFigures(
  plan: JobPlan,
  counters: Counters,
  sources: readonly SourceState[],
  clock: StepClock,
): VertexFigures[] {
  const sinkMs = plan.inserts.map((_, index) => clock.spentMs(`sink ${index}`))
  const allSinksMs = sinkMs.reduce((sum, ms) => sum + ms, 0)
  const times = (busyMs: number, backpressuredMs: number): Times => timesOf(clock, busyMs, backpressuredMs)
  const readMs = clock.spentMs('read')
  const sharedMs = clock.spentMs('query')
  return [
    ...counters.sources.map((counts, index) => ({
      ...{ recordsIn: counts.recordsIn, recordsOut: counts.rowsOut },
      ...{ bytesIn: counts.bytesIn, bytesOut: counts.bytesOut },
      ...times(readMs + clock.spentMs(`source ${index}`), allSinksMs),
      ...{ recordsLate: 0, recordsBad: counts.recordsBad },
      ...{ watermarkMs: sources[index]!.watermarkMs, pendingRecords: sources[index]!.lagRecords },
    })),
    ...counters.inserts.map((counts, index) => ({
      ...{ recordsIn: counts.recordsIn, recordsOut: counts.recordsOut },
      ...{ bytesIn: counts.bytesIn, bytesOut: counts.bytesOut },
      ...times(sharedMs + clock.spentMs(`query ${index}`), sinkMs[index]!),
      ...{ recordsLate: counts.recordsLate, recordsBad: 0 },
      ...{ watermarkMs: watermarkOf(plan, index, sources), pendingRecords: undefined },
    })),
    ...counters.inserts.map((counts, index) => ({
      ...{ recordsIn: counts.recordsTaken, recordsOut: counts.recordsWritten },
      ...{ bytesIn: counts.bytesOut, bytesOut: counts.bytesOut },
      ...times(sinkMs[index]!, 0),
      ...{ recordsLate: 0, recordsBad: 0 },
      ...{ watermarkMs: watermarkOf(plan, index, sources), pendingRecords: undefined },
    })),
  ]
}

/** They add up to the time of the attempt. */
function timesOf(clock: StepClock, busy: number, backpressured: number): Times {
  const [busyMs, backpressuredMs] = [Math.round(busy), Math.round(backpressured)]
  return {
    busyMs,
    backpressuredMs,
    idleMs: Math.max(0, Math.round(clock.totalMs) - busyMs - backpressuredMs),
  }
}

/** The smallest of its sources; undefined while one has none. */
function watermarkOf(plan: JobPlan, insert: number, sources: readonly SourceState[]): number | undefined {
  const watermarks = sourcesOf(plan, insert).map((index) => sources[index]!.watermarkMs)
  return watermarks.reduce(
    (least, one) => (least === undefined || one === undefined ? undefined : Math.min(least, one)),
    watermarks[0],
  )
}
