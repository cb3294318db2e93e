/**
 * `Content-Encoding: zstd`: frames one after another, with skippable frames between them (RFC 8878), window up to 8 MiB
 * (RFC 9659). From 22.15 on node decompresses; on older versions fzstd does, which does not verify checksums.
 *
 * Neither reports where a frame ends, or that the last one is incomplete. So FrameWalk reads the frames block by block:
 *
 *   frame:      magic u32 | descriptor u8 | window u8? | dictionary id 0-4 bytes | content size 0-8 bytes | blocks | checksum u32?
 *   block:      header u24 (last: 1 bit, type: 2 bits, size: 21 bits) | size bytes, or 1 of type 1
 *   skippable:  magic u32 (0x184D2A50 to 0x184D2A5F) | size u32 | size bytes
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import * as zlib from 'node:zlib'
import { Decompress } from 'fzstd'
import {
  type ContentDecoding,
  type Decompressor,
  DecompressorRun,
  EncodingProblem,
} from './content-decoding.ts'

const KIB = 1024
const MIB = 1024 * KIB
const WINDOW_LOG_MAX = 23
const WINDOW_BYTES_MAX = 2 ** WINDOW_LOG_MAX
const BLOCK_BYTES_MAX = 128 * KIB

const MAGIC = 0xfd2fb528
const SKIPPABLE_MAGIC = 0x184d2a50 // the low 4 bits are free

/**
 * fzstd moves its whole window once for every block. With full blocks and a window of 8 MiB that is 64 bytes for each byte of
 * output. A body that moves much more than that per byte is refused, because it would take minutes.
 */
const MOVED_BYTES_FREE = 256 * MIB
const MOVED_PER_BYTE_MAX = 256
/** fzstd runs on the event loop: it yields to other events after this many bytes moved or put out. */
const TURN_BYTES = 4 * MIB
/** The cost of a block without output, in bytes. */
const BLOCK_COST_BYTES = 16 * KIB

export const zstdDecoding: ContentDecoding = 'createZstdDecompress' in zlib ? decodedByNode : decodedByFzstd

/** `zstdDecoding` from node 22.15 on; exported for tests. */
export async function* decodedByNode(
  source: AsyncIterable<Uint8Array>,
  used: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { createZstdDecompress, constants } = zlib as unknown as ZstdOfNode
  const run = new DecompressorRun(
    createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX } }),
  )
  const frames = new FrameWalk()
  let bytesBefore = 0
  let arrived = 0
  try {
    for await (const piece of source) {
      arrived += piece.length
      for (const { bytes, endsFrame } of frames.walk(piece)) {
        // A write ends with the frame, so the stream continues with the next one.
        const taken = yield* run.write(bytes, () => used(arrived))
        if (taken < bytes.length) throw new EncodingProblem('its frames are damaged')
        if (!endsFrame) continue
        frames.assertLength(run.bytesOut - bytesBefore)
        bytesBefore = run.bytesOut
      }
    }
    frames.assertComplete()
  } finally {
    run.close()
  }
}

/** `zstdDecoding` on older versions; exported for tests. */
export async function* decodedByFzstd(
  source: AsyncIterable<Uint8Array>,
  used: (bytes: number) => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const frames = new FrameWalk()
  const budget = new MoveBudget()
  let blocks: Uint8Array[] = []
  let frame: Decompress | undefined
  let frameBytes = 0
  let arrived = 0
  for await (const piece of source) {
    arrived += piece.length
    used(arrived)
    for (const { bytes, endsBlock, endsFrame } of frames.walk(piece)) {
      frame ??= new Decompress((block) => blocks.push(block))
      try {
        frame.push(bytes, endsFrame)
      } catch (cause) {
        throw new EncodingProblem('its frames are damaged', { cause })
      }
      for (const block of blocks) {
        budget.bytesOut(block.length)
        frameBytes += block.length
        if (block.length > 0) yield block
      }
      blocks = []
      if (endsFrame) {
        frames.assertLength(frameBytes)
        frame = undefined
        frameBytes = 0
      }
      if (endsBlock && budget.blockDone(frames.windowBytes)) await nextTurn()
    }
  }
  frames.assertComplete()
}

/** Missing in the types of the oldest node that we support. */
interface ZstdOfNode {
  readonly createZstdDecompress: (options: { params: Record<number, number> }) => Decompressor
  readonly constants: { readonly ZSTD_d_windowLogMax: number }
}

class MoveBudget {
  #moved = 0
  #out = 0
  #sinceTurn = 0

  bytesOut(bytes: number): void {
    this.#out += bytes
    this.#sinceTurn += bytes
  }

  /** After a block of a frame with this window. Returns whether to yield to other events. Throws EncodingProblem. */
  blockDone(windowBytes: number): boolean {
    this.#moved += windowBytes
    this.#sinceTurn += windowBytes + BLOCK_COST_BYTES
    if (this.#moved > MOVED_BYTES_FREE && this.#moved > MOVED_PER_BYTE_MAX * this.#out) {
      throw new EncodingProblem(
        'its window is too large for so many small blocks; compress it with a smaller one',
      )
    }
    if (this.#sinceTurn < TURN_BYTES) return false
    this.#sinceTurn = 0
    return true
  }
}

/** Bytes of a frame, up to the end of a field, a block, the frame or a piece of the body. */
interface FramePart {
  readonly bytes: Uint8Array
  readonly endsBlock: boolean
  readonly endsFrame: boolean
}

type Field = 'magic' | 'skipSize' | 'skipped' | 'descriptor' | 'header' | 'blockHeader' | 'block' | 'checksum'

/** Finds the ends of frames, however the body is divided into pieces. Throws EncodingProblem. */
class FrameWalk {
  #field: Field = 'magic'
  /** Bytes of the field that are missing. */
  #missing = 4
  /** Bytes of the field that have arrived, where its content is needed. */
  readonly #content = Buffer.alloc(16)
  #length = 0
  #descriptor = 0
  #lastBlock = false
  #blocks = 0
  #frames = 0
  /** Of the current frame. */
  windowBytes = 0
  /** Of the current frame; undefined if it has no size. */
  #contentBytes: number | undefined;

  *walk(piece: Uint8Array): Generator<FramePart, void, undefined> {
    let start = 0 // of the bytes that have not been yielded
    let at = 0
    while (at < piece.length) {
      const field = this.#field
      const [blocks, frames] = [this.#blocks, this.#frames]
      const length = Math.min(this.#missing, piece.length - at)
      this.#take(piece.subarray(at, at + length))
      at += length
      const atEnd = at === piece.length
      if (field === 'magic' && this.#field === 'descriptor' && (length < 4 || atEnd)) {
        yield { bytes: FRAME_MAGIC, endsBlock: false, endsFrame: false } // its first bytes may be in an earlier piece
        start = at
      } else if (field === 'magic' || field === 'skipSize' || field === 'skipped') {
        start = this.#field === 'descriptor' ? at - 4 : at
      } else if (atEnd || blocks !== this.#blocks || frames !== this.#frames) {
        const part = { endsBlock: blocks !== this.#blocks, endsFrame: frames !== this.#frames }
        yield { bytes: piece.subarray(start, at), ...part }
        start = at
      }
    }
  }

  #take(bytes: Uint8Array): void {
    if (this.#field !== 'skipped' && this.#field !== 'block') {
      this.#content.set(bytes, this.#length)
      this.#length += bytes.length
    }
    this.#missing -= bytes.length
    if (this.#missing === 0) this.#next()
  }

  assertComplete(): void {
    if (this.#field === 'magic' && this.#length === 0 && this.#frames > 0) return
    throw new EncodingProblem('unexpected end of file')
  }

  /** `bytes` is the output of the frame. */
  assertLength(bytes: number): void {
    if (bytes === (this.#contentBytes ?? bytes)) return
    throw new EncodingProblem('a frame has not the length it claims')
  }

  /** Reads the complete field and selects the next one. */
  #next(): void {
    const content = this.#content
    switch (this.#field) {
      case 'magic':
        this.#readMagic(content.readUInt32LE(0))
        break
      case 'skipSize':
        this.#expect('skipped', content.readUInt32LE(0))
        break
      case 'descriptor':
        this.#readDescriptor(content.readUInt8(0))
        break
      case 'header':
        this.#readHeader()
        break
      case 'blockHeader':
        this.#readBlockHeader(content.readUIntLE(0, 3))
        break
      case 'block':
        this.#blockEnded()
        break
      case 'skipped':
      case 'checksum':
        this.#frameEnded()
    }
  }

  #readMagic(magic: number): void {
    if (magic === MAGIC) this.#expect('descriptor', 1)
    else if ((magic & ~0xf) >>> 0 === SKIPPABLE_MAGIC) this.#expect('skipSize', 4)
    else throw new EncodingProblem('a frame does not begin with the number of zstd')
  }

  #expect(field: Field, bytes: number): void {
    this.#field = field
    this.#missing = bytes
    this.#length = 0
    if (bytes === 0) this.#next()
  }

  #readDescriptor(descriptor: number): void {
    if (descriptor & 0x08) throw new EncodingProblem('a frame uses a reserved bit')
    this.#descriptor = descriptor
    const single = (descriptor & 0x20) !== 0
    this.#expect('header', (single ? 0 : 1) + dictionaryIdBytes(descriptor) + contentSizeBytes(descriptor))
  }

  #readHeader(): void {
    const descriptor = this.#descriptor
    const single = (descriptor & 0x20) !== 0
    const dictionaryAt = single ? 0 : 1
    const dictionaryBytes = dictionaryIdBytes(descriptor)
    if (readUInt(this.#content, dictionaryAt, dictionaryBytes) !== 0) {
      throw new EncodingProblem('a frame needs a dictionary')
    }
    const sizeBytes = contentSizeBytes(descriptor)
    // A size in 2 bytes starts counting at 256, where 1 byte ends.
    const size =
      readUInt(this.#content, dictionaryAt + dictionaryBytes, sizeBytes) + (sizeBytes === 2 ? 256 : 0)
    this.#contentBytes = sizeBytes === 0 ? undefined : size
    this.windowBytes = single ? size : windowOf(this.#content.readUInt8(0))
    if (this.windowBytes > WINDOW_BYTES_MAX) {
      throw new EncodingProblem(
        `a frame has a window of ${this.windowBytes} bytes; use at most ${WINDOW_BYTES_MAX}`,
      )
    }
    this.#expect('blockHeader', 3)
  }

  #readBlockHeader(header: number): void {
    const size = header >>> 3
    const type = (header >>> 1) & 3
    const bytesMax = Math.min(this.windowBytes, BLOCK_BYTES_MAX)
    if (type === 3 || size > bytesMax || (type === 2 && size === 0)) {
      throw new EncodingProblem('its frames are damaged')
    }
    this.#lastBlock = (header & 1) !== 0
    this.#expect('block', type === 1 ? 1 : size)
  }

  #blockEnded(): void {
    this.#blocks++
    if (!this.#lastBlock) this.#expect('blockHeader', 3)
    else if (this.#descriptor & 0x04) this.#expect('checksum', 4)
    else this.#frameEnded()
  }

  #frameEnded(): void {
    this.#frames++
    this.#expect('magic', 4)
  }
}

const FRAME_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd])

/** Two bits select one of four. */
function dictionaryIdBytes(descriptor: number): number {
  return [0, 1, 2, 4][descriptor & 3]!
}

function contentSizeBytes(descriptor: number): number {
  return [descriptor & 0x20 ? 1 : 0, 2, 4, 8][(descriptor >>> 6) & 3]!
}

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3))
  return base + (base / 8) * (descriptor & 7)
}

/** Little-endian; 0 for a length of 0. */
function readUInt(bytes: Uint8Array, at: number, length: number): number {
  let value = 0
  for (let i = length - 1; i >= 0; i--) value = value * 256 + bytes[at + i]! // a field of a frame lies within its buffer
  return value
}
