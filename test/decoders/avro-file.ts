/** Avro object container files for tests: written by hand, so that every byte can be wrong on purpose. */
import { crc32, deflateRawSync } from 'node:zlib'
import { compressSync } from 'snappy'
import { avroContainer } from '../../src/decoders/avro-container.ts'
import type { EventHeaders, EventSlices } from '../../storage/log.ts'

export const SYNC = Buffer.from('0123456789abcdef', 'latin1')
export const EVENT_BYTES_MAX = 16 * 1024 * 1024

export interface Block {
  readonly count: number | bigint
  /** Not yet compressed. */
  readonly data: Uint8Array
  readonly size?: number | bigint
  readonly sync?: Uint8Array
}

export interface AvroFileParts {
  readonly schema?: unknown
  /** The schema as it stands in the file, if not as JSON.stringify prints it. */
  readonly text?: string
  readonly codec?: string
  readonly blocks?: readonly Block[]
}

export function avroFile({
  schema,
  text = JSON.stringify(schema),
  codec,
  blocks = [],
}: AvroFileParts): Buffer {
  const metadata: [string, string][] = [['avro.schema', text]]
  if (codec !== undefined) metadata.push(['avro.codec', codec])
  return Buffer.concat([fileHeader(metadata), ...blocks.map((part) => block(part, codec))])
}

export function fileHeader(metadata: readonly (readonly [string, string | Buffer])[]): Buffer {
  const entries = metadata.flatMap(([key, value]) => [prefixed(key), prefixed(value)])
  const map = metadata.length === 0 ? [long(0)] : [long(metadata.length), ...entries, long(0)]
  return Buffer.concat([Buffer.from('Obj\x01', 'latin1'), ...map, SYNC])
}

export function block({ count, data, size, sync = SYNC }: Block, codec = 'null'): Buffer {
  const stored = compress(data, codec)
  return Buffer.concat([long(count), long(size ?? stored.length), stored, sync])
}

export function compress(data: Uint8Array, codec: string): Buffer {
  if (codec === 'deflate') return deflateRawSync(data)
  if (codec === 'snappy') return Buffer.concat([compressSync(Buffer.from(data)), u32(crc32(data))])
  if (codec === 'zstandard') return zstdFrame(data)
  return Buffer.from(data)
}

/** A frame of pieces that are not compressed. Compressed ones are tested with what the zstd program wrote. */
export function zstdFrame(data: Uint8Array): Buffer {
  const head = Buffer.alloc(9)
  head.writeUInt32LE(0xfd2fb528, 0)
  head.writeUInt8(0xa0, 4) // single segment, length in 4 bytes
  head.writeUInt32LE(data.length, 5)
  const pieces: Uint8Array[] = [head]
  const pieceBytesMax = 128 * 1024
  for (let at = 0; at === 0 || at < data.length; at += pieceBytesMax) {
    const piece = data.subarray(at, at + pieceBytesMax)
    const last = at + pieceBytesMax >= data.length ? 1 : 0
    const pieceHead = Buffer.alloc(3)
    pieceHead.writeUIntLE(piece.length * 8 + last, 0, 3)
    pieces.push(pieceHead, piece)
  }
  return Buffer.concat(pieces)
}

export function long(value: number | bigint): Buffer {
  let zigzag = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n))
  const bytes: number[] = []
  while (zigzag > 0x7fn) {
    bytes.push(Number(zigzag & 0x7fn) | 0x80)
    zigzag >>= 7n
  }
  bytes.push(Number(zigzag))
  return Buffer.from(bytes)
}

export function prefixed(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text as string)
  return Buffer.concat([long(bytes.length), bytes])
}

export interface Decoded {
  readonly headers: EventHeaders
  readonly bodies: readonly string[]
}

/** Decodes a file in chunks of the given sizes, over and over; bodies come back in hex. */
export function decode(
  file: Uint8Array,
  chunkSizes: readonly number[] = [file.length],
  eventBytesMax = EVENT_BYTES_MAX,
): Decoded {
  const decoder = avroContainer({ eventBytesMax })
  const bodies: string[] = []
  const emit = ({ bytes, starts, ends, count }: EventSlices) => {
    for (let i = 0; i < count; i++)
      bodies.push(Buffer.from(bytes.subarray(starts[i], ends[i])).toString('hex'))
  }
  for (let at = 0, turn = 0; at < file.length; turn++) {
    const size = Math.max(1, chunkSizes[turn % chunkSizes.length]!)
    let more = decoder.decode(file.subarray(at, at + size), emit)
    while (more) more = decoder.decodeMore(emit)
    at += size
  }
  decoder.end(emit)
  return { headers: decoder.headers, bodies }
}

/** The code and message of what `work` throws. */
export function refusalOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    const { name, message, code } = error as Error & { code?: string }
    return name === 'ServiceError' ? `${code}: ${message}` : `${name}: ${message}`
  }
  return 'nothing was thrown'
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
