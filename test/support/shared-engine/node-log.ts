/** The log of one node: a weak log whose calls and answers go over the link of the node. */
import type {
  AppendOptions,
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
import { outcomeUnknown, type StorageError } from '../../../storage/storage-error.ts'
import type { WeakBatch, WeakLog } from '../weak-engine/weak-log.ts'
import type { Link } from './link.ts'

export class NodeLog implements EventLog {
  readonly #log: WeakLog
  readonly #link: Link
  readonly #fresh: () => Promise<void>
  readonly identity: number

  constructor(log: WeakLog, link: Link, fresh: () => Promise<void>) {
    this.#log = log
    this.#link = link
    this.#fresh = fresh
    this.identity = log.identity
  }

  async append(log: LogId, events: readonly EventData[], options?: AppendOptions): Promise<Position> {
    const copied = events.map(({ headers, body }) => ({ headers, body: Buffer.from(body) }))
    const appended = this.#link.write(() => this.#log.append(log, copied))
    if (!options?.fresh) return appended
    const [stored, known] = await Promise.allSettled([appended, this.#fresh()])
    if (stored.status === 'rejected') throw stored.reason
    if (known.status === 'rejected') throw outcomeUnknown(known.reason)
    return stored.value
  }

  stage(log: LogId): NodeBatch {
    return new NodeBatch(this.#log.stage(log), this.#link)
  }

  restore(log: LogId): LogRestore {
    return this.#log.restore(log)
  }

  read(log: LogId, range: ReadRange): Promise<LogRead | undefined> {
    return this.#link.read(() => this.#log.read(log, range))
  }

  locate(log: LogId, sequence: number): Promise<Position | undefined> {
    return this.#link.read(() => this.#log.locate(log, sequence))
  }

  tail(log: LogId): Promise<LogTail | undefined> {
    return this.#link.read(() => this.#log.tail(log))
  }

  totals(log: LogId): Promise<LogTotals> {
    return this.#link.read(() => this.#log.totals(log))
  }

  logs(): Promise<readonly LogId[]> {
    return this.#link.read(() => this.#log.logs())
  }

  growth(log: LogId, sequence: number, signal: AbortSignal): Promise<void> {
    return this.#log.growth(log, sequence, signal)
  }

  stretches(log: LogId): Promise<readonly Stretch[]> {
    return this.#link.read(() => this.#log.stretches(log))
  }

  nowMs(): number {
    return this.#log.nowMs()
  }

  maintain(plan: MaintenancePlan): Promise<MaintenanceResult> {
    return this.#link.write(() => this.#log.maintain(plan))
  }

  watchGroups(watcher: GroupWatcher): void {
    this.#log.watchGroups(watcher)
  }

  failure(): StorageError | undefined {
    return this.#log.failure()
  }
}

export class NodeBatch implements StagedBatch {
  readonly batch: WeakBatch
  readonly #link: Link

  constructor(batch: WeakBatch, link: Link) {
    this.batch = batch
    this.#link = link
  }

  add(slices: EventSlices, headers: EventHeaders): Promise<void> {
    return this.batch.add(slices, headers)
  }

  addHeaded(events: HeadedEvents): Promise<void> {
    return this.batch.addHeaded(events)
  }

  spill(): Promise<void> {
    return this.batch.spill()
  }

  moveTo(log: LogId): void {
    this.batch.moveTo(log)
  }

  commit(): Promise<Position | undefined> {
    return this.#link.write(() => this.batch.commit())
  }

  discard(): Promise<void> {
    return this.batch.discard()
  }
}
