/**
 * The codecs of Avro blocks: null, deflate, snappy, zstandard.
 *
 * A codec receives the most bytes that the block may decompress to. It checks the lengths that the block states before
 * it allocates memory, so that a small block cannot cause a large allocation. All codecs throw AvroProblem.
 *
 *   deflate:   raw, without zlib's frame
 *   snappy:    raw, then the CRC-32 of the uncompressed bytes as u32, big-endian
 *   zstandard: frames as in RFC 8878, without dictionaries. Where Node has no zstd of its own, checksums are not
 *              verified, and data longer than the frames state are cut; reading them by the schema then finds that.
 *
 * Indexes are asserted with `!`: `within` or the condition of the loop has compared them with the length.
 */
import zlib, { crc32, inflateRawSync } from 'node:zlib'
import { Decompress as ZstdStream } from 'fzstd'
import { uncompressSync } from 'snappy'
import { AvroProblem } from '../schemas/avro-problem.ts'

/** The result may be `block` itself, or a view into it. */
export type BlockCodec = (block: Buffer, bytesMax: number) => Buffer

const CODECS: ReadonlyMap<string, BlockCodec> = new Map([
  ['null', (block: Buffer) => block],
  ['deflate', inflate],
  ['snappy', unsnap],
  ['zstandard', unzstd],
])

export function blockCodec(name: string): BlockCodec {
  const codec = CODECS.get(name)
  if (codec === undefined) {
    const names = [...CODECS.keys()].join(', ')
    throw new AvroProblem(`the codec ${JSON.stringify(name.slice(0, 100))} is not known; use one of ${names}`)
  }
  return codec
}

export function isStored(codec: BlockCodec): boolean {
  return codec === CODECS.get('null')
}

const KIB = 1024
const MIB = 1024 * KIB

function tooLong(bytesMax: number): AvroProblem {
  return new AvroProblem(`it decompresses to more than ${bytesMax} bytes; write smaller blocks`)
}

/** Most blocks are 16 to 64 KiB. They fit in one piece; with zlib's default of 16 KiB several pieces would be joined. */
const INFLATE_PIECE_BYTES = 64 * KIB

/** Old Python writers leave most of a checksum after the deflate stream: up to this many bytes. */
const INFLATE_REST_BYTES_MAX = 4

interface Inflated {
  readonly buffer: Buffer
  readonly engine: { readonly bytesWritten: number }
}

function inflate(block: Buffer, bytesMax: number): Buffer {
  let inflated: Inflated
  try {
    // An output of 0 bytes is allowed, but zlib rejects a maximum of 0.
    const options = { maxOutputLength: Math.max(bytesMax, 1), chunkSize: INFLATE_PIECE_BYTES, info: true }
    inflated = inflateRawSync(block, options) as unknown as Inflated
  } catch (cause) {
    if (isTooLarge(cause)) throw tooLong(bytesMax)
    throw new AvroProblem('its deflate stream is damaged or cut off', { cause })
  }
  const { buffer, engine } = inflated
  const rest = block.length - engine.bytesWritten
  if (rest > INFLATE_REST_BYTES_MAX)
    throw new AvroProblem(`${rest} bytes follow the end of its deflate stream`)
  return buffer
}

/**
 * Copying the result into a buffer of V8 takes a third of the time. Without the copy, the memory that snappy returns
 * stays allocated until a garbage collection, so that snappy needs fresh pages for every block, which the kernel clears
 * first.
 */
const UNSNAP_OPTIONS = { asBuffer: true, copyOutputData: true }

/** Snappy's densest element is 3 bytes long and copies 64 bytes. */
const SNAPPY_GROWTH_MAX = 64 / 3
const CRC_BYTES = 4

function unsnap(block: Buffer, bytesMax: number): Buffer {
  const end = block.length - CRC_BYTES
  const claim = readLength(block, end)
  if (claim === undefined) throw new AvroProblem('it is too short for snappy data and its CRC-32')
  if (claim > bytesMax) throw tooLong(bytesMax)
  if (claim > end * SNAPPY_GROWTH_MAX) throw new AvroProblem('its snappy data claims a length it cannot have')
  const bytes = unsnapExactly(block.subarray(0, end), claim)
  if (crc32(bytes) !== block.readUInt32BE(end)) {
    throw new AvroProblem('the CRC-32 of its snappy data does not match')
  }
  return bytes
}

function unsnapExactly(data: Buffer, length: number): Buffer {
  let bytes: string | Buffer
  try {
    bytes = uncompressSync(data, UNSNAP_OPTIONS)
  } catch (cause) {
    throw new AvroProblem('its snappy data is damaged', { cause })
  }
  if (typeof bytes === 'string' || bytes.length !== length)
    throw new AvroProblem('its snappy data is damaged')
  return bytes
}

/** Snappy's preamble: the uncompressed length in at most 5 bytes of 7 bits, without zigzag. */
function readLength(block: Buffer, end: number): number | undefined {
  let length = 0
  for (let at = 0; at < Math.min(end, 5); at++) {
    length += (block[at]! & 0x7f) * 2 ** (7 * at)
    if (block[at]! < 0x80) return length
  }
  return undefined
}

const ZSTD_MAGIC = 0xfd2fb528
const ZSTD_SKIPPABLE_MAGIC = 0x184d2a50 // the low 4 bits are free
const ZSTD_PIECE_BYTES_MAX = 128 * KIB
/**
 * fzstd moves its whole window once for every piece ("block" in the RFC) of a frame. The limit allows the 512 pieces of
 * 64 MiB with a window of 8 MiB, the largest window that the RFC asks decoders to support. It rejects a window of 64
 * MiB with thousands of pieces of a few bytes, which would take minutes.
 */
const ZSTD_MOVED_BYTES_MAX = 4 * KIB * MIB
/**
 * Limit of the moved bytes per byte of output. Full pieces move 64 bytes of an 8 MiB window for each byte of output,
 * and 180 for the largest frame whose window is the frame itself. A file may have 500 blocks in a megabyte, and if each
 * moved much more than that the file would take a minute. So the first block above the limit ends the upload with an
 * error.
 */
const ZSTD_MOVES_PER_BYTE_MAX = 256
const ZSTD_MOVED_BYTES_FREE = 256 * MIB

interface ZstdFrame {
  readonly bytes: Buffer
  readonly contentBytes: number | undefined
  /** The most bytes that the frame can decompress to. */
  readonly mostBytes: number
}

interface ZstdHeader {
  readonly bytes: number
  readonly windowBytes: number
  readonly contentBytes: number | undefined
  readonly checksum: boolean
}

type ZstdDecompressSync = (bytes: Buffer, options: zlib.ZlibOptions) => Buffer

/** Node has it since 22.15. It is about twice as fast as fzstd. */
const zstdDecompressSync = (zlib as { zstdDecompressSync?: ZstdDecompressSync }).zstdDecompressSync

function unzstd(block: Buffer, bytesMax: number): Buffer {
  const { frames, movedBytes } = zstdFrames(block, bytesMax)
  // The pieces are written directly into one buffer: joining a list of pieces at the end would take twice the memory.
  const most = frames.reduce((sum, { mostBytes }) => sum + mostBytes, 0)
  const bytes = Buffer.allocUnsafeSlow(Math.min(most, bytesMax))
  let total = 0
  for (const frame of frames) {
    const before = total
    const take = (piece: Uint8Array) => {
      if (total + piece.length > bytesMax) throw tooLong(bytesMax)
      if (total + piece.length > bytes.length) throw notAsLong()
      bytes.set(piece, total)
      total += piece.length
    }
    try {
      unzstdFrame(frame.bytes, bytesMax - total, take)
    } catch (cause) {
      if (cause instanceof AvroProblem) throw cause
      if (isTooLarge(cause)) throw tooLong(bytesMax)
      throw new AvroProblem('its zstandard data is damaged', { cause })
    }
    if (frame.contentBytes !== undefined && total - before !== frame.contentBytes) {
      throw notAsLong()
    }
  }
  if (movedBytes > ZSTD_MOVED_BYTES_FREE && movedBytes > ZSTD_MOVES_PER_BYTE_MAX * total)
    throw tooManyPieces()
  return bytes.subarray(0, total)
}

function tooManyPieces(): AvroProblem {
  return new AvroProblem(
    'its zstandard window is too large for so many pieces; compress it with a smaller one',
  )
}

function notAsLong(): AvroProblem {
  return new AvroProblem('its zstandard data has not the length it claims')
}

function unzstdFrame(frame: Buffer, bytesMax: number, take: (piece: Uint8Array) => void): void {
  if (zstdDecompressSync !== undefined) {
    take(zstdDecompressSync(frame, { maxOutputLength: Math.max(bytesMax, 1) }))
  } else {
    new ZstdStream(take).push(frame, true)
  }
}

/** Reads the headers of all frames without decompressing: lengths and ends are checked before memory is allocated. */
function zstdFrames(block: Buffer, bytesMax: number): { frames: readonly ZstdFrame[]; movedBytes: number } {
  const frames: ZstdFrame[] = []
  let at = 0
  let movedBytes = 0
  let contentBytes = 0
  while (at < block.length) {
    const magic = at + 4 <= block.length ? block.readUInt32LE(at) : 0
    if ((magic & ~0xf) >>> 0 === ZSTD_SKIPPABLE_MAGIC) {
      at = within(block, at + 8 + readUInt(block, at + 4, 4))
      continue
    }
    if (magic !== ZSTD_MAGIC) throw new AvroProblem('it does not hold zstandard frames')
    const header = readZstdHeader(block, at)
    contentBytes += header.contentBytes ?? 0
    if (contentBytes > bytesMax) throw tooLong(bytesMax)
    if (header.windowBytes > bytesMax) {
      throw new AvroProblem(`its zstandard window of ${header.windowBytes} bytes is above ${bytesMax}`)
    }
    const pieceBytesMax = Math.min(header.windowBytes, ZSTD_PIECE_BYTES_MAX)
    const pieces = walkPieces(block, at + header.bytes, pieceBytesMax)
    movedBytes += pieces.count * header.windowBytes
    if (movedBytes > ZSTD_MOVED_BYTES_MAX) {
      throw tooManyPieces()
    }
    const end = within(block, pieces.end + (header.checksum ? 4 : 0))
    const mostBytes = header.contentBytes ?? pieces.count * pieceBytesMax
    frames.push({ bytes: block.subarray(at, end), contentBytes: header.contentBytes, mostBytes })
    at = end
  }
  return { frames, movedBytes }
}

function readZstdHeader(block: Buffer, start: number): ZstdHeader {
  const flags = readUInt(block, start + 4, 1)
  if (flags & 0x08) throw new AvroProblem('its zstandard frame uses a reserved bit')
  const singleSegment = (flags & 0x20) !== 0
  const windowAt = start + 5
  const dictionaryAt = singleSegment ? windowAt : windowAt + 1
  const dictionaryLength = [0, 1, 2, 4][flags & 3]!
  if (readUInt(block, dictionaryAt, dictionaryLength) !== 0) {
    throw new AvroProblem('its zstandard frame needs a dictionary')
  }
  const contentAt = dictionaryAt + dictionaryLength
  const contentLength = [singleSegment ? 1 : 0, 2, 4, 8][flags >>> 6]!
  // A length of 2 bytes counts from 256, because smaller lengths fit 1 byte.
  const content = readUInt(block, contentAt, contentLength) + (contentLength === 2 ? 256 : 0)
  return {
    bytes: contentAt + contentLength - start,
    windowBytes: singleSegment ? content : windowBytes(readUInt(block, windowAt, 1)),
    contentBytes: contentLength === 0 ? undefined : content,
    checksum: (flags & 0x04) !== 0,
  }
}

function windowBytes(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3))
  return base + (base / 8) * (descriptor & 7)
}

function walkPieces(block: Buffer, start: number, pieceBytesMax: number): { count: number; end: number } {
  const repeated = 1
  const compressed = 2
  let at = start
  for (let count = 1; ; count++) {
    const header = readUInt(block, at, 3)
    const kind = (header >>> 1) & 3
    const length = header >>> 3
    if (kind > compressed || length > pieceBytesMax || (kind === compressed && length === 0)) {
      throw new AvroProblem('its zstandard data is damaged')
    }
    at = within(block, at + 3 + (kind === repeated ? 1 : length))
    const last = (header & 1) !== 0
    if (last) return { count, end: at }
  }
}

/** Little-endian; 0 for a length of 0. */
function readUInt(block: Buffer, at: number, length: number): number {
  within(block, at + length)
  let value = 0
  for (let i = length - 1; i >= 0; i--) value = value * 256 + block[at + i]!
  return value
}

function within(block: Buffer, at: number): number {
  if (at > block.length) throw new AvroProblem('its zstandard data is cut off')
  return at
}

/** node:zlib throws this error when the output is longer than `maxOutputLength`. */
function isTooLarge(cause: unknown): boolean {
  return cause instanceof RangeError && (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
}
