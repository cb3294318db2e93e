/**
 * One tick of a job: reads events, runs the query over them, commits state and outbox in one transaction, and emits the
 * outbox. The next tick of the job begins after that.
 */

import type { SourcePosition } from '../connectors/connector.ts'
import type { JobPlan } from '../plan/job-plan.ts'
import { type BeforeEmit, emit, type SinkState } from './emission.ts'
import { findFailingEvent } from './failing-event.ts'
import type { JobConnection } from './job-connection.ts'
import type { JobDatabase } from './job-database.ts'
import { dataReason, isDataError, JobError } from './job-error.ts'
import type { BadRecord } from './job-worker-protocol.ts'
import type { LookupTable } from './lookup-tables.ts'
import { StoredOutbox } from './outbox.ts'
import type { Counters, SourceState, StateChange, StateFile } from './state-file.ts'
import type { SourceInput, TickInput, TickInputResult, TickLimits } from './tick-input.ts'
import type { Watermarks, Way, WayResult, WayTick } from './way.ts'

export interface TickParts {
  readonly plan: JobPlan
  readonly database: JobDatabase
  readonly connection: JobConnection
  readonly state: StateFile
  readonly input: TickInput
  /** Relations of the views of the sources, with the SQL that creates them for events up to an order. */
  readonly views: readonly ((lastOrder: bigint | undefined) => string)[]
  readonly lookups: readonly LookupTable[]
  readonly ways: readonly Way[]
  readonly sinks: readonly SinkState[]
  readonly limits: TickLimits
  readonly nowMs: () => number
  /** Runs work on the engine in turn with other jobs. */
  readonly engine: <T>(work: () => Promise<T>) => Promise<T>
  readonly onBadRecord: (record: BadRecord) => void
  readonly beforeEmit: BeforeEmit | undefined
  /** The state was made from a savepoint, maybe of another statement over the same tables. */
  readonly isRestored: boolean
}

export interface Checkpoint {
  readonly id: number
  readonly startedMs: number
  readonly durationMs: number
  readonly bytes: number
  readonly stateBytes: number
}

export interface TickResult {
  readonly events: number
  readonly hasMore: boolean
  readonly isLast: boolean
  readonly durationMs: number
  /** Part of the duration in which the sinks wrote. */
  readonly emitMs: number
  /** Undefined if nothing has changed. */
  readonly checkpoint: Checkpoint | undefined
}

/** Of each source, over all attempts, so many bad events are reported with their reasons. */
const BAD_REPORTED_MAX = 5

export class Tick {
  readonly #parts: TickParts
  #isFirst = true
  #outboxRows: number[]

  /** `outboxRows`: rows that the outboxes of the state hold. */
  constructor(parts: TickParts, outboxRows: readonly number[]) {
    this.#parts = parts
    this.#outboxRows = [...outboxRows]
  }

  async run(positions: readonly SourcePosition[]): Promise<TickResult> {
    const { engine, input, limits } = this.#parts
    const startMs = performance.now()
    const read = await input.read(positions, limits, engine)
    if (!this.#hasWork(read, positions)) return nothing(read, performance.now() - startMs)
    return this.#run(read, startMs)
  }

  /** A commit without new events. `drains`: all windows close, as if the sources had ended. */
  runEmpty(positions: readonly SourcePosition[], drains: boolean): Promise<TickResult> {
    const sources = positions.map((position) => ({ ...NO_INPUT, position }))
    return this.#run({ sources, events: 0, hasMore: false, isLast: drains }, performance.now(), drains)
  }

  async #run(read: TickInputResult, startMs: number, drains = false): Promise<TickResult> {
    const { engine } = this.#parts
    const checkpoint = await this.#commit(read, drains)
    const emitStartMs = performance.now()
    await this.#emit()
    const endMs = performance.now()
    this.#isFirst = false
    await engine(() => this.#clear())
    const { events, hasMore, isLast } = read
    return {
      events,
      hasMore,
      isLast,
      durationMs: performance.now() - startMs,
      emitMs: endMs - emitStartMs,
      checkpoint,
    }
  }

  #hasWork(read: TickInputResult, positions: readonly SourcePosition[]): boolean {
    if (read.events > 0 || read.isLast) return true
    if (this.#isFirst && this.#parts.ways.some(({ runsWithoutEvents }) => runsWithoutEvents)) return true
    // A source may go on without events, for example behind control records of Kafka.
    return read.sources.some(({ position }, i) => JSON.stringify(position) !== JSON.stringify(positions[i]))
  }

  async #commit(read: TickInputResult, drains: boolean): Promise<Checkpoint> {
    const { database, connection, lookups, engine, nowMs } = this.#parts
    try {
      if (read.events > 0) for (const lookup of lookups) await lookup.load(database, connection, engine)
      return await engine(() => this.#transaction(read, nowMs(), drains))
    } catch (error) {
      if (!isDataError(error)) throw error
      const message = dataReason(error)
      const record = await engine(() => this.#failingEvent(read.sources))
      throw new JobError(message, 'conversion', record, { cause: error })
    }
  }

  async #transaction(read: TickInputResult, startedMs: number, drains: boolean): Promise<Checkpoint> {
    const { connection, state, ways } = this.#parts
    const beganMs = performance.now()
    await connection.run('BEGIN')
    let change: StateChange
    try {
      const sources = await this.#sourceStates(read)
      if (drains) await this.#passWindows(sources)
      const tick = this.#wayTick(read, sources)
      const results: WayResult[] = []
      for (const [index, way] of ways.entries()) {
        if (this.#outboxRows[index]! > 0) await connection.run(`DELETE FROM ${state.outbox(index)}`)
        results.push(await way.run(tick))
      }
      change = {
        sources,
        counters: added(state.counters, read, results),
        outboxRows: results.map(({ rows }) => rows),
      }
      await state.write(change)
      await connection.run('COMMIT')
    } catch (error) {
      await connection.run('ROLLBACK').catch(() => {}) // the failed statement has ended the transaction
      throw error
    }
    const bytes = state.committed(change)
    this.#outboxRows = [...change.outboxRows]
    this.#reportBad(read, change.counters)
    state.assertSize()
    const durationMs = performance.now() - beganMs
    return { id: state.epoch, startedMs, durationMs, bytes, stateBytes: state.bytes }
  }

  /** Positions and watermarks of the sources that have moved. */
  async #sourceStates(read: TickInputResult): Promise<Map<string, SourceState>> {
    const { plan, state, connection } = this.#parts
    const states = new Map<string, SourceState>()
    for (const [index, { relation, watermark }] of plan.sources.entries()) {
      const { position, events } = read.sources[index]!
      const before = state.sources.get(relation)
      let watermarkMs = before?.watermarkMs
      if (watermark !== undefined && events > 0) {
        const [row] = await connection.rows(`SELECT CAST(max(${watermark}) AS BIGINT) FROM ${relation}`)
        const largest = row![0] === null ? undefined : Number(row![0])
        if (largest !== undefined) watermarkMs = Math.max(largest, watermarkMs ?? largest)
      }
      const isSame =
        before !== undefined && events === 0 && JSON.stringify(before.position) === JSON.stringify(position)
      if (!isSame) states.set(relation, { position, watermarkMs })
    }
    return states
  }

  /**
   * All windows close now. The watermarks pass their ends, so that a job that goes on from here writes no second row for one of
   * them, and later windows are as before.
   */
  async #passWindows(changed: Map<string, SourceState>): Promise<void> {
    const { ways, state } = this.#parts
    for (const way of ways) {
      for (const [relation, endMs] of (await way.openUntil?.()) ?? []) {
        const source = changed.get(relation) ?? state.sources.get(relation)
        if (source === undefined || (source.watermarkMs ?? Number.NEGATIVE_INFINITY) >= endMs - 1) continue
        changed.set(relation, { ...source, watermarkMs: endMs - 1 })
      }
    }
  }

  #wayTick(read: TickInputResult, changed: ReadonlyMap<string, SourceState>): WayTick {
    const { plan, state } = this.#parts
    const relations = plan.sources.map(({ relation }) => relation)
    const before: Watermarks = new Map(relations.map((name) => [name, state.sources.get(name)?.watermarkMs]))
    const after: Watermarks = new Map(
      relations.map((name) => [name, (changed.get(name) ?? state.sources.get(name))?.watermarkMs]),
    )
    const grown = new Set(relations.filter((_, index) => read.sources[index]!.events > 0))
    const rows = new Map(relations.map((name, index) => [name, read.sources[index]!.rows]))
    const isRestored = this.#isFirst && this.#parts.isRestored
    return { before, after, rows, grown, isLast: read.isLast, isFirst: state.epoch === 0, isRestored }
  }

  async #emit(): Promise<void> {
    const { state, beforeEmit, sinks } = this.#parts
    for (const index of sinks.keys()) {
      if (this.#outboxRows[index] === 0) continue
      await beforeEmit?.(state.epoch, index)
      await this.emitOutbox(index)
    }
  }

  /** Emits the outbox of the last commit to one sink. */
  async emitOutbox(index: number): Promise<void> {
    const { database, connection, plan, state, sinks, engine } = this.#parts
    const { columns } = plan.inserts[index]!.sink
    const target = sinks[index]!
    const rows = this.#outboxRows[index]!
    const outbox = new StoredOutbox(database.bindings, connection, state.outbox(index), columns, rows)
    const bytes = await emit(target.sink, state.epoch, outbox)
    state.counters.inserts[index]!.bytesOut += bytes // durable with the next commit
    if (target.keepsRecord) return
    await engine(() => state.markEmitted(index))
    this.#outboxRows[index] = 0
  }

  async #clear(): Promise<void> {
    await this.#parts.input.clear()
    for (const lookup of this.#parts.lookups) await lookup.clear()
  }

  #reportBad(read: TickInputResult, { sources }: Counters): void {
    for (const [index, { bad }] of read.sources.entries()) {
      const before = sources[index]!.recordsBad - bad.length
      for (const record of bad.slice(0, Math.max(0, BAD_REPORTED_MAX - before)))
        this.#parts.onBadRecord(record)
    }
  }

  async #failingEvent(inputs: readonly SourceInput[]): Promise<BadRecord | undefined> {
    const { connection, plan, views, lookups, ways } = this.#parts
    const probes = [...lookups.map(({ keys }) => keys), ...ways.flatMap((way) => way.probes)]
    const showUntil = async (order: bigint | undefined) => {
      for (const view of views) await connection.once(view(order))
    }
    try {
      return await findFailingEvent({
        tableNames: plan.sources.map(({ tableName }) => tableName),
        inputs,
        probes,
        async probe(sql, lastOrder) {
          await showUntil(lastOrder)
          await connection.once('BEGIN')
          try {
            await connection.once(`CREATE TEMP TABLE probed AS ${sql}`)
          } finally {
            await connection.once('ROLLBACK')
          }
        },
      })
    } finally {
      await showUntil(undefined)
    }
  }
}

const NO_INPUT: Omit<SourceInput, 'position'> = {
  ...{ spans: [], events: 0, rows: 0, bytes: 0, bad: [], lastMs: undefined },
}

function nothing({ hasMore, isLast }: TickInputResult, durationMs: number): TickResult {
  return { events: 0, hasMore, isLast, durationMs, emitMs: 0, checkpoint: undefined }
}

function added(counters: Counters, read: TickInputResult, results: readonly WayResult[]): Counters {
  return {
    sources: counters.sources.map((source, index) => {
      const { events, bytes, bad } = read.sources[index]!
      return {
        recordsIn: source.recordsIn + events,
        bytesIn: source.bytesIn + bytes,
        recordsBad: source.recordsBad + bad.length,
      }
    }),
    inserts: counters.inserts.map(({ recordsOut, bytesOut, recordsLate }, index) => ({
      recordsOut: recordsOut + results[index]!.rows,
      bytesOut,
      recordsLate: recordsLate + results[index]!.late,
    })),
  }
}
