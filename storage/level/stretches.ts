/**
 * Records which opening of the store wrote the events of a log: one stretch for each opening that wrote to it.
 *
 *   document stretches/<logId>:<firstSequence>   {"epoch":2853641217} or {"epoch":…,"restored":true}
 *
 * An epoch is the number of one opening (unique-number.ts). The first group that adds events to a log after the store
 * was opened also writes the document, in the same LevelDB write. So after a store was copied, and both copies were
 * opened and written to, their new events never have the same log, sequence and epoch. A cursor that one copy returned
 * for such an event is therefore detected in the other (docs/decisions/0007-cursors.md).
 *
 * The epoch of events before the first stretch is unknown: a Millrace without epochs wrote them, or so many openings
 * have written to the log that the oldest stretches were deleted.
 */
import type { LogId, Stretch } from '../log.ts'
import { StorageError } from '../storage-error.ts'
import { encodeDocument, readDocument } from './document-codec.ts'
import type { GroupCommit } from './group-commit.ts'
import { collectionRange, documentKey, documentOfKey, idOfDocumentKey } from './keys.ts'
import type { Batch, Level } from './level.ts'
import { walk, walkText } from './walk.ts'

const COLLECTION = 'stretches'
/**
 * Stretches kept of one log. Older ones only use disk space: a cursor that old is checked by the timestamp of its event
 * instead.
 */
const STRETCHES_MAX = 16
/** About how many keys one write deletes. */
const STEP_KEYS = 512

/** The stretches of one log. */
export class LogStretches {
  readonly #log: LogId
  readonly #epoch: number
  /** The stretch of this opening. */
  #own: Stretch | undefined
  /** Stretches of earlier openings, once they have been requested. */
  #earlier: readonly Stretch[] | undefined
  /** Both together, once they have been requested. */
  #all: readonly Stretch[] | undefined

  constructor(log: LogId, epoch: number) {
    this.#log = log
    this.#epoch = epoch
  }

  /** Whether this opening has written to the log. */
  get begun(): boolean {
    return this.#own !== undefined
  }

  /** Called before this opening writes its first events to the log. Adds the document to the same batch. */
  begin(batch: Batch, firstSequence: number, restored: boolean): void {
    const epoch = this.#epoch
    this.#own = { firstSequence, epoch, restored }
    this.#all = undefined
    const key = documentKey(COLLECTION, `${this.#log}:${firstSequence}`)
    batch.put(key, encodeDocument(key, restored ? { epoch, restored } : { epoch }))
  }

  /**
   * Ascending. Returns them without a promise if they were requested before, because every read with a cursor needs
   * them. Rejects with StorageError 'corrupt'.
   */
  all(db: Level): readonly Stretch[] | Promise<readonly Stretch[]> {
    return this.#all ?? this.#load(db)
  }

  async #load(db: Level): Promise<readonly Stretch[]> {
    this.#earlier ??= await earlierStretches(db, this.#log, this.#epoch)
    const own = this.#own // as of now: `begin` may have set it during the load
    this.#all = own === undefined ? this.#earlier : [...this.#earlier, own]
    return this.#all
  }
}

async function earlierStretches(db: Level, log: LogId, ownEpoch: number): Promise<readonly Stretch[]> {
  const found: Stretch[] = []
  for await (const round of walkText(db, collectionRange(COLLECTION, `${log}:`))) {
    for (const [key, value] of round) {
      const firstSequence = firstSequenceIn(idOfDocumentKey(COLLECTION, key))
      const { json, sound } = readDocument(key, value)
      if (!sound) {
        throw new StorageError(
          'corrupt',
          `log ${log}, sequence ${firstSequence}: the document of its stretch does not match its checksum`,
        )
      }
      const stretch = { restored: false, ...JSON.parse(json), firstSequence } as Stretch
      if (stretch.epoch !== ownEpoch) found.push(stretch)
    }
  }
  return found.sort((a, b) => a.firstSequence - b.firstSequence)
}

/**
 * Removes the stretches of logs that no longer exist, and the oldest of a log that has many. Runs once for each
 * opening, which adds at most one stretch to a log, and for each log that is dropped.
 */
export class StretchSweep {
  readonly #db: Level
  readonly #commit: GroupCommit
  readonly #isThere: (log: LogId) => boolean
  /** Logs to check; undefined means all. */
  #due: Set<LogId> | undefined

  constructor(db: Level, commit: GroupCommit, isThere: (log: LogId) => boolean) {
    this.#db = db
    this.#commit = commit
    this.#isThere = isThere
  }

  dropped(log: LogId): void {
    this.#due?.add(log)
  }

  /** Rejects with StorageError. The next opening finds the stretches that are left then. */
  async run(): Promise<void> {
    const due = this.#due
    if (due?.size === 0) return
    this.#due = new Set()
    if (due === undefined) return this.#sweep(collectionRange(COLLECTION))
    for (const log of due) await this.#sweep(collectionRange(COLLECTION, `${log}:`))
  }

  async #sweep(range: ReturnType<typeof collectionRange>): Promise<void> {
    const surplus: Buffer[] = []
    let log: LogId | undefined
    let keys: Buffer[] = []
    for await (const round of walk(this.#db, range)) {
      for (const [key] of round) {
        const next = logIn(documentOfKey(key).id)
        if (next !== log && log !== undefined) surplus.push(...this.#surplusOf(log, keys))
        if (next !== log) keys = []
        log = next
        keys.push(Buffer.from(key))
      }
      if (surplus.length >= STEP_KEYS) await this.#delete(surplus.splice(0))
    }
    if (log !== undefined) surplus.push(...this.#surplusOf(log, keys))
    await this.#delete(surplus)
  }

  #surplusOf(log: LogId, keys: Buffer[]): Buffer[] {
    if (!this.#isThere(log)) return keys
    if (keys.length <= STRETCHES_MAX) return []
    const first = (key: Buffer) => firstSequenceIn(documentOfKey(key).id)
    return keys.sort((a, b) => first(a) - first(b)).slice(0, keys.length - STRETCHES_MAX)
  }

  async #delete(keys: readonly Buffer[]): Promise<void> {
    if (keys.length === 0) return
    const batch = this.#db.batch() as Batch
    for (const key of keys) batch.del(key)
    await this.#commit.write(batch)
  }
}

function logIn(id: string): LogId {
  return Number(id.slice(0, id.indexOf(':')))
}

function firstSequenceIn(id: string): number {
  return Number(id.slice(id.indexOf(':') + 1))
}
