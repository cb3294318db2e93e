import * as zlib from 'node:zlib'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import {
  brotliDecoding,
  type ContentDecoding,
  deflateDecoding,
  EncodingProblem,
  gzipDecoding,
} from '../../src/http/messages/content-decoding.ts'
import { decodedByFzstd, decodedByNode, zstdDecoding } from '../../src/http/messages/zstd-decoding.ts'
import { answerOf, empty, json } from '../support/answer.ts'
import { STREAMS, testApp } from '../support/test-app.ts'

const ONE = Buffer.from('one\ntwo\n')
const THREE = Buffer.from('three\n')
const ZEROS = Buffer.alloc(512)
const nodeKnowsZstd = 'createZstdDecompress' in zlib

/** A frame of one raw block, without a checksum. */
function zstdFrame(content: Buffer): Buffer {
  const block = Buffer.alloc(3)
  block.writeUIntLE(content.length * 8 + 1, 0, 3)
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, content.length]), block, content])
}

function zstdSkippable(content: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32LE(0x184d2a53, 0)
  head.writeUInt32LE(content.length, 4)
  return Buffer.concat([head, content])
}

/** 60 lines, compressed by the reference library, with a checksum. */
const LINES = Array.from({ length: 60 }, (_, i) => `line ${i} of a text that repeats itself\n`).join('')
const ZSTD_LINES = Buffer.from(
  'KLUv/WTeB70FAPLFERagKR0ASf1b9HeA/G+wtp9SSnr8aLUC////v23btt22bduSJEmS27ZtKxAGgrscwEAoqWOSKpQgxVQx1NSCasoYiAkMHQ4kPCCwM0oHuHjOw3jEcx7mI57zMB7xnId5hOc8zCM+52Ee4TkP84jneJhHPOfDPOI5HuYRz3kYj3jOw3zEcx6Gj/jLc/x4mL49gq/P2eNh9PaIvD4Hj4fd7bF2D4uU5CVZpCQvyZISeQthRYIlAxwZ3i4=',
  'base64',
)

const codings: { name: string; decoding: ContentDecoding; encode: (data: Buffer) => Buffer }[] = [
  { name: 'gzip', decoding: gzipDecoding, encode: gzipSync },
  { name: 'deflate', decoding: deflateDecoding, encode: deflateSync },
  { name: 'br', decoding: brotliDecoding, encode: brotliCompressSync },
  { name: 'zstd by fzstd', decoding: decodedByFzstd, encode: zstdFrame },
  ...(nodeKnowsZstd ? [{ name: 'zstd by node', decoding: decodedByNode, encode: zstdFrame }] : []),
]
const zstdCodings = codings.filter(({ name }) => name.startsWith('zstd'))

async function* from(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const piece of pieces) yield Buffer.from(piece) // a copy, as pieces may not be used after the next is asked for
}

async function decode(decoding: ContentDecoding, pieces: readonly Uint8Array[]): Promise<string> {
  const out: Uint8Array[] = []
  let used = 0
  const count = (bytes: number) => {
    expect(bytes).toBeGreaterThanOrEqual(used)
    used = bytes
  }
  for await (const piece of decoding(from(pieces), count)) out.push(Buffer.from(piece))
  expect(used).toBeLessThanOrEqual(Buffer.concat(pieces).length)
  return Buffer.concat(out).toString('latin1')
}

async function outcome(decoding: ContentDecoding, pieces: readonly Uint8Array[]): Promise<string> {
  try {
    return await decode(decoding, pieces)
  } catch (error) {
    if (error instanceof EncodingProblem) return 'refused'
    throw error
  }
}

/** Whole, byte by byte, and cut in two at every place. */
function ways(body: Buffer): Uint8Array[][] {
  const bytes = Array.from(body, (_, i) => body.subarray(i, i + 1))
  const halves = Array.from(body, (_, i) => [body.subarray(0, i), body.subarray(i)])
  return [[body], bytes, ...halves]
}

async function outcomes(decoding: ContentDecoding, body: Buffer): Promise<string[]> {
  const all = new Set<string>()
  for (const pieces of ways(body)) all.add(await outcome(decoding, pieces))
  return [...all]
}

describe.each(codings)('$name', ({ name, decoding, encode }) => {
  const one = encode(ONE)

  test('gives the same however it is cut', async () => {
    expect(await outcomes(decoding, one)).toEqual([ONE.toString()])
    expect(await outcomes(decoding, encode(Buffer.alloc(0)))).toEqual([''])
  })

  test('is refused when it is cut off, wherever that is', async () => {
    for (let length = 0; length < one.length; length++) {
      const body = one.subarray(0, length)
      expect(await outcome(decoding, [body])).toBe('refused')
      expect(
        await outcome(
          decoding,
          Array.from(body, (_, i) => body.subarray(i, i + 1)),
        ),
      ).toBe('refused')
    }
  })

  const members = name === 'gzip' || name.startsWith('zstd')
  test(`${members ? 'may be followed by another' : 'is refused with another behind it'}`, async () => {
    const body = Buffer.concat([one, encode(THREE), encode(Buffer.alloc(0)), one])
    expect(await outcomes(decoding, body)).toEqual(members ? ['one\ntwo\nthree\none\ntwo\n'] : ['refused'])
  })

  const padded = name === 'gzip'
  test(`${padded ? 'may be' : 'is not'} padded with zeros`, async () => {
    expect(await outcomes(decoding, Buffer.concat([one, ZEROS]))).toEqual(
      padded ? ['one\ntwo\n'] : ['refused'],
    )
    expect(await outcomes(decoding, Buffer.concat([one, Buffer.alloc(1)]))).toEqual(
      padded ? ['one\ntwo\n'] : ['refused'],
    )
    const more = Buffer.concat([one, ZEROS, encode(THREE), Buffer.alloc(1), encode(THREE)])
    expect(await outcomes(decoding, more)).toEqual(padded ? ['one\ntwo\nthree\nthree\n'] : ['refused'])
  })

  test.each([
    { what: 'a byte', behind: Buffer.from('x') },
    { what: 'a text', behind: Buffer.from('three\n') },
    { what: 'a byte as gzip begins with', behind: Buffer.from([0x1f]) },
    { what: 'two bytes as gzip begins with', behind: Buffer.from([0x1f, 0x8b]) },
    { what: 'a header of gzip', behind: gzipSync('x').subarray(0, 10) },
    { what: 'the number of zstd', behind: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]) },
    { what: 'the beginning of another', behind: one.subarray(0, -1) },
    { what: 'zeros and a byte', behind: Buffer.from([0, 0, 0x41]) },
    { what: 'zeros and a byte as gzip begins with', behind: Buffer.from([0, 0x1f]) },
  ])('is refused with $what behind it', async ({ behind }) => {
    expect(await outcomes(decoding, Buffer.concat([one, behind]))).toEqual(['refused'])
  })

  test('counts what has been used, and takes a large one', async () => {
    const large = Buffer.alloc(200_000, 'all work and no play ')
    if (name.startsWith('zstd')) return
    const body = encode(large)
    expect(await decode(decoding, [body])).toBe(large.toString())
  })
})

describe.each(zstdCodings)('$name', ({ decoding }) => {
  test('reads what the reference library has compressed', async () => {
    expect(await outcomes(decoding, ZSTD_LINES)).toEqual([LINES])
    const twice = Buffer.concat([ZSTD_LINES, zstdFrame(ONE), ZSTD_LINES])
    expect(await decode(decoding, [twice])).toBe(`${LINES}${ONE}${LINES}`)
    for (let length = 0; length < ZSTD_LINES.length; length++) {
      expect(await outcome(decoding, [ZSTD_LINES.subarray(0, length)])).toBe('refused')
    }
  })

  test('leaves out skippable frames', async () => {
    const skip = zstdSkippable(Buffer.from('anything'))
    const none = zstdSkippable(Buffer.alloc(0))
    const body = Buffer.concat([skip, zstdFrame(ONE), none, skip, zstdFrame(THREE), none])
    expect(await outcomes(decoding, body)).toEqual(['one\ntwo\nthree\n'])
    expect(await outcomes(decoding, skip)).toEqual([''])
    expect(await outcome(decoding, [skip.subarray(0, -1)])).toBe('refused')
  })

  const blocks = (kind: number, size: number, bytes: Buffer, count: number) => {
    const header = Buffer.alloc(3)
    header.writeUIntLE(size * 8 + kind * 2, 0, 3)
    const body = Array.from({ length: count }, () => Buffer.concat([header, bytes]))
    return Buffer.concat(body)
  }
  const head = (descriptor: number, ...rest: number[]) =>
    Buffer.from([0x28, 0xb5, 0x2f, 0xfd, descriptor, ...rest])
  const LAST = Buffer.from([1, 0, 0])

  test('takes blocks of every kind', async () => {
    const body = Buffer.concat([
      head(0, 0x38),
      blocks(1, 1000, Buffer.from('x'), 2),
      blocks(0, 0, Buffer.alloc(0), 3),
      LAST,
    ])
    expect(await outcomes(decoding, body)).toEqual(['x'.repeat(2000)])
  })

  test.each([
    { name: 'a window of 16 MiB', body: Buffer.concat([head(0, 0x70), LAST]) },
    { name: 'a dictionary', body: Buffer.concat([head(1, 0x38, 7), LAST]) },
    { name: 'a reserved bit', body: Buffer.concat([head(8, 0x38), LAST]) },
    {
      name: 'a block of a kind that is none',
      body: Buffer.concat([head(0, 0x38), blocks(3, 1, ONE, 1), LAST]),
    },
    {
      name: 'another length than it claims',
      body: Buffer.concat([head(0x20, 9), blocks(0, 8, ONE, 1), LAST]),
    },
  ])('is refused with $name', async ({ body }) => {
    expect(await outcomes(decoding, body)).toEqual(['refused'])
  })
})

test('fzstd is not made to move a window of 8 MiB for every byte', async () => {
  const begin = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x68])
  const block = Buffer.from([1 * 8 + 2, 0, 0, 0x78]) // one byte, repeated once
  const body = Buffer.concat([begin, ...Array.from({ length: 100_000 }, () => block), Buffer.from([1, 0, 0])])
  const before = performance.now()
  expect(await outcome(decodedByFzstd, [body])).toBe('refused')
  expect(performance.now() - before).toBeLessThan(2_000)
})

describe('an endpoint', () => {
  const paths = [
    { method: 'POST', path: `${STREAMS}/s` },
    { method: 'POST', path: `${STREAMS}/s/async` },
    { method: 'POST', path: `${STREAMS}/s/batch` },
    { method: 'POST', path: `${STREAMS}/s/batch`, type: 'text/csv' },
    { method: 'POST', path: `${STREAMS}/s/batch`, type: 'avro/binary' },
    { method: 'PUT', path: `${STREAMS}/t` },
    { method: 'PUT', path: `${STREAMS}/s/properties` },
    { method: 'PUT', path: `${STREAMS}/s/views/v` },
    { method: 'POST', path: `${STREAMS}/s/metadata/properties` },
    { method: 'POST', path: `${STREAMS}/s/metadata/tags` },
    { method: 'POST', path: `${STREAMS}/s/webhooks` },
    { method: 'POST', path: `${STREAMS}/s/try-format` },
    { method: 'PUT', path: '/v3/namespaces/x' },
    { method: 'PUT', path: '/v3/namespaces/default/properties' },
    { method: 'PUT', path: '/v3/namespaces/default/feeds/categories/c/names/n' },
    { method: 'POST', path: '/v3/namespaces/default/data/explore/queries' },
    { method: 'POST', path: '/v3/namespaces/default/data/explore/streams/s/tables/t/enable' },
    { method: 'POST', path: '/v3/metrics/query' },
  ]
  const bad = [
    { encoding: 'gzip', body: Buffer.concat([gzipSync('{}'), Buffer.from('x')]) },
    { encoding: 'x-gzip', body: Buffer.concat([gzipSync('{}'), Buffer.from([0, 0, 1])]) },
    { encoding: 'deflate', body: Buffer.concat([deflateSync('{}'), deflateSync('{}')]) },
    { encoding: 'br', body: Buffer.concat([brotliCompressSync('{}'), Buffer.from('x')]) },
    { encoding: 'zstd', body: Buffer.concat([zstdFrame(Buffer.from('{}')), Buffer.from('x')]) },
    { encoding: 'gzip, br', body: brotliCompressSync(Buffer.concat([gzipSync('{}'), Buffer.from('x')])) },
    { encoding: 'br, gzip', body: Buffer.concat([gzipSync(brotliCompressSync('{}')), Buffer.from('x')]) },
    { encoding: 'gzip', body: gzipSync('{}').subarray(0, -1) },
    { encoding: 'gzip', body: Buffer.alloc(0) },
  ]
  test.each(paths)(
    '$method $path $type refuses what it cannot account for',
    async ({ method, path, type }) => {
      const app = await testApp({ streams: ['s'] })
      for (const { encoding, body } of bad) {
        const headers = { 'Content-Encoding': encoding, 'Content-Type': type ?? 'text/plain' }
        const bytes = Array.from(body, (_, i) => body.subarray(i, i + 1))
        for (const content of [{ body }, { chunks: bytes }]) {
          const { status, text } = await app.request(method, path, { headers, ...content })
          expect([encoding, status, text]).toEqual([
            encoding,
            400,
            expect.stringMatching(/^(Failed to process|the body does not decode as Content-Encoding )/),
          ])
        }
      }
      expect(await app.events('s')).toEqual([])
      expect(answerOf(await app.get(STREAMS))).toEqual(json('[{"name":"s"}]'))
      expect(app.reported).toEqual([])
    },
  )

  const good = [
    { encoding: 'gzip', body: Buffer.concat([gzipSync(ONE), ZEROS, gzipSync(THREE)]) },
    { encoding: 'x-gzip', body: Buffer.concat([gzipSync(ONE), gzipSync(THREE), ZEROS]) },
    { encoding: 'br', body: brotliCompressSync(Buffer.concat([ONE, THREE])) },
    { encoding: 'zstd', body: Buffer.concat([zstdFrame(ONE), zstdSkippable(ONE), zstdFrame(THREE)]) },
    { encoding: 'gzip, zstd', body: zstdFrame(Buffer.concat([gzipSync(ONE), gzipSync(THREE)])) },
    {
      encoding: 'zstd, gzip',
      body: Buffer.concat([gzipSync(zstdFrame(ONE)), ZEROS, gzipSync(zstdFrame(THREE))]),
    },
  ]
  test.each(good)('takes all of a body in $encoding, as event and as batch', async ({ encoding, body }) => {
    const app = await testApp({ streams: ['s'] })
    const headers = { 'Content-Encoding': encoding, 'Content-Type': 'text/plain' }
    for (const content of [{ body }, { chunks: Array.from(body, (_, i) => body.subarray(i, i + 1)) }]) {
      expect(answerOf(await app.post(`${STREAMS}/s`, { headers, ...content }))).toEqual(empty(200))
      expect(answerOf(await app.post(`${STREAMS}/s/batch`, { headers, ...content }))).toEqual(empty(200))
    }
    const bodies = (await app.events('s', 'encoding=utf8')).map((event) => event.body)
    const once = ['one\ntwo\nthree\n', 'one', 'two', 'three']
    expect(bodies).toEqual([...once, ...once])
  })

  test('takes zstd whatever Node it runs on', () => {
    expect(zstdDecoding).toBe(nodeKnowsZstd ? decodedByNode : decodedByFzstd)
  })
})
