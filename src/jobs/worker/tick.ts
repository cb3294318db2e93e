/**
 * One tick of a job: reads events, runs the query over them, commits state and outbox in one transaction, and emits the
 * outbox. The next tick of the job begins after that.
 */

import type { SourcePosition } from '../connectors/connector.ts'
import type { JobPlan } from '../plan/job-plan.ts'
import type { QueryBoundary, ResultMoment } from '../query-result.ts'
import { afterEmission, afterTick, type Counters } from './counters.ts'
import { type BeforeEmit, emit, type SinkState } from './emission.ts'
import { findFailingEvent } from './failing-event.ts'
import type { JobConnection } from './job-connection.ts'
import type { JobDatabase } from './job-database.ts'
import { dataReason, isDataError, JobError } from './job-error.ts'
import type { BadRecord, CheckpointFigures } from './job-worker-protocol.ts'
import { largestWatermark } from './largest-watermark.ts'
import type { LookupTable } from './lookup-tables.ts'
import { placeOf } from './merged-order.ts'
import { StoredOutbox } from './outbox.ts'
import type { ResultPublisher } from './result-publisher.ts'
import type { SourceState, StateChange, StateFile } from './state-file.ts'
import type { StepClock } from './step-clock.ts'
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
  /** Rows of tables that are read once, for each insert. */
  readonly rowsOnce: readonly number[]
  readonly clock: StepClock
  readonly limits: TickLimits
  readonly nowMs: () => number
  /** Runs work on the engine in turn with other jobs. */
  readonly engine: <T>(work: () => Promise<T>) => Promise<T>
  readonly onBadRecord: (record: BadRecord) => void
  readonly onCheckpoint: (checkpoint: CheckpointFigures) => void
  /** Called for a commit that fails. */
  readonly onFailedCheckpoint: (failed: FailedCheckpoint) => void
  readonly beforeEmit: BeforeEmit | undefined
  /** The state was made from a savepoint, maybe of another statement over the same tables. */
  readonly isRestored: boolean
  /** Of the job of a cached query: sends the changes of its result, after they have been emitted. */
  readonly publisher?: ResultPublisher | undefined
}

export interface FailedCheckpoint {
  readonly id: number
  readonly startedMs: number
  readonly durationMs: number
}

interface Committed {
  /** The input, with the events that no window takes among the bad ones. */
  readonly taken: TickInputResult
  readonly counters: Counters
  readonly bytes: number
  /** Duration of the writes that make the commit durable. */
  readonly syncMs: number
}

interface TickPurpose {
  /** All windows close. */
  readonly drains?: boolean
  /** Of the job of a cached query: the sources have reached it. */
  readonly moment?: ResultMoment
}

export interface TickResult {
  readonly events: number
  readonly hasMore: boolean
  readonly isLast: boolean
  readonly durationMs: number
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

  /** `boundary`: up to where the job of a cached query may read. */
  async run(positions: readonly SourcePosition[], boundary?: QueryBoundary): Promise<TickResult> {
    const { engine, input, limits } = this.#parts
    const startMs = performance.now()
    const read = await input.read(positions, { ...limits, ...(boundary && { boundary }) }, engine)
    const moment = read.hasMore ? undefined : boundary?.moment
    if (!this.#hasWork(read, positions, moment)) return nothing(read, performance.now() - startMs)
    return this.#run(read, startMs, { ...(moment && { moment }) })
  }

  /** A commit without new events. `drains`: all windows close, as if the sources had ended. */
  runEmpty(positions: readonly SourcePosition[], drains: boolean): Promise<TickResult> {
    const sources = positions.map((position) => ({ ...NO_INPUT, position }))
    return this.#run({ sources, events: 0, hasMore: false, isLast: drains }, performance.now(), { drains })
  }

  async #run(read: TickInputResult, startMs: number, purpose: TickPurpose): Promise<TickResult> {
    const { engine, clock, publisher } = this.#parts
    await clock.during('query', () => this.#commit(read, purpose))
    await this.#emit()
    if (purpose.moment !== undefined && publisher !== undefined)
      await clock.during('sink 0', () => publisher.changes(this.#outbox(0)))
    this.#isFirst = false
    await clock.during('query', () => engine(() => this.#clear()))
    const { events, hasMore, isLast } = read
    return { events, hasMore, isLast, durationMs: performance.now() - startMs }
  }

  #hasWork(
    read: TickInputResult,
    positions: readonly SourcePosition[],
    moment: ResultMoment | undefined,
  ): boolean {
    if (read.events > 0 || read.isLast) return true
    if (moment !== undefined && this.#parts.ways.some(({ isBehind }) => isBehind)) return true
    if (this.#isFirst && this.#parts.ways.some(({ runsWithoutEvents }) => runsWithoutEvents)) return true
    // A source may go on without events, for example behind control records of Kafka.
    return read.sources.some(({ position }, i) => JSON.stringify(position) !== JSON.stringify(positions[i]))
  }

  async #commit(read: TickInputResult, purpose: TickPurpose): Promise<void> {
    const { database, connection, lookups, engine } = this.#parts
    try {
      if (read.events > 0) for (const lookup of lookups) await lookup.load(database, connection, engine)
      await engine(() => this.#checkpoint(read, purpose))
    } catch (error) {
      if (!isDataError(error)) throw error
      const message = dataReason(error)
      const record = await engine(() => this.#failingEvent(read.sources))
      throw new JobError(message, 'conversion', record, { cause: error })
    }
  }

  async #checkpoint(read: TickInputResult, purpose: TickPurpose): Promise<void> {
    const { state, nowMs, onCheckpoint, onFailedCheckpoint } = this.#parts
    const startedMs = nowMs()
    const beganMs = performance.now()
    let committed: Committed
    try {
      committed = await this.#transaction(read, purpose)
    } catch (error) {
      onFailedCheckpoint({ id: state.epoch + 1, startedMs, durationMs: performance.now() - beganMs })
      throw error
    }
    const { taken, counters, bytes, syncMs } = committed
    const durationMs = performance.now() - beganMs
    onCheckpoint({ id: state.epoch, startedMs, durationMs, syncMs, bytes, stateBytes: state.bytes })
    this.#reportBad(taken, counters)
    state.assertSize()
  }

  async #transaction(read: TickInputResult, { drains, moment }: TickPurpose): Promise<Committed> {
    const { connection, state, ways, plan, clock, rowsOnce } = this.#parts
    await connection.run('BEGIN')
    let change: StateChange
    let taken = read
    let writtenMs: number
    try {
      const sources = await this.#sourceStates(read)
      if (drains) await this.#passWindows(sources)
      const tick = { ...this.#wayTick(read, sources), ...(moment && { moment }) }
      const results: WayResult[] = []
      for (const [index, way] of ways.entries()) {
        if (this.#outboxRows[index]! > 0) await connection.run(`DELETE FROM ${state.outbox(index)}`)
        results.push(await clock.during(`query ${index}`, () => way.run(tick)))
      }
      taken = withUntimed(read, results, plan)
      change = {
        sources,
        counters: afterTick(state.counters, plan, taken, results, state.epoch === 0 ? rowsOnce : []),
        outboxRows: results.map(({ rows }) => rows),
      }
      writtenMs = performance.now()
      await state.write(change)
      await connection.run('COMMIT')
    } catch (error) {
      await connection.run('ROLLBACK').catch(() => {}) // the failed statement has ended the transaction
      throw error
    }
    const bytes = await state.committed(change)
    this.#outboxRows = [...change.outboxRows]
    return { taken, counters: change.counters, bytes, syncMs: performance.now() - writtenMs }
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
        const [row] = await connection.rows(largestWatermark(watermark, relation))
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
    const { state, sinks, engine, clock } = this.#parts
    const target = sinks[index]!
    const rows = this.#outboxRows[index]!
    const write = () => emit(target.sink, state.epoch, this.#outbox(index))
    const emitted = await clock.during(`sink ${index}`, write)
    state.counters = afterEmission(state.counters, index, rows, emitted) // durable with the next commit
    if (target.keepsRecord) return
    await engine(() => state.markEmitted(index))
    this.#outboxRows[index] = 0
  }

  /** Counts what the last attempt has emitted: its counts were not durable. */
  async countEmitted(index: number): Promise<void> {
    const { state, sinks, engine } = this.#parts
    const rows = this.#outboxRows[index]!
    const { sink, keepsRecord } = sinks[index]!
    if (rows === 0 || !keepsRecord || sink.sizeOf === undefined) return
    const emitted = await engine(() => sink.sizeOf!(this.#outbox(index)))
    state.counters = afterEmission(state.counters, index, rows, emitted)
  }

  #outbox(index: number): StoredOutbox {
    const { database, connection, plan, state } = this.#parts
    const { columns } = plan.inserts[index]!.sink
    const rows = this.#outboxRows[index]!
    return new StoredOutbox(database.bindings, connection, state.outbox(index), columns, rows)
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
  ...{ spans: [], events: 0, rows: 0, bytes: 0, bad: [], badBytes: 0, lastMs: undefined },
}

function nothing({ hasMore, isLast }: TickInputResult, durationMs: number): TickResult {
  return { events: 0, hasMore, isLast, durationMs }
}

/** With the events that no window takes among the bad ones: each once, whatever the number of windows. */
function withUntimed(
  read: TickInputResult,
  results: readonly WayResult[],
  { sources: plans }: JobPlan,
): TickInputResult {
  const columns = new Map(results.flatMap(({ untimed }) => [...(untimed ?? [])]))
  if (columns.size === 0) return read
  const orders = [...columns.keys()].sort((a, b) => (a < b ? -1 : 1))
  const sources = read.sources.map((source, index) => {
    const { tableName } = plans[index]!
    const added = orders.flatMap((order): BadRecord[] => {
      const place = placeOf(source.spans, order)
      const reason = `${columns.get(order)} is NULL, and no window takes an event without a time`
      return place === undefined ? [] : [{ tableName, ...place, reason }]
    })
    if (added.length === 0) return source
    const bad = [...source.bad, ...added].sort((a, b) => a.partition - b.partition || a.sequence - b.sequence)
    return { ...source, bad, untimed: added.length }
  })
  return { ...read, sources }
}
