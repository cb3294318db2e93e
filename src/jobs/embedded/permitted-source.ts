/** The events that the jobs of a worker may read: those of streams that one of them reads, with its grants as they are now. */
import type { LogId } from '../../../storage/log.ts'
import { type StreamId, streamKey } from '../../streams/names.ts'
import type { EventQuery } from '../../streams/streams.ts'
import type { EventSource, SourceRead } from '../../worker/event-source.ts'

export class PermittedSource implements EventSource {
  readonly #source: EventSource
  readonly #mayRead: (id: StreamId) => boolean

  constructor(source: EventSource, mayRead: (id: StreamId) => boolean) {
    this.#source = source
    this.#mayRead = mayRead
  }

  async read(id: StreamId, query: EventQuery): Promise<SourceRead | undefined> {
    if (!this.#mayRead(id)) throw new Error(`no job may read stream ${streamKey(id)} now`)
    return this.#source.read(id, query)
  }

  currentLogs(ids: readonly StreamId[]): Promise<readonly (LogId | undefined)[]> {
    return this.#source.currentLogs(ids)
  }
}
