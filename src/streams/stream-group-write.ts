/**
 * One write to several streams of one writer: the events of all of them and catalog documents become durable together, or none.
 * Up to 1 MiB the events of a stream wait in memory, and MEMORY_BYTES_MAX of all of them; above that they are written beside the logs
 * until the commit.
 */
import type { CatalogChange, CatalogCondition } from '../../storage/catalog.ts'
import type { EventHeaders, EventSlices, HeadedEvents, LogId, StagedBatch } from '../../storage/log.ts'
import { bodyBytes, headedBodyBytes, headedCount } from '../../storage/slices.ts'
import type { Storage } from '../../storage/storage.ts'
import { StorageError } from '../../storage/storage-error.ts'
import { ServiceError } from '../service-error.ts'
import { assertWritable } from './existing.ts'
import { type StreamId, streamKey } from './names.ts'
import type { Space, Streams } from './streams.ts'
import type { StreamCounts } from './traffic.ts'

export interface StreamGroupParts {
  readonly storage: Storage
  readonly streams: Streams
  readonly space: Space
  /** Of the writer of the streams. */
  readonly key: string
}

interface Member {
  readonly id: StreamId
  readonly staged: StagedBatch
  readonly counts: StreamCounts
  events: number
  bytes: number
  /** Bytes of bodies that may be in memory. */
  heldBytes: number
}

/** A batch frees its memory by itself at about this size. */
const BATCH_BYTES = 1024 * 1024
/** Of one write: a transaction may have changed hundreds of tables, each a little. */
const MEMORY_BYTES_MAX = 8 * BATCH_BYTES

/** Where the events of a write have ended in one stream. */
export interface WrittenEnd {
  readonly id: StreamId
  readonly log: LogId
  /** After the last event of the write. */
  readonly nextSequence: number
}

export class StreamGroupWrite {
  readonly #parts: StreamGroupParts
  readonly #members = new Map<string, Member>()
  #heldBytes = 0

  constructor(parts: StreamGroupParts) {
    this.#parts = parts
  }

  /**
   * Resolves when more events may be added. The buffer may be reused as soon as `add` has returned. Rejects with ServiceError
   * 'stream_not_found', 'stream_written' and 'disk_low', and with StorageError.
   */
  async add(id: StreamId, slices: EventSlices, headers: EventHeaders): Promise<void> {
    await this.#count(id, slices.count, bodyBytes(slices)).staged.add(slices, headers)
    if (this.#heldBytes > MEMORY_BYTES_MAX) await this.#spill()
  }

  /** As `add`, for events that have headers of their own. */
  async addHeaded(id: StreamId, events: HeadedEvents): Promise<void> {
    await this.#count(id, headedCount(events), headedBodyBytes(events)).staged.addHeaded(events)
    if (this.#heldBytes > MEMORY_BYTES_MAX) await this.#spill()
  }

  #count(id: StreamId, events: number, bytes: number): Member {
    const { space } = this.#parts
    if (space.low) throw space.refusal()
    const member = this.#member(id)
    member.events += events
    member.bytes += bytes
    this.#hold(member, member.heldBytes + bytes < BATCH_BYTES ? member.heldBytes + bytes : 0)
    return member
  }

  #hold(member: Member, bytes: number): void {
    this.#heldBytes += bytes - member.heldBytes
    member.heldBytes = bytes
  }

  /** Frees the memory of the largest batches, to half of the limit. */
  async #spill(): Promise<void> {
    const largest = [...this.#members.values()].sort((one, other) => other.heldBytes - one.heldBytes)
    for (const member of largest) {
      if (this.#heldBytes <= MEMORY_BYTES_MAX / 2) return
      this.#hold(member, 0)
      await member.staged.spill()
    }
  }

  /**
   * Appends the events and makes the changes in one durable write. 'conflict': a condition did not hold, and nothing is stored.
   * Rejects as `add` does; after StorageError 'unknown' the write may be stored.
   */
  async commit(
    changes: readonly CatalogChange[],
    conditions: readonly CatalogCondition[],
  ): Promise<'conflict' | readonly WrittenEnd[]> {
    await this.#parts.streams.writersKnown()
    const { storage, streams, space } = this.#parts
    const members = [...this.#members.values()].filter(({ events }) => events > 0)
    const batches = members.map(({ staged }) => staged)
    for (;;) {
      const fresh = streams.fresh()
      if (fresh !== undefined) await fresh
      if (space.low) throw space.refusal()
      const logs = members.map(({ id }) => this.#writable(id).log)
      for (const [i, log] of logs.entries()) batches[i]!.moveTo(log)
      try {
        const { outcome, positions } = await storage.write({ batches, changes, conditions })
        if (outcome === 'conflict') return outcome
        for (const { counts, events, bytes } of members) streams.traffic.wrote(counts, events, bytes)
        return members.map(({ id }, i) => ({
          ...{ id, log: logs[i]! },
          nextSequence: positions[i]!.sequence + 1, // no event of the write has this sequence or a higher one
        }))
      } catch (error) {
        // A stream was replaced since the look-up. If it was deleted, the next look-up throws.
        if (!(error instanceof StorageError && error.code === 'dropped')) throw error
      }
    }
  }

  /** Call it when the write has failed with this error. It counts the failure if the store is the cause. */
  failed(error: unknown): void {
    const isFull = error instanceof ServiceError && error.code === 'disk_low'
    if (!isFull && !(error instanceof StorageError)) return
    for (const { counts } of this.#members.values()) this.#parts.streams.traffic.failed(counts)
  }

  /** Has no effect after a commit. */
  async discard(): Promise<void> {
    await Promise.all([...this.#members.values()].map(({ staged }) => staged.discard()))
  }

  #member(id: StreamId): Member {
    const name = streamKey(id)
    const known = this.#members.get(name)
    if (known !== undefined) return known
    const { log, counts } = this.#writable(id)
    const member = {
      id,
      staged: this.#parts.storage.log.stage(log),
      counts,
      events: 0,
      bytes: 0,
      heldBytes: 0,
    }
    this.#members.set(name, member)
    return member
  }

  #writable(id: StreamId) {
    const { streams, key } = this.#parts
    const stream = streams.get(id)
    assertWritable(stream, key)
    return stream
  }
}
