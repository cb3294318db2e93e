/**
 * Reads tables of a snapshot into their streams, in chunks of some MiB. A chunk is sent in parts, as any write; its rows are in the row
 * store before it is committed. Rows of the next chunk are read meanwhile.
 */
import type { RowTexts, SnapshotMark } from '../events/change-events.ts'
import type { CaptureCommit } from './capture-protocol.ts'
import type { KeptRows } from './kept-rows.ts'
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

interface HeldRow {
  readonly key: readonly string[]
  readonly row: RowTexts
}

export class SnapshotReader {
  readonly #parts: SnapshotReaderParts
  #keys: (readonly string[])[] = []
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
    if (table.state === 'waiting') {
      kept.clear(table.oid)
      if (table.isFilled) this.#add(table, 't', undefined, 'true')
      table.state = 'reading'
    } else this.#isFirst = false
    let isFirstOfTable = table.lastKey === null
    let held: HeldRow | undefined
    for await (const rows of snapshot.rows(table.table, table.lastKey)) {
      for (const row of rows) {
        const key = table.keyOf(row)
        if (table.hasEarlyRows && kept.get(table.oid, key) !== undefined) continue
        if (held !== undefined) {
          this.#emit(table, held, this.#markOf(isFirstOfTable))
          isFirstOfTable = false
        }
        held = { key, row }
        if (table.byteLength < partBytes) continue
        if (this.#sentBytes + table.byteLength >= chunkBytes) await this.#commit(table)
        else await this.#send(table)
      }
    }
    if (held !== undefined) {
      const isFirst = this.#isFirst && !isLast
      this.#emit(table, held, isFirst ? 'first' : isLast ? 'last' : 'last_in_data_collection')
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

  #emit(table: TableCapture, { key, row }: HeldRow, mark: SnapshotMark): void {
    this.#isFirst = false
    this.#parts.rows.load(table.oid, key, table.toStored(row))
    this.#keys.push(key)
    table.rows++
    table.lastKey = key
    this.#add(table, 'r', row, mark)
  }

  #add(table: TableCapture, op: 'r' | 't', after: RowTexts | undefined, snapshot: SnapshotMark): void {
    const { lsn, txId, startedUs } = this.#parts.snapshot.facts
    table.events.add({
      op,
      ...(after && { after }),
      snapshot,
      lsn,
      lastCommitLsn: this.#parts.lastCommitLsn,
      txId,
      commitUs: startedUs,
      processedNs: this.#parts.nowNs(),
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
    const storing = rows.storeChunk(table.oid, table, this.#keys, position)
    storing.catch(() => {}) // `#writing` rejects with it
    this.#keys = []
    const events = table.take()
    const message = commit()
    await this.#writing
    this.#writing = storing.then(() => writes.commit(events, message)).then(committed)
    this.#writing.catch(() => {}) // the next part, or the end, rejects with it
  }
}
