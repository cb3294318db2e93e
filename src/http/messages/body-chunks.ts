/** A request body in pieces, as it arrives, for batches; one in a `Content-Encoding` is decoded on the way. */
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

/** One is usual, and a proxy may add one; each costs memory. */
const CONTENT_ENCODINGS_MAX = 2

/**
 * The body as it arrives: each piece is good until the next is asked for, then its memory is given back. Throws ServiceError
 * 'malformed_body', 'unsupported_encoding' or 'expands_too_much'; `expansion` has what was sent, for whoever decodes on. A
 * body that the caller gives up is not destroyed: then the server reads on and drops the rest, and the connection gets to
 * its next request.
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

/** What comes out of the first of two may be nothing to the second, and go on for ever: so it is looked at by itself. */
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

/** Whether an answer was written to the socket while the body arrived (unreadable.ts): then the rest came too late. */
export function isAnswered({ socket }: IncomingMessage): boolean {
  return socket.writableEnded
}

/** Each chunk is a copy that node has made of what it received, and nobody else sees it. */
async function* chunksOnce(incoming: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    yield chunk
    freeMemory([chunk])
  }
}

/** Node undoes `chunked`; it would hand us what else was applied as if it were the body. */
export function assertTransferEncoding({ headers }: IncomingMessage): void {
  const encoding = headers['transfer-encoding']
  if (encoding === undefined || encoding.toLowerCase() === 'chunked') return
  throw new ServiceError(
    'unsupported_encoding',
    `Transfer-Encoding is '${encoding}'; use chunked alone, and say in Content-Encoding how the body is compressed`,
  )
}

/** In the order in which they have to undo what the client applied: the last one first. */
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
