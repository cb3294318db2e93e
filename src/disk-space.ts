/**
 * The watermark: events are refused while the disk has less room than the operator wants to keep free, so that it does not
 * fill up. Whoever asks gets what the last look saw; nobody waits for the disk.
 *
 * Only what makes the store grow is refused. Truncating, deleting and expiry go on, for they give room back.
 */
import type { StatsFs } from 'node:fs'
import { ServiceError } from './service-error.ts'

const POLL_INTERVAL_MS = 1000
/** With less than so many times the mark left, fast uploads could reach it between two looks. */
const CLOSE_TIMES = 8
const CLOSE_POLL_INTERVAL_MS = 100

export interface DiskSpaceOptions {
  /** 0 means that the disk is never looked at. */
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

  /** Has looked once when it resolves, and goes on looking until it is stopped. */
  async watch(): Promise<void> {
    if (this.#options.minFreeBytes > 0 && !this.#stopped) await this.#watch()
  }

  refusal(): ServiceError {
    return new ServiceError(
      'disk_low',
      `the disk has ${this.#freeBytes} bytes free, and ${this.#options.minFreeBytes} are to stay free; ` +
        'make room, truncate or delete streams, or lower --min-free-disk',
    )
  }

  /** Why events are refused, as a sentence; undefined while they are taken. */
  failure(): Error | undefined {
    return this.low ? new Error(`events are refused: ${this.refusal().message}`) : undefined
  }

  /** As of the last look; undefined if nobody looks. */
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
      this.#options.report(this.failure()?.message ?? 'the disk has room for events again')
    if (this.#stopped) return
    const close = this.#freeBytes < CLOSE_TIMES * this.#options.minFreeBytes
    this.#timer = setTimeout(
      () => void this.#watch(),
      close ? CLOSE_POLL_INTERVAL_MS : POLL_INTERVAL_MS,
    ).unref()
  }

  /** A disk that cannot be asked is taken to be as it was. */
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
