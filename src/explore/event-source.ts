/** Where the workshop's events come from: the streams, as far as it needs them. */
import type { EventBlock, LogId } from '../../storage/log.ts'
import type { StreamId } from '../streams/names.ts'
import type { Registry } from '../streams/registry.ts'
import type { EventQuery, Streams } from '../streams/streams.ts'

export interface SourceRead {
  readonly log: LogId
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

  constructor(streams: Streams, registry: Registry) {
    this.#streams = streams
    this.#registry = registry
  }

  read(id: StreamId, query: EventQuery): Promise<SourceRead | undefined> {
    return this.#streams.read(id, query)
  }

  async currentLogs(ids: readonly StreamId[]): Promise<readonly (LogId | undefined)[]> {
    return ids.map(({ namespace, stream }) => this.#registry.find(namespace, stream)?.log)
  }
}
