/**
 * One `Content-Encoding` undone, piece by piece, with every byte accounted for: each is part of what is decoded, or padding
 * that the format allows, or an error. What comes out does not depend on where the pieces end.
 *
 *   gzip      members, one after another (RFC 1952); zero bytes may stand behind any of them, as tapes and block devices pad
 *   deflate   one zlib stream (RFC 1950), and nothing behind it
 *   br        one Brotli stream (RFC 7932), and nothing behind it
 *   zstd      zstd-decoding.ts
 */
import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'

/** The bytes are not what the encoding says, or there are too few or too many of them. */
export class EncodingProblem extends Error {
  override readonly name = 'EncodingProblem'
}

/**
 * Decodes `source`; `used` is told how many bytes of it have been used, before what has come out of them is handed on. Pieces of `source`
 * are not kept. Throws EncodingProblem, and what `source` throws.
 */
export type ContentDecoding = (
  source: AsyncIterable<Uint8Array>,
  used: (bytes: number) => void,
) => AsyncGenerator<Uint8Array, void, undefined>

/** Node's decompressing streams; `bytesWritten` are those that the library has used. */
export type Decompressor = Transform & { readonly bytesWritten: number }

export const gzipDecoding: ContentDecoding = (source, used) => decoded(source, used, createGunzip, skipZeros)
export const deflateDecoding: ContentDecoding = (source, used) => decoded(source, used, createInflate, noMore)
export const brotliDecoding: ContentDecoding = (source, used) =>
  decoded(source, used, createBrotliDecompress, noMore)

/** `behind` gets what stands behind the end of a stream, and returns where in it another one begins. */
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

/** One stream of node's, read by hand: pieces in, what comes out of each, and whether the stream has ended within it. */
export class DecompressorRun {
  readonly #stream: Decompressor
  #error: Error | undefined
  #ended = false
  #wake: () => void = () => {}
  /** That have come out. */
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
   * Yields what comes out of `piece`; returns how many bytes of it have been used, which is less than all if the stream has ended
   * before the rest. Throws EncodingProblem.
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

  /** No more comes: yields what is left. Throws EncodingProblem if the stream has not come to its end. */
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
