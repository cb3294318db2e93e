/**
 * Totals of events and bytes of each log. Each node adds up what it has written, and stores the sums under a key of its own; the
 * totals of a log are the sum over the nodes.
 *
 *   record of <prefix>.totals:  key  <nodeId>/<logId>   value  {"v":1,"events":12,"bytes":345}, or null for a dropped log
 *
 * What a node has written since it last stored its sums is missing from the totals of the others, and lost when it crashes.
 */
import type { LogId, LogTotals } from '../log.ts'

export interface TotalsTopic {
  /** All records that were stored before the call and have not been read, in their order. */
  readNew(): Promise<readonly TotalsRecord[]>
  /** Resolves when they are stored. */
  store(records: readonly TotalsRecord[]): Promise<void>
}

export interface TotalsRecord {
  readonly key: string
  /** Null: the totals of this key are removed. */
  readonly value: string | null
}

export interface TotalsOptions {
  readonly nodeId: string
  readonly topic: TotalsTopic
  /** Receives a failure to store or read totals. */
  readonly report: (error: unknown) => void
  readonly intervalMs?: number
}

const NOTHING: LogTotals = { events: 0, bytes: 0 }
export const TOTALS_INTERVAL_MS = 10_000

export class Totals {
  readonly #options: TotalsOptions
  /** By log, then by node. */
  readonly #sums = new Map<LogId, Map<string, LogTotals>>()
  /** Logs whose sums of this node are not stored. */
  #changed = new Set<LogId>()
  #timer: NodeJS.Timeout | undefined
  #isOpen = false
  #working: Promise<void> = Promise.resolve()

  private constructor(options: TotalsOptions) {
    this.#options = options
  }

  /** Reads what is stored. */
  static async open(options: TotalsOptions): Promise<Totals> {
    const totals = new Totals(options)
    await totals.#read()
    totals.#isOpen = true
    totals.#schedule()
    return totals
  }

  /** This node has written to the log. */
  add(log: LogId, events: number, bytes: number): void {
    const own = this.#ownOf(log)
    this.#set(log, this.#options.nodeId, { events: own.events + events, bytes: own.bytes + bytes })
    this.#changed.add(log)
  }

  of(log: LogId): LogTotals {
    let events = 0
    let bytes = 0
    for (const sum of this.#sums.get(log)?.values() ?? []) {
      events += sum.events
      bytes += sum.bytes
    }
    return { events, bytes }
  }

  /** The log was dropped. */
  async remove(log: LogId): Promise<void> {
    const nodes = [...(this.#sums.get(log)?.keys() ?? [])]
    this.#sums.delete(log)
    this.#changed.delete(log)
    if (nodes.length === 0) return
    await this.#options.topic.store(nodes.map((node) => ({ key: `${node}/${log}`, value: null })))
  }

  /** Stores what is not stored. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.#working
    await this.#store()
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#working = this.#exchange().finally(() => {
        if (this.#timer !== undefined) this.#schedule()
      })
    }, this.#options.intervalMs ?? TOTALS_INTERVAL_MS)
    this.#timer.unref()
  }

  async #exchange(): Promise<void> {
    try {
      await this.#store()
      await this.#read()
    } catch (error) {
      this.#options.report(error)
    }
  }

  async #store(): Promise<void> {
    const logs = this.#changed
    if (logs.size === 0) return
    this.#changed = new Set()
    const { nodeId, topic } = this.#options
    try {
      await topic.store(
        [...logs].map((log) => ({
          key: `${nodeId}/${log}`,
          value: JSON.stringify({ v: 1, ...this.#ownOf(log) }),
        })),
      )
    } catch (error) {
      for (const log of logs) this.#changed.add(log)
      throw error
    }
  }

  async #read(): Promise<void> {
    for (const record of await this.#options.topic.readNew()) this.#apply(record)
  }

  #apply({ key, value }: TotalsRecord): void {
    const [, node, digits] = /^(.+)\/(\d+)$/.exec(key) ?? []
    if (node === undefined) return
    const log = Number(digits)
    if (value === null) {
      const nodes = this.#sums.get(log)
      nodes?.delete(node)
      if (nodes?.size === 0) this.#sums.delete(log)
      return
    }
    if (this.#isOpen && node === this.#options.nodeId) return // what this node has counted is newer
    const sum = sumOf(value)
    if (sum !== undefined) this.#set(log, node, sum)
  }

  #ownOf(log: LogId): LogTotals {
    return this.#sums.get(log)?.get(this.#options.nodeId) ?? NOTHING
  }

  #set(log: LogId, node: string, sum: LogTotals): void {
    const nodes = this.#sums.get(log)
    if (nodes === undefined) this.#sums.set(log, new Map([[node, sum]]))
    else nodes.set(node, sum)
  }
}

/** Undefined for a value that is none of ours. */
function sumOf(value: string): LogTotals | undefined {
  try {
    const { v, events, bytes } = JSON.parse(value) as Partial<LogTotals> & { v?: unknown }
    if (v !== 1 || !Number.isSafeInteger(events) || !Number.isSafeInteger(bytes)) return undefined
    return { events: events!, bytes: bytes! }
  } catch {
    return undefined
  }
}
