/**
 * Reads tables of a snapshot into their streams, in chunks of some MiB. A chunk is sent in parts, as any write; its rows are in the row
 * store before it is committed. Rows of the next chunk are read meanwhile.
 */
import { ByteWriter } from '../events/byte-writer.ts'
import { RowBytes } from '../events/row-bytes.ts'
import type { SnapshotMark } from '../events/row-change.ts'
import type { CaptureCommit } from './capture-protocol.ts'
import type { KeptRows } from './kept-rows.ts'
import { numberField, writeKey } from './row-coding.ts'
import type { ServiceWrites } from './service-writes.ts'
import type { Snapshot } from './snapshot.ts'
import type { TableCapture } from './table-capture.ts'

export interface SnapshotReaderParts {
  readonly rows: KeptRows
  readonly writes: ServiceWrites
  readonly snapshot: Snapshot
  readonly partBytes: number
  readonly chunkBytes: number
  /** At which the stream stands. */
  readonly position: bigint
  readonly lastCommitLsn: bigint | null
  readonly nowNs: () => bigint
  /** The commit of a write, with the progress of all tables as it is now. */
  readonly commit: () => CaptureCommit
  /** Called when a commit is durable, in their order. */
  readonly committed: () => void
}

const KEYS_BYTES = 64 * 1024
const KEYS_BYTES_KEPT = 1024 * 1024

export class SnapshotReader {
  readonly #parts: SnapshotReaderParts
  /** Of the rows of the open chunk, as `storeChunk` takes them. */
  readonly #keys = new ByteWriter(KEYS_BYTES, KEYS_BYTES_KEPT)
  /** The last row that was emitted, and the one that is read. */
  #row = new RowBytes()
  #next = new RowBytes()
  /** The clock is read once for the rows that arrive together. */
  #nowNs = 0n
  #isFirst = true
  /** Of the open chunk. */
  #sentBytes = 0
  /** The commit of the last chunk. */
  #writing: Promise<void> = Promise.resolve()

  constructor(parts: SnapshotReaderParts) {
    this.#parts = parts
  }

  /** `isLast`: no later table of this snapshot has rows. Resolves when the last part is being written. */
  async read(table: TableCapture, isLast: boolean): Promise<void> {
    const { rows: kept, snapshot, partBytes, chunkBytes } = this.#parts
    this.#nowNs = this.#parts.nowNs()
    if (table.state === 'waiting') {
      kept.clear(table.oid)
      if (table.isFilled) this.#add(table, 't', undefined, 'true')
      table.state = 'reading'
    } else this.#isFirst = false
    let isFirstOfTable = table.lastKey === null
    let isHeld = false
    for await (const lines of snapshot.rows(table.table, table.lastKey)) {
      this.#nowNs = this.#parts.nowNs()
      for (let i = 0; i < lines.count; i++) {
        lines.read(i, this.#next)
        if (table.hasEarlyRows && kept.get(table.oid, table.keyOf(this.#next)) !== undefined) continue
        if (isHeld) {
          this.#emit(table, this.#markOf(isFirstOfTable))
          isFirstOfTable = false
        }
        if (table.byteLength >= partBytes) {
          if (this.#sentBytes + table.byteLength >= chunkBytes) await this.#commit(table)
          else await this.#send(table)
        }
        const row = this.#row
        this.#row = this.#next
        this.#next = row
        isHeld = true
      }
    }
    if (isHeld) {
      const isFirst = this.#isFirst && !isLast
      this.#emit(table, isFirst ? 'first' : isLast ? 'last' : 'last_in_data_collection')
    }
    table.state = 'done'
    await this.#commit(table)
  }

  /** Resolves when everything is durable. */
  async end(): Promise<void> {
    await this.#writing
  }

  #markOf(isFirstOfTable: boolean): SnapshotMark {
    if (this.#isFirst) return 'first'
    return isFirstOfTable ? 'first_in_data_collection' : 'true'
  }

  #emit(table: TableCapture, mark: SnapshotMark): void {
    this.#isFirst = false
    const row = this.#row
    this.#parts.rows.load(table.oid, row, table.keyPlaces, table.storedPlaces, table.storedFields)
    if (this.#keys.at === 0) this.#keys.put(numberField(table.keyPlaces.length))
    this.#keys.byte(0)
    writeKey(this.#keys, row, table.keyPlaces)
    table.rows++
    this.#add(table, 'r', row, mark)
  }

  #add(table: TableCapture, op: 'r' | 't', after: RowBytes | undefined, snapshot: SnapshotMark): void {
    const { lsn, txId, startedUs } = this.#parts.snapshot.facts
    table.events.add({
      op,
      after,
      snapshot,
      lsn,
      lastCommitLsn: this.#parts.lastCommitLsn,
      txId,
      commitUs: startedUs,
      processedNs: this.#nowNs,
    })
  }

  /** Sends a part of the open chunk. */
  async #send(table: TableCapture): Promise<void> {
    this.#sentBytes += table.byteLength
    const events = table.take()
    await this.#writing
    await this.#parts.writes.part(events)
  }

  /** Ends the chunk: its rows are stored, then it is committed. Resolves when the chunk before is durable. */
  async #commit(table: TableCapture): Promise<void> {
    const { rows, writes, position, commit, committed } = this.#parts
    this.#sentBytes = 0
    table.chunk++
    if (this.#keys.at > 0) table.lastKey = table.keyOf(this.#row)
    const storing = rows.storeChunk(table.oid, table, this.#keys, position)
    storing.catch(() => {}) // `#writing` rejects with it
    this.#keys.clear()
    const events = table.take()
    const message = commit()
    await this.#writing
    this.#writing = storing.then(() => writes.commit(events, message)).then(committed)
    this.#writing.catch(() => {}) // the next part, or the end, rejects with it
  }
}
