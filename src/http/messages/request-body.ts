/** Reads whole request bodies, of events and documents, directly from node's request. */
import type { IncomingMessage } from 'node:http'
import { ServiceError, type ServiceErrorCode } from '../../service-error.ts'
import type { Upload } from '../server/body-memory.ts'
import { decoderBytes } from '../server/decoder-memory.ts'
import type { Load } from '../server/load.ts'
import type { SlowClients } from '../server/slow-clients.ts'
import { assertTransferEncoding, bodyChunks, endedEarly, isAnswered } from './body-chunks.ts'
import { Expansion } from './expansion.ts'

/** The name of a body in refusals, how long it may be, and the code of the refusal. */
export interface BodyLimit {
  readonly bytesMax: number
  readonly refusal: ServiceErrorCode
  readonly what: string
}

/** Counts the bytes of bodies that arrive, and ends those of slow clients. */
export interface Intake {
  readonly load: Load
  readonly slowClients: SlowClients
}

/** Bytes of a body that is sent as it is, and within the limit; undefined if it has none, or another form. */
export function plainLength({ headers }: IncomingMessage, { bytesMax }: BodyLimit): number | undefined {
  if (headers['transfer-encoding'] !== undefined || headers['content-encoding'] !== undefined)
    return undefined
  const length = Number(headers['content-length'])
  return length > 0 && length <= bytesMax ? length : undefined
}

/**
 * Returns the whole body. Rejects with the refusal of `limit` as soon as the body is known to be too large, with
 * 'malformed_body' if it does not decode or ends early, with 'unsupported_encoding', and with 'overloaded' if too much
 * arrives at a time and no memory becomes free for a while.
 */
export async function readBody(
  incoming: IncomingMessage,
  limit: BodyLimit,
  { load, slowClients }: Intake,
): Promise<Buffer> {
  assertTransferEncoding(incoming)
  const declared = incoming.headers['content-length']
  const plain = incoming.headers['content-encoding'] === undefined
  if (plain && declared === '0') return EMPTY
  if (plain && Number(declared) > limit.bytesMax) throw tooLarge(limit, declared)
  if (declared !== undefined && !load.bodies.mayArrive(Number(declared))) {
    await load.bodies.admit(load.clientOf(incoming), Number(declared))
  }
  if (incoming.destroyed) throw endedEarly() // while the handler waited: its events are over
  const upload = slowClients.beginUpload(incoming, load)
  try {
    const body = await (plain ? readPlain : readEncoded)(incoming, limit, upload)
    if (!upload.complete()) throw endedEarly()
    return body
  } finally {
    upload.end()
  }
}

async function readEncoded(incoming: IncomingMessage, limit: BodyLimit, upload: Upload): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let length = 0
  const expansion = new Expansion()
  for await (const chunk of bodyChunks(incoming, expansion)) {
    length += chunk.length
    if (length > limit.bytesMax) throw tooLarge(limit)
    upload.pace.moved = expansion.sentBytes
    await upload.holds(length + decoderBytes(incoming, expansion.grownBytes))
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}

/** Most bodies are plain and short: listeners cost less than an iterator over one chunk. */
function readPlain(incoming: IncomingMessage, limit: BodyLimit, upload: Upload): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    function fail(error: unknown): void {
      incoming.off('data', onData)
      incoming.resume()
      reject(error)
    }
    function onData(chunk: Buffer): void {
      length += chunk.length
      if (length > limit.bytesMax) {
        fail(tooLarge(limit))
        return
      }
      chunks.push(chunk)
      upload.pace.moved = length
      const capacity = upload.holds(length)
      if (capacity === undefined) return
      incoming.pause()
      capacity.then(() => incoming.resume(), fail)
    }
    incoming.on('data', onData)
    incoming.once('end', () => {
      if (isAnswered(incoming)) reject(endedEarly())
      else resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length))
    })
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
