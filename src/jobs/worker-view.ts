/** The process that runs jobs, as it has reported itself: what Flink calls a TaskManager. */

export interface WorkerView {
  /** `jobs-<6 hex>`, new at each start of the process. */
  readonly id: string
  readonly pid: number
  readonly startedMs: number
  /** When it last reported. A process that works reports every second, one that waits every ten. */
  readonly heartbeatMs: number
  readonly heap: { readonly used: number; readonly total: number; readonly limit: number }
  readonly externalBytes: number
  readonly arrayBufferBytes: number
  readonly residentBytes: number
  /** Memory of the SQL engine. */
  readonly engine: { readonly usedBytes: number; readonly limitBytes: number }
  /** Share of one processor between the last two heartbeats; undefined before the second one. */
  readonly cpuLoad: number | undefined
  /** Processor time since its start. */
  readonly cpuMs: number
  /** Undefined where the system does not say. */
  readonly threads: number | undefined
  /** Garbage collections since its start. */
  readonly gc: readonly { readonly name: string; readonly count: number; readonly ms: number }[]
  /** The newest lines of what the process has reported about its jobs, oldest first. */
  readonly log: string
  /** The newest lines that sinks with the connector `print` have written. */
  readonly stdout: string
}

/** What a worker is doing, as text. */
export interface ThreadDump {
  readonly name: string
  readonly text: string
}
