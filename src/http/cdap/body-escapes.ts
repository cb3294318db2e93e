/**
 * Event bodies inside a JSON string, as CDAP prints them: bytes 0x20 to 0x7E stand for themselves, every other one is
 * `\xNN` in upper-case hex, a backslash is not doubled; the result is then escaped as JSON.
 *
 * Nearly all bytes stand for themselves. So eight bytes are checked and copied at a time, as two integers; only a group with an
 * escaped byte is written byte by byte. That doubles the speed.
 */

/** Upper bound for one byte: a JSON escape such as `\u00NN` has 6. */
export const ESCAPE_BYTES_MAX = 6

/** Bytes, and the same bytes as words at any address. */
export interface Words<Bytes extends Uint8Array = Uint8Array> {
  readonly bytes: Bytes
  readonly words: DataView
}

export function wordsOf<Bytes extends Uint8Array>(bytes: Bytes): Words<Bytes> {
  return { bytes, words: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength) }
}

/** Writes `source[from, to)` into `target` at `at`, which must have ESCAPE_BYTES_MAX per byte left; returns the end. */
export function escapeBody(target: Words, at: number, source: Words, from: number, to: number): number {
  const sourceWords = source.words
  const targetWords = target.words
  let end = at
  let i = from
  for (const last = to - 8; i <= last; i += 8) {
    const word = sourceWords.getInt32(i, true)
    const next = sourceWords.getInt32(i + 4, true)
    if (((special(word) | special(next)) & TOP_BITS) === 0) {
      targetWords.setInt32(end, word, true)
      targetWords.setInt32(end + 4, next, true)
      end += 8
    } else {
      end = escapeBytes(target.bytes, end, source.bytes, i, i + 8)
    }
  }
  return i < to ? escapeBytes(target.bytes, end, source.bytes, i, to) : end
}

const TOP_BITS = 0x80808080

/**
 * Has a top bit set if any of the four bytes does not stand for itself: below 0x20, a quote, a backslash, 0x7F or above.
 * A borrow or carry into another byte comes only from a byte that has been found already.
 */
function special(word: number): number {
  return (
    (word - 0x20202020) |
    ((word ^ 0x22222222) - 0x01010101) |
    ((word ^ 0x5c5c5c5c) - 0x01010101) |
    (word + 0x01010101)
  )
}

function escapeBytes(target: Uint8Array, at: number, source: Uint8Array, from: number, to: number): number {
  let end = at
  for (let i = from; i < to; i++) {
    const byte = source[i]! // the caller keeps from and to within the source
    const kind = BYTE_KINDS[byte]
    if (kind === PLAIN) {
      target[end++] = byte
    } else if (kind === QUOTED) {
      target[end++] = BACKSLASH
      target[end++] = byte
    } else {
      target[end++] = BACKSLASH
      target[end++] = BACKSLASH
      target[end++] = LOWER_X
      target[end++] = HEX_DIGITS[byte >>> 4]!
      target[end++] = HEX_DIGITS[byte & 0x0f]!
    }
  }
  return end
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const LOWER_X = 0x78
const HEX_DIGITS = Buffer.from('0123456789ABCDEF')

const PLAIN = 0
const QUOTED = 1
const ESCAPED = 2
/** How each byte is written. */
const BYTE_KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (byte < 0x20 || byte > 0x7e) return ESCAPED
  return byte === QUOTE || byte === BACKSLASH ? QUOTED : PLAIN
})
