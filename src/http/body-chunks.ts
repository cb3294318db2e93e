/** A request body in pieces, as it arrives, for batches; one in a `Content-Encoding` is decoded on the way. */
import type { IncomingMessage } from 'node:http'
import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { freeMemory } from '../../storage/free-memory.ts'
import { ServiceError } from '../service-error.ts'

const DECODERS: Readonly<Record<string, (() => Transform) | undefined>> = {
  gzip: zlib.createGunzip,
  'x-gzip': zlib.createGunzip,
  deflate: zlib.createInflate,
  br: zlib.createBrotliDecompress,
  // Node has it from 22.15 on.
  ...('createZstdDecompress' in zlib && { zstd: zlib.createZstdDecompress as () => Transform }),
}

/** One is usual, and a proxy may add one; each costs memory. */
const CONTENT_ENCODINGS_MAX = 2

/**
 * The body as it arrives: each piece is good until the next is asked for, then its memory is given back. Throws ServiceError 'malformed_body' or 'unsupported_encoding'. A body that the caller gives
 * up is not destroyed: then the server reads on and drops the rest, and the connection gets to its next request.
 */
export async function* bodyChunks(incoming: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  assertTransferEncoding(incoming)
  const decoders = contentDecoders(incoming.headers['content-encoding'])
  let decodingError: Error | undefined
  let source: AsyncIterable<Uint8Array> = chunksOnce(incoming)
  let upstream: NodeJS.ReadableStream = incoming
  for (const decoder of decoders) {
    decoder.on('error', (error) => {
      decodingError ??= error
    })
    upstream.on('error', (error) => decoder.destroy(error))
    upstream.on('close', () => {
      if (!incoming.complete) decoder.destroy()
    })
    source = upstream.pipe(decoder)
    upstream = decoder
  }
  try {
    yield* source
  } catch (cause) {
    if (decodingError === undefined || incoming.errored != null) throw endedEarly(cause)
    const encoding = incoming.headers['content-encoding']
    throw new ServiceError(
      'malformed_body',
      `the body does not decode as Content-Encoding ${encoding}: ${decodingError.message}`,
      { cause },
    )
  } finally {
    for (const decoder of decoders) decoder.destroy()
  }
  if (!incoming.complete) throw endedEarly()
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
function contentDecoders(header: string | undefined): Transform[] {
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
    const create = Object.hasOwn(DECODERS, name) ? DECODERS[name] : undefined
    if (create === undefined) {
      const known = Object.keys(DECODERS).join(', ')
      throw new ServiceError(
        'unsupported_encoding',
        `Content-Encoding is '${name}'; use one of ${known}, identity`,
      )
    }
    return create()
  })
}

export function endedEarly(cause?: unknown): ServiceError {
  return new ServiceError('malformed_body', 'the connection was closed before the whole body had arrived', {
    cause,
  })
}
