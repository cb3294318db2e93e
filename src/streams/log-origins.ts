/** Which store, and which opening of it, wrote the events of a log: what a cursor names beside its position. */
import type { EventLog, LogId, Stretch } from '../../storage/log.ts'

/** Of an event that was written before openings were counted, or so long ago that it is not known any more. */
export const UNKNOWN_EPOCH = 0

/** What holds for the events `[beginSequence, endSequence)`. */
export interface EventOrigin {
  readonly identity: number
  readonly epoch: number
  readonly beginSequence: number
  readonly endSequence: number
}

export class LogOrigins {
  readonly identity: number
  readonly #stretches: readonly Stretch[]

  /** Rejects with StorageError. */
  static async load(events: EventLog, log: LogId): Promise<LogOrigins> {
    return new LogOrigins(events.identity, await events.stretches(log))
  }

  /** `stretches` are ascending. */
  constructor(identity: number, stretches: readonly Stretch[]) {
    this.identity = identity
    this.#stretches = stretches
  }

  of(sequence: number): EventOrigin {
    const { identity } = this
    const stretches = this.#stretches
    let next = stretches.length
    while (next > 0 && stretches[next - 1]!.firstSequence > sequence) next--
    const endSequence = stretches[next]?.firstSequence ?? Number.POSITIVE_INFINITY
    const stretch = stretches[next - 1]
    if (stretch === undefined) return { identity, epoch: UNKNOWN_EPOCH, beginSequence: 0, endSequence }
    const { epoch, firstSequence: beginSequence } = stretch
    return { identity, epoch, beginSequence, endSequence }
  }

  /** Whether the log began as a backup that was imported. */
  get restored(): boolean {
    return this.#stretches[0]?.restored ?? false
  }
}
