/** A LevelDB in memory that counts synced writes, and can fail reads, writes, and the staging of writes. */
import { type AbstractBatchOptions, AbstractChainedBatch } from 'abstract-level'
import { MemoryLevel } from 'memory-level'

export class FaultyLevel extends MemoryLevel<Buffer, Buffer> {
  failWith: Error | undefined
  /** Whether what fails is written all the same, as after a failed fsync. */
  writesWhatFails = false
  /** Lookups of several keys fail with it. */
  failReadWith: Error | undefined
  /** After so many puts into a batch one fails, once. */
  failPutAfter: number | undefined
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
      const put = batch.put.bind(batch)
      const staged = (key: Buffer, value: Buffer) => {
        if (this.failPutAfter !== undefined && this.failPutAfter-- === 0) {
          this.failPutAfter = undefined
          throw new RangeError('Array buffer allocation failed')
        }
        return put(key, value)
      }
      Object.assign(batch, { write: faulty, put: staged })
    }
    return batch as never
  }

  override getMany(...args: never[]): never {
    if (this.failReadWith !== undefined) return Promise.reject(this.failReadWith) as never
    return (super.getMany as (...all: never[]) => unknown)(...args) as never
  }

  async everything(): Promise<[Buffer, Buffer][]> {
    return this.iterator<Buffer, Buffer>({}).all()
  }
}
