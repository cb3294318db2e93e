/** The LevelDB interface: classic-level on disk, or memory-level in tests. Keys and values are Buffers. */
import type { AbstractBatchOptions, AbstractChainedBatch, AbstractLevel } from 'abstract-level'

export type Level = AbstractLevel<string | Buffer | Uint8Array, Buffer, Buffer>
export type Batch = Omit<AbstractChainedBatch<Level, Buffer, Buffer>, 'write'> & {
  /** `sync` is LevelDB's option: the write resolves after fsync. memory-level ignores it. */
  write(options: AbstractBatchOptions<Buffer, Buffer> & { sync?: boolean }): Promise<void>
}

/** Methods that only the engine on disk has. */
export interface Compactable {
  /** Frees the disk space of deleted keys. */
  compactRange(start: Buffer, end: Buffer): Promise<void>
  /** Bytes of a range in LevelDB's tables, including deleted keys. */
  approximateSize(start: Buffer, end: Buffer): Promise<number>
}

export function isCompactable(db: object): db is Compactable {
  return 'compactRange' in db
}

/** Whether `put` of a chained batch copies its arguments. LevelDB's does; the engine in memory keeps the Buffers. */
export function copiesOnPut(db: object): boolean {
  return isCompactable(db)
}
