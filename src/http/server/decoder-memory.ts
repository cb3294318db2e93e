/**
 * Memory of the decoders of a `Content-Encoding`, which counts as memory of the body: an upload of a few kilobytes that stops
 * may hold a window of megabytes. A window takes memory only for the bytes that the decoder has returned.
 */
import type { IncomingMessage } from 'node:http'

/** Node's buffers and the state of zlib. */
const DECODER_BYTES = 64 * 1024
const MIB = 1024 * 1024
/** The largest window that our decoders accept: RFC 7932 for brotli, zstd-decoding.ts for zstd. Deflate's is 32 KiB. */
const WINDOW_BYTES_MAX: Readonly<Record<string, number | undefined>> = { br: 16 * MIB, zstd: 8 * MIB }

/** Memory of the decoders of this body after they have returned this many bytes. */
export function decoderBytes({ headers }: IncomingMessage, grownBytes: number): number {
  const encodings = headers['content-encoding']
  if (encodings === undefined) return 0
  let bytes = 0
  for (const encoding of encodings.toLowerCase().split(',')) {
    const windowMax = WINDOW_BYTES_MAX[encoding.trim()] ?? 0
    bytes += DECODER_BYTES + Math.min(windowMax, grownBytes)
  }
  return bytes
}
