/**
 * Clients that are at it, and hardly move: a body that arrives byte by byte, an answer that nobody takes. Node ends
 * connections on which nothing moves at all; these do move. Once a second each is looked at.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HeaderRecord } from './answer-class.ts'
import type { Upload, UploadEnd } from './body-memory.ts'
import type { Load } from './load.ts'
import { alwaysPlainText, type ShapeOf } from './problem.ts'
import { RETRY_AFTER_SECONDS } from './refusals.ts'
import { refuseUpload } from './unreadable.ts'

const POLL_INTERVAL_MS = 1_000
/** A body that brings less than this in `uploadIdleSeconds` does not move. */
const UPLOAD_BYTES_LEAST = 1024

export interface SlowClientLimits {
  readonly uploadIdleSeconds: number
  readonly idleSeconds: number
  readonly maxReadSeconds: number
}

/** A client that is looked after, until `forget`. */
export interface Watched {
  /** Goes up by what has been moved, in bytes. */
  readonly progress: () => number
  readonly cut: () => void
  /** False while the service itself is the slow one: then no time passes. Undefined: never. */
  readonly isAwaited?: () => boolean
  /** What counts as moving within `idleSeconds`. */
  readonly bytesLeast: number
  readonly idleSeconds: number
  /** Ends in any case after so long. */
  readonly secondsMax: number
}

export class SlowClients {
  readonly #limits: SlowClientLimits
  readonly #always: HeaderRecord
  readonly #shapeOf: ShapeOf
  readonly #watched = new Map<Watched, { moved: number; idleLooks: number; looks: number }>()
  #polling: NodeJS.Timeout | undefined

  /** `always` are the headers of every answer. */
  constructor(limits: SlowClientLimits, always: HeaderRecord, shapeOf: ShapeOf = alwaysPlainText) {
    this.#shapeOf = shapeOf
    this.#limits = limits
    this.#always = always
  }

  /**
   * A body begins to arrive: `end` of what is returned has to be called in any case. Its client is answered 408 if it
   * stops, and 408 or 503 if it has to give way to others.
   */
  beginUpload(incoming: IncomingMessage, load: Load): Upload {
    const { uploadIdleSeconds } = this.#limits
    const upload = load.bodies.begin(load.clientOf(incoming), {
      hasSentAll: () => incoming.complete,
      end: (end) => this.#endUpload(incoming, end),
    })
    const watched: Watched = this.#watch({
      progress: () => upload.pace.moved,
      cut: () => upload.cut(stopped(uploadIdleSeconds)),
      isAwaited: () => upload.pace.isAwaited && !incoming.complete,
      bytesLeast: UPLOAD_BYTES_LEAST,
      idleSeconds: uploadIdleSeconds,
      secondsMax: Number.POSITIVE_INFINITY,
    })
    incoming.once('end', () => this.forget(watched))
    incoming.once('close', () => this.forget(watched))
    return upload
  }

  #endUpload(incoming: IncomingMessage, { status, sentence }: UploadEnd): void {
    const retry = status.startsWith('503') && { 'Retry-After': `${RETRY_AFTER_SECONDS}` }
    refuseUpload(incoming, status, sentence, { ...this.#always, ...retry }, this.#shapeOf)
  }

  /** An answer that goes out in pieces: is cut off if its client takes none, or takes too long for all of them. */
  watchReader(outgoing: ServerResponse, progress: () => number): Watched {
    return this.#watch({
      progress,
      cut: () => outgoing.destroy(),
      bytesLeast: 1,
      idleSeconds: this.#limits.idleSeconds,
      secondsMax: this.#limits.maxReadSeconds,
    })
  }

  forget(watched: Watched): void {
    if (!this.#watched.delete(watched) || this.#watched.size > 0) return
    clearInterval(this.#polling)
    this.#polling = undefined
  }

  #watch(watched: Watched): Watched {
    this.#watched.set(watched, { moved: watched.progress(), idleLooks: 0, looks: 0 })
    if (this.#polling === undefined) {
      this.#polling = setInterval(() => this.#poll(), POLL_INTERVAL_MS)
      this.#polling.unref()
    }
    return watched
  }

  #poll(): void {
    for (const [watched, seen] of this.#watched) {
      const progress = watched.progress()
      seen.looks++
      if (watched.isAwaited?.() !== false) seen.idleLooks++
      if (progress - seen.moved >= watched.bytesLeast) {
        seen.moved = progress
        seen.idleLooks = 0
      }
      if (seen.idleLooks < watched.idleSeconds && seen.looks < watched.secondsMax) continue
      this.forget(watched)
      watched.cut()
    }
  }
}

const stopped = (idleSeconds: number): UploadEnd => ({
  status: '408 Request Timeout',
  sentence: `less than ${UPLOAD_BYTES_LEAST} bytes of the body came in ${idleSeconds} s; send it faster`,
})
