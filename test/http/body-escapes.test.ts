import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ESCAPE_BYTES_MAX, escapeBody, wordsOf } from '../../src/http/cdap/body-escapes.ts'

/** CDAP's toStringBinary as the inside of a JSON string, byte by byte. */
function expected(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) {
    const hex = `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`
    text += byte >= 0x20 && byte <= 0x7e ? String.fromCharCode(byte) : hex
  }
  return JSON.stringify(text).slice(1, -1)
}

/** The bytes stand `lead` bytes into the source and are written `at` bytes into the target. */
function escaped(bytes: Uint8Array, lead = 0, at = 0): string {
  const source = Buffer.concat([Buffer.alloc(lead, '"'), bytes, Buffer.from('"')])
  const target = Buffer.alloc(at + ESCAPE_BYTES_MAX * bytes.length + 1, '#')
  const end = escapeBody(wordsOf(target), at, wordsOf(source), lead, lead + bytes.length)
  expect(target.toString('latin1', 0, at) + target.toString('latin1', end)).toMatch(/^#+$/)
  return target.toString('latin1', at, end)
}

test('every byte is found at every place among plain ones, at any address', () => {
  for (let byte = 0; byte < 256; byte++) {
    for (let place = 0; place < 19; place++) {
      const body = Buffer.alloc(19, 'a')
      body[place] = byte
      expect(escaped(body, place % 5, byte % 7)).toBe(expected(body))
    }
  }
})

test('every byte is right beside every other', () => {
  const pairs = Buffer.from(Array.from({ length: 65_536 }, (_, i) => [i >>> 8, i & 0xff]).flat())
  for (const lead of [0, 1, 2, 3]) expect(escaped(pairs, lead)).toBe(expected(pairs))
})

test('any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(8), fc.nat(8), (bytes, lead, at) => {
      expect(escaped(bytes, lead, at)).toBe(expected(bytes))
    }),
    { numRuns: 2000 },
  )
})
