/** Text -> bytes of a character set of single bytes; Node itself encodes UTF-8, UTF-16 and ISO-8859-1 only. */
import { CHARSET_SETTING } from './charset.ts'
import { CharsetDecoder } from './charset-decoder.ts'

/** The bytes of `text` in the set `charset`, which is known; undefined if a character of it is not one byte there. */
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
