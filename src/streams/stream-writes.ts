/**
 * Writes to a stream that become durable together with catalog documents: a job appends its results and records in the same
 * write how far it is.
 */
import type { CatalogChange, CatalogCondition, CommitOutcome } from '../../storage/catalog.ts'
import type { EventHeaders, EventSlices, StagedBatch } from '../../storage/log.ts'
import { bodyBytes } from '../../storage/slices.ts'
import type { Storage } from '../../storage/storage.ts'
import { StorageError } from '../../storage/storage-error.ts'
import { ServiceError } from '../service-error.ts'
import { assertWritable } from './existing.ts'
import type { StreamId } from './names.ts'
import type { Stream } from './registry.ts'
import { StreamGroupWrite } from './stream-group-write.ts'
import type { Space, Streams } from './streams.ts'

export class StreamWrites {
  readonly #storage: Storage
  readonly #streams: Streams
  readonly #space: Space

  constructor(storage: Storage, streams: Streams, space: Space) {
    this.#storage = storage
    this.#streams = streams
    this.#space = space
  }

  /** Throws ServiceError 'stream_not_found', and 'stream_written' unless `key` is that of the stream's writer. */
  start(id: StreamId, key?: string): StreamWrite {
    const stream = this.#streams.get(id)
    assertWritable(stream, key)
    return new StreamWrite(this.#storage, this.#streams, this.#space, stream)
  }

  /** One write to several streams, whose writer has this key. */
  startGroup(key: string): StreamGroupWrite {
    return new StreamGroupWrite({ storage: this.#storage, streams: this.#streams, space: this.#space, key })
  }
}

/**
 * One write to one stream. Call `add` as often as needed, then `commit` or `discard`. Up to 1 MiB the events wait in memory;
 * above that they are written beside the log, and the commit makes all of them visible.
 */
export class StreamWrite {
  readonly #storage: Storage
  readonly #streams: Streams
  readonly #space: Space
  readonly #stream: Stream
  readonly #staged: StagedBatch
  #events = 0
  #bytes = 0

  constructor(storage: Storage, streams: Streams, space: Space, stream: Stream) {
    this.#storage = storage
    this.#streams = streams
    this.#space = space
    this.#stream = stream
    this.#staged = storage.log.stage(stream.log)
  }

  /**
   * Resolves when more events may be added. The buffer may be reused as soon as `add` has returned. Rejects with ServiceError
   * 'disk_low', and with StorageError.
   */
  add(slices: EventSlices, headers: EventHeaders): Promise<void> {
    if (this.#space.low) return Promise.reject(this.#space.refusal())
    this.#bytes += bodyBytes(slices)
    this.#events += slices.count
    return this.#staged.add(slices, headers)
  }

  /**
   * Appends the events to the present log of the stream and makes the changes, in one durable write. 'conflict': a condition
   * did not hold, and nothing is stored; `commit` may be called again, with other conditions.
   *
   * Rejects with ServiceError 'stream_not_found' and 'disk_low', and with StorageError: after 'unknown' the write may be
   * stored.
   */
  async commit(
    changes: readonly CatalogChange[],
    conditions: readonly CatalogCondition[],
  ): Promise<CommitOutcome> {
    await this.#streams.writersKnown()
    for (;;) {
      const fresh = this.#streams.fresh()
      if (fresh !== undefined) await fresh
      const { log, counts } = this.#streams.get(this.#stream.id)
      if (this.#space.low) throw this.#space.refusal()
      this.#staged.moveTo(log)
      try {
        const { outcome } = await this.#storage.write({ batches: [this.#staged], changes, conditions })
        if (outcome === 'done' && this.#events > 0)
          this.#streams.traffic.wrote(counts, this.#events, this.#bytes)
        return outcome
      } catch (error) {
        if (!isDropped(error)) throw error // truncated or deleted since: the stream is looked up again
      }
    }
  }

  /** Call it when the write has failed with this error. It counts the failure if the store is the cause. */
  failed(error: unknown): void {
    const isFull = error instanceof ServiceError && error.code === 'disk_low'
    if (isFull || error instanceof StorageError) this.#streams.traffic.failed(this.#stream.counts)
  }

  discard(): Promise<void> {
    return this.#staged.discard()
  }
}

function isDropped(error: unknown): boolean {
  return error instanceof StorageError && error.code === 'dropped'
}
