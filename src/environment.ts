/** What the outside world gives the service: handed in, so that a test can be exact. */
import type { Storage } from '../storage/storage.ts'

export interface Environment {
  readonly nowMs: () => number
  readonly random: () => number
  /** Reports a failure of the service itself: one call, one line of the log. */
  readonly report: (error: unknown) => void
  /** Takes lines of audit, each with its line end. */
  readonly log?: (line: string) => void
  /** Opens the store; the data folder of the config unless a test says otherwise. */
  readonly openStorage?: (nowMs: () => number) => Promise<Storage>
  /** Which part of the time since the last call the process was busy, 0 to 1; as node counts it unless a test says otherwise. */
  readonly busyShare?: () => number
  /** Free disk space: that of the data folder, unless a test sets another function. */
  readonly statfs?: () => Promise<{ readonly bavail: number; readonly bsize: number }>
}
