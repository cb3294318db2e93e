/**
 * Cursors as text: opaque to clients, good for one stream of one store, valid across restarts.
 *
 *   cursor := base64url( logId u32 | sequence u48 | timestampMs u48 | identity u32 | epoch u32 | crc32c u32 )   38 characters
 *   before := base64url( logId u32 | sequence u48 | timestampMs u48 | crc32c u32 )                              27 characters
 *
 * Integers are big-endian. The checksum covers the stream's name and everything before it, so text that was cut, altered or
 * taken from another stream is refused instead of being read as some other place. Identity and epoch say which store, and
 * which opening of it, wrote the event: what they are checked against is in streams/resume-position.ts. Cursors that were
 * handed out before there was either are still read.
 */
import { crc32c } from '@node-rs/crc32'
import { ServiceError } from '../../service-error.ts'
import type { LogOrigins } from '../../streams/log-origins.ts'
import { type StreamId, streamKey } from '../../streams/names.ts'
import type { Cursor } from '../../streams/streams.ts'

const IDENTITY_OFFSET = 16
const EPOCH_OFFSET = 20
const CRC_OFFSET = 24
const CRC_OFFSET_BEFORE = 16
const CURSOR_TEXT = /^(?:[A-Za-z0-9_-]{38}|[A-Za-z0-9_-]{27})$/

/** Prints cursors of one stream. */
export class CursorPrinter {
  readonly #bytes = Buffer.allocUnsafe(CRC_OFFSET + 4)
  /** Made once: a cursor is printed for every event. */
  readonly #sealedBytes = this.#bytes.subarray(0, CRC_OFFSET)
  readonly #seed: number
  readonly #origins: LogOrigins
  /** The cursor's epoch holds for sequences of this stretch. */
  #beginSequence = 0
  #endSequence = 0

  constructor(id: StreamId, log: number, origins: LogOrigins) {
    this.#seed = seedOf(id)
    this.#origins = origins
    this.#bytes.writeUInt32BE(log, 0)
    this.#bytes.writeUInt32BE(origins.identity, IDENTITY_OFFSET)
  }

  print(sequence: number, timestampMs: number): string {
    if (sequence < this.#beginSequence || sequence >= this.#endSequence) this.#enter(sequence)
    this.#bytes.writeUIntBE(sequence, 4, 6)
    this.#bytes.writeUIntBE(timestampMs, 10, 6)
    this.#bytes.writeUInt32BE(crc32c(this.#sealedBytes, this.#seed), CRC_OFFSET)
    return this.#bytes.toString('base64url')
  }

  #enter(sequence: number): void {
    const { epoch, beginSequence, endSequence } = this.#origins.of(sequence)
    this.#beginSequence = beginSequence
    this.#endSequence = endSequence
    this.#bytes.writeUInt32BE(epoch, EPOCH_OFFSET)
  }
}

/** Prints a cursor; one without an origin in the older form of 27 characters. */
export function printCursor(id: StreamId, { log, position, origin }: Cursor): string {
  const bytes = Buffer.allocUnsafe(origin === undefined ? CRC_OFFSET_BEFORE + 4 : CRC_OFFSET + 4)
  bytes.writeUInt32BE(log, 0)
  bytes.writeUIntBE(position.sequence, 4, 6)
  bytes.writeUIntBE(position.timestampMs, 10, 6)
  if (origin !== undefined) {
    bytes.writeUInt32BE(origin.identity, IDENTITY_OFFSET)
    bytes.writeUInt32BE(origin.epoch, EPOCH_OFFSET)
  }
  const offset = bytes.length - 4
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, offset), seedOf(id)), offset)
  return bytes.toString('base64url')
}

/** Throws ServiceError 'invalid_cursor'. */
export function parseCursor(id: StreamId, text: string): Cursor {
  const bytes = CURSOR_TEXT.test(text) ? Buffer.from(text, 'base64url') : undefined
  if (bytes === undefined || bytes.toString('base64url') !== text || !isSealed(id, bytes)) {
    throw new ServiceError(
      'invalid_cursor',
      `after is '${text.slice(0, 80)}', which is no cursor of stream ${id.namespace}.${id.stream}; ` +
        'use one that a read of this stream gave you, unchanged',
    )
  }
  const cursor = {
    log: bytes.readUInt32BE(0),
    position: { sequence: bytes.readUIntBE(4, 6), timestampMs: bytes.readUIntBE(10, 6) },
  }
  if (bytes.length === CRC_OFFSET_BEFORE + 4) return cursor
  const origin = { identity: bytes.readUInt32BE(IDENTITY_OFFSET), epoch: bytes.readUInt32BE(EPOCH_OFFSET) }
  return { ...cursor, origin }
}

/** The last character has bits to spare, so this alone does not make the text the one that was handed out. */
function isSealed(id: StreamId, bytes: Buffer): boolean {
  const offset = bytes.length - 4
  return bytes.readUInt32BE(offset) === crc32c(bytes.subarray(0, offset), seedOf(id))
}

function seedOf(id: StreamId): number {
  return crc32c(streamKey(id))
}
