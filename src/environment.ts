/** What the service needs from the platform (clock, randomness, log, disk), passed in so that tests can replace it. */
import type { Storage } from '../storage/storage.ts'
import type { LogFolder } from './process/log-folder.ts'

export interface Environment {
  readonly nowMs: () => number
  readonly random: () => number
  /** Reports a failure of the service itself: one call, one line of the log. */
  readonly report: (error: unknown) => void
  /** Writes lines of the audit trail, each with its line end. */
  readonly log?: (line: string) => void
  /** Opens the store. By default that is the data folder of the config; tests may replace it. */
  readonly openStorage?: (nowMs: () => number) => Promise<Storage>
  /**
   * The share of the time since the last call in which the process was busy, 0 to 1. By default node's own measurement;
   * tests may replace it.
   */
  readonly busyShare?: () => number
  /** Free disk space. By default that of the data folder; tests may replace it. */
  readonly statfs?: () => Promise<{ readonly bavail: number; readonly bsize: number }>
  /** What `report` and `log` print, also in files. Undefined without `--log-dir`. */
  readonly logs?: LogFolder | undefined
  /** Ends the service in order, as SIGTERM does. */
  readonly shutdown?: () => void
}
