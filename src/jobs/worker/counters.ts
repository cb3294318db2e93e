/**
 * The counts of a job that survive restarts: they are in the state file, as JSON, and change with its commits. What a sink has
 * written is counted after the commit of its rows and is durable with the next one. A file of an earlier version lacks some
 * members; they are derived from the others.
 */
import type { Emitted } from '../connectors/connector.ts'
import type { JobPlan } from '../plan/job-plan.ts'
import type { TickInputResult } from './tick-input.ts'
import type { WayResult } from './way.ts'

export interface SourceCounts {
  /** Events read, and bytes of their bodies. */
  readonly recordsIn: number
  readonly bytesIn: number
  readonly recordsBad: number
  /** Those of them that could be read, and have no time that a window needs. Missing: none. */
  readonly recordsUntimed?: number
  /** Rows of the events that could be read, and bytes of these events. */
  readonly rowsOut: number
  readonly bytesOut: number
}

export interface InsertCounts {
  /** Rows that the query has taken from its sources and from tables that it reads once. */
  readonly recordsIn: number
  readonly bytesIn: number
  /** Rows that the query has made. */
  readonly recordsOut: number
  readonly recordsLate: number
  /** Rows that the sink has taken; events or rows that it has written, and their bytes. */
  readonly recordsTaken: number
  readonly recordsWritten: number
  readonly bytesOut: number
}

/** In the order of the plan. */
export interface Counters {
  readonly sources: readonly SourceCounts[]
  readonly inserts: readonly InsertCounts[]
}

export function noCounts(plan: JobPlan): Counters {
  return {
    sources: plan.sources.map(() => ({ recordsIn: 0, bytesIn: 0, recordsBad: 0, rowsOut: 0, bytesOut: 0 })),
    inserts: plan.inserts.map(() => ({
      ...{ recordsIn: 0, bytesIn: 0, recordsOut: 0, recordsLate: 0 },
      ...{ recordsTaken: 0, recordsWritten: 0, bytesOut: 0 },
    })),
  }
}

type Stored<Counts, Added extends keyof Counts> = Omit<Counts, Added> & Partial<Pick<Counts, Added>>

/** `outboxRows`: rows of the last commit for each sink, which are not counted as taken yet. */
export function storedCounts(json: string, plan: JobPlan, outboxRows: readonly number[]): Counters {
  const stored = JSON.parse(json) as {
    sources: Stored<SourceCounts, 'rowsOut' | 'bytesOut'>[]
    inserts: Stored<InsertCounts, 'recordsIn' | 'bytesIn' | 'recordsTaken' | 'recordsWritten'>[]
  }
  const sources = stored.sources.map((counts) => ({
    rowsOut: counts.recordsIn - counts.recordsBad + (counts.recordsUntimed ?? 0),
    bytesOut: counts.bytesIn,
    ...counts,
  }))
  const inserts = stored.inserts.map((counts, insert) => {
    const recordsTaken = counts.recordsOut - outboxRows[insert]!
    const inputs = sourcesOf(plan, insert).map((index) => sources[index]!)
    return {
      recordsIn: sum(inputs, ({ rowsOut }) => rowsOut),
      bytesIn: sum(inputs, ({ bytesOut }) => bytesOut),
      recordsTaken,
      recordsWritten: recordsTaken,
      ...counts,
    }
  })
  return { sources, inserts }
}

/** Counts after a tick. `rowsOnce`: rows of tables that are read once, for each insert; they count in the first tick. */
export function afterTick(
  counters: Counters,
  plan: JobPlan,
  read: TickInputResult,
  results: readonly WayResult[],
  rowsOnce: readonly number[],
): Counters {
  const rows = read.sources.map((input) => input.rows)
  const goodBytes = read.sources.map(({ bytes, badBytes }) => bytes - badBytes)
  return {
    sources: counters.sources.map((counts, index) => {
      const { events, bytes, bad, untimed = 0 } = read.sources[index]!
      const recordsUntimed = (counts.recordsUntimed ?? 0) + untimed
      return {
        recordsIn: counts.recordsIn + events,
        bytesIn: counts.bytesIn + bytes,
        recordsBad: counts.recordsBad + bad.length,
        ...(recordsUntimed > 0 && { recordsUntimed }),
        rowsOut: counts.rowsOut + rows[index]!,
        bytesOut: counts.bytesOut + goodBytes[index]!,
      }
    }),
    inserts: counters.inserts.map((counts, insert) => {
      const inputs = sourcesOf(plan, insert)
      return {
        ...counts,
        recordsIn: counts.recordsIn + sum(inputs, (index) => rows[index]!) + (rowsOnce[insert] ?? 0),
        bytesIn: counts.bytesIn + sum(inputs, (index) => goodBytes[index]!),
        recordsOut: counts.recordsOut + results[insert]!.rows,
        recordsLate: counts.recordsLate + results[insert]!.late,
      }
    }),
  }
}

/** Counts after a sink has written `rows` rows. */
export function afterEmission(
  counters: Counters,
  insert: number,
  rows: number,
  { records, bytes }: Emitted,
): Counters {
  const inserts = counters.inserts.map((counts, index) => {
    if (index !== insert) return counts
    return {
      ...counts,
      recordsTaken: counts.recordsTaken + rows,
      recordsWritten: counts.recordsWritten + records,
      bytesOut: counts.bytesOut + bytes,
    }
  })
  return { sources: counters.sources, inserts }
}

/** Indexes of the sources that the query of an insert reads. */
export function sourcesOf(plan: JobPlan, insert: number): readonly number[] {
  const query = plan.vertices.find(({ kind, index }) => kind === 'query' && index === insert)
  return query?.inputs ?? plan.sources.map((_, index) => index)
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
