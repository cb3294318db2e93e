/**
 * Events of a stream of this service. Sequences have no gaps where the store promises it, so an event that is missing
 * behind the position was removed: the stream was truncated, created again, or the event has expired. The job fails then,
 * because it would skip events silently.
 *
 * In a store whose sequences have holes, a missing sequence proves nothing. There the job fails if it had not reached the end of
 * the stream and the first event that can be read is later than its position.
 */
import type { EventBlock } from '../../../storage/log.ts'
import type { StreamId } from '../../streams/names.ts'
import type { TopicConnector, UpsertTopicConnector } from '../../tables/table.ts'
import type { ConnectedTable } from '../worker/job-worker-protocol.ts'
import {
  ConnectorError,
  type EventPlace,
  type ReadLimits,
  type Source,
  type SourceBatch,
  type SourceBlock,
  type SourcePosition,
} from './connector.ts'
import type { ConnectorContext } from './connector-context.ts'

/** The place of the last event that was read. */
export interface StreamPosition {
  readonly log: number
  /** Of the last event; one less than the first readable one before the first read. */
  readonly sequence: number
  /** Of the last event; undefined before the first read: events that expire until then are not missed. */
  readonly timestampMs?: number
  /** From here on nothing was in the log when it was read. Only where sequences have holes: else it is the next sequence. */
  readonly end?: number
}

type Tail = NonNullable<Awaited<ReturnType<ConnectorContext['service']['tail']>>>

/** Position of a source that has read nothing of a log whose first event is there. */
const BEFORE_FIRST = -1
const END_OF_TIME_MS = Number.MAX_SAFE_INTEGER

export class StreamSource implements Source {
  readonly isBounded = false
  readonly #table: ConnectedTable
  readonly #stream: StreamId
  readonly #connector: TopicConnector | UpsertTopicConnector
  readonly #context: ConnectorContext
  readonly #index: number
  #tail: Tail | undefined

  /** `index` is that of the source in the plan. */
  constructor(table: ConnectedTable, index: number, context: ConnectorContext) {
    if (table.stream === undefined) throw new ConnectorError(`table ${table.name} is no stream`, false)
    this.#table = table
    this.#stream = table.stream
    this.#connector = table.connector as TopicConnector | UpsertTopicConnector
    this.#context = context
    this.#index = index
  }

  async start(): Promise<SourcePosition> {
    const { log, firstSequence, nextSequence, lastTimestampMs } = await this.#readTail()
    const isLatest = this.#connector.kind === 'topic' && this.#connector.startup === 'latest'
    const position: StreamPosition = isLatest
      ? { log, sequence: nextSequence - 1, ...(nextSequence > 0 && { timestampMs: lastTimestampMs }) }
      : { log, sequence: firstSequence - 1 }
    return { ...position }
  }

  async read(
    from: SourcePosition,
    { eventsMax, bytesMax, beforeSequence }: ReadLimits,
  ): Promise<SourceBatch> {
    const position = from as unknown as StreamPosition
    const present = await this.#readTail()
    this.#assertReadable(position, present)
    const tail = cutTail(present, beforeSequence)
    if (nextOf(position) >= tail.nextSequence)
      return this.#nothing(tail.hasHoles ? endOf(position, tail) : position, tail)
    const after = position.timestampMs !== undefined && {
      after: {
        log: position.log,
        position: { sequence: position.sequence, timestampMs: position.timestampMs },
      },
    }
    const read = await this.#context.events.read(this.#stream, {
      startMs: 0,
      endMs: END_OF_TIME_MS,
      limit: eventsMax,
      ...after,
    })
    if (read === undefined) {
      if (tail.hasHoles && !hasMissed(position, tail)) return this.#nothing(endOf(position, tail), tail)
      if (position.timestampMs !== undefined) throw this.#gap(position, tail, 'they have expired')
      // All events had expired before the first read.
      const { log, nextSequence, lastTimestampMs } = tail
      return this.#nothing({ log, sequence: nextSequence - 1, timestampMs: lastTimestampMs }, tail)
    }
    if (read.log !== position.log) {
      await read.blocks.return?.()
      throw this.#gap(position, tail, 'the stream was truncated or created again')
    }
    const limits = { eventsMax, bytesMax, ...(beforeSequence !== undefined && { beforeSequence }) }
    return new StreamBatch(read.blocks, position, tail, limits, (first) =>
      this.#assertNoGap(position, tail, first, read.startMs),
    )
  }

  async grown(from: SourcePosition, signal: AbortSignal): Promise<void> {
    const position = from as unknown as StreamPosition
    const { log } = position
    const grown = this.#context.grown(this.#index, signal)
    await this.#context.service.watch(this.#context.jid, this.#index, log, nextOf(position))
    await grown
  }

  async lag(from: SourcePosition): Promise<{ readonly events: number; readonly ms: number } | undefined> {
    const position = from as unknown as StreamPosition
    const { timestampMs } = position
    const tail = this.#tail
    if (tail === undefined) return undefined
    const events = Math.max(0, tail.nextSequence - nextOf(position))
    return { events, ms: events === 0 ? 0 : Math.max(0, tail.nowMs - (timestampMs ?? tail.firstTimestampMs)) }
  }

  async close(): Promise<void> {}

  async #readTail(): Promise<Tail> {
    const tail = await this.#context.service.tail(this.#context.jid, this.#table.id)
    if (tail === null)
      throw new ConnectorError(
        `stream ${this.#stream.stream} of table ${this.#table.name} does not exist`,
        false,
      )
    this.#tail = tail
    return tail
  }

  #nothing(position: StreamPosition, tail: Tail): SourceBatch {
    return {
      blocks: (async function* () {})(),
      position: () => ({ ...position }),
      hasMore: () => false,
      closedBeforeMs: tail.nowMs,
      positionAfter: () => ({ ...position }),
    }
  }

  #assertReadable(position: StreamPosition, tail: Tail): void {
    if (tail.log !== position.log)
      throw this.#gap(position, tail, 'the stream was truncated or created again')
    if (position.sequence >= tail.nextSequence)
      throw this.#gap(
        position,
        tail,
        `the stream ends before sequence ${tail.nextSequence}: it has gone back`,
      )
    const isMissing = tail.hasHoles
      ? hasMissed(position, tail)
      : position.timestampMs !== undefined && position.sequence + 1 < tail.firstSequence
    if (isMissing) throw this.#gap(position, tail, 'they have expired')
  }

  /** `startMs`: older events are not readable. */
  #assertNoGap(position: StreamPosition, tail: Tail, firstSequence: number, startMs: number): void {
    const { sequence, timestampMs } = position
    if (timestampMs === undefined || firstSequence === sequence + 1 || startMs <= timestampMs) return
    if (position.end !== undefined) return
    throw this.#gap(position, { ...tail, firstSequence }, 'they have expired')
  }

  #gap({ sequence }: StreamPosition, { firstSequence }: Tail, why: string): ConnectorError {
    const { stream } = this.#stream
    const after = sequence === BEFORE_FIRST ? 'the first events' : `the events after ${sequence}`
    const missing = firstSequence > sequence + 1 ? `events ${sequence + 1} to ${firstSequence - 1}` : after
    const text = `${missing} of stream ${stream} are gone before table ${this.#table.name} was read so far: ${why}; create a new job to go on without them`
    return new ConnectorError(text, false)
  }
}

/** Where sequences have holes: whether events behind the position can have gone before they were read. */
function hasMissed(
  { timestampMs, end }: StreamPosition,
  { lastTimestampMs, firstTimestampMs }: Tail,
): boolean {
  if (timestampMs === undefined || end !== undefined) return false
  return lastTimestampMs > timestampMs && firstTimestampMs > timestampMs
}

/** The tail as if the stream ended before this sequence. */
function cutTail(tail: Tail, beforeSequence = tail.nextSequence): Tail {
  return { ...tail, nextSequence: Math.min(tail.nextSequence, beforeSequence) }
}

function endOf(position: StreamPosition, { nextSequence }: Tail): StreamPosition {
  return position.timestampMs === undefined ? position : { ...position, end: nextSequence }
}

/** No event behind the position has a smaller sequence. */
function nextOf({ sequence, end }: StreamPosition): number {
  return Math.max(sequence + 1, end ?? 0)
}

class StreamBatch implements SourceBatch {
  readonly closedBeforeMs: number
  readonly #blocks: AsyncIterableIterator<EventBlock, void, undefined>
  readonly #start: StreamPosition
  readonly #tail: Tail
  readonly #limits: ReadLimits
  readonly #onFirst: (sequence: number) => void
  #last: StreamPosition
  #isCut = false

  constructor(
    blocks: AsyncIterableIterator<EventBlock, void, undefined>,
    start: StreamPosition,
    tail: Tail,
    limits: ReadLimits,
    onFirst: (sequence: number) => void,
  ) {
    this.#blocks = blocks
    this.#start = start
    this.#last = start
    this.#tail = tail
    this.#limits = limits
    this.#onFirst = onFirst
    this.closedBeforeMs = tail.nowMs
  }

  get blocks(): AsyncIterable<SourceBlock> {
    return this.#read()
  }

  position(): SourcePosition {
    return { ...this.#last }
  }

  hasMore(): boolean {
    return this.#isCut || this.#last.sequence + 1 < this.#tail.nextSequence
  }

  positionAfter(event: EventPlace | undefined): SourcePosition {
    if (event === undefined) return { ...this.#start }
    return { log: this.#start.log, sequence: event.sequence, timestampMs: event.timestampMs }
  }

  async abandon(): Promise<void> {
    await this.#blocks.return?.()
  }

  async *#read(): AsyncIterable<SourceBlock> {
    let bytes = 0
    let isFirst = true
    for await (const read of this.#blocks) {
      const block = before(read, this.#limits.beforeSequence)
      const [first] = block.runs
      const last = block.runs.at(-1)
      if (first === undefined || last === undefined) {
        if (block !== read) return
        continue
      }
      if (isFirst) this.#onFirst(block.firstSequence + first.begin)
      isFirst = false
      yield { block, partition: 0 }
      this.#last = {
        log: this.#start.log,
        sequence: block.firstSequence + last.end - 1,
        timestampMs: last.timestampMs,
      }
      if (block !== read) return // ends the read of the blocks
      bytes += block.ends[last.end - 1]! - block.starts[first.begin]!
      if (bytes < this.#limits.bytesMax) continue
      this.#isCut = true
      return
    }
  }
}

/** The block without its events from this sequence on. */
function before(block: EventBlock, sequence = Number.POSITIVE_INFINITY): EventBlock {
  const last = block.runs.at(-1)
  if (last === undefined || block.firstSequence + last.end <= sequence) return block
  const end = sequence - block.firstSequence
  const runs = block.runs.flatMap((run) => (run.begin < end ? [{ ...run, end: Math.min(run.end, end) }] : []))
  return { ...block, runs }
}
