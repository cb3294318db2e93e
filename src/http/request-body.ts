/** Whole request bodies, read from node's request directly: those of events and documents. */
import type { IncomingMessage } from 'node:http'
import { ServiceError, type ServiceErrorCode } from '../service-error.ts'
import { assertTransferEncoding, bodyChunks, endedEarly } from './body-chunks.ts'

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

const EMPTY = Buffer.alloc(0)

function tooLarge({ bytesMax, refusal, what }: BodyLimit, declared?: string): ServiceError {
  const got = declared === undefined ? `more than ${bytesMax} bytes` : `${declared} bytes`
  return new ServiceError(refusal, `${what} has ${got}; at most ${bytesMax} bytes are taken`)
}
