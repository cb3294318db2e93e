/**
 * The words of the bench. A *case* is one thing that can be measured; a *suite* is a list of cases that are measured in
 * turn (A B C, A B C, …), so that a machine that slows down slows all of them; a *sample* is what one case gave in one
 * round. Cases are compared by the medians of their samples, and only within one run.
 */

/** The result of one case in one round. Figures that were not measured, or mean nothing for the case, are missing. */
export interface Sample {
  /** Of the measured time, warm-up aside. */
  readonly seconds: number
  /** Requests answered with success; reads, writes or passes of a loop where there are no requests. */
  readonly answers: number
  /** Events of those requests: sent, or read. */
  readonly events: number
  /** Bytes that hold events: of requests when writing, of answers when reading. */
  readonly bytes: number
  readonly p50Ms?: number
  readonly p99Ms?: number
  readonly p999Ms?: number
  /** User and system time of all threads of the measured process, in the measured time. */
  readonly cpuSeconds?: number
  readonly rssPeakBytes?: number
  /** Memory of the process at the end of the measured time, and the part of it that is not pages of mapped files. */
  readonly rssBytes?: number
  readonly rssOwnBytes?: number
  /** Size of all files of the data folder once the process has stopped. */
  readonly diskBytes?: number
  /** Share of a core that the load itself took: near 1, the load may be what was measured. */
  readonly loadBusy?: number
  /** Events that were acknowledged, warm-up included, and those found after a restart; only where that was counted. */
  readonly acknowledged?: number
  readonly stored?: number
  /** What became of all other requests, warm-up included: a status or an error, and how many. */
  readonly failures: Readonly<Record<string, number>>
}

/** What a case is given for one round. */
export interface Round {
  readonly seconds: number
  readonly warmupSeconds: number
  /** A folder of its own, empty, removed after the round. */
  readonly folder: string
  /** Command words that keep the measured process, and the load, on a core each; empty where that cannot be done. */
  readonly pinServer: readonly string[]
  readonly pinLoad: readonly string[]
  /** Flags for the `node` that is measured: profiles. */
  readonly nodeFlags: readonly string[]
  /** Whether to count after the measurement that everything acknowledged is there: in the last round. */
  readonly verify?: boolean
}

export interface Case {
  /** Short and stable: `--only` takes it, saved results are compared by it. */
  readonly name: string
  /** One line for `--help` and the table. */
  readonly about: string
  /** Measures the service itself: counts for the limit of memory, and must be sound for the bench to end with 0. */
  readonly ofService?: true
  /** Takes long, needs much that must be stored first, or tells little that others do not: not in a quick look. */
  readonly long?: true
  /** That it cannot be measured here is no complaint: what it needs is a program that few have. */
  readonly optional?: true
  /** Why it cannot be measured here (program not installed, …); undefined if it can. Asked once, before any round. */
  unavailable?(): Promise<string | undefined>
  run(round: Round): Promise<Sample>
}
