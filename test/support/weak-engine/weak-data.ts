/**
 * What the weak engine keeps: in memory, and beyond `close`, so that a store can be opened again.
 *
 * A log is a list of blocks. Sequences ascend over the blocks and have holes between them.
 */
import type { DocumentVersion } from '../../../storage/catalog.ts'
import type { EventHeaders, LogId, Position, Stretch } from '../../../storage/log.ts'

export interface WeakEvent {
  readonly headers: EventHeaders
  readonly body: Buffer
}

export interface WeakBlock {
  readonly firstSequence: number
  readonly timestampMs: number
  readonly events: readonly WeakEvent[]
}

export interface WeakLogData {
  blocks: WeakBlock[]
  nextSequence: number
  lastTimestampMs: number
  firstSequence: number
  firstTimestampMs: number
  events: number
  bytes: number
  stretches: Stretch[]
  dropping: boolean
}

export class WeakData {
  readonly logs = new Map<LogId, WeakLogData>()
  /** Keys are `<collection>/<id>`. */
  readonly documents = new Map<string, { readonly json: string; readonly version: DocumentVersion }>()
  readonly identity: number
  /** Of all openings: each is called when its log grows. */
  readonly growthWaiters = new Map<LogId, Set<() => void>>()
  epoch = 0
  #versions = 0

  constructor(identity: number) {
    this.identity = identity
  }

  nextVersion(): DocumentVersion {
    return `v${++this.#versions}`
  }

  /** The log, created if it does not exist. */
  logOf(log: LogId): WeakLogData {
    let data = this.logs.get(log)
    if (data === undefined) {
      data = {
        blocks: [],
        nextSequence: 0,
        lastTimestampMs: 0,
        firstSequence: 0,
        firstTimestampMs: 0,
        events: 0,
        bytes: 0,
        stretches: [],
        dropping: false,
      }
      this.logs.set(log, data)
    }
    return data
  }
}

/** Position of the last event of a block. */
export function lastPosition({ firstSequence, timestampMs, events }: WeakBlock): Position {
  return { sequence: firstSequence + events.length - 1, timestampMs }
}
