/** The input of one job: reads its sources and decodes their events into temporary tables, tick by tick. */
import type { Source, SourceBatch, SourcePosition } from '../connectors/connector.ts'
import type { SourcePlan } from '../plan/job-plan.ts'
import type { QueryBoundary } from '../query-result.ts'
import type { BufferedTable } from './buffered-table.ts'
import type { DecodedEvents, EventDecoder } from './event-decoder.ts'
import { JobError } from './job-error.ts'
import type { BadRecord } from './job-worker-protocol.ts'
import {
  type EventOrders,
  lastPlace,
  MergedOrder,
  OwnOrders,
  placeOf,
  SOURCES_MAX,
  type Span,
} from './merged-order.ts'
import type { StepClock } from './step-clock.ts'

export interface InputSource {
  readonly plan: SourcePlan
  readonly source: Source
  readonly table: BufferedTable
  readonly decoder: EventDecoder
}

/** What one source gives to a tick. */
export interface SourceInput {
  readonly position: SourcePosition
  readonly spans: readonly Span[]
  readonly events: number
  /** Events that could be read; of a source of changes, the changes. */
  readonly rows: number
  readonly bytes: number
  /** Those of the events that could not be read. */
  readonly badBytes: number
  readonly bad: readonly BadRecord[]
  /** How many of `bad` are readable, and have no time that a window needs. */
  readonly untimed?: number
  /** Time of the last event. */
  readonly lastMs: number | undefined
}

export interface TickInputResult {
  readonly sources: readonly SourceInput[]
  readonly events: number
  /** More events are waiting. */
  readonly hasMore: boolean
  /** All sources have been read to their ends. */
  readonly isLast: boolean
}

export interface TickLimits {
  readonly eventsMax: number
  readonly bytesMax: number
  /** Of the job of a cached query: no source is read beyond it, and sources are read independently of one another. */
  readonly boundary?: QueryBoundary
}

/** Runs work on the engine in turn with other jobs. */
export type Engine = <T>(work: () => Promise<T>) => Promise<T>

interface Batch {
  readonly batch: SourceBatch | undefined
  readonly decoded: DecodedEvents
}

export class TickInput {
  readonly #sources: readonly InputSource[]
  readonly #clock: StepClock
  readonly #isMerged: boolean
  /** No event of a later tick is older: orders are counted from here. */
  #baseMs = 0

  /** `isMerged`: events of all sources have one order. */
  constructor(sources: readonly InputSource[], clock: StepClock, isMerged = true) {
    if (isMerged && sources.length > SOURCES_MAX)
      throw new JobError(
        `the statement reads ${sources.length} streams; at most ${SOURCES_MAX} are possible`,
        'lasting',
      )
    this.#sources = sources
    this.#clock = clock
    this.#isMerged = isMerged
  }

  /**
   * Reads what follows `positions`, which are in the order of the sources. `engine` runs work in turn with other jobs: a
   * source that does not answer holds up only its own job.
   */
  async read(
    positions: readonly SourcePosition[],
    { boundary, ...limits }: TickLimits,
    engine: Engine,
  ): Promise<TickInputResult> {
    const reads = await this.#clock.during('read', () =>
      Promise.allSettled(
        this.#sources.map(({ source, plan }, index) =>
          source.read(positions[index]!, { ...limits, ...boundOf(boundary, plan) }),
        ),
      ),
    )
    const waiting = new Set(
      reads.flatMap((read) => (read.status === 'fulfilled' && read.value ? [read.value] : [])),
    )
    try {
      const batches = reads.map((read, index) => {
        if (read.status === 'fulfilled') return read.value
        this.#clock.failedIn(`source ${index}`)
        throw read.reason
      })
      return await this.#decode(positions, batches, waiting, engine)
    } catch (error) {
      await Promise.allSettled([...waiting].map((batch) => batch.abandon?.()))
      throw error
    }
  }

  async clear(): Promise<void> {
    for (const { table } of this.#sources) await table.clear()
  }

  /** Takes the batches that it begins to read out of `waiting`. */
  async #decode(
    positions: readonly SourcePosition[],
    read: readonly (SourceBatch | undefined)[],
    waiting: Set<SourceBatch>,
    engine: Engine,
  ): Promise<TickInputResult> {
    const count = this.#sources.length
    const merged = this.#isMerged ? new MergedOrder(count, this.#baseMs) : undefined
    const order = merged ?? new OwnOrders(count)
    const batches: Batch[] = []
    for (const [index, source] of this.#sources.entries()) {
      const batch = read[index]
      if (batch !== undefined) waiting.delete(batch)
      const decoded = await this.#clock.during(`source ${index}`, () =>
        decodeBatch(source, batch, order, engine),
      )
      batches.push({ batch, decoded })
    }
    const cut = count === 1 || merged === undefined ? undefined : cutOf(batches, merged)
    const sources: SourceInput[] = []
    for (const [index, source] of this.#sources.entries()) {
      const taken = () => engine(() => this.#taken(source, batches[index]!, positions[index]!, cut))
      sources.push(await this.#clock.during(`source ${index}`, taken))
    }
    this.#baseMs = Math.max(this.#baseMs, Math.min(...sources.map(({ lastMs }) => lastMs ?? this.#baseMs)))
    const decodedEvents = batches.reduce((sum, { decoded }) => sum + countOf(decoded.spans), 0)
    const events = sources.reduce((sum, { events: count }) => sum + count, 0)
    const hasMore = batches.some(({ batch }) => batch?.hasMore() ?? false) || decodedEvents > events
    return {
      sources,
      events,
      hasMore,
      isLast: !hasMore && this.#sources.every(({ source }) => source.isBounded),
    }
  }

  /** Leaves events after the cut to the next tick. */
  async #taken(
    { plan, table, decoder }: InputSource,
    { batch, decoded }: Batch,
    before: SourcePosition,
    cut: bigint | undefined,
  ): Promise<SourceInput> {
    let { spans, unfit } = decoded
    let position = batch === undefined ? before : batch.position()
    if (
      cut !== undefined &&
      batch?.positionAfter !== undefined &&
      spans.some((span) => span.firstOrder > cut)
    ) {
      // The cut is between two milliseconds of this source, so it is between two spans.
      spans = spans.filter(({ firstOrder }) => firstOrder <= cut)
      unfit = unfit.filter((event) => event.order <= cut)
      await table.deleteAfter(cut)
      position = batch.positionAfter(lastPlace(spans.at(-1)))
    }
    return {
      position,
      spans,
      events: countOf(spans),
      rows: table.rows - (decoder.keepsUnfit ? unfit.length : 0),
      bytes: spans.reduce((sum, { bytes }) => sum + bytes, 0),
      badBytes: unfit.reduce((sum, { bytes }) => sum + bytes, 0),
      bad: unfit.map((event) => ({
        tableName: plan.tableName,
        ...placeOf(spans, event.order)!,
        reason: event.reason,
      })),
      lastMs: spans.at(-1)?.timestampMs,
    }
  }
}

/** Throws JobError if the boundary does not have the source. */
function boundOf(
  boundary: QueryBoundary | undefined,
  { tableId, tableName }: SourcePlan,
): { readonly beforeSequence?: number } {
  if (boundary === undefined) return {}
  const end = boundary.ends.find((one) => one.tableId === tableId)
  if (end === undefined) throw new JobError(`table ${tableName} is not captured any more`, 'passing')
  return { beforeSequence: end.nextSequence }
}

function countOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { events }) => sum + events, 0)
}

/** The last order up to which the events of all sources are known; undefined: all events that were read. */
function cutOf(batches: readonly Batch[], order: MergedOrder): bigint | undefined {
  let cut: bigint | undefined
  for (const { batch, decoded } of batches) {
    const known = knownUntil(batch, decoded, order)
    if (known !== undefined && (cut === undefined || known < cut)) cut = known
  }
  return cut
}

function knownUntil(
  batch: SourceBatch | undefined,
  { spans }: DecodedEvents,
  order: MergedOrder,
): bigint | undefined {
  if (batch === undefined) return undefined
  const last = spans.at(-1)
  if (batch.hasMore() && last !== undefined) return last.firstOrder + BigInt(last.events * last.stride - 1)
  return batch.closedBeforeMs === undefined ? undefined : order.before(batch.closedBeforeMs)
}

async function decodeBatch(
  { table, decoder }: InputSource,
  batch: SourceBatch | undefined,
  order: EventOrders,
  engine: Engine,
): Promise<DecodedEvents> {
  const decoded: DecodedEvents = { spans: [], unfit: [] }
  if (batch === undefined) return decoded
  await engine(() => table.begin())
  for await (const block of batch.blocks) await engine(() => decoder.decode(block, order, decoded))
  await engine(async () => table.flush())
  return decoded
}
