/**
 * Writes records of this node to the catalog's topic, in the order of the calls, one batch under way.
 *
 * Records are numbered, and the replay ignores one that is not above the last of its node. So a batch may be sent again without
 * a producer id, and a batch that was given up can have no effect once a later record of this node is stored.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { StorageError } from '../storage-error.ts'
import type { CatalogTopic } from './catalog-topic.ts'
import { type CatalogRecord, encodeRecord, type Offset, type Sender } from './change-codec.ts'
import type { Leader } from './cluster.ts'
import { NO_PRODUCER, RecordBatchBuilder } from './record-batch.ts'

/** The topic takes batches of CATALOG_MESSAGE_BYTES_MAX. */
export const CHANGE_BYTES_MAX = 8 * 1024 * 1024
const BATCH_BYTES = 1024 * 1024
const BATCH_RECORDS_MAX = 1_000
const PAUSE_MIN_MS = 5
const PAUSE_MAX_MS = 500

export interface Stored {
  readonly offset: Offset
  readonly leader: Leader
}

export interface WrittenRecord {
  readonly from: Sender
  /**
   * Rejects with StorageError 'unavailable' if the record is certainly not stored and will not be; with 'unknown' if it may
   * be stored until a later record of this node is.
   */
  readonly stored: Promise<Stored>
}

interface Waiting {
  readonly value: Buffer
  readonly sinceMs: number
  resolve(stored: Stored): void
  reject(error: StorageError): void
}

export interface CatalogWriterParts {
  readonly topic: CatalogTopic
  readonly node: string
  readonly life: number
  /** How long a batch is sent again. */
  readonly retryMs: number
}

export class CatalogWriter {
  readonly #parts: CatalogWriterParts
  readonly #queue: Waiting[] = []
  #running: Promise<void> | undefined
  /** Of the last record. They settle in order. */
  #last: Promise<void> = Promise.resolve()
  #n = 0
  #closed = false

  constructor(parts: CatalogWriterParts) {
    this.#parts = parts
  }

  /** A number for a record that is written in a transaction. */
  sender(): Sender {
    const { node, life } = this.#parts
    return { node, life, n: ++this.#n }
  }

  write(make: (from: Sender) => CatalogRecord): WrittenRecord {
    const from = this.sender()
    const value = encodeRecord(make(from))
    const stored = new Promise<Stored>((resolve, reject) => {
      if (this.#closed) return reject(new StorageError('closed', 'the store is closed'))
      if (value.length > CHANGE_BYTES_MAX) return reject(tooLarge(value.length))
      this.#queue.push({ value, sinceMs: performance.now(), resolve, reject })
      this.#running ??= this.#run()
    })
    const settled = () => {}
    this.#last = stored.then(settled, settled)
    return { from, stored }
  }

  /** Resolves when every record that was written before the call is stored, or given up. */
  flushed(): Promise<void> {
    return this.#last
  }

  /** Refuses further records. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #run(): Promise<void> {
    await Promise.resolve() // records of one turn share a batch
    while (this.#queue.length > 0) {
      await this.#send(this.#take())
    }
    this.#running = undefined
  }

  #take(): Waiting[] {
    let bytes = 0
    let count = 0
    for (const { value } of this.#queue) {
      if (count > 0 && (bytes + value.length > BATCH_BYTES || count === BATCH_RECORDS_MAX)) break
      bytes += value.length
      count++
    }
    return this.#queue.splice(0, count)
  }

  async #send(group: readonly Waiting[]): Promise<void> {
    const builder = new RecordBatchBuilder()
    for (const { value } of group) builder.addRecord({ value })
    const batch = builder.finish()
    batch.seal(NO_PRODUCER)
    const endMs = group[0]!.sinceMs + this.#parts.retryMs
    let inDoubt = false
    for (let pauseMs = PAUSE_MIN_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
      const outcome = await this.#parts.topic.store(batch)
      if (outcome.kind === 'stored') {
        for (const [i, { resolve }] of group.entries())
          resolve({ offset: outcome.offset + i, leader: outcome.leader })
        return
      }
      inDoubt ||= outcome.kind === 'lost'
      if (outcome.isLasting || performance.now() + pauseMs > endMs) {
        for (const { reject } of group) reject(failure(inDoubt, outcome.problem))
        return
      }
      await sleep(pauseMs)
    }
  }
}

function failure(inDoubt: boolean, problem: string): StorageError {
  return inDoubt
    ? new StorageError(
        'unknown',
        `the catalog has not acknowledged a change, which may be stored: ${problem}`,
      )
    : new StorageError('unavailable', `the catalog takes no changes now: ${problem}`)
}

function tooLarge(bytes: number): StorageError {
  return new StorageError(
    'unavailable',
    `a change of the catalog has ${bytes} bytes; at most ${CHANGE_BYTES_MAX} are taken, so change fewer documents at once`,
  )
}
