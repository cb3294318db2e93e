/** Where the workshop's events come from: the streams, as far as it needs them. */
import type { EventBlock, LogId } from '../../storage/log.ts'
import type { StreamId } from '../streams/names.ts'
import { earliestVisibleMs } from '../streams/properties.ts'
import type { Registry } from '../streams/registry.ts'
import type { EventQuery, Streams } from '../streams/streams.ts'

export interface SourceRead {
  readonly log: LogId
  /** Older events have expired: they are not in it, whether or not they are on disk. */
  readonly startMs: number
  /** Blocks are good until the next one is asked for. */
  readonly blocks: AsyncIterableIterator<EventBlock, void, undefined>
}

export interface EventSource {
  /** Undefined if no event matches. */
  read(id: StreamId, query: EventQuery): Promise<SourceRead | undefined>
  /** The logs these streams have now, in their order; undefined for one that is gone. */
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
    const startMs = earliestVisibleMs(this.#nowMs(), ttlSeconds)
    const read = await this.#streams.read(id, query)
    return read && { log: read.log, blocks: read.blocks, startMs }
  }

  async currentLogs(ids: readonly StreamId[]): Promise<readonly (LogId | undefined)[]> {
    return ids.map(({ namespace, stream }) => this.#registry.find(namespace, stream)?.log)
  }
}
