/**
 * An event log that keeps no more than the contract asks for: sequences have holes, large batches are interleaved with
 * other events and have several times, everything is asynchronous, and the memory of a block is overwritten as soon as the
 * next one is requested.
 */
import assert from 'node:assert'
import type {
  AppendOptions,
  EventBlock,
  EventData,
  EventHeaders,
  EventLog,
  EventSlices,
  GroupWatcher,
  HeadedEvents,
  LogId,
  LogRead,
  LogRestore,
  LogTail,
  LogTotals,
  MaintenancePlan,
  MaintenanceResult,
  Position,
  ReadRange,
  StagedBatch,
  Stretch,
} from '../../../storage/log.ts'
import { eventsOfHeaded } from '../../../storage/slices.ts'
import { StorageError } from '../../../storage/storage-error.ts'
import type { Pace } from './pace.ts'
import { lastPosition, type WeakBlock, type WeakData, type WeakEvent, type WeakLogData } from './weak-data.ts'
import type { WriteQueue } from './write-queue.ts'

/** Body bytes up to which a batch is contiguous. */
export const CONTIGUOUS_BYTES_MAX = 4 * 1024
/** Blocks that one step of maintenance removes. */
const STEP_BLOCKS = 7
/** Sequences that are left out before a block, at most. */
const HOLE_MAX = 3

export class WeakLog implements EventLog {
  readonly identity: number
  readonly #data: WeakData
  readonly #queue: WriteQueue
  readonly #pace: Pace
  readonly #clock: () => number
  #maintainFrom = 0

  constructor(data: WeakData, queue: WriteQueue, pace: Pace, nowMs: () => number) {
    this.#data = data
    this.#queue = queue
    this.#pace = pace
    this.#clock = nowMs
    this.identity = data.identity
  }

  append(log: LogId, events: readonly EventData[], _options?: AppendOptions): Promise<Position> {
    const copied = copiesOf(events)
    return this.#queue.run(() => this.appendNow(log, copied))
  }

  /** Inside the write queue. Throws StorageError 'dropped'. */
  appendNow(log: LogId, events: readonly WeakEvent[], timestampMs = this.#clock()): Position {
    assert(events.length > 0)
    this.assertNotDropped(log)
    const data = this.#data.logOf(log)
    const firstSequence = data.nextSequence + this.#pace.below(HOLE_MAX)
    const block = { firstSequence, timestampMs: Math.max(timestampMs, data.lastTimestampMs), events }
    this.#noteOpening(data, firstSequence)
    if (data.blocks.length === 0) {
      data.firstSequence = firstSequence
      data.firstTimestampMs = block.timestampMs
    }
    data.blocks.push(block)
    data.nextSequence = firstSequence + events.length + this.#pace.below(1)
    data.lastTimestampMs = block.timestampMs
    data.events += events.length
    data.bytes += events.reduce((sum, { body }) => sum + body.length, 0)
    for (const resolve of [...(this.#data.growthWaiters.get(log) ?? [])]) resolve()
    return lastPosition(block)
  }

  assertNotDropped(log: LogId): void {
    if (this.#data.logs.get(log)?.dropping) throw new StorageError('dropped', `log ${log} is being dropped`)
  }

  stage(log: LogId): WeakBatch {
    return new WeakBatch(this, this.#queue, this.#pace, log)
  }

  restore(log: LogId): LogRestore {
    assert(!this.#data.logs.has(log), `log ${log} has been written to`)
    return {
      add: (slices, headers, timestampMs) => {
        const events = eventsOf(slices, headers)
        return this.#queue.run(() => {
          if (events.length > 0) this.#restoreNow(log, events, timestampMs)
        })
      },
      finish: () => this.#queue.run(() => undefined),
    }
  }

  async read(log: LogId, range: ReadRange): Promise<LogRead | undefined> {
    const data = this.#data.logs.get(log)
    const blocks = data?.blocks.slice() ?? [] // the tail at the time of the call
    await this.#pace.pause()
    this.#assertOpen()
    const found: WeakBlock[] = []
    let left = range.limit
    let next: Position | undefined
    for (const block of blocks) {
      const part = partInRange(block, range)
      if (part === undefined) continue
      if (left === 0) {
        next = lastPosition(found.at(-1)!)
        break
      }
      const taken = part.events.length > left ? { ...part, events: part.events.slice(0, left) } : part
      found.push(taken)
      left -= taken.events.length
      if (taken !== part) {
        next = lastPosition(taken)
        break
      }
    }
    if (found.length === 0) return undefined
    return { blocks: this.#hand(found), ...(next && { next }) }
  }

  async locate(log: LogId, sequence: number): Promise<Position | undefined> {
    await this.#pace.pause()
    this.#assertOpen()
    const block = this.#data.logs
      .get(log)
      ?.blocks.find(
        ({ firstSequence, events }) => sequence >= firstSequence && sequence < firstSequence + events.length,
      )
    return block && { sequence, timestampMs: block.timestampMs }
  }

  async tail(log: LogId): Promise<LogTail | undefined> {
    await this.#pace.pause()
    this.#assertOpen()
    const data = this.#data.logs.get(log)
    if (data === undefined) return undefined
    const { nextSequence, lastTimestampMs, firstSequence, firstTimestampMs } = data
    return { nextSequence, lastTimestampMs, firstSequence, firstTimestampMs }
  }

  async totals(log: LogId): Promise<LogTotals> {
    await this.#pace.pause()
    this.#assertOpen()
    const { events = 0, bytes = 0 } = this.#data.logs.get(log) ?? {}
    return { events, bytes }
  }

  async logs(): Promise<readonly LogId[]> {
    await this.#pace.pause()
    this.#assertOpen()
    return [...this.#data.logs.keys()]
  }

  async growth(log: LogId, sequence: number, signal: AbortSignal): Promise<void> {
    this.#assertOpen()
    const data = this.#data.logs.get(log)
    const isEarly = this.#pace.below(3) === 0
    if (signal.aborted || isEarly || (data !== undefined && data.nextSequence > sequence))
      return this.#pace.pause()
    const waiters = this.#data.growthWaiters.get(log) ?? new Set()
    this.#data.growthWaiters.set(log, waiters)
    await new Promise<void>((resolve) => {
      const end = () => {
        waiters.delete(end) // others still wait
        resolve()
      }
      waiters.add(end)
      signal.addEventListener('abort', end, { once: true })
    })
    this.#assertOpen()
  }

  /** Ends what waits for growth. */
  closed(): void {
    for (const waiters of this.#data.growthWaiters.values()) for (const resolve of [...waiters]) resolve()
  }

  async stretches(log: LogId): Promise<readonly Stretch[]> {
    await this.#pace.pause()
    this.#assertOpen()
    return [...(this.#data.logs.get(log)?.stretches ?? [])]
  }

  nowMs(): number {
    return this.#clock()
  }

  async maintain(plan: MaintenancePlan): Promise<MaintenanceResult> {
    return this.#queue.run(() => {
      let removed = 0
      let more = false
      for (const log of plan.dropped) {
        const data = this.#data.logs.get(log)
        if (data === undefined) continue
        data.dropping = true
        const gone = data.blocks.splice(0, Math.max(0, STEP_BLOCKS - removed)).length
        removed += gone
        if (data.blocks.length > 0) more = true
        else this.#data.logs.delete(log)
      }
      const count = plan.logs.length
      for (let i = 0; i < count; i++) {
        const { log, expiredBeforeMs } = plan.logs[(this.#maintainFrom + i) % count]!
        const data = this.#data.logs.get(log)
        if (data === undefined) continue
        while (data.blocks[0] !== undefined && data.blocks[0].timestampMs < expiredBeforeMs) {
          if (removed >= STEP_BLOCKS) {
            this.#maintainFrom = (this.#maintainFrom + i) % count
            return { removed, more: true }
          }
          data.blocks.shift()
          data.firstSequence = data.blocks[0]?.firstSequence ?? data.nextSequence
          data.firstTimestampMs = data.blocks[0]?.timestampMs ?? data.lastTimestampMs
          removed++
        }
      }
      return { removed, more }
    })
  }

  watchGroups(watcher: GroupWatcher): void {
    this.#queue.watcher = watcher
  }

  failure(): StorageError | undefined {
    return this.#queue.failure
  }

  #restoreNow(log: LogId, events: readonly WeakEvent[], timestampMs: number): void {
    this.appendNow(log, events, timestampMs)
    const { stretches } = this.#data.logOf(log)
    const [first] = stretches
    if (first !== undefined) stretches[0] = { ...first, restored: true }
  }

  #noteOpening({ stretches }: WeakLogData, firstSequence: number): void {
    const { epoch } = this.#data
    if (stretches.at(-1)?.epoch !== epoch) stretches.push({ firstSequence, epoch, restored: false })
  }

  #assertOpen(): void {
    const refusal = this.#queue.refusal()
    if (refusal?.code === 'closed') throw refusal
  }

  async *#hand(blocks: readonly WeakBlock[]): AsyncGenerator<EventBlock, void, undefined> {
    for (const block of blocks) {
      await this.#pace.pause()
      this.#assertOpen()
      const handed = eventBlockOf(block)
      yield handed
      handed.bytes.fill(0xee)
    }
  }
}

/** See StagedBatch. A large one is stored in parts, with the appends that wait at that moment between them. */
export class WeakBatch implements StagedBatch {
  readonly #log: WeakLog
  readonly #queue: WriteQueue
  readonly #pace: Pace
  #target: LogId
  #events: WeakEvent[] = []
  #bytes = 0
  #ended = false

  constructor(log: WeakLog, queue: WriteQueue, pace: Pace, target: LogId) {
    this.#log = log
    this.#queue = queue
    this.#pace = pace
    this.#target = target
  }

  get log(): LogId {
    return this.#target
  }

  async add(slices: EventSlices, headers: EventHeaders): Promise<void> {
    await this.#add(eventsOf(slices, headers))
  }

  async addHeaded(events: HeadedEvents): Promise<void> {
    await this.#add(eventsOfHeaded(events).map(({ headers, body }) => ({ headers, body: Buffer.from(body) })))
  }

  async #add(events: readonly WeakEvent[]): Promise<void> {
    this.#assertUnended()
    for (const event of events) {
      this.#events.push(event)
      this.#bytes += event.body.length
    }
    await this.#pace.pause()
    const refusal = this.#queue.refusal()
    if (refusal !== undefined) throw refusal
  }

  /** The engine has no other place for them. */
  async spill(): Promise<void> {
    this.#assertUnended()
    await this.#pace.pause()
  }

  moveTo(log: LogId): void {
    this.#target = log
  }

  async commit(): Promise<Position | undefined> {
    this.#assertUnended()
    if (this.#events.length === 0) {
      this.#ended = true
      return undefined
    }
    return this.#queue.run(() => this.commitNow(true))
  }

  /** Inside the write queue. */
  commitNow(interleaved: boolean): Position | undefined {
    this.#assertUnended()
    this.#log.assertNotDropped(this.#target)
    this.#ended = true
    const events = this.#events
    if (events.length === 0) return undefined
    if (this.#bytes <= CONTIGUOUS_BYTES_MAX) return this.#log.appendNow(this.#target, events)
    const between = interleaved ? this.#queue.takeWaiting(3) : []
    let position: Position | undefined
    for (let from = 0; from < events.length; ) {
      const to = Math.min(events.length, from + 1 + this.#pace.below(Math.ceil(events.length / 3)))
      position = this.#log.appendNow(this.#target, events.slice(from, to))
      from = to
      const write = from < events.length ? between.shift() : undefined
      if (write !== undefined) this.#queue.settle(write)
    }
    for (const write of between) this.#queue.settle(write)
    return position
  }

  async discard(): Promise<void> {
    this.#ended = true
    this.#events = []
  }

  #assertUnended(): void {
    if (this.#ended) throw new StorageError('closed', 'the batch has been committed or discarded')
  }
}

export function copiesOf(events: readonly EventData[]): WeakEvent[] {
  return events.map(({ headers, body }) => ({ headers, body: Buffer.from(body) }))
}

function eventsOf({ bytes, starts, ends, count }: EventSlices, headers: EventHeaders): WeakEvent[] {
  return Array.from({ length: count }, (_, i) => ({
    headers,
    body: Buffer.from(bytes.subarray(starts[i], ends[i])),
  }))
}

function partInRange(block: WeakBlock, { startMs, endMs, after }: ReadRange): WeakBlock | undefined {
  if (block.timestampMs < startMs || block.timestampMs >= endMs) return undefined
  const skipped = after === undefined ? 0 : Math.max(0, after.sequence + 1 - block.firstSequence)
  if (skipped >= block.events.length) return undefined
  return { ...block, firstSequence: block.firstSequence + skipped, events: block.events.slice(skipped) }
}

function eventBlockOf({ firstSequence, timestampMs, events }: WeakBlock): EventBlock {
  const bytes = Buffer.concat(events.map(({ body }) => body))
  const starts = new Uint32Array(events.length)
  const ends = new Uint32Array(events.length)
  let at = 0
  for (const [i, { body }] of events.entries()) {
    starts[i] = at
    at += body.length
    ends[i] = at
  }
  const runs = events.map(({ headers }, i) => ({ begin: i, end: i + 1, timestampMs, headers }))
  return { firstSequence, bytes, starts, ends, runs }
}
