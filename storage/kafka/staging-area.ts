/** What the large batches of this node share: memory, files, and the writers. */
import { Semaphore } from '../semaphore.ts'
import type { LogWriters } from './log-writers.ts'
import type { Spool } from './spool.ts'

export interface StagingParts {
  readonly writers: LogWriters
  readonly spool: Spool
  /** Encoded bytes that may be in memory beyond HELD_BYTES_MIN of each batch. */
  readonly memoryBytesMax?: number
}

/** Each batch may hold this much in memory. */
export const HELD_BYTES_MIN = 1024 * 1024
const MEMORY_BYTES_MAX = 64 * 1024 * 1024
/** Batches that are read back from their files as a whole at a time, each of at most BATCH_BYTES_MAX. */
const WHOLE_BATCHES_MAX = 2

export class StagingArea {
  readonly writers: LogWriters
  readonly spool: Spool
  readonly #memoryBytesMax: number
  readonly #whole = new Semaphore(WHOLE_BATCHES_MAX)
  #heldBytes = 0

  constructor({ writers, spool, memoryBytesMax = MEMORY_BYTES_MAX }: StagingParts) {
    this.writers = writers
    this.spool = spool
    this.#memoryBytesMax = memoryBytesMax
  }

  /** A batch holds `bytes` more in memory, or less. */
  hold(bytes: number): void {
    this.#heldBytes += bytes
  }

  get isFull(): boolean {
    return this.#heldBytes > this.#memoryBytesMax
  }

  /** Runs `work`, which has a whole batch from a file in memory. */
  withWhole<T>(work: () => Promise<T>): Promise<T> {
    return this.#whole.run(work)
  }
}
