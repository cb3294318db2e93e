/**
 * The row store of a connection, with marks about what it holds. The marks are rows of a table 0, written together with the rows that
 * they are about.
 *
 *   ['lsn']                    position of the last transaction in it
 *   ['chunk', table]           [copy, chunk]: the last part of a snapshot in it
 *   ['keys', table, chunk]     the keys of this part: of how many values each is, then the values; in older stores JSON
 *
 * Rows of a snapshot are stored before their events are durable, changes after theirs. So after a crash the store may hold one or two
 * parts of a snapshot that the stream does not have: `settle` removes them by their keys. If it lacks a part that the stream has, its
 * folder was changed, and the table must be read again.
 */
import type { ByteWriter } from '../events/byte-writer.ts'
import type { RowBytes, RowTexts } from '../events/row-bytes.ts'
import { decodeRow, encodeRow } from './row-coding.ts'
import { RowStore } from './row-store.ts'
import type { TableProgress } from './table-capture.ts'

const MARKS = 0

export class KeptRows {
  readonly #store: RowStore

  private constructor(store: RowStore) {
    this.#store = store
  }

  static async open(folder: string): Promise<KeptRows> {
    return new KeptRows(await RowStore.open(folder))
  }

  /** Position up to which it is complete. */
  get lsn(): bigint | undefined {
    return this.#store.lsn
  }

  /** Position of the last transaction in it. */
  get transactionLsn(): bigint | undefined {
    const mark = this.#mark('lsn')
    return mark === undefined ? undefined : BigInt(mark[0]!)
  }

  /** A row as it was put. */
  get(oid: number, key: readonly string[]): Buffer | undefined {
    return this.#store.get(oid, key)
  }

  put(oid: number, key: readonly string[], row: Buffer): void {
    this.#store.put(oid, key, row)
  }

  /** Puts a row of a snapshot, which `get` sees after `storeChunk`. */
  load(
    oid: number,
    row: RowBytes,
    keyPlaces: readonly number[],
    places: readonly number[] | undefined,
    fields: number,
  ): void {
    this.#store.load(oid, row, keyPlaces, places, fields)
  }

  remove(oid: number, key: readonly string[]): void {
    this.#store.remove(oid, key)
  }

  clear(oid: number): void {
    this.#store.clear(oid)
  }

  /** Ends a group of transactions. */
  seal(lsn: bigint): void {
    this.#putMark(['lsn'], [String(lsn)])
    this.#store.seal(lsn)
  }

  /** Ends a group without transactions. */
  sealIdle(lsn: bigint): void {
    this.#store.seal(lsn)
  }

  apply(lsn: bigint): Promise<void> {
    return this.#store.apply(lsn)
  }

  relieve(): Promise<void> {
    return this.#store.relieve()
  }

  sync(): Promise<void> {
    return this.#store.sync()
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  /** Marks the rows since the last group as this part of a snapshot. Resolves when they are on the disk. */
  async storeChunk(
    oid: number,
    { copy, chunk }: { readonly copy: number; readonly chunk: number },
    keys: ByteWriter,
    lsn: bigint,
  ): Promise<void> {
    const table = String(oid)
    this.#putMark(['chunk', table], [String(copy), String(chunk)])
    this.#store.put(MARKS, ['keys', table, String(chunk)], Buffer.from(keys.bytes.subarray(0, keys.at)))
    this.#store.remove(MARKS, ['keys', table, String(chunk - 2)]) // at most two are not durable in the stream
    this.#store.seal(lsn)
    await this.#store.apply(lsn)
    await this.#store.sync()
  }

  /** The rows of these tables may be old. Call it before the first group. Resolves when that is on the disk: `settle` returns false. */
  async forget(oids: readonly number[]): Promise<void> {
    const { lsn } = this
    if (lsn === undefined) return
    for (const oid of oids) this.#store.remove(MARKS, ['chunk', String(oid)])
    this.#store.seal(lsn)
    await this.#store.apply(lsn)
    await this.#store.sync()
  }

  /** Copies of this table so far. */
  copyOf(oid: number): number {
    return Number(this.#mark('chunk', String(oid))?.[0] ?? 0)
  }

  /**
   * Makes the store hold exactly the parts of the snapshot that the stream has. Returns false if it lacks some.
   * Call `apply` afterwards.
   */
  settle(oid: number, progress: TableProgress): boolean {
    const table = String(oid)
    const mark = this.#mark('chunk', table)
    if (mark === undefined) return progress.chunk === 0
    const [copy, last] = mark.map(Number) as [number, number]
    if (copy !== progress.copy || last < progress.chunk) return false
    for (let chunk = progress.chunk + 1; chunk <= last; chunk++) {
      const keys = this.#store.get(MARKS, ['keys', table, String(chunk)])
      if (keys === undefined) return false
      for (const key of keysOf(keys)) this.#store.remove(oid, key)
      this.#store.remove(MARKS, ['keys', table, String(chunk)])
    }
    this.#putMark(['chunk', table], [String(copy), String(progress.chunk)])
    return true
  }

  #mark(...key: readonly string[]): RowTexts | undefined {
    const mark = this.#store.get(MARKS, key)
    return mark && decodeRow(mark)
  }

  #putMark(key: readonly string[], values: readonly string[]): void {
    this.#store.put(MARKS, key, encodeRow(values))
  }
}

/** Values of keys do not contain NUL. */
function* keysOf(stored: Buffer): Iterable<readonly string[]> {
  const text = stored.toString()
  if (text.startsWith('[')) return yield* JSON.parse(text) as string[][]
  const [size, ...values] = text.split('\0')
  for (let at = 0; at < values.length; at += Number(size)) yield values.slice(at, at + Number(size))
}
