/** A request body in chunks, as it arrives; its `Content-Encoding` is decoded. */
import type { IncomingMessage } from 'node:http'
import { freeMemory } from '../../../storage/free-memory.ts'
import { ServiceError } from '../../service-error.ts'
import {
  brotliDecoding,
  type ContentDecoding,
  deflateDecoding,
  EncodingProblem,
  gzipDecoding,
} from './content-decoding.ts'
import { Expansion } from './expansion.ts'
import { zstdDecoding } from './zstd-decoding.ts'

const DECODINGS: ReadonlyMap<string, ContentDecoding> = new Map([
  ['gzip', gzipDecoding],
  ['x-gzip', gzipDecoding],
  ['deflate', deflateDecoding],
  ['br', brotliDecoding],
  ['zstd', zstdDecoding],
])

/** Clients apply one, and a proxy may add one. Each needs memory for its decoder. */
const CONTENT_ENCODINGS_MAX = 2

/**
 * Yields the body as it arrives. A chunk is valid until the next one is requested, then its memory is freed. `expansion`
 * counts the bytes sent, for a caller that decodes further. Throws ServiceError 'malformed_body', 'unsupported_encoding' or
 * 'expands_too_much'. If the caller stops early the request is not destroyed: the server drops the rest of the body, and the
 * connection can serve its next request.
 */
export async function* bodyChunks(
  incoming: IncomingMessage,
  expansion = new Expansion(),
): AsyncGenerator<Uint8Array, void, undefined> {
  assertTransferEncoding(incoming)
  const decodings = contentDecodings(incoming.headers['content-encoding'])
  let decodedBytes = 0
  try {
    for await (const chunk of decodedChunks(incoming, decodings, expansion)) {
      decodedBytes += chunk.length
      if (decodings.length === 0) expansion.sentBytes = decodedBytes
      expansion.assert(decodedBytes)
      yield chunk
    }
  } catch (cause) {
    if (cause instanceof ServiceError) throw cause
    if (!(cause instanceof EncodingProblem)) throw endedEarly(cause)
    const encoding = incoming.headers['content-encoding']
    throw new ServiceError(
      'malformed_body',
      `the body does not decode as Content-Encoding ${encoding}: ${cause.message}`,
      { cause },
    )
  }
  if (!incoming.complete || isAnswered(incoming)) throw endedEarly()
}

function decodedChunks(
  incoming: IncomingMessage,
  decodings: readonly ContentDecoding[],
  expansion: Expansion,
): AsyncIterable<Uint8Array> {
  const [first, second] = decodings
  const sent = chunksOnce(incoming)
  if (first === undefined) return sent
  const once = first(sent, (bytes) => {
    expansion.sentBytes = bytes
  })
  return second === undefined ? once : second(limited(once, expansion), () => {})
}

/** Bounds the output of the first of two decoders: the second may produce nothing from it, however much there is. */
async function* limited(
  source: AsyncIterable<Uint8Array>,
  expansion: Expansion,
): AsyncGenerator<Uint8Array, void, undefined> {
  let decodedBytes = 0
  for await (const piece of source) {
    decodedBytes += piece.length
    expansion.assert(decodedBytes)
    yield piece
  }
}

/** Whether the request was answered on the socket while its body arrived (unreadable.ts); then the rest of the body is ignored. */
export function isAnswered({ socket }: IncomingMessage): boolean {
  return socket.writableEnded
}

/** Node copies what it receives into each chunk and keeps no reference, so the chunk can be freed here. */
async function* chunksOnce(incoming: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    yield chunk
    freeMemory([chunk])
  }
}

/** Node decodes `chunked` only; with any other encoding the bytes it delivers are not the body. */
export function assertTransferEncoding({ headers }: IncomingMessage): void {
  const encoding = headers['transfer-encoding']
  if (encoding === undefined || encoding.toLowerCase() === 'chunked') return
  throw new ServiceError(
    'unsupported_encoding',
    `Transfer-Encoding is '${encoding}'; use chunked alone, and say in Content-Encoding how the body is compressed`,
  )
}

/** The encoding that was applied last comes first. */
function contentDecodings(header: string | undefined): ContentDecoding[] {
  if (header === undefined) return []
  const names = header.split(',').map((name) => name.trim().toLowerCase())
  const applied = names.filter((name) => name !== 'identity' && name !== '')
  if (applied.length > CONTENT_ENCODINGS_MAX) {
    throw new ServiceError(
      'unsupported_encoding',
      `Content-Encoding names ${applied.length} encodings; use at most ${CONTENT_ENCODINGS_MAX}`,
    )
  }
  return applied.reverse().map((name) => {
    const decoding = DECODINGS.get(name)
    if (decoding !== undefined) return decoding
    const known = [...DECODINGS.keys()].join(', ')
    throw new ServiceError(
      'unsupported_encoding',
      `Content-Encoding is '${name}'; use one of ${known}, identity`,
    )
  })
}

export function endedEarly(cause?: unknown): ServiceError {
  return new ServiceError('malformed_body', 'the connection was closed before the whole body had arrived', {
    cause,
  })
}
