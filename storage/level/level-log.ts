/**
 * EventLog on LevelDB. This file joins the parts: writers that share group commits, the reader, staged batches, and
 * the trimmer. Keys are in keys.ts, values in the codecs, the whole format in docs/storage-format.md.
 */
import assert from 'node:assert'
import type {
  EventBlock,
  EventData,
  EventLog,
  GroupWatcher,
  LogId,
  LogRestore,
  LogTail,
  Position,
  Progress,
  ReadRange,
  StagedBatch,
  Stretch,
} from '../log.ts'
import { BlockMerger, mayMerge } from './block-merger.ts'
import { Checkpoints, recoverTails } from './checkpoints.ts'
import { GroupCommit } from './group-commit.ts'
import { encodeHeaders } from './header-codec.ts'
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
import { RestingTails } from './resting-tails.ts'
import { LevelStagedBatch, type StagingArea } from './staged-batch.ts'
import { StretchSweep } from './stretches.ts'
import { decodeTail, EMPTY_TAIL, type StoredTail } from './tail-codec.ts'
import { uniqueNumber } from './unique-number.ts'
import type { WalName } from './wal-name.ts'
import { walk } from './walk.ts'

export interface LevelLogOptions {
  /** Milliseconds since 1970: the time events get. */
  readonly nowMs: () => number
  /** fsync before a write is acknowledged. Only tests of the tests turn it off. */
  readonly sync: boolean
  /** Of the engine on disk, as the next two. */
  readonly walName?: WalName
  readonly identity?: number
  /** Number of this opening. */
  readonly epoch?: number
  /** Told of the first write that fails; does not throw. */
  readonly onFailure?: () => void
}

export class LevelLog implements EventLog, StagingArea {
  readonly db: Level
  readonly identity: number
  /** Shared with the catalog, so that documents and events are written by the same groups. */
  readonly commit: GroupCommit
  readonly #resting = new RestingTails()
  /** Of all logs that are not at rest. */
  readonly #writers = new Map<LogId, LogWriter>()
  readonly #trimmer: LogTrimmer
  readonly #merger: BlockMerger
  readonly #listeners = new Set<(log: LogId) => void>()
  readonly #checkpoints = new Checkpoints()
  readonly #stretchSweep: StretchSweep
  readonly #hooks: LogWriterHooks
  #lastSegment = 0

  private constructor(db: Level, options: LevelLogOptions) {
    this.db = db
    this.identity = options.identity ?? 0
    this.commit = new GroupCommit(db, options.nowMs, options.sync, options.walName)
    if (options.onFailure !== undefined) this.commit.onFailure = options.onFailure
    this.#trimmer = new LogTrimmer(db, this.commit)
    this.#merger = new BlockMerger(db)
    this.#stretchSweep = new StretchSweep(db, this.commit, (log) => this.#tailOf(log) !== undefined)
    this.#hooks = this.#newHooks(options.epoch ?? uniqueNumber('epoch', undefined))
  }

  /** Reads the tail of every log, and leaves it at rest; what abandoned uploads left is found here and swept later. */
  static async open(db: Level, options: LevelLogOptions): Promise<LevelLog> {
    const log = new LevelLog(db, options)
    const resting = log.#resting
    for await (const round of walk(db, TAILS)) {
      for (const [key, value] of round) resting.add(logOfTailKey(key), decodeTail(key, value))
    }
    const marked: LogId[] = []
    for await (const round of walk(db, MARKS)) {
      for (const [key] of round) marked.push(logOfMarkKey(key))
    }
    await recoverTails(db, marked, resting, (id, tail) => {
      resting.wake(id)
      log.#checkpoints.add(log.#newWriter(id, tail, true))
    })
    for await (const key of db.keys({ ...PIECES, reverse: true, limit: 1 }))
      log.#lastSegment = segmentOfPieceKey(key)
    await log.#trimmer.loadOrphans()
    return log
  }

  append(log: LogId, events: readonly EventData[], linger = false): Promise<Position> {
    const headers = new Array<Buffer>(events.length)
    for (let i = 0; i < events.length; i++) headers[i] = encodeHeaders(events[i].headers)
    return this.writerOf(log).appendEvents(events, headers, linger)
  }

  stage(): StagedBatch {
    return new LevelStagedBatch(this)
  }

  restore(log: LogId): LogRestore {
    assert(this.#tailOf(log) === undefined, `log ${log} has been written to`)
    return new LevelLogRestore(this.writerOf(log))
  }

  read(log: LogId, range: ReadRange): AsyncIterable<EventBlock> {
    const writer = this.#existingWriterOf(log)
    return writer === undefined ? NO_BLOCKS : readLog(this.db, writer, range)
  }

  async locate(log: LogId, sequence: number, near?: Position): Promise<Position | undefined> {
    const writer = this.#existingWriterOf(log)
    return writer === undefined ? undefined : locate(this.db, writer, sequence, near)
  }

  stretches(log: LogId): readonly Stretch[] | Promise<readonly Stretch[]> {
    return this.#existingWriterOf(log)?.stretches.all(this.db) ?? []
  }

  tail(log: LogId): LogTail | undefined {
    return this.#tailOf(log)
  }

  logs(): LogId[] {
    return [...this.#resting.logs(), ...this.#writers.keys()]
  }

  async trim(log: LogId, beforeMs: number, limit: number): Promise<Progress> {
    const tail = this.#tailOf(log)
    if (tail === undefined || !mayTrim(tail, beforeMs)) return NO_PROGRESS
    return this.#trimmer.trim(this.writerOf(log), beforeMs, limit)
  }

  async merge(log: LogId, beforeMs: number, limit: number): Promise<Progress> {
    const tail = this.#tailOf(log)
    if (tail === undefined || !mayMerge(tail, beforeMs)) return NO_PROGRESS
    return this.#merger.merge(this.writerOf(log), beforeMs, limit)
  }

  async drop(log: LogId, limit: number): Promise<Progress> {
    const writer = this.#existingWriterOf(log)
    if (writer === undefined) return NO_PROGRESS
    const progress = await this.#trimmer.drop(writer, limit)
    if (!progress.more) {
      this.#writers.delete(log)
      this.#stretchSweep.dropped(log)
    }
    return progress
  }

  async sweep(limit: number): Promise<Progress> {
    // After a failed write nobody knows which segments made it into a log.
    const refusal = this.commit.refusal()
    if (refusal !== undefined) throw refusal
    await this.#stretchSweep.run()
    return this.#trimmer.sweep(limit)
  }

  onAppend(listener: (log: LogId) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  watchGroups(watcher: GroupWatcher): void {
    this.commit.watcher = watcher
  }

  failure(): Error | undefined {
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

  /** Writes what was accepted; everything that comes after is refused. */
  async close(): Promise<void> {
    await this.commit.idle()
    await this.#checkpoints.catchUp().catch(() => {}) // what an engine that cannot write lacks is recovered when it opens
    await this.#writeEnd()
    await this.commit.close()
  }

  /**
   * One last write that means nothing, so that nothing that does is last in LevelDB's log: damage to the last write cannot
   * be told from one that a power cut has torn (level-files/record-log.ts), damage before it can.
   */
  async #writeEnd(): Promise<void> {
    const batch = this.db.batch() as Batch
    batch.del(markKey(NO_LOG))
    await this.commit.write(batch).catch(() => {}) // it is done without, too
  }

  #newHooks(epoch: number): LogWriterHooks {
    return {
      epoch,
      onAppended: ({ log }) => {
        // Not here and now: whoever waits for this group must not suffer from a listener that throws.
        for (const listener of this.#listeners) queueMicrotask(() => listener(log))
      },
      onMarked: (writer) => this.#checkpoints.add(writer),
    }
  }

  #tailOf(log: LogId): StoredTail | undefined {
    return this.#writers.get(log)?.tail ?? this.#resting.get(log)
  }

  #existingWriterOf(log: LogId): LogWriter | undefined {
    const writer = this.#writers.get(log)
    if (writer !== undefined) return writer
    const tail = this.#resting.wake(log)
    return tail === undefined ? undefined : this.#newWriter(log, tail, false)
  }

  #newWriter(log: LogId, tail: StoredTail, marked: boolean): LogWriter {
    const writer = new LogWriter(log, tail, marked, this.commit, this.#hooks)
    this.#writers.set(log, writer)
    return writer
  }
}

const NO_PROGRESS: Progress = { removed: 0, more: false }
const NO_BLOCKS: AsyncIterable<EventBlock> = { async *[Symbol.asyncIterator]() {} }
