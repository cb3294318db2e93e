/**
 * Cuts what a broker sends into answers: an int32 length before each. The length is checked before memory is taken for the
 * answer. An answer inside one chunk is a slice of it.
 */
import { MalformedAnswer } from './wire-reader.ts'

const HEAD_BYTES = 4

export class AnswerFrames {
  readonly #bytesMax: () => number
  readonly #onFrame: (frame: Buffer) => void
  readonly #head = Buffer.alloc(HEAD_BYTES)
  #headLength = 0
  #frame: Buffer | undefined
  #filled = 0

  /** `bytesMax` is asked at the beginning of each answer: the longest that is expected now. */
  constructor(bytesMax: () => number, onFrame: (frame: Buffer) => void) {
    this.#bytesMax = bytesMax
    this.#onFrame = onFrame
  }

  /** Calls `onFrame` for each answer that is complete. Throws MalformedAnswer at a length that cannot be right. */
  add(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#frame === undefined) {
        const taken = chunk.copy(this.#head, this.#headLength, at)
        this.#headLength += taken
        at += taken
        if (this.#headLength < HEAD_BYTES) return
        this.#headLength = 0
        const length = this.#head.readInt32BE(0)
        const bytesMax = this.#bytesMax()
        if (length < HEAD_BYTES || length > bytesMax)
          throw new MalformedAnswer(`an answer has ${length} bytes, of at most ${bytesMax}`)
        if (chunk.length - at >= length) {
          this.#onFrame(chunk.subarray(at, at + length))
          at += length
          continue
        }
        this.#frame = Buffer.allocUnsafeSlow(length)
        this.#filled = 0
      }
      const taken = chunk.copy(this.#frame, this.#filled, at)
      this.#filled += taken
      at += taken
      if (this.#filled === this.#frame.length) {
        const frame = this.#frame
        this.#frame = undefined
        this.#onFrame(frame)
      }
    }
  }
}
