/**
 * Clients that move, but too slowly: a body that arrives byte by byte, an answer of which the client takes hardly anything.
 * Connections on which nothing moves at all are closed by connections.ts. Each transfer is checked once a second.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HeaderRecord } from './answer-class.ts'
import type { Upload, UploadEnd } from './body-memory.ts'
import type { Load } from './load.ts'
import { alwaysPlainText, type ShapeOf } from './problem.ts'
import { RETRY_AFTER_SECONDS } from './refusals.ts'
import { refuseBroken, refuseUpload } from './unreadable.ts'

const POLL_INTERVAL_MS = 1_000
/** A body that brings less than this in `uploadIdleSeconds` does not move. */
const UPLOAD_BYTES_LEAST = 1024

export interface SlowClientLimits {
  readonly uploadIdleSeconds: number
  readonly idleSeconds: number
  readonly maxReadSeconds: number
}

/** A transfer that is checked, until `forget`. */
export interface Watched {
  /** Bytes moved so far. */
  readonly progress: () => number
  readonly cut: () => void
  /** False while the service itself is slow: that time does not count. Undefined: all time counts. */
  readonly isAwaited?: () => boolean
  /** What counts as moving within `idleSeconds`. */
  readonly bytesLeast: number
  readonly idleSeconds: number
  /** The transfer is cut after this time in any case. */
  readonly secondsMax: number
}

export class SlowClients {
  readonly #limits: SlowClientLimits
  readonly #always: HeaderRecord
  readonly #shapeOf: ShapeOf
  readonly #watched = new Map<Watched, { moved: number; idlePolls: number; polls: number }>()
  #polling: NodeJS.Timeout | undefined

  /** `always` are the headers of every answer. */
  constructor(limits: SlowClientLimits, always: HeaderRecord, shapeOf: ShapeOf = alwaysPlainText) {
    this.#shapeOf = shapeOf
    this.#limits = limits
    this.#always = always
  }

  /**
   * A body begins to arrive: `end` of the returned upload has to be called in any case. The client is answered 408 if the body
   * stops, and 408 or 503 if its memory is needed for other uploads.
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
    refuseBroken(incoming)
    return upload
  }

  #endUpload(incoming: IncomingMessage, { status, sentence }: UploadEnd): void {
    const retry = status.startsWith('503') && { 'Retry-After': `${RETRY_AFTER_SECONDS}` }
    refuseUpload(incoming, status, sentence, { ...this.#always, ...retry }, this.#shapeOf)
  }

  /** An answer that is sent in pieces: it is cut if the client takes none, or takes too long for all of them. */
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
    this.#watched.set(watched, { moved: watched.progress(), idlePolls: 0, polls: 0 })
    if (this.#polling === undefined) {
      this.#polling = setInterval(() => this.#poll(), POLL_INTERVAL_MS)
      this.#polling.unref()
    }
    return watched
  }

  #poll(): void {
    for (const [watched, seen] of this.#watched) {
      const progress = watched.progress()
      seen.polls++
      if (watched.isAwaited?.() !== false) seen.idlePolls++
      if (progress - seen.moved >= watched.bytesLeast) {
        seen.moved = progress
        seen.idlePolls = 0
      }
      if (seen.idlePolls < watched.idleSeconds && seen.polls < watched.secondsMax) continue
      this.forget(watched)
      watched.cut()
    }
  }
}

const stopped = (idleSeconds: number): UploadEnd => ({
  status: '408 Request Timeout',
  sentence: `less than ${UPLOAD_BYTES_LEAST} bytes of the body came in ${idleSeconds} s; send it faster`,
})
