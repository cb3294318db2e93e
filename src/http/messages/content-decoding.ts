/**
 * Decodes one `Content-Encoding` piece by piece. Every byte belongs to the encoded data, is padding that the format allows, or
 * is an error. The output does not depend on where the pieces end.
 *
 *   gzip      members, one after another (RFC 1952); each may be followed by zero bytes, the padding of tapes and block devices
 *   deflate   one zlib stream (RFC 1950), then the end
 *   br        one Brotli stream (RFC 7932), then the end
 *   zstd      zstd-decoding.ts
 */
import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'

/** The bytes do not decode, or there are too few or too many of them. */
export class EncodingProblem extends Error {
  override readonly name = 'EncodingProblem'
}

/**
 * Decodes `source`. Before output is yielded, `used` is called with the number of bytes of `source` that it was made of. No
 * piece of `source` is kept. Throws EncodingProblem, and what `source` throws.
 */
export type ContentDecoding = (
  source: AsyncIterable<Uint8Array>,
  used: (bytes: number) => void,
) => AsyncGenerator<Uint8Array, void, undefined>

/** One of node's decompressing streams; `bytesWritten` counts the bytes that the library has used. */
export type Decompressor = Transform & { readonly bytesWritten: number }

export const gzipDecoding: ContentDecoding = (source, used) => decoded(source, used, createGunzip, skipZeros)
export const deflateDecoding: ContentDecoding = (source, used) => decoded(source, used, createInflate, noMore)
export const brotliDecoding: ContentDecoding = (source, used) =>
  decoded(source, used, createBrotliDecompress, noMore)

/** `behind` gets the bytes after the end of a stream and returns the offset at which the next stream begins. */
async function* decoded(
  source: AsyncIterable<Uint8Array>,
  used: (bytes: number) => void,
  create: () => Decompressor,
  behind: (rest: Uint8Array) => number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let run: DecompressorRun | undefined = new DecompressorRun(create())
  let usedBefore = 0
  try {
    for await (const piece of source) {
      let at = 0
      while (at < piece.length) {
        if (run === undefined) {
          at += behind(piece.subarray(at))
          if (at === piece.length) break
          run = new DecompressorRun(create())
        }
        const base = usedBefore + at
        const taken: number = yield* run.write(piece.subarray(at), (bytes) => used(base + bytes))
        at += taken
        if (at === piece.length) break
        run.close()
        run = undefined
      }
      usedBefore += piece.length
    }
    if (run !== undefined) yield* run.end()
  } finally {
    run?.close()
  }
}

function skipZeros(rest: Uint8Array): number {
  let at = 0
  while (at < rest.length && rest[at] === 0) at++
  return at
}

function noMore(): never {
  throw new EncodingProblem('there are bytes behind its end')
}

/** One decompressing stream of node: takes pieces, yields the output of each, and reports where in a piece the stream ended. */
export class DecompressorRun {
  readonly #stream: Decompressor
  #error: Error | undefined
  #ended = false
  #wake: () => void = () => {}
  /** Bytes of output so far. */
  bytesOut = 0

  constructor(stream: Decompressor) {
    this.#stream = stream
    stream.on('readable', () => this.#wake())
    stream.once('end', () => {
      this.#ended = true
      this.#wake()
    })
    stream.on('error', (error) => {
      this.#error ??= error
      this.#wake()
    })
  }

  /**
   * Yields the output of `piece`. Returns how many of its bytes were used: fewer than all if the stream ended within it. Throws
   * EncodingProblem.
   */
  async *write(
    piece: Uint8Array,
    used: (bytes: number) => void,
  ): AsyncGenerator<Uint8Array, number, undefined> {
    const stream = this.#stream
    const before = stream.bytesWritten
    let written = false
    stream.write(piece, (error) => {
      if (error != null) this.#error ??= error
      written = true
      this.#wake()
    })
    for (;;) {
      const out = stream.read() as Uint8Array | null
      if (this.#error !== undefined) throw problemOf(this.#error)
      if (out !== null) {
        used(stream.bytesWritten - before)
        this.bytesOut += out.length
        yield out
      } else if (written) {
        return stream.bytesWritten - before
      } else {
        await this.#change()
      }
    }
  }

  /** Yields the rest of the output. Throws EncodingProblem if the stream has not ended. */
  async *end(): AsyncGenerator<Uint8Array, void, undefined> {
    const stream = this.#stream
    stream.end()
    for (;;) {
      const out = stream.read() as Uint8Array | null
      if (this.#error !== undefined) throw problemOf(this.#error)
      if (out !== null) yield out
      else if (this.#ended) return
      else await this.#change()
    }
  }

  close(): void {
    this.#stream.destroy()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

function problemOf(cause: Error): EncodingProblem {
  return new EncodingProblem(cause.message, { cause })
}
