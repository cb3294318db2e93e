/**
 * EventLog on LevelDB. This file connects the parts: writers that share group commits, the reader, staged batches, and
 * the trimmer. Keys are in keys.ts, values in the codecs, the whole format in docs/storage-format.md.
 */
import assert from 'node:assert'
import { encodeHeaders } from '../header-set.ts'
import type {
  AppendOptions,
  EventData,
  EventLog,
  GroupWatcher,
  LogId,
  LogRead,
  LogRestore,
  LogTail,
  LogTotals,
  MaintenancePlan,
  MaintenanceResult,
  Position,
  ReadRange,
  Stretch,
} from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { uniqueNumber } from '../unique-number.ts'
import { BlockMerger, mayMerge } from './block-merger.ts'
import { Checkpoints, recoverTails } from './checkpoints.ts'
import { GroupCommit } from './group-commit.ts'
import { GrowthWaiters } from './growth.ts'
import {
  logOfMarkKey,
  logOfTailKey,
  MARKS,
  markKey,
  NO_LOG,
  PIECES,
  segmentOfPieceKey,
  TAILS,
} from './keys.ts'
import type { Batch, Level } from './level.ts'
import { locate } from './locate.ts'
import { readLog } from './log-reader.ts'
import { LevelLogRestore } from './log-restore.ts'
import { LogTrimmer, mayTrim } from './log-trimmer.ts'
import { LogWriter, type LogWriterHooks } from './log-writer.ts'
import { Maintenance } from './maintenance.ts'
import { NO_PROGRESS, type Progress } from './progress.ts'
import { LevelStagedBatch, type StagingArea } from './staged-batch.ts'
import { StretchSweep } from './stretches.ts'
import { decodeTail, EMPTY_TAIL, type StoredTail } from './tail-codec.ts'
import { UnusedTails } from './unused-tails.ts'
import type { WalName } from './wal-name.ts'
import { walk } from './walk.ts'

export interface LevelLogOptions {
  /** Milliseconds since 1970: the timestamps of events. */
  readonly nowMs: () => number
  /** fsync before a write is acknowledged. Only benchmarks turn it off. */
  readonly sync: boolean
  /** Only for the engine on disk, like the next two. */
  readonly walName?: WalName
  readonly identity?: number
  /** Number of this opening. */
  readonly epoch?: number
  /** Called at the first write that fails; does not throw. */
  readonly onFailure?: () => void
}

export class LevelLog implements EventLog, StagingArea {
  readonly db: Level
  readonly identity: number
  /** Shared with the catalog, so that documents and events are written by the same groups. */
  readonly commit: GroupCommit
  readonly #unusedTails = new UnusedTails()
  /** The writers of all logs that have been used since the store was opened, or had a mark. */
  readonly #writers = new Map<LogId, LogWriter>()
  readonly #trimmer: LogTrimmer
  readonly #merger: BlockMerger
  readonly #growth = new GrowthWaiters()
  readonly #maintenance = new Maintenance(this)
  readonly #checkpoints = new Checkpoints()
  readonly #stretchSweep: StretchSweep
  readonly #hooks: LogWriterHooks
  readonly #nowMs: () => number
  #lastSegment = 0
  #closed = false

  private constructor(db: Level, options: LevelLogOptions) {
    this.db = db
    this.#nowMs = options.nowMs
    this.identity = options.identity ?? 0
    this.commit = new GroupCommit(db, options.nowMs, options.sync, options.walName)
    if (options.onFailure !== undefined) this.commit.onFailure = options.onFailure
    this.#trimmer = new LogTrimmer(db, this.commit)
    this.#merger = new BlockMerger(db)
    this.#stretchSweep = new StretchSweep(db, this.commit, (log) => this.#isKnown(log))
    this.#hooks = this.#newHooks(options.epoch ?? uniqueNumber('epoch', undefined))
  }

  /**
   * Reads the tail of every log into `#unusedTails`, recovers those with a mark, and finds the segments that abandoned
   * uploads left. These are swept later.
   */
  static async open(db: Level, options: LevelLogOptions): Promise<LevelLog> {
    const log = new LevelLog(db, options)
    const unusedTails = log.#unusedTails
    for await (const round of walk(db, TAILS)) {
      for (const [key, value] of round) unusedTails.add(logOfTailKey(key), decodeTail(key, value))
    }
    const marked: LogId[] = []
    for await (const round of walk(db, MARKS)) {
      for (const [key] of round) marked.push(logOfMarkKey(key))
    }
    await recoverTails(db, marked, unusedTails, (id, tail) => {
      unusedTails.wake(id)
      log.#checkpoints.add(log.#newWriter(id, tail, true))
    })
    for await (const key of db.keys({ ...PIECES, reverse: true, limit: 1 }))
      log.#lastSegment = segmentOfPieceKey(key)
    await log.#trimmer.loadOrphans()
    return log
  }

  append(log: LogId, events: readonly EventData[], options?: AppendOptions): Promise<Position> {
    return this.writerOf(log).appendEvents(events, encodedHeaders(events), options?.linger === true)
  }

  stage(log: LogId): LevelStagedBatch {
    return new LevelStagedBatch(this, log)
  }

  restore(log: LogId): LogRestore {
    assert(!this.#isKnown(log), `log ${log} has been written to`)
    return new LevelLogRestore(this.writerOf(log))
  }

  read(log: LogId, range: ReadRange): Promise<LogRead | undefined> {
    const writer = this.#existingWriterOf(log)
    if (writer === undefined) return Promise.resolve(undefined)
    return readLog(this.db, writer, range, (sequence, near) => locate(this.db, writer, sequence, near))
  }

  /** `near` is the position of an event before the wanted one. The closer it is, the fewer seeks are needed. */
  async locate(log: LogId, sequence: number, near?: Position): Promise<Position | undefined> {
    const writer = this.#existingWriterOf(log)
    return writer === undefined ? undefined : locate(this.db, writer, sequence, near)
  }

  async stretches(log: LogId): Promise<readonly Stretch[]> {
    return this.#existingWriterOf(log)?.stretches.all(this.db) ?? []
  }

  async tail(log: LogId): Promise<LogTail | undefined> {
    const tail = this.#tailOf(log)
    if (tail === undefined) return undefined
    const { nextSequence, lastTimestampMs, firstSequence, firstTimestampMs } = tail
    return { nextSequence, lastTimestampMs, firstSequence, firstTimestampMs }
  }

  /** As of the call. Sequences have no gaps, so the next sequence is the number of events. */
  async totals(log: LogId): Promise<LogTotals> {
    const tail = this.#tailOf(log)
    return { events: tail?.nextSequence ?? 0, bytes: tail?.bytesWritten ?? 0 }
  }

  async logs(): Promise<readonly LogId[]> {
    const logs = this.#unusedTails.logs()
    for (const [log, { tail }] of this.#writers) if (tail.nextSequence > 0) logs.push(log)
    return logs
  }

  async growth(log: LogId, sequence: number, signal: AbortSignal): Promise<void> {
    if (this.#closed) throw new StorageError('closed', 'the store is closed')
    if (sequence < (this.#tailOf(log)?.nextSequence ?? 0)) return
    await this.#growth.wait(log, sequence, signal)
  }

  nowMs(): number {
    return this.#nowMs()
  }

  maintain(plan: MaintenancePlan): Promise<MaintenanceResult> {
    return this.#maintenance.step(plan)
  }

  /** Removes up to `limit` blocks that contain only events older than `beforeMs`, oldest first. */
  async trim(log: LogId, beforeMs: number, limit: number): Promise<Progress> {
    const tail = this.#tailOf(log)
    if (tail === undefined || !mayTrim(tail, beforeMs)) return NO_PROGRESS
    return this.#trimmer.trim(this.writerOf(log), beforeMs, limit)
  }

  /**
   * Joins small neighbouring blocks of events older than `beforeMs`, and reads up to `limit` blocks for this. Then
   * events that arrived one by one are read as fast as a batch. Readers see no difference. `removed` is the number of
   * removed blocks.
   */
  async merge(log: LogId, beforeMs: number, limit: number): Promise<Progress> {
    const tail = this.#tailOf(log)
    if (tail === undefined || !mayMerge(tail, beforeMs)) return NO_PROGRESS
    return this.#merger.merge(this.writerOf(log), beforeMs, limit)
  }

  /**
   * Removes up to `limit` blocks of a log that will never be used again. With the last block it removes the log itself.
   */
  async drop(log: LogId, limit: number): Promise<Progress> {
    const writer = this.#existingWriterOf(log)
    if (writer === undefined) return NO_PROGRESS
    const progress = await this.#trimmer.drop(writer, limit)
    if (!progress.more) {
      this.#writers.delete(log)
      this.#stretchSweep.dropped(log)
      this.#growth.dropped(log)
    }
    return progress
  }

  /**
   * Removes up to `limit` blocks of segments that belong to no log: those of abandoned uploads and of trimmed or
   * dropped logs.
   */
  async sweep(limit: number): Promise<Progress> {
    // After a failed write it is unknown which segments became part of a log.
    const refusal = this.commit.refusal()
    if (refusal !== undefined) throw refusal
    await this.#stretchSweep.run()
    return this.#trimmer.sweep(limit)
  }

  watchGroups(watcher: GroupWatcher): void {
    this.commit.watcher = watcher
  }

  failure(): StorageError | undefined {
    return this.commit.failure
  }

  nextSegment(): number {
    return ++this.#lastSegment
  }

  abandon(segment: number): void {
    this.#trimmer.abandon(segment)
  }

  writerOf(log: LogId): LogWriter {
    return this.#existingWriterOf(log) ?? this.#newWriter(log, EMPTY_TAIL, false)
  }

  /** Writes the accepted changes. All later ones are refused. */
  async close(): Promise<void> {
    await this.commit.idle()
    await this.#checkpoints.catchUp().catch(() => {}) // if the engine cannot write, the next opening recovers the tails
    await this.#writeEnd()
    await this.commit.close()
    this.#closed = true
    this.#growth.close()
  }

  /**
   * A last write without content, so that no write with content is the last in LevelDB's log: damage to the last write
   * cannot be distinguished from a torn write (level-files/record-log.ts).
   */
  async #writeEnd(): Promise<void> {
    const batch = this.db.batch() as Batch
    batch.del(markKey(NO_LOG))
    await this.commit.write(batch).catch(() => {}) // optional: the stop succeeds without it
  }

  #newHooks(epoch: number): LogWriterHooks {
    return {
      epoch,
      onAppended: ({ log, tail }) => {
        if (!this.#growth.isEmpty) this.#growth.grown(log, tail.nextSequence)
      },
      onMarked: (writer) => this.#checkpoints.add(writer),
    }
  }

  /** Undefined while no event of the log is durable. */
  #tailOf(log: LogId): StoredTail | undefined {
    const tail = this.#writers.get(log)?.tail
    if (tail === undefined) return this.#unusedTails.get(log)
    return tail.nextSequence === 0 ? undefined : tail
  }

  /** Whether the log has been written to, or is being written to now. */
  #isKnown(log: LogId): boolean {
    return this.#writers.has(log) || this.#unusedTails.get(log) !== undefined
  }

  #existingWriterOf(log: LogId): LogWriter | undefined {
    const writer = this.#writers.get(log)
    if (writer !== undefined) return writer
    const tail = this.#unusedTails.wake(log)
    return tail === undefined ? undefined : this.#newWriter(log, tail, false)
  }

  #newWriter(log: LogId, tail: StoredTail, marked: boolean): LogWriter {
    const writer = new LogWriter(log, tail, marked, this.commit, this.#hooks)
    this.#writers.set(log, writer)
    return writer
  }
}

/** The encoded headers of each event. */
export function encodedHeaders(events: readonly EventData[]): Buffer[] {
  const headers = new Array<Buffer>(events.length)
  for (let i = 0; i < events.length; i++) headers[i] = encodeHeaders(events[i]!.headers)
  return headers
}
