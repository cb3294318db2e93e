/**
 * Clients that are at it, and hardly move: a body that arrives byte by byte, an answer that nobody takes. Node ends
 * connections on which nothing moves at all; these do move. Once a second each is looked at.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HeaderRecord } from './answer-class.ts'
import { refuseUpload } from './unreadable.ts'

const LOOK_MS = 1_000
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
  /** What counts as moving within `idleSeconds`. */
  readonly bytesLeast: number
  readonly idleSeconds: number
  /** Ends in any case after so long. */
  readonly secondsMax: number
}

export class SlowClients {
  readonly #limits: SlowClientLimits
  readonly #always: HeaderRecord
  readonly #watched = new Map<Watched, { moved: number; idleLooks: number; looks: number }>()
  #looking: NodeJS.Timeout | undefined

  /** `always` are the headers of every answer. */
  constructor(limits: SlowClientLimits, always: HeaderRecord) {
    this.#limits = limits
    this.#always = always
  }

  /** A body that arrives: is answered 408 if it stops. Forgotten by itself when it has come or its client has gone. */
  watchUpload(incoming: IncomingMessage): void {
    const { uploadIdleSeconds } = this.#limits
    const { socket } = incoming
    const sentence = `less than ${UPLOAD_BYTES_LEAST} bytes of the body came in ${uploadIdleSeconds} s; send it faster`
    const watched = this.#watch({
      progress: () => socket.bytesRead,
      cut: () => refuseUpload(incoming, '408 Request Timeout', sentence, this.#always),
      bytesLeast: UPLOAD_BYTES_LEAST,
      idleSeconds: uploadIdleSeconds,
      secondsMax: Number.POSITIVE_INFINITY,
    })
    incoming.once('end', () => this.forget(watched))
    incoming.once('close', () => this.forget(watched))
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
    clearInterval(this.#looking)
    this.#looking = undefined
  }

  #watch(watched: Watched): Watched {
    this.#watched.set(watched, { moved: watched.progress(), idleLooks: 0, looks: 0 })
    if (this.#looking === undefined) {
      this.#looking = setInterval(() => this.#look(), LOOK_MS)
      this.#looking.unref()
    }
    return watched
  }

  #look(): void {
    for (const [watched, seen] of this.#watched) {
      const progress = watched.progress()
      seen.looks++
      seen.idleLooks++
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
