/**
 * Writes the results of jobs to streams: the events of one emission and the epoch of the sink become durable in one write,
 * so that a job neither loses nor repeats an emission, whenever it, its process or the service ends.
 *
 *   catalog:  job-epochs/<jid>:<index of the sink>   the epoch of the last emission, a number
 *
 * The write has the condition that the document is the one that was read. So of two writers for one job only one can write,
 * and a write whose outcome was unknown can take effect at most once.
 */
import { setImmediate } from 'node:timers/promises'
import type { Catalog, CatalogCondition } from '../../../storage/catalog.ts'
import type { EventHeaders } from '../../../storage/log.ts'
import { ServiceError } from '../../service-error.ts'
import type { StreamId } from '../../streams/names.ts'
import type { StreamWrite, StreamWrites } from '../../streams/stream-writes.ts'
import { epochChange, epochId, JOB_EPOCHS } from '../job-record.ts'
import type { JobId, SinkEvents } from '../worker/job-worker-protocol.ts'
import { RequestError } from './request-error.ts'

/** Rows with keys make a run each. After this time the event loop handles what has arrived. */
const SLICE_MS = 2
/** Check the clock once per this many runs. */
const SLICE_RUNS = 64

export interface SinkWritesParts {
  readonly catalog: Catalog
  readonly writes: StreamWrites
  /** Largest event: body and headers. */
  readonly eventBytesMax: number
}

/** The events of an emission that have arrived and are not appended yet. */
interface Emission {
  readonly epoch: number
  readonly write: StreamWrite
  /** Pieces are added one after another. */
  adding: Promise<void>
}

export class SinkWrites {
  readonly #parts: SinkWritesParts
  readonly #emissions = new Map<string, Emission>()

  constructor(parts: SinkWritesParts) {
    this.#parts = parts
  }

  /**
   * The epoch of the last emission that is durable; null if there was none. The worker asks before it begins an emission again,
   * so what was staged for it is forgotten.
   */
  async recorded(jid: JobId, sink: number): Promise<number | null> {
    this.#forget(epochId(jid, sink))
    const stored = await this.#parts.catalog.get(JOB_EPOCHS, epochId(jid, sink))
    return stored === undefined ? null : Number(stored.document)
  }

  /** Adds events that `append` of the same epoch writes. */
  async stage(jid: JobId, sink: number, epoch: number, stream: StreamId, events: SinkEvents): Promise<void> {
    const key = epochId(jid, sink)
    let emission = this.#emissions.get(key)
    if (emission?.epoch !== epoch) {
      this.#forget(key)
      emission = { epoch, write: this.#parts.writes.start(stream, jid), adding: Promise.resolve() }
      this.#emissions.set(key, emission)
    }
    const { write, adding } = emission
    emission.adding = adding.then(() => this.#add(write, events))
    try {
      await emission.adding
    } catch (error) {
      this.#forget(key)
      write.failed(error)
      throw error
    }
  }

  /** Appends what was staged and these events, and records the epoch. No second write if the epoch is recorded already. */
  async append(jid: JobId, sink: number, epoch: number, stream: StreamId, events: SinkEvents): Promise<void> {
    await this.stage(jid, sink, epoch, stream, events)
    const key = epochId(jid, sink)
    const emission = this.#emissions.get(key)
    if (emission?.epoch !== epoch) throw new RequestError('the job has been stopped', true)
    this.#emissions.delete(key)
    const { write } = emission
    try {
      await this.#commit(jid, sink, epoch, write)
    } catch (error) {
      write.failed(error)
      throw error
    } finally {
      await write.discard() // no effect after a commit
    }
  }

  /** Forgets what the job has staged. */
  forget(jid: JobId): void {
    for (const key of [...this.#emissions.keys()]) if (key.startsWith(`${jid}:`)) this.#forget(key)
  }

  forgetAll(): void {
    for (const key of [...this.#emissions.keys()]) this.#forget(key)
  }

  async #commit(jid: JobId, sink: number, epoch: number, write: StreamWrite): Promise<void> {
    const id = epochId(jid, sink)
    for (;;) {
      const stored = await this.#parts.catalog.get(JOB_EPOCHS, id)
      const last = stored === undefined ? undefined : Number(stored.document)
      if (last === epoch) return
      if (last !== undefined && last > epoch) {
        const message = `sink is at epoch ${last}, and the job writes epoch ${epoch}: another copy of its state is in use`
        throw new RequestError(message, false)
      }
      const condition: CatalogCondition = { collection: JOB_EPOCHS, id, version: stored?.version }
      if ((await write.commit([epochChange(jid, sink, epoch)], [condition])) === 'done') return
    }
  }

  /** Adds the runs in order. The buffer of `events` is not used any more when the promise resolves. */
  async #add(write: StreamWrite, { bytes, starts, ends, runs }: SinkEvents): Promise<void> {
    let begin = 0
    let sliceEndsMs = performance.now() + SLICE_MS
    for (const [index, { end, headers }] of runs.entries()) {
      if (index % SLICE_RUNS === 0 && performance.now() > sliceEndsMs) {
        await setImmediate()
        sliceEndsMs = performance.now() + SLICE_MS
      }
      const slices = {
        bytes,
        starts: starts.subarray(begin, end),
        ends: ends.subarray(begin, end),
        count: end - begin,
      }
      this.#assertSizes(slices.starts, slices.ends, headers)
      if (slices.count > 0) await write.add(slices, headers)
      begin = end
    }
  }

  #assertSizes(starts: Uint32Array, ends: Uint32Array, headers: EventHeaders): void {
    let headerBytes = 0
    for (const [name, value] of headers) headerBytes += Buffer.byteLength(name) + Buffer.byteLength(value)
    let largest = 0
    for (let i = 0; i < starts.length; i++) largest = Math.max(largest, ends[i]! - starts[i]!)
    const most = this.#parts.eventBytesMax
    if (largest + headerBytes <= most) return
    throw new ServiceError(
      'event_too_large',
      `a row makes an event of ${largest + headerBytes} bytes, and at most ${most} are accepted`,
    )
  }

  #forget(key: string): void {
    const emission = this.#emissions.get(key)
    if (emission === undefined) return
    this.#emissions.delete(key)
    void emission.adding.catch(() => {}).then(() => emission.write.discard())
  }
}
