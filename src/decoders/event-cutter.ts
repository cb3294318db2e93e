/**
 * Turns the boundaries that a decoder finds into EventSlices, and keeps the event that continues in the next chunk.
 *
 *   begin(chunk, emit)   ->  cut(start, end) for every event, in order  ->  finish(start of the unfinished event)
 *
 * Events are slices of the chunk itself. Only an event that spans chunks is copied, into the carry buffer. The buffer
 * doubles when it grows, so that a long event in small chunks costs a constant number of copies per byte, but it never
 * exceeds `eventBytesMax`. The arrays passed to `emit` are used again for the next emit.
 */

import type { EventSlices } from '../../storage/log.ts'
import { ServiceError } from '../service-error.ts'

export type Emit = (slices: EventSlices) => void

const KIB = 1024
/** Both arrays of offsets together take 8 KiB: cheap to allocate for a small batch, and they stay in the L1 cache. */
export const SLICES_PER_EMIT = 1024
const CARRY_BYTES_MIN = 4 * KIB
/** A larger carry buffer is released after its event is emitted, so that one long event does not keep memory. */
const CARRY_KEEP_BYTES_MAX = 256 * KIB

const NOTHING = Buffer.alloc(0)
const emitNothing: Emit = () => {}

export class EventCutter {
  readonly eventBytesMax: number
  // Public for the line splitter, whose loop fills them directly: a call of `cut` for every line would halve its speed.
  readonly starts = new Uint32Array(SLICES_PER_EMIT)
  readonly ends = new Uint32Array(SLICES_PER_EMIT)
  count = 0
  readonly #tooLarge: (eventNumber: number) => string
  #bytes: Buffer = NOTHING
  #emit: Emit = emitNothing
  #emitted = 0
  #carry: Buffer = NOTHING
  #carried = 0

  /** `tooLarge` returns the message for an event above `eventBytesMax`; events count from 1. */
  constructor(eventBytesMax: number, tooLarge: (eventNumber: number) => string) {
    this.eventBytesMax = eventBytesMax
    this.#tooLarge = tooLarge
  }

  /** Number, from 1, of the event that is being cut. */
  get eventNumber(): number {
    return this.#emitted + this.count + 1
  }

  /** Whether the first event of this chunk began in an earlier one. Such an event must be cut with `cut`. */
  get carrying(): boolean {
    return this.#carried > 0
  }

  /** Takes the next chunk. All offsets count from the start of this chunk until the next `begin`. */
  begin(chunk: Uint8Array, emit: Emit): Buffer {
    this.#bytes = Buffer.isBuffer(chunk)
      ? chunk
      : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    this.#emit = emit
    return this.#bytes
  }

  /** The event that starts at `start` ends before `end`; an empty one is dropped. */
  cut(start: number, end: number): void {
    this.refuseTooLarge(start, end)
    if (start === 0 && this.#carried > 0) {
      this.#cutCarried(end)
    } else if (end > start) {
      this.starts[this.count] = start
      this.ends[this.count] = end
      this.count++
      if (this.count === SLICES_PER_EMIT) this.flush()
    }
  }

  /** Throws if the event that starts at `start` is already too large when it reaches `end`. */
  refuseTooLarge(start: number, end: number): void {
    const carried = start === 0 ? this.#carried : 0
    if (carried + end - start > this.eventBytesMax) {
      throw new ServiceError('event_too_large', this.#tooLarge(this.eventNumber))
    }
  }

  /** Emits the events in the arrays and empties the arrays. */
  flush(): void {
    const count = this.count
    if (count === 0) return
    this.count = 0
    this.#emitted += count
    this.#emit({ bytes: this.#bytes, starts: this.starts, ends: this.ends, count })
  }

  /** Call it at the end of the chunk. Emits its events and keeps the bytes from `start` on for the next chunk. */
  finish(start: number): void {
    const bytes = this.#bytes
    this.refuseTooLarge(start, bytes.length)
    this.flush()
    if (start < bytes.length) this.#keep(bytes, start, bytes.length)
    this.#bytes = NOTHING
    this.#emit = emitNothing
  }

  /** Call it at the end of the body. The kept bytes are the last event. */
  end(emit: Emit): void {
    this.begin(NOTHING, emit)
    this.cut(0, 0)
    this.finish(0)
  }

  /** Only the first event of a chunk can have begun in an earlier one, so the arrays are empty here. */
  #cutCarried(end: number): void {
    this.#keep(this.#bytes, 0, end)
    const carry = this.#carry
    this.starts[0] = 0
    this.ends[0] = this.#carried
    this.#carried = 0
    if (carry.length > CARRY_KEEP_BYTES_MAX) this.#carry = NOTHING
    this.#emitted++
    this.#emit({ bytes: carry, starts: this.starts, ends: this.ends, count: 1 })
  }

  #keep(bytes: Buffer, start: number, end: number): void {
    const needed = this.#carried + end - start
    if (needed > this.#carry.length) {
      const doubled = Math.min(Math.max(this.#carry.length * 2, CARRY_BYTES_MIN), this.eventBytesMax)
      // All bytes are written before they are read, so the buffer need not be zeroed.
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, doubled))
      this.#carry.copy(grown, 0, 0, this.#carried)
      this.#carry = grown
    }
    bytes.copy(this.#carry, this.#carried, start, end)
    this.#carried = needed
  }
}
