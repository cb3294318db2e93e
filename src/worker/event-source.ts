/** The source of events for a query worker. */
import type { EventBlock, LogId } from '../../storage/log.ts'
import type { StreamId } from '../streams/names.ts'
import { earliestVisibleMs } from '../streams/properties.ts'
import type { Registry } from '../streams/registry.ts'
import type { EventQuery, Streams } from '../streams/streams.ts'

export interface SourceRead {
  readonly log: LogId
  /** The read omits events before this time, because they have expired, even if they are still on disk. */
  readonly startMs: number
  /** A block is valid until the next one is requested. */
  readonly blocks: AsyncIterableIterator<EventBlock, void, undefined>
}

export interface EventSource {
  /** Undefined if no event matches. */
  read(id: StreamId, query: EventQuery): Promise<SourceRead | undefined>
  /** The current logs of these streams, in the same order; undefined for a stream that does not exist. */
  currentLogs(ids: readonly StreamId[]): Promise<readonly (LogId | undefined)[]>
}

export class StreamSource implements EventSource {
  readonly #streams: Streams
  readonly #registry: Registry
  readonly #nowMs: () => number

  constructor(streams: Streams, registry: Registry, nowMs: () => number) {
    this.#streams = streams
    this.#registry = registry
    this.#nowMs = nowMs
  }

  async read(id: StreamId, query: EventQuery): Promise<SourceRead | undefined> {
    const { ttlSeconds } = this.#streams.get(id).properties
    const reading = this.#streams.read(id, query)
    const startMs = earliestVisibleMs(this.#nowMs(), ttlSeconds) // not earlier than the bound that `read` has used
    const read = await reading
    return read && { log: read.log, blocks: read.blocks, startMs }
  }

  async currentLogs(ids: readonly StreamId[]): Promise<readonly (LogId | undefined)[]> {
    return ids.map(({ namespace, stream }) => this.#registry.find(namespace, stream)?.log)
  }
}
