/** What a workload is, and what comes of it. */
import type { LoadResult } from '../load/jobs.ts'
import type { Pinning } from '../pinning.ts'
import type { ServerUsage } from '../server-process.ts'

export interface Workload {
  readonly name: string
  /** For `--help`. */
  readonly about: string
  readonly connections: number
  /** Takes long: only on demand. */
  readonly long?: boolean
  run(surroundings: Surroundings): Promise<Measurement>
}

export interface Surroundings {
  readonly seconds: number
  readonly warmupSeconds: number
  /** Lines of one upload. */
  readonly uploadLines: number
  /** A folder of its own, not there yet. */
  readonly dataFolder: string
  readonly pinning: Pinning
  /** Flags for the `node` that runs the server while it is measured. */
  readonly nodeFlags: readonly string[]
}

export interface Measurement {
  readonly load: LoadResult
  /** Of the server that was measured: CPU of the measured time, memory as of its end. Undefined without /proc. */
  readonly server: ServerUsage | undefined
  /** Events the server said it has. */
  readonly acknowledged: number
  /** Events it handed out when asked for all of them, after a restart. */
  readonly stored: number
}
