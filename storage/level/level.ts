/** The LevelDB underneath: classic-level on disk, or memory-level in tests. Keys and values are Buffers. */
import type { AbstractBatchOptions, AbstractChainedBatch, AbstractLevel } from 'abstract-level'

export type Level = AbstractLevel<string | Buffer | Uint8Array, Buffer, Buffer>
export type Batch = Omit<AbstractChainedBatch<Level, Buffer, Buffer>, 'write'> & {
  /** `sync` is LevelDB's: resolve after fsync. memory-level ignores it. */
  write(options: AbstractBatchOptions<Buffer, Buffer> & { sync?: boolean }): Promise<void>
}

/** What only the engine on disk has. */
export interface Compactable {
  /** Throws the space of deleted keys away. */
  compactRange(start: Buffer, end: Buffer): Promise<void>
  /** Bytes of a range in LevelDB's tables, deleted ones included. */
  approximateSize(start: Buffer, end: Buffer): Promise<number>
}

export function isCompactable(db: object): db is Compactable {
  return 'compactRange' in db
}

/** Whether a chained batch has copied what it was given once `put` returns: LevelDB's does, one in memory keeps it. */
export function copiesOnPut(db: object): boolean {
  return isCompactable(db)
}
