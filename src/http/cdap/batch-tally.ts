/** The bytes of one batch on their way from the client to the disk, and the limits they must stay within. */
import { ServiceError } from '../../service-error.ts'
import { Expansion } from '../messages/expansion.ts'

/** At most about this many bytes of cut events are in memory: one write, and the one being filled. */
const STAGED_BYTES_MAX = 2 * 1024 * 1024

export class BatchTally {
  /** Bytes sent, and the most that came out of any decoder. */
  readonly expansion = new Expansion()
  readonly #bytesMax: number
  /** Bytes of the body, without its Content-Encoding. */
  #received = 0
  /** The part of them that the decoder keeps: the beginning of an event that is not complete. */
  #uncut = 0
  /** Bytes of events that the decoder cut; it may decompress, too. */
  #cut = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** A piece of the body has arrived. Throws ServiceError 'batch_too_large'. */
  receive(bytes: number): void {
    this.#received += bytes
    this.#uncut += bytes
    if (this.#received > this.#bytesMax) throw this.#tooLarge()
  }

  /** The decoder cut events of so many bytes. Throws ServiceError 'batch_too_large' or 'expands_too_much'. */
  cut(bytes: number): void {
    this.#uncut = 0
    this.#cut += bytes
    this.expansion.assert(this.#cut)
    if (this.#cut > this.#bytesMax) throw this.#tooLarge()
  }

  /** Bytes of the body in memory: the incomplete event, and the events that are not on disk yet. */
  get held(): number {
    return this.#uncut + Math.min(this.#received - this.#uncut, STAGED_BYTES_MAX)
  }

  #tooLarge(): ServiceError {
    const max = this.#bytesMax
    return new ServiceError(
      'batch_too_large',
      `the batch has more than ${max} bytes; at most ${max} bytes are taken, so send it in parts`,
    )
  }
}
