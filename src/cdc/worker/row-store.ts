/**
 * The last row of every key of the captured tables of a connection, in a LevelDB of its own.
 *
 * Changes are made in memory with `put`, `remove` and `clear`; `get` sees them at once. `seal` ends a group of whole transactions.
 * `apply` writes the sealed groups up to an LSN, each with its LSN in one batch. Call it when the events of these groups are durable;
 * so the store is never ahead of the events, but behind them after a crash.
 */
import type { RowTexts } from '../events/change-events.ts'

/** The texts of the columns of the key, in its order. */
export type KeyTexts = readonly string[]

export class RowStore {
  /** Opens the store in the folder, or creates it. Rejects if another process has it open. */
  static async open(_folder: string): Promise<RowStore> {
    throw new Error('not there yet')
  }

  /** Of the last group that was applied; undefined: none. */
  get lsn(): bigint | undefined {
    return undefined
  }

  /** The last row of the key; undefined if there is none. Synchronous: a read from the disk blocks for its time. */
  get(_tableOid: number, _key: KeyTexts): RowTexts | undefined {
    throw new Error('not there yet')
  }

  put(_tableOid: number, _key: KeyTexts, _row: RowTexts): void {}

  remove(_tableOid: number, _key: KeyTexts): void {}

  /** Removes all rows of the table. */
  clear(_tableOid: number): void {}

  /** Ends a group with the changes since the last call: what `apply` writes in one batch with the LSN. */
  seal(_lsn: bigint): void {}

  /**
   * Moves changes of the open group to the disk if they take much memory; they stay unseen by a later opening until the group is
   * applied. Call it now and then in a large transaction. While an older group has changes on the disk, it waits for its `apply`.
   */
  async relieve(): Promise<void> {}

  /** Writes the sealed groups with an LSN up to this one. They survive the end of the process, after `sync` also that of the machine. */
  async apply(_lsn: bigint): Promise<void> {}

  /** Forgets all changes that are not applied. */
  async discard(): Promise<void> {}

  /** Resolves when everything that was applied is on the disk. */
  async sync(): Promise<void> {}

  /** Bytes of the files. */
  diskBytes(): Promise<number> {
    return Promise.resolve(0)
  }

  async close(): Promise<void> {}
}
