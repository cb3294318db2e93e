/**
 * Files of this node for large batches that wait for their commit. A file has no name any more once it is open, so a crash
 * frees its space. All files together are bounded by `bytesMax`, and leave `freeBytesMin` free on the disk.
 *
 *   file  := frame x n
 *   frame := length u32 | count u32 | crc32c u32 | record batch, not sealed      crc32c of count and the batch
 */
import { type FileHandle, mkdir, open, readdir, rm, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32c } from '@node-rs/crc32'
import { StorageError } from '../storage-error.ts'
import { type BatchSeal, sealBatch, type UnsealedBatch } from './record-batch.ts'

export interface SpoolOptions {
  /** Belongs to this process alone. */
  readonly folder: string
  readonly bytesMax: number
  /** Bytes that stay free on the disk. */
  readonly freeBytesMin?: number
  /** Free bytes of the disk of a folder; for tests. */
  readonly freeBytes?: (folder: string) => Promise<number>
}

const FRAME_HEAD_BYTES = 12
/** The disk is asked again after this many bytes, or this time. */
const CHECK_BYTES = 16 * 1024 * 1024
const CHECK_MS = 1_000

export class Spool {
  readonly #options: SpoolOptions
  #files = 0
  #bytes = 0
  #freeBytes = 0
  #bytesSinceCheck = 0
  #checkedMs = Number.NEGATIVE_INFINITY
  /** The last question for the free bytes. */
  #checking: Promise<void> = Promise.resolve()

  private constructor(options: SpoolOptions) {
    this.#options = options
  }

  /** Opens the folder, and removes files that a crash has left there. */
  static async open(options: SpoolOptions): Promise<Spool> {
    await mkdir(options.folder, { recursive: true })
    for (const name of await readdir(options.folder)) await rm(join(options.folder, name), { force: true })
    return new Spool(options)
  }

  /** Bytes of all files. */
  get bytes(): number {
    return this.#bytes
  }

  /** Rejects with StorageError 'full' or 'unavailable'. */
  async create(): Promise<SpoolFile> {
    const path = join(this.#options.folder, `batch-${++this.#files}`)
    try {
      const file = await open(path, 'wx+')
      await unlink(path)
      return new SpoolFile(this, file)
    } catch (error) {
      throw spoolError(error)
    }
  }

  /** Throws StorageError 'full' if the files may not grow by this much. */
  async reserve(bytes: number): Promise<void> {
    const { bytesMax, freeBytesMin = 0, freeBytes = freeBytesOf, folder } = this.#options
    if (this.#bytes + bytes > bytesMax) {
      throw new StorageError(
        'full',
        `large batches that wait for their commit have ${this.#bytes} bytes on this node, of at most ${bytesMax}; try again later`,
      )
    }
    this.#bytes += bytes // before the next await, so that others see it
    this.#bytesSinceCheck += bytes
    if (this.#bytesSinceCheck >= CHECK_BYTES || performance.now() - this.#checkedMs >= CHECK_MS) {
      this.#bytesSinceCheck = bytes
      this.#checkedMs = performance.now()
      this.#checking = freeBytes(folder).then((free) => {
        this.#freeBytes = free
      })
    }
    try {
      await this.#checking
    } catch (error) {
      this.#bytes -= bytes
      this.#checkedMs = Number.NEGATIVE_INFINITY
      throw spoolError(error)
    }
    if (this.#freeBytes - this.#bytesSinceCheck < freeBytesMin) {
      this.#bytes -= bytes
      this.#checkedMs = Number.NEGATIVE_INFINITY
      throw new StorageError(
        'full',
        `the disk of ${folder} has ${this.#freeBytes} bytes free; ${freeBytesMin} have to stay free`,
      )
    }
  }

  release(bytes: number): void {
    this.#bytes -= bytes
  }
}

/** The frames of one batch. `append` is called once at a time. */
export class SpoolFile {
  readonly #spool: Spool
  readonly #file: FileHandle
  #bytes = 0

  constructor(spool: Spool, file: FileHandle) {
    this.#spool = spool
    this.#file = file
  }

  /** Rejects with StorageError 'full' or 'unavailable'; the file is of no use then. */
  async append({ bytes, count }: Pick<UnsealedBatch, 'bytes' | 'count'>): Promise<void> {
    const head = Buffer.allocUnsafe(FRAME_HEAD_BYTES)
    head.writeUInt32BE(bytes.length, 0)
    head.writeUInt32BE(count, 4)
    head.writeUInt32BE(crc32c(bytes, crc32c(head.subarray(4, 8))), 8)
    await this.#spool.reserve(head.length + bytes.length)
    const at = this.#bytes
    this.#bytes += head.length + bytes.length
    try {
      await writeAll(this.#file, head, at)
      await writeAll(this.#file, bytes, at + head.length)
    } catch (error) {
      throw spoolError(error)
    }
  }

  /** The batches in order. May be called again. Rejects with StorageError 'corrupt' and 'unavailable'. */
  async *batches(): AsyncGenerator<UnsealedBatch, void, undefined> {
    for (let at = 0; at < this.#bytes; ) {
      const head = await this.#read(at, FRAME_HEAD_BYTES)
      const length = head.readUInt32BE(0)
      const count = head.readUInt32BE(4)
      if (at + FRAME_HEAD_BYTES + length > this.#bytes) throw damaged(at)
      const bytes = await this.#read(at + FRAME_HEAD_BYTES, length)
      if (head.readUInt32BE(8) !== crc32c(bytes, crc32c(head.subarray(4, 8)))) throw damaged(at)
      yield { count, bytes, bodyBytes: 0, seal: (seal: BatchSeal) => sealBatch(bytes, seal) }
      at += FRAME_HEAD_BYTES + length
    }
  }

  /** Frees the disk space. Has no effect when called again. */
  async close(): Promise<void> {
    this.#spool.release(this.#bytes)
    this.#bytes = 0
    await this.#file.close().catch(() => {})
  }

  async #read(at: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length)
    try {
      for (let done = 0; done < length; ) {
        const { bytesRead } = await this.#file.read(bytes, done, length - done, at + done)
        if (bytesRead === 0) throw damaged(at)
        done += bytesRead
      }
    } catch (error) {
      throw spoolError(error)
    }
    return bytes
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, at: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, at + done)
    done += bytesWritten
  }
}

async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

function damaged(at: number): StorageError {
  return new StorageError('corrupt', `the file of a batch that waits for its commit is damaged at byte ${at}`)
}

function spoolError(error: unknown): StorageError {
  if (error instanceof StorageError) return error
  const { code, message } = error as NodeJS.ErrnoException
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  return new StorageError(
    isFull ? 'full' : 'unavailable',
    `a batch cannot be kept on the disk of this node: ${message}`,
    { cause: error },
  )
}
