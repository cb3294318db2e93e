/** Storage on LevelDB: the log and the catalog in one store, and writes to both. */
import assert from 'node:assert'
import type { EventData, LogId } from '../log.ts'
import type { EnginePromises, Storage, StorageWrite, WriteResult } from '../storage.ts'
import { StorageError } from '../storage-error.ts'
import { type JointChange, JointWrite } from './joint-write.ts'
import type { Level } from './level.ts'
import { LevelCatalog } from './level-catalog.ts'
import { encodedHeaders, type LevelLog } from './level-log.ts'
import { bytesOf } from './log-writer.ts'
import { LevelStagedBatch } from './staged-batch.ts'

/** One write over several logs is one LevelDB write, and all of it is in memory. */
export const WRITE_BYTES_MAX = 64 * 1024 * 1024
/** Lengths in a block are 32-bit numbers. The limit is lower than they allow, because a block is one LevelDB value. */
const EVENT_BYTES_MAX = 1024 * 1024 * 1024

/** The state of a store in a folder, besides its LevelDB. */
export interface FolderState {
  readonly remarks: readonly string[]
  freeBytesAtFailure(): number | undefined
  /** Called when LevelDB is closed, or could not be closed. `failure` is the failure of a write, if one has failed. */
  closed(isClosed: boolean, failure: StorageError | undefined): void
}

const NO_FOLDER: FolderState = { remarks: [], freeBytesAtFailure: () => undefined, closed() {} }

export class LevelStorage implements Storage {
  readonly log: LevelLog
  readonly catalog: LevelCatalog
  readonly promises: EnginePromises
  readonly #db: Level
  readonly #folder: FolderState

  /** `sync`: writes are acknowledged after fsync. */
  constructor(db: Level, log: LevelLog, sync: boolean, folder: FolderState = NO_FOLDER) {
    this.#db = db
    this.#folder = folder
    this.log = log
    this.catalog = new LevelCatalog(db, log.commit)
    this.promises = promisesOf(db.supports.permanence && sync)
  }

  async write({
    appends = [],
    batches = [],
    changes = [],
    conditions = [],
  }: StorageWrite): Promise<WriteResult> {
    const staged = batches.map(levelBatch)
    const unwritten = staged.filter((batch) => batch.hasUnwritten)
    if (unwritten.length > 0) await Promise.all(unwritten.map((batch) => batch.writeRest()))
    const refusal = this.log.commit.refusal()
    if (refusal !== undefined) throw refusal
    const events = appends.map((append) => this.#appended(append))
    const taken = staged.map((batch) => batch.take())
    try {
      const logChanges = [...events, ...taken]
      assertBounded(logChanges)
      for (const change of logChanges) change?.writer.assertTakes()
      const joint = new JointWrite({ logChanges, changes, conditions, isNext: this.catalog.order() })
      this.log.commit.joinJoint(joint)
      const result = await joint.result
      if (result.outcome === 'conflict') for (const batch of staged) batch.giveBack()
      return result
    } catch (error) {
      if (!mayBeStored(error)) for (const batch of staged) batch.giveBack()
      throw error
    }
  }

  /** Writes the accepted changes, then closes. */
  async close(): Promise<void> {
    const failure = this.log.failure()
    let isClosed = false
    try {
      await this.log.close()
      await this.#db.close()
      isClosed = true
    } finally {
      this.#folder.closed(isClosed, failure ?? this.log.failure())
    }
  }

  get remarks(): readonly string[] {
    return this.#folder.remarks
  }

  freeBytesAtFailure(): number | undefined {
    return this.#folder.freeBytesAtFailure()
  }

  #appended({ log, events }: { readonly log: LogId; readonly events: readonly EventData[] }): JointChange {
    assert(events.length > 0, 'an append needs at least one event')
    const headers = encodedHeaders(events)
    const writer = this.log.writerOf(log)
    return { writer, change: { kind: 'events', events, headers }, bytes: bytesOf(events, headers) }
  }
}

function levelBatch(batch: StorageBatch): LevelStagedBatch {
  assert(batch instanceof LevelStagedBatch, 'the batch is of another storage')
  return batch
}

/** Every other failure of a write is certain: nothing of it is on disk. */
function mayBeStored(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'unknown'
}

type StorageBatch = NonNullable<StorageWrite['batches']>[number]

function assertBounded(changes: readonly (JointChange | undefined)[]): void {
  let bytes = 0
  for (const change of changes) bytes += change?.bytes ?? 0
  assert(
    bytes <= WRITE_BYTES_MAX,
    `one write has ${bytes} bytes of events; at most ${WRITE_BYTES_MAX} bytes are taken, so stage a batch, or write in parts`,
  )
}

function promisesOf(survivesPowerCut: boolean): EnginePromises {
  return {
    durability: survivesPowerCut ? 'fsync' : 'memory',
    gaplessSequences: true,
    contiguousBatchBytesMax: Number.POSITIVE_INFINITY,
    eventBytesMax: EVENT_BYTES_MAX,
    ownClock: false,
    failureHeals: false,
    shared: false,
  }
}
