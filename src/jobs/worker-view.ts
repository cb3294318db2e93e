/** The process that runs jobs, as it was when it last reported. */
export interface WorkerView {
  /** `jobs-<6 hex>`, new at each start of the process. */
  readonly id: string
  readonly pid: number
  readonly startedMs: number
  /** When it last reported. */
  readonly heartbeatMs: number
  readonly heap: { readonly used: number; readonly total: number; readonly limit: number }
  readonly externalBytes: number
  readonly arrayBufferBytes: number
  readonly residentBytes: number
  readonly engine: { readonly usedBytes: number; readonly limitBytes: number }
  readonly cpuLoad: number | undefined
  readonly cpuMs: number
  readonly threads: number | undefined
  readonly gc: readonly { readonly name: string; readonly count: number; readonly ms: number }[]
  /** Bounded: the newest lines of what the process reported. */
  readonly log: string
  readonly stdout: string
}
