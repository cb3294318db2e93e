/** Text -> bytes of a single-byte character set. Node itself encodes only UTF-8, UTF-16 and ISO-8859-1. */
import { CHARSET_SETTING } from './charset.ts'
import { CharsetDecoder } from './charset-decoder.ts'

/**
 * The bytes of `text` in `charset`, which must be a known set; undefined if the set does not encode a character as one
 * byte.
 */
export function singleBytes(charset: string, text: string): Buffer | undefined {
  const decoder = new CharsetDecoder(new Map([[CHARSET_SETTING, charset]]))
  const bytes: number[] = []
  for (const char of text) {
    const byte = ALL_BYTES.findIndex((_, at) => decoder.text(ALL_BYTES, at, at + 1) === char)
    if (byte === -1) return undefined
    bytes.push(byte)
  }
  return Buffer.from(bytes)
}

const ALL_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte)
