/**
 * Cursors as text: opaque to clients, good for one stream, valid across restarts.
 *
 *   cursor := base64url( logId u32 | sequence u48 | timestampMs u48 | crc32c u32 )      big-endian, 27 characters
 *
 * The checksum covers the stream's name and everything before it, so text that was cut, altered or taken from another
 * stream is refused instead of being read as some other place.
 */
import { crc32c } from '@node-rs/crc32'
import { ServiceError } from '../service-error.ts'
import type { StreamId } from '../streams/names.ts'
import type { Cursor } from '../streams/streams.ts'

const CURSOR_BYTES = 20
const CRC_OFFSET = 16
const CURSOR_TEXT = /^[A-Za-z0-9_-]{27}$/

/** Prints cursors of one stream. */
export class CursorPrinter {
  readonly #bytes = Buffer.allocUnsafe(CURSOR_BYTES)
  readonly #seed: number

  constructor(id: StreamId, log: number) {
    this.#seed = seedOf(id)
    this.#bytes.writeUInt32BE(log, 0)
  }

  print(sequence: number, timestampMs: number): string {
    this.#bytes.writeUIntBE(sequence, 4, 6)
    this.#bytes.writeUIntBE(timestampMs, 10, 6)
    this.#bytes.writeUInt32BE(crc32c(this.#bytes.subarray(0, CRC_OFFSET), this.#seed), CRC_OFFSET)
    return this.#bytes.toString('base64url')
  }
}

export function printCursor(id: StreamId, cursor: Cursor): string {
  return new CursorPrinter(id, cursor.log).print(cursor.position.sequence, cursor.position.timestampMs)
}

/** Throws ServiceError 'invalid_cursor'. */
export function parseCursor(id: StreamId, text: string): Cursor {
  const bytes = CURSOR_TEXT.test(text) ? Buffer.from(text, 'base64url') : undefined
  if (
    bytes === undefined ||
    bytes.toString('base64url') !== text || // the last character has two bits to spare
    bytes.readUInt32BE(CRC_OFFSET) !== crc32c(bytes.subarray(0, CRC_OFFSET), seedOf(id))
  ) {
    throw new ServiceError(
      'invalid_cursor',
      `after is '${text.slice(0, 80)}', which is no cursor of stream ${id.namespace}.${id.stream}; ` +
        'use one that a read of this stream gave you, unchanged',
    )
  }
  return {
    log: bytes.readUInt32BE(0),
    position: { sequence: bytes.readUIntBE(4, 6), timestampMs: bytes.readUIntBE(10, 6) },
  }
}

function seedOf({ namespace, stream }: StreamId): number {
  return crc32c(`${namespace}:${stream}`)
}
