/** The store, and the opening of it, that wrote the events of a log. A cursor contains both in addition to its position. */
import type { EventLog, LogId, Stretch } from '../../storage/log.ts'

/** The epoch of events whose opening is unknown, for example because they were written before openings were counted. */
export const UNKNOWN_EPOCH = 0

/** The origin of the events `[beginSequence, endSequence)`. */
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
    let endSequence = Number.POSITIVE_INFINITY
    for (let i = this.#stretches.length - 1; i >= 0; i--) {
      const { epoch, firstSequence: beginSequence } = this.#stretches[i]! // the loop bound keeps the index inside
      if (beginSequence <= sequence) return { identity, epoch, beginSequence, endSequence }
      endSequence = beginSequence
    }
    return { identity, epoch: UNKNOWN_EPOCH, beginSequence: 0, endSequence }
  }

  /** Whether the log began as a backup that was imported. */
  get restored(): boolean {
    return this.#stretches[0]?.restored ?? false
  }
}
