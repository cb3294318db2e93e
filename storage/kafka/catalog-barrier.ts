/**
 * Makes sure that this node has applied everything that any node had acknowledged before.
 *
 * The cheap way asks the leader for the end of the catalog. A leader that was paused and replaced may answer with an old end for a
 * moment. So its answer counts only if it came soon, and from the same leader that acknowledged a heartbeat of this node a
 * moment ago. Otherwise, and where a caller has to be certain, a record is written, and acknowledged by the replicas.
 */
import type { TopicEnd } from './catalog-topic.ts'
import type { Offset } from './change-codec.ts'
import type { Leader } from './cluster.ts'
import { KafkaRequestError } from './error-codes.ts'
import { SharedCall } from './shared-call.ts'

export interface AcknowledgedBeat {
  readonly sentAtMs: number
  readonly leader: Leader
}

export interface BarrierParts {
  readonly end: (timeoutMs: number) => Promise<TopicEnd>
  /** Writes a barrier record; resolves with its offset once it is acknowledged. */
  readonly write: () => Promise<Offset>
  /** Resolves when the record at this offset has been applied. */
  readonly reached: (offset: Offset) => Promise<void>
  readonly lastBeat: () => AcknowledgedBeat | undefined
  readonly nowMs: () => number
}

/** An answer that took longer may be that of a leader that was paused. */
export const END_MS_MAX = 2_000
/** The last heartbeat was sent this long ago, at most. */
export const BEAT_MS_MAX = 3_000

export class CatalogBarrier {
  readonly #parts: BarrierParts
  readonly #ends: SharedCall<void>
  readonly #writes: SharedCall<void>

  constructor(parts: BarrierParts) {
    this.#parts = parts
    this.#ends = new SharedCall(() => this.#byEnd())
    this.#writes = new SharedCall(() => this.#byWrite())
  }

  /** Rejects with StorageError 'unavailable'. */
  fresh(isCertain: boolean): Promise<void> {
    return isCertain ? this.#writes.call() : this.#ends.call()
  }

  async #byEnd(): Promise<void> {
    const end = await this.#trustedEnd()
    if (end === undefined) return this.#writes.call()
    if (end > 0) await this.#parts.reached(end - 1)
  }

  async #trustedEnd(): Promise<Offset | undefined> {
    const { nowMs, lastBeat } = this.#parts
    const askedAtMs = nowMs()
    if (!isRecent(lastBeat(), askedAtMs)) return undefined
    try {
      const { offset, leader } = await this.#parts.end(END_MS_MAX)
      const answeredAtMs = nowMs()
      const beat = lastBeat()
      const isTrusted =
        answeredAtMs - askedAtMs <= END_MS_MAX &&
        isRecent(beat, answeredAtMs) &&
        beat.leader.node === leader.node &&
        beat.leader.epoch === leader.epoch
      return isTrusted ? offset : undefined
    } catch (error) {
      if (error instanceof KafkaRequestError) return undefined
      throw error
    }
  }

  async #byWrite(): Promise<void> {
    await this.#parts.reached(await this.#parts.write())
  }
}

function isRecent(beat: AcknowledgedBeat | undefined, nowMs: number): beat is AcknowledgedBeat {
  return beat !== undefined && nowMs - beat.sentAtMs <= BEAT_MS_MAX
}
