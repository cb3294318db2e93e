/** Small bodies that decompress to large ones. */
import { brotliCompressSync, constants, deflateRawSync, gzipSync } from 'node:zlib'
import { avroFile, fileHeader, long, SYNC } from '../../decoders/avro-file.ts'

export const MIB = 1024 * 1024

/** A log that says the same thing for ever. Short, for deflate does most for what was three bytes ago. */
export const SAME_LINE = 'no'

export function sameLine(bytes: number): Buffer {
  return Buffer.alloc(bytes, `${SAME_LINE}\n`)
}

/** Gzip files one after the other are one: 16 MiB in 16 KiB, `times` over. */
export function gzipBomb(times: number): Buffer {
  return repeated(gzipSync(sameLine(16 * MIB)), times)
}

export function brotliBomb(bytes: number): Buffer {
  return brotli(sameLine(bytes))
}

/** Decompresses to nothing, and to 20 bytes in between for every few bytes of brotli. */
export function emptyGzipInBrotli(files: number): Buffer {
  return brotli(repeated(gzipSync(''), files))
}

/** Each block of 2 KiB is 64 MiB of zeros; with `eventBytes` bytes to an event. */
export function avroZstdBomb(blocks: number, eventBytes: number): Buffer {
  const schema =
    eventBytes === 1 ? '"boolean"' : JSON.stringify({ type: 'fixed', name: 'f', size: eventBytes })
  const stored = zstdZeros(64 * MIB)
  const block = Buffer.concat([long((64 * MIB) / eventBytes), long(stored.length), stored, SYNC])
  const head = fileHeader([
    ['avro.schema', schema],
    ['avro.codec', 'zstandard'],
  ])
  return Buffer.concat([head, repeated(block, blocks)])
}

export function avroDeflateBomb(blocks: number): Buffer {
  const stored = deflateRawSync(Buffer.alloc(64 * MIB))
  const block = Buffer.concat([long(64), long(stored.length), stored, SYNC])
  const empty = avroFile({ schema: { type: 'fixed', name: 'f', size: MIB }, codec: 'deflate' })
  return Buffer.concat([empty, repeated(block, blocks)])
}

/** A frame with a window of 128 KiB, and in it a byte to be repeated so many times, again and again. */
function zstdZeros(bytes: number): Buffer {
  const pieceBytes = 128 * 1024
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 7 << 3])
  const pieces = Array.from({ length: bytes / pieceBytes }, (_, i, all = bytes / pieceBytes) => {
    const piece = Buffer.alloc(4)
    piece.writeUIntLE(pieceBytes * 8 + 2 + (i + 1 === all ? 1 : 0), 0, 3)
    return piece
  })
  return Buffer.concat([head, ...pieces])
}

function brotli(bytes: Buffer): Buffer {
  return brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } })
}

function repeated(bytes: Buffer, times: number): Buffer {
  return Buffer.concat(Array.from({ length: times }, () => bytes))
}
