/** A request body in pieces, as it arrives, for batches; one in a `Content-Encoding` is decoded on the way. */
import type { IncomingMessage } from 'node:http'
import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { freeMemory } from '../../storage/free-memory.ts'
import { ServiceError } from '../service-error.ts'
import { Expansion } from './expansion.ts'

/** `bytesWritten` are those it has used. */
type Decoder = Transform & { readonly bytesWritten: number }

/** 8 MiB: what RFC 9659 allows for this use; without a limit a frame may ask for 128. */
const ZSTD_WINDOW_LOG_MAX = 23

const DECODERS: Readonly<Record<string, (() => Decoder) | undefined>> = {
  gzip: zlib.createGunzip,
  'x-gzip': zlib.createGunzip,
  deflate: zlib.createInflate,
  br: zlib.createBrotliDecompress,
  // Node has it from 22.15 on.
  ...('createZstdDecompress' in zlib && { zstd: zstdDecoder }),
}

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
  if (decoders.length > 1) limitFirstLayer(decoders[0], expansion)
  let decodedBytes = 0
  try {
    for await (const chunk of source) {
      decodedBytes += chunk.length
      expansion.sentBytes = decoders.length === 0 ? decodedBytes : decoders[0].bytesWritten
      expansion.assert(decodedBytes)
      yield chunk
    }
  } catch (cause) {
    if (cause instanceof ServiceError) throw cause
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

/** What comes out of the first of two may be nothing to the second, and go on for ever: so it is looked at by itself. */
function limitFirstLayer(decoder: Decoder, expansion: Expansion): void {
  let decodedBytes = 0
  decoder.on('data', (chunk: Uint8Array) => {
    decodedBytes += chunk.length
    expansion.sentBytes = decoder.bytesWritten
    try {
      expansion.assert(decodedBytes)
    } catch (error) {
      decoder.destroy(error as Error)
    }
  })
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
function contentDecoders(header: string | undefined): Decoder[] {
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

function zstdDecoder(): Decoder {
  const { createZstdDecompress, constants } = zlib as unknown as ZstdOfNode
  return createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX } })
}

/** What the types of the oldest Node we promise do not know. */
interface ZstdOfNode {
  readonly createZstdDecompress: (options: { params: Record<number, number> }) => Decoder
  readonly constants: { readonly ZSTD_d_windowLogMax: number }
}

export function endedEarly(cause?: unknown): ServiceError {
  return new ServiceError('malformed_body', 'the connection was closed before the whole body had arrived', {
    cause,
  })
}
