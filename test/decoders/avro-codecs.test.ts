import zlib, { crc32, deflateRawSync } from 'node:zlib'
import fc from 'fast-check'
import { compressSync } from 'snappy'
import { describe, expect, test } from 'vitest'
import { blockCodec } from '../../src/decoders/avro-codecs.ts'
import { AvroProblem } from '../../src/schemas/avro-problem.ts'
import { compress, zstdFrame } from './avro-file.ts'

const MIB = 1024 * 1024
const CODECS = ['null', 'deflate', 'snappy', 'zstandard']

const uncompress = (codec: string, block: Uint8Array, bytesMax = MIB) =>
  Buffer.from(blockCodec(codec)(Buffer.from(block), bytesMax))

test.each(CODECS)('%s gives back what was compressed', (codec) => {
  fc.assert(
    fc.property(fc.uint8Array({ size: 'large', maxLength: 300_000 }), (data) => {
      expect(uncompress(codec, compress(data, codec)).equals(data)).toBe(true)
    }),
  )
})

test.each(CODECS)('%s answers damage with data or a problem', (codec) => {
  const data = Buffer.from('millrace '.repeat(40))
  const whole = codec === 'zstandard' ? COMPRESSED : compress(data, codec)
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, length) => {
      const damaged = Buffer.from(whole)
      damaged[at] = byte
      try {
        uncompress(codec, damaged.subarray(0, length))
      } catch (error) {
        expect(error).toMatchObject({ name: 'AvroProblem' })
      }
    }),
    { numRuns: 2000 },
  )
})

const TEXT = Buffer.from('millrace '.repeat(1000))
/** Written by the zstd program: with its length and without a checksum; with a checksum and without its length; empty. */
const COMPRESSED = Buffer.from('KLUv/WAoIo0AAEhtaWxscmFjZSABAByDfDkC', 'base64')
const STREAMED = Buffer.from('KLUv/QRYjQAASG1pbGxyYWNlIAEAHIN8OQLH51or', 'base64')
const EMPTY = Buffer.from('KLUv/SQAAQAAmenYUQ==', 'base64')
const SKIPPABLE = Buffer.from('502a4d1803000000aabbcc', 'hex')

describe('zstandard reads', () => {
  const frames = [
    { name: 'a frame with its length', block: COMPRESSED, data: TEXT },
    { name: 'a frame with a checksum and no length', block: STREAMED, data: TEXT },
    { name: 'an empty frame', block: EMPTY, data: Buffer.alloc(0) },
    { name: 'nothing at all', block: Buffer.alloc(0), data: Buffer.alloc(0) },
    {
      name: 'several frames, and passes over what is to be skipped',
      block: Buffer.concat([STREAMED, SKIPPABLE, EMPTY, COMPRESSED, zstdFrame(TEXT), SKIPPABLE]),
      data: Buffer.concat([TEXT, TEXT, TEXT]),
    },
  ]
  test.each(frames)('$name', ({ block, data }) => {
    expect(uncompress('zstandard', block, 2 * MIB).equals(data)).toBe(true)
  })
})

test('deflate lets pass what old Python writers leave at the end', () => {
  const block = Buffer.concat([deflateRawSync(TEXT), Buffer.from('abc')])
  expect(uncompress('deflate', block).equals(TEXT)).toBe(true)
})

test.each([
  { codec: 'deflate', block: Buffer.concat([deflateRawSync(TEXT), Buffer.from('five!')]) },
  { codec: 'deflate', block: Buffer.concat([deflateRawSync(TEXT), deflateRawSync(TEXT)]) },
  { codec: 'snappy', block: snappyBlock(TEXT, Buffer.from('x')) },
  { codec: 'zstandard', block: Buffer.concat([zstdFrame(TEXT), Buffer.from('x')]) },
  { codec: 'zstandard', block: Buffer.concat([zstdFrame(TEXT), Buffer.alloc(9)]) },
])('$codec refuses what follows the end of its data', ({ codec, block }) => {
  expect(() => uncompress(codec, block)).toThrow(AvroProblem)
})

/** With bytes between the data and their checksum. */
function snappyBlock(data: Buffer, between: Buffer): Buffer {
  const checksum = Buffer.alloc(4)
  checksum.writeUInt32BE(crc32(data))
  return Buffer.concat([compressSync(data), between, checksum])
}

/** A frame without a length: window descriptor, then pieces as [kind, length, bytes]. */
function frame(
  window: number,
  ...pieces: readonly (readonly [kind: number, length: number, bytes: Buffer])[]
): Buffer {
  const heads = pieces.flatMap(([kind, length, bytes], index) => {
    const head = Buffer.alloc(3)
    head.writeUIntLE(length * 8 + kind * 2 + (index === pieces.length - 1 ? 1 : 0), 0, 3)
    return [head, bytes]
  })
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, window]), ...heads])
}

const WINDOW_1_KIB = 0
const WINDOW_128_KIB = 7 << 3
const WINDOW_1_MIB = 10 << 3
const RAW = 0
const REPEATED = 1
const one = Buffer.alloc(1)
/** Node's own decompressor calls more things damage. */
const zstdKnown = 'zstdDecompressSync' in zlib

function withCrc(snappy: Buffer, data: Buffer): Buffer {
  const tail = Buffer.alloc(4)
  tail.writeUInt32BE(crc32(data))
  return Buffer.concat([snappy, tail])
}

function changed(block: Buffer, at: number, byte: number): Buffer {
  const copy = Buffer.from(block)
  copy[at] = byte
  return copy
}

const bomb = Buffer.alloc(2 * MIB)
const tooLong = 'it decompresses to more than 1048576 bytes; write smaller blocks'

const refused = [
  { codec: 'deflate', name: 'a bomb', block: compress(bomb, 'deflate'), problem: tooLong },
  { codec: 'snappy', name: 'a bomb', block: compress(bomb, 'snappy'), problem: tooLong },
  { codec: 'zstandard', name: 'a bomb with a length', block: zstdFrame(bomb), problem: tooLong },
  {
    codec: 'zstandard',
    name: 'a bomb without a length',
    block: frame(WINDOW_128_KIB, ...Array.from({ length: 9 }, () => [REPEATED, 128 * 1024, one] as const)),
    problem: tooLong,
  },
  {
    codec: 'zstandard',
    name: 'a bomb in several frames',
    block: Buffer.concat([zstdFrame(bomb.subarray(0, MIB)), zstdFrame(one)]),
    problem: tooLong,
  },
  {
    codec: 'deflate',
    name: 'a cut',
    block: compress(TEXT, 'deflate').subarray(0, -3),
    problem: 'its deflate stream is damaged or cut off',
  },
  {
    codec: 'deflate',
    name: 'nothing',
    block: Buffer.alloc(0),
    problem: 'its deflate stream is damaged or cut off',
  },
  {
    codec: 'deflate',
    name: 'other bytes',
    block: Buffer.alloc(40, 0xff),
    problem: 'its deflate stream is damaged or cut off',
  },
  {
    codec: 'snappy',
    name: 'nothing',
    block: Buffer.alloc(0),
    problem: 'it is too short for snappy data and its CRC-32',
  },
  {
    codec: 'snappy',
    name: 'a checksum alone',
    block: Buffer.alloc(4),
    problem: 'it is too short for snappy data and its CRC-32',
  },
  {
    codec: 'snappy',
    name: 'a wrong checksum',
    block: withCrc(compress(TEXT, 'snappy').subarray(0, -4), Buffer.from('other')),
    problem: 'the CRC-32 of its snappy data does not match',
  },
  {
    codec: 'snappy',
    name: 'a length it cannot have',
    block: withCrc(Buffer.from('ffff3f00', 'hex'), one),
    problem: 'its snappy data claims a length it cannot have',
  },
  {
    codec: 'snappy',
    name: 'a length it has not',
    block: changed(compress(Buffer.from('abc'), 'snappy'), 0, 4),
    problem: 'its snappy data is damaged',
  },
  {
    codec: 'zstandard',
    name: 'other bytes',
    block: Buffer.alloc(40),
    problem: 'it does not hold zstandard frames',
  },
  {
    codec: 'zstandard',
    name: 'a cut magic',
    block: EMPTY.subarray(0, 3),
    problem: 'it does not hold zstandard frames',
  },
  {
    codec: 'zstandard',
    name: 'a cut header',
    block: STREAMED.subarray(0, 5),
    problem: 'its zstandard data is cut off',
  },
  {
    codec: 'zstandard',
    name: 'a cut piece',
    block: COMPRESSED.subarray(0, -1),
    problem: 'its zstandard data is cut off',
  },
  {
    codec: 'zstandard',
    name: 'a cut checksum',
    block: changed(STREAMED, 5, WINDOW_128_KIB).subarray(0, -1),
    problem: 'its zstandard data is cut off',
  },
  {
    codec: 'zstandard',
    name: 'a cut frame to skip',
    block: SKIPPABLE.subarray(0, -1),
    problem: 'its zstandard data is cut off',
  },
  {
    codec: 'zstandard',
    name: 'a dictionary',
    block: Buffer.from('28b52ffd210102010000', 'hex'),
    problem: 'its zstandard frame needs a dictionary',
  },
  {
    codec: 'zstandard',
    name: 'a reserved bit',
    block: changed(COMPRESSED, 4, COMPRESSED[4]! | 8),
    problem: 'its zstandard frame uses a reserved bit',
  },
  {
    codec: 'zstandard',
    name: 'a length it has not',
    block: changed(COMPRESSED, 5, COMPRESSED[5]! + 1),
    problem: zstdKnown ? 'its zstandard data is damaged' : 'its zstandard data has not the length it claims',
  },
  {
    codec: 'zstandard',
    name: 'a window above the maximum',
    block: frame(WINDOW_1_MIB + 1, [RAW, 1, one]),
    problem: 'its zstandard window of 1179648 bytes is above 1048576',
  },
  {
    codec: 'zstandard',
    name: 'a large window over many pieces',
    block: frame(WINDOW_1_MIB, ...Array.from({ length: 5000 }, () => [RAW, 1, one] as const)),
    problem: 'its zstandard window is too large for so many pieces; compress it with a smaller one',
  },
  {
    codec: 'zstandard',
    name: 'pieces of a byte in a window that need not be so large',
    block: frame(WINDOW_1_MIB, ...Array.from({ length: 300 }, () => [RAW, 1, one] as const)),
    problem: 'its zstandard window is too large for so many pieces; compress it with a smaller one',
  },
  {
    codec: 'zstandard',
    name: 'a piece above its window',
    block: frame(WINDOW_1_KIB, [REPEATED, 1025, one]),
    problem: 'its zstandard data is damaged',
  },
  {
    codec: 'zstandard',
    name: 'a piece of no known kind',
    block: frame(WINDOW_1_KIB, [3, 1, one]),
    problem: 'its zstandard data is damaged',
  },
]
test.each(refused)('$codec refuses $name', ({ codec, block, problem }) => {
  expect(() => uncompress(codec, block)).toThrow(
    expect.objectContaining({
      name: 'AvroProblem',
      message: problem,
    }),
  )
})

test('another codec is refused by name', () => {
  const problem = 'the codec "bzip2" is not known; use one of null, deflate, snappy, zstandard'
  expect(() => blockCodec('bzip2')).toThrow(problem)
  expect(() => blockCodec('constructor')).toThrow('the codec "constructor" is not known')
})
