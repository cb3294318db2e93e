/** A row store whose rows are given and read as texts. */
import { type RowTexts, rowOfTexts } from '../../src/cdc/events/row-bytes.ts'
import { decodeRow, encodeRow } from '../../src/cdc/worker/row-coding.ts'
import { type KeyTexts, RowStore, type RowStoreLimits } from '../../src/cdc/worker/row-store.ts'

export class TextRowStore {
  readonly #store: RowStore
  readonly clear: RowStore['clear']
  readonly remove: RowStore['remove']
  readonly seal: RowStore['seal']
  readonly apply: RowStore['apply']
  readonly relieve: RowStore['relieve']
  readonly discard: RowStore['discard']
  readonly sync: RowStore['sync']
  readonly close: RowStore['close']
  readonly diskBytes: RowStore['diskBytes']

  private constructor(store: RowStore) {
    this.#store = store
    this.clear = store.clear.bind(store)
    this.remove = store.remove.bind(store)
    this.seal = store.seal.bind(store)
    this.apply = store.apply.bind(store)
    this.relieve = store.relieve.bind(store)
    this.discard = store.discard.bind(store)
    this.sync = store.sync.bind(store)
    this.close = store.close.bind(store)
    this.diskBytes = store.diskBytes.bind(store)
  }

  static async open(folder: string, limits?: RowStoreLimits): Promise<TextRowStore> {
    return new TextRowStore(await RowStore.open(folder, limits))
  }

  get lsn(): bigint | undefined {
    return this.#store.lsn
  }

  get(table: number, key: KeyTexts): RowTexts | undefined {
    const stored = this.#store.get(table, key)
    return stored && decodeRow(stored)
  }

  put(table: number, key: KeyTexts, row: RowTexts): void {
    this.#store.put(table, key, encodeRow(row))
  }

  /** The values of the key are before those of the row, and not among its fields. */
  load(table: number, key: KeyTexts, row: RowTexts): void {
    const places = [...key.map(() => -1), ...row.map((_, i) => i)]
    const keyPlaces = key.map((_, i) => i)
    this.#store.load(table, rowOfTexts([...key, ...row]), keyPlaces, places, row.length)
  }
}
