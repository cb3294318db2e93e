/** One attempt of a job: from opening its state to its end. Errors end it; the service decides whether it starts again. */
import type { SqlError } from '../../duckdb/sql-error.ts'
import type { SourcePosition } from '../connectors/connector.ts'
import type { JobPlan } from '../plan/job-plan.ts'
import type { QueryBoundary } from '../query-result.ts'
import type { JobOrder, OrderOutcome } from '../savepoints/savepoint.ts'
import { type BeforeEmit, decideAtStart, type SinkState } from './emission.ts'
import { rowsOnceOf } from './fixed-rows.ts'
import { JobActivity } from './job-activity.ts'
import { failureOf } from './job-error.ts'
import { JobOrders } from './job-orders.ts'
import { JobParts, type OpenContext, viewOf } from './job-parts.ts'
import type { JobFailure, JobReport } from './job-worker-protocol.ts'
import { guardPlan } from './plan-guard.ts'
import { removeUnfinished, writeSavepoint } from './savepoint-writer.ts'
import type { StateFile } from './state-file.ts'
import { StateRestore } from './state-restore.ts'
import { StepClock, type StepPart } from './step-clock.ts'
import { Tick, type TickResult } from './tick.ts'
import { TickInput } from './tick-input.ts'

/** A lone event is read at once; after that the job waits at least so long, so that events share a tick. */
const PAUSE_MS_MIN = 100
/**
 * And this many times the duration of the last tick, so that expensive ticks leave time for other jobs. The time in which the
 * tick waited for others to leave the engine does not count: beside a job with long ticks the others would pause for longer
 * and longer.
 */
const PAUSE_PER_TICK = 4
/** Readers of a cached query wait for its ticks: it takes up to half of the engine, which it shares with the others by turns. */
const QUERY_PAUSE_MS_MIN = 20
const QUERY_PAUSE_PER_TICK = 1
/** Ticks of other jobs that begin up to so much later go before the first tick of a job whose last one stopped them. */
const YIELD_MS = 10_000
/** The service is asked again after this time for a boundary that it does not have. */
const BOUNDARY_MS = 200
/** A cancelled job ends with its running step; after this time the step is interrupted. */
export const CANCEL_MS_MAX = 10_000

export interface RunningJobParts extends OpenContext {
  /** `tickMs`: when the running tick began. */
  readonly engine: <T>(tickMs: number, work: () => Promise<T>) => Promise<T>
  readonly report: (report: JobReport) => void
  readonly beforeEmit: BeforeEmit | undefined
  readonly afterSavepoint: (() => Promise<void>) | undefined
}

export class RunningJob {
  readonly #parts: RunningJobParts
  readonly #opened: JobParts
  readonly #clock = new StepClock()
  #activity: JobActivity | undefined
  readonly #orders: JobOrders
  readonly #cancel = new AbortController()
  readonly #ended: Promise<void>
  /** Time that steps of this job have waited for the engine. */
  #waitedMs = 0
  /** When the running tick began; before the first one, when the attempt began. */
  #tickMs = performance.now()

  constructor(parts: RunningJobParts) {
    this.#parts = parts
    this.#opened = new JobParts(parts)
    this.#orders = new JobOrders(parts.start.order)
    this.#ended = this.#run()
  }

  get isBusy(): boolean {
    return this.#parts.connection.isBusy
  }

  /** Part of the step that runs now, and for how long it has. */
  get now(): StepClock['now'] {
    return this.#clock.now
  }

  /** Resolves when nothing of the job runs any more. */
  get ended(): Promise<void> {
    return this.#ended
  }

  /** Ends the running statement with this error. */
  interrupt(reason: SqlError): void {
    this.#parts.connection.interrupt(reason)
  }

  /** Does this after the running tick. The outcome is a report, if the job runs until then. */
  order(order: JobOrder): void {
    this.#orders.add(order)
  }

  /** Ends the job with its running step. Resolves when nothing of it runs any more. */
  async cancel(reason: SqlError): Promise<void> {
    this.#cancel.abort()
    const timer = setInterval(() => {
      this.interrupt(reason)
      void this.#opened.closeConnectors() // ends requests that are not answered
    }, CANCEL_MS_MAX)
    await this.#ended.finally(() => clearInterval(timer))
  }

  readonly #engine = <T>(work: () => Promise<T>): Promise<T> => {
    const askedMs = performance.now()
    return this.#parts.engine(this.#tickMs, () => {
      this.#waitedMs += performance.now() - askedMs
      return work()
    })
  }

  async #run(): Promise<void> {
    const { report } = this.#parts
    let last: JobReport | undefined
    try {
      last = (await this.#ticks()) ? { kind: 'finished' } : undefined
      this.#activity?.reportLast()
    } catch (error) {
      const failure = this.#cancel.signal.aborted ? undefined : this.#failureOf(error)
      this.#activity?.reportLast(failure?.message)
      if (failure !== undefined) last = { kind: 'failed', failure }
    }
    await this.#opened.close()
    if (last !== undefined) report(last)
  }

  /** Resolves with true if all sources have ended or the job was stopped, and with false if it was cancelled. */
  async #ticks(): Promise<boolean> {
    const { report, start } = this.#parts
    const { signal } = this.#cancel
    await this.#engine(() => guardPlan(start.plan, this.#parts.connection))
    const restore = await this.#open()
    const state = this.#opened.state!
    const positions = await this.#positions(state)
    const epoch = state.epoch > 0 ? { epoch: state.epoch } : {}
    const activity = new JobActivity({
      ...{ plan: start.plan, state, sources: this.#opened.sources, clock: this.#clock },
      report: (figures, checkpoints) =>
        report({ kind: 'progress', figures, ...(checkpoints && { checkpoints }) }),
    })
    const tick = await this.#settledTick(state, activity, restore !== undefined)
    report({ kind: 'running', ...epoch })
    this.#activity = activity
    activity.begins()
    let yieldMs = start.yields ? YIELD_MS : 0
    while (!signal.aborted) {
      if (await this.#followOrders(tick, positions, activity)) {
        await activity.finished()
        return true
      }
      if (signal.aborted) return false
      const waitedMs = this.#waitedMs
      this.#tickMs = performance.now() + yieldMs
      yieldMs = 0
      activity.ticking()
      const boundary = await this.#boundary()
      if (boundary === null) {
        activity.ticked()
        await sleep(BOUNDARY_MS, AbortSignal.any([signal, this.#orders.arrived]))
        continue
      }
      const result = await tick.run(positions, boundary)
      this.#advance(positions, state)
      activity.ticked()
      if (result.isLast) {
        await activity.finished()
        return true
      }
      await this.#pause(result, positions, result.durationMs - (this.#waitedMs - waitedMs))
    }
    return false
  }

  /** Up to where the job of a cached query may read; null: nothing now. Undefined for other jobs, which read everything. */
  async #boundary(): Promise<QueryBoundary | null | undefined> {
    const { start, connectors } = this.#parts
    return start.query === undefined ? undefined : connectors.service.boundary(start.jid)
  }

  #failureOf(error: unknown): JobFailure {
    const failure = failureOf(this.#opened.state?.explained(error) ?? error)
    const vertex = vertexOf(this.#parts.start.plan, this.#clock.failed)
    return { ...failure, ...(vertex !== undefined && { vertex }) }
  }

  /** Opens everything. Returns the savepoint from which the state has been made, if it has. */
  async #open(): Promise<StateRestore | undefined> {
    const { start, connection } = this.#parts
    await removeUnfinished(start.stateFolder)
    const restore = await StateRestore.begin(start.stateFolder)
    await this.#opened.open()
    const { state, sinks } = this.#opened
    await restore?.finish({ state: state!, connection, engine: this.#engine, sinks })
    return restore
  }

  /** Does what was ordered. Resolves with true if the job ends with it. */
  async #followOrders(tick: Tick, positions: SourcePosition[], activity: JobActivity): Promise<boolean> {
    for (;;) {
      const order = this.#cancel.signal.aborted ? undefined : this.#orders.take()
      if (order === undefined) return false
      // An error of this commit ends the attempt, as one of a tick does.
      if (order.kind === 'checkpoint' || order.drains) {
        activity.ticking()
        await tick.runEmpty(positions, order.kind === 'savepoint')
        activity.ticked()
      }
      const outcome = order.kind === 'checkpoint' ? this.#done() : await this.#savepoint(order)
      this.#parts.report({ kind: 'order', id: order.id, outcome })
      if (order.kind === 'checkpoint' || outcome.kind === 'failed') continue
      await this.#parts.afterSavepoint?.()
      if (order.ends) return true
    }
  }

  #done(): OrderOutcome & { readonly kind: 'done' } {
    return { kind: 'done', epoch: this.#opened.state!.epoch }
  }

  async #savepoint(order: JobOrder & { readonly kind: 'savepoint' }): Promise<OrderOutcome> {
    const { start, connection, connectors } = this.#parts
    const state = this.#opened.state!
    const context = {
      ...{ jid: start.jid, stateFolder: start.stateFolder, signature: start.plan.signature },
      ...{ state, connection, engine: this.#engine, nowMs: connectors.nowMs, signal: this.#cancel.signal },
    }
    const [startedMs, beganMs] = [connectors.nowMs(), performance.now()]
    try {
      return { ...this.#done(), savepoint: await writeSavepoint(context, order) }
    } catch (error) {
      const { message } = failureOf(state.explained(error))
      const attempt = { epoch: state.epoch, startedMs, durationMs: performance.now() - beganMs }
      return {
        kind: 'failed',
        message: this.#cancel.signal.aborted ? 'the job was cancelled' : message,
        attempt,
      }
    }
  }

  /** Where each source goes on. A start position is durable before the job runs: the latest one is another one later. */
  async #positions(state: StateFile): Promise<SourcePosition[]> {
    const started = new Map<string, SourcePosition>()
    const positions = await Promise.all(
      this.#opened.sources.map(async ({ plan: { relation }, source }) => {
        const known = state.sources.get(relation)?.position
        if (known !== undefined) return known
        const position = await source.start()
        started.set(relation, position)
        return position
      }),
    )
    if (started.size > 0) await this.#engine(() => state.begin(started))
    return positions
  }

  #advance(positions: SourcePosition[], state: StateFile): void {
    for (const [index, { plan }] of this.#opened.sources.entries())
      positions[index] = state.sources.get(plan.relation)?.position ?? positions[index]!
  }

  /** Compares the state with the sinks, and emits what the last attempt has committed and not emitted. */
  async #settledTick(state: StateFile, activity: JobActivity, isRestored: boolean): Promise<Tick> {
    const { start, database, connection, connectors, report, beforeEmit } = this.#parts
    const { sources, lookups, ways, sinks, fixedRows } = this.#opened
    const engine = this.#clock.waiting(this.#engine)
    const publisher = this.#opened.publisher()
    const sinkStates: SinkState[] = []
    const rows: number[] = []
    const waiting: number[] = []
    for (const [index, sink] of sinks.entries()) {
      const recorded = await sink.recorded()
      rows.push(await engine(() => state.outboxRows(index)))
      sinkStates.push({ sink, keepsRecord: recorded !== 'unknowable' })
      if (decideAtStart(state.epoch, state.emissions[index]!, rows[index]!, recorded) === 'emit')
        waiting.push(index)
    }
    const tick = new Tick(
      {
        plan: start.plan,
        database,
        connection,
        state,
        input: new TickInput(sources, this.#clock, start.query === undefined),
        views: start.plan.sources.map(viewOf),
        lookups,
        ways,
        sinks: sinkStates,
        rowsOnce: rowsOnceOf(start.plan, fixedRows),
        clock: this.#clock,
        limits: { eventsMax: start.tickEventsMax, bytesMax: start.tickBytesMax },
        nowMs: connectors.nowMs,
        engine,
        onBadRecord: (record) => report({ kind: 'bad-record', record }),
        onCheckpoint: (checkpoint) => activity.committed(checkpoint),
        onFailedCheckpoint: (checkpoint) => activity.failed(checkpoint),
        ...{ beforeEmit, isRestored, publisher },
      },
      rows,
    )
    for (const index of sinks.keys()) {
      if (waiting.includes(index)) await tick.emitOutbox(index)
      else await tick.countEmitted(index)
    }
    await publisher?.whole(await engine(() => this.#opened.result()))
    return tick
  }

  /** Until the sources have more events, and the pause after the last tick is over. */
  async #pause(
    { hasMore, events }: TickResult,
    positions: readonly SourcePosition[],
    tickMs: number,
  ): Promise<void> {
    const signal = AbortSignal.any([this.#cancel.signal, this.#orders.arrived])
    if (hasMore && events > 0 && this.#parts.start.pauseMs === undefined) return
    const pause = sleep(this.#pauseMs(tickMs), signal)
    if (!hasMore) await this.#grown(positions, signal)
    await pause
  }

  #pauseMs(tickMs: number): number {
    const { query, pauseMs = 0 } = this.#parts.start
    return query === undefined
      ? Math.max(PAUSE_MS_MIN, PAUSE_PER_TICK * tickMs, pauseMs)
      : Math.max(QUERY_PAUSE_MS_MIN, QUERY_PAUSE_PER_TICK * tickMs)
  }

  async #grown(positions: readonly SourcePosition[], until: AbortSignal): Promise<void> {
    const stop = new AbortController()
    const signal = AbortSignal.any([stop.signal, until])
    const { sources } = this.#opened
    try {
      if (sources.length === 0) await sleep(UNTIL_CANCELLED_MS, signal)
      else await Promise.race(sources.map(({ source }, index) => source.grown(positions[index]!, signal)))
    } finally {
      stop.abort()
    }
  }
}

/** The vertex in whose part of a step an error arose, as an index into those of the plan. */
function vertexOf({ sources, inserts }: JobPlan, part: StepPart | undefined): number | undefined {
  const [kind, number] = part?.split(' ') ?? []
  const first = { source: 0, query: sources.length, sink: sources.length + inserts.length }[kind ?? '']
  if (first !== undefined && number !== undefined) return first + Number(number)
  return kind === 'query' && inserts.length === 1 ? sources.length : undefined
}

/** The longest time of a timer. */
const UNTIL_CANCELLED_MS = 2_147_483_647

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}
