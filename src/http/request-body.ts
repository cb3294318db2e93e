/**
 * Request bodies, read from node's request directly: whole for events and documents, in pieces for batches. Bodies in
 * a `Content-Encoding` are decoded on the way.
 */
import type { IncomingMessage } from 'node:http'
import type { Transform } from 'node:stream'
import * as zlib from 'node:zlib'
import { ServiceError, type ServiceErrorCode } from '../service-error.ts'

const DECODERS: Readonly<Record<string, (() => Transform) | undefined>> = {
  gzip: zlib.createGunzip,
  'x-gzip': zlib.createGunzip,
  deflate: zlib.createInflate,
  br: zlib.createBrotliDecompress,
  // Node has it from 22.15 on.
  ...('createZstdDecompress' in zlib && { zstd: zlib.createZstdDecompress as () => Transform }),
}

/** What a body that is too large is called, and how it is refused. */
export interface BodyLimit {
  readonly bytesMax: number
  readonly refusal: ServiceErrorCode
  readonly what: string
}

/**
 * The whole body. Rejects with the limit's refusal as soon as it is known to be too large, with 'malformed_body' if it
 * does not decode or ends early, with 'unsupported_encoding'.
 */
export async function readBody(incoming: IncomingMessage, limit: BodyLimit): Promise<Buffer> {
  assertTransferEncoding(incoming)
  const declared = incoming.headers['content-length']
  if (declared === '0') return EMPTY
  if (incoming.headers['content-encoding'] === undefined) {
    if (Number(declared) > limit.bytesMax) throw tooLarge(limit, declared)
    return readPlain(incoming, limit)
  }
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of bodyChunks(incoming)) {
    length += chunk.length
    if (length > limit.bytesMax) throw tooLarge(limit)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}

/** The path of nearly every event: listeners cost less than an iterator over one chunk. */
function readPlain(incoming: IncomingMessage, limit: BodyLimit): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    function onData(chunk: Buffer): void {
      length += chunk.length
      if (length > limit.bytesMax) {
        incoming.off('data', onData)
        reject(tooLarge(limit))
      } else {
        chunks.push(chunk)
      }
    }
    incoming.on('data', onData)
    incoming.once('end', () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, length)))
    incoming.once('error', (cause) => reject(endedEarly(cause)))
    incoming.once('close', () => {
      if (!incoming.complete) reject(endedEarly())
    })
  })
}

/**
 * The body as it arrives. Throws ServiceError 'malformed_body' or 'unsupported_encoding'. A body that the caller gives
 * up is not destroyed: then the server reads on and drops the rest, and the connection gets to its next request.
 */
export async function* bodyChunks(incoming: IncomingMessage): AsyncGenerator<Uint8Array, void, undefined> {
  assertTransferEncoding(incoming)
  const decoders = contentDecoders(incoming.headers['content-encoding'])
  let decodingError: Error | undefined
  let source: AsyncIterable<Uint8Array> = incoming.iterator({ destroyOnReturn: false })
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

/** Node undoes `chunked`; it would hand us what else was applied as if it were the body. */
function assertTransferEncoding({ headers }: IncomingMessage): void {
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

/** One is usual, and a proxy may add one; each costs memory. */
const CONTENT_ENCODINGS_MAX = 2
const EMPTY = Buffer.alloc(0)

function tooLarge({ bytesMax, refusal, what }: BodyLimit, declared?: string): ServiceError {
  const got = declared === undefined ? `more than ${bytesMax} bytes` : `${declared} bytes`
  return new ServiceError(refusal, `${what} has ${got}; at most ${bytesMax} bytes are taken`)
}

function endedEarly(cause?: unknown): ServiceError {
  return new ServiceError('malformed_body', 'the connection was closed before the whole body had arrived', {
    cause,
  })
}
