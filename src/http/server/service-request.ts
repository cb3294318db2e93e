/**
 * The request class of the server. A handler may take the body of a request as one chunk, straight from node's parser: the
 * stream in between costs as much as the rest of a short request, for nothing where the body arrives in one piece.
 */
import { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

/** Undefined: the body arrives in pieces, which are to be read from the stream as usual. */
export type UseBody = (body: Buffer | undefined) => void

export class ServiceRequest extends IncomingMessage {
  #use: UseBody | undefined
  #length = 0
  #isTaken = false

  /**
   * Calls `use` once, when the first bytes of the body arrive, or at once if they have arrived: with the whole body if they are
   * `length` bytes, which is at least one. Nothing else may have read from the body before.
   */
  takeBody(length: number, use: UseBody): void {
    if (this.readableLength > 0) {
      this.#takeBuffered(length, use) // the request has waited for those before it on its connection
      return
    }
    this.#use = use
    this.#length = length
  }

  #takeBuffered(length: number, use: UseBody): void {
    const body: Buffer = this.read()
    if (body.length < length) this.unshift(body)
    use(body.length < length ? undefined : body)
  }

  /** Whether `takeBody` waits for the body. */
  get awaitsBody(): boolean {
    return this.#use !== undefined
  }

  get bodyWasTaken(): boolean {
    return this.#isTaken
  }

  /** Node's parser calls this with each piece of the body, and with null at its end. */
  override push(chunk: Buffer | null, encoding?: BufferEncoding): boolean {
    if (this.#isTaken) return true
    const use = this.#use
    if (use === undefined || chunk === null) return super.push(chunk, encoding)
    this.#use = undefined
    if (chunk.length === this.#length) {
      this.#isTaken = true
      this._read(0) // what a reader of the stream calls: without it, node would drain the stream after the answer
      use(chunk)
      return true
    }
    const wantsMore = super.push(chunk, encoding)
    use(undefined)
    return wantsMore
  }
}

/** A body that was taken never reaches the end of the stream, for which node would wait before it forgets the request. */
const ended = Object.getOwnPropertyDescriptor(Readable.prototype, 'readableEnded')
Object.defineProperty(ServiceRequest.prototype, 'readableEnded', {
  configurable: true,
  get(this: ServiceRequest): boolean {
    return this.bodyWasTaken || ended?.get?.call(this)
  },
})
