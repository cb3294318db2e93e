/**
 * The minimum of free disk space: the service refuses events while the disk has less free space than the operator wants
 * to keep, so that the disk does not fill up. The free space is polled, so no request waits for the disk.
 *
 * Only requests that make the store grow are refused. Truncating, deleting and expiry continue, because they free disk
 * space.
 */
import type { StatsFs } from 'node:fs'
import { ServiceError } from './service-error.ts'

const POLL_INTERVAL_MS = 1000
/** While the free space is below this multiple of the minimum, the disk is polled more often. */
const CLOSE_TIMES = 8
const CLOSE_POLL_INTERVAL_MS = 100

export interface DiskSpaceOptions {
  /** 0: the disk is not polled. */
  readonly minFreeBytes: number
  readonly statfs: () => Promise<Pick<StatsFs, 'bavail' | 'bsize'>>
  readonly report: (error: unknown) => void
}

export class DiskSpace {
  readonly #options: DiskSpaceOptions
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #freeBytes = Number.POSITIVE_INFINITY
  /** Whether events are refused. */
  low = false

  constructor(options: DiskSpaceOptions) {
    this.#options = options
  }

  /** Resolves after the first poll, and polls until `stop`. */
  async watch(): Promise<void> {
    if (this.#options.minFreeBytes > 0 && !this.#stopped) await this.#watch()
  }

  refusal(): ServiceError {
    return new ServiceError(
      'disk_low',
      `the disk has ${this.#freeBytes} bytes free, and ${this.#options.minFreeBytes} are to stay free; ` +
        'free disk space, truncate or delete streams, or lower --min-free-disk',
    )
  }

  /** Why events are refused, as a sentence; undefined while they are accepted. */
  failure(): Error | undefined {
    return this.low ? new Error(`events are refused: ${this.refusal().message}`) : undefined
  }

  /** The free space at the last poll; undefined if the disk is not polled. */
  get freeBytes(): number | undefined {
    return Number.isFinite(this.#freeBytes) ? this.#freeBytes : undefined
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }

  async #watch(): Promise<void> {
    const wasLow = this.low
    await this.#poll()
    if (this.low !== wasLow)
      this.#options.report(this.failure()?.message ?? 'the disk has space for events again')
    if (this.#stopped) return
    const close = this.#freeBytes < CLOSE_TIMES * this.#options.minFreeBytes
    this.#timer = setTimeout(
      () => void this.#watch(),
      close ? CLOSE_POLL_INTERVAL_MS : POLL_INTERVAL_MS,
    ).unref()
  }

  /** If the poll fails, the last values stay. */
  async #poll(): Promise<void> {
    try {
      const { bavail, bsize } = await this.#options.statfs()
      this.#freeBytes = bavail * bsize
      this.low = this.#freeBytes < this.#options.minFreeBytes
    } catch (error) {
      this.#options.report(error)
    }
  }
}
