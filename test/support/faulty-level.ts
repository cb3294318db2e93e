/** A LevelDB in memory that counts synced writes and can fail the next ones. */
import { type AbstractBatchOptions, AbstractChainedBatch } from 'abstract-level'
import { MemoryLevel } from 'memory-level'

export class FaultyLevel extends MemoryLevel<Buffer, Buffer> {
  failWith: Error | undefined
  /** Whether what fails is written all the same, as after a failed fsync. */
  writesWhatFails = false
  readonly syncs: (boolean | undefined)[] = []
  /** Writes under way, and the most there have been at once. */
  underWay = 0
  mostUnderWay = 0

  constructor() {
    super({ storeEncoding: 'buffer', keyEncoding: 'buffer', valueEncoding: 'buffer' })
  }

  override batch(): never
  override batch(...args: never[]): never {
    const batch = (super.batch as (...all: never[]) => unknown)(...args)
    if (batch instanceof AbstractChainedBatch) {
      const write = batch.write.bind(batch) as (options: object) => Promise<void>
      const faulty = async (options: AbstractBatchOptions<Buffer, Buffer> & { sync?: boolean }) => {
        this.syncs.push(options.sync)
        this.mostUnderWay = Math.max(this.mostUnderWay, ++this.underWay)
        try {
          await new Promise((resolve) => setImmediate(resolve)) // as a disk takes its time
          if (this.failWith === undefined || this.writesWhatFails) await write({})
          if (this.failWith !== undefined) throw this.failWith
        } finally {
          this.underWay--
        }
      }
      Object.assign(batch, { write: faulty })
    }
    return batch as never
  }

  async everything(): Promise<[Buffer, Buffer][]> {
    return this.iterator<Buffer, Buffer>({}).all()
  }
}
