/** Decodes a character set: bytes -> text, and bytes -> UTF-8 for readers that scan bytes. */
import { CHARSET_SETTING, type Charset, DEFAULT_CHARSET, findCharset } from './charset.ts'
import type { FormatSettings } from './format.ts'
import { textStart } from './line-body.ts'
import { isAscii, latin1, utf8 } from './text-bytes.ts'

const BYTE_ORDER_MARK = 0xfeff

export class CharsetDecoder {
  readonly #charset: Charset
  readonly #platform: InstanceType<typeof TextDecoder> | undefined
  /** Whether the character set is UTF-8. */
  readonly isUtf8: boolean
  readonly #isWindows1252: boolean
  /** Whether every byte below 0x80 is an ASCII character. */
  readonly #extendsAscii: boolean

  /** The settings must have been checked. */
  constructor(settings: FormatSettings) {
    const charset = findCharset(settings.get(CHARSET_SETTING) ?? DEFAULT_CHARSET)!
    const label = charset.kind === 'platform' ? charset.label : undefined
    this.#charset = charset
    this.isUtf8 = label === 'utf-8'
    this.#isWindows1252 = label === 'windows-1252'
    this.#platform =
      label === undefined || this.isUtf8 ? undefined : new TextDecoder(label, { ignoreBOM: true })
    this.#extendsAscii =
      charset.kind !== 'utf-16' && label?.startsWith('utf-16') !== true && label !== 'iso-2022-jp'
  }

  /** Decodes all bytes and drops a byte order mark at the start. */
  text(bytes: Uint8Array, start: number, end: number): string {
    if (this.isUtf8) return utf8(bytes, textStart(bytes, start, end), end)
    const text = this.#decoded(bytes, start, end)
    return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text
  }

  #decoded(bytes: Uint8Array, start: number, end: number): string {
    switch (this.#charset.kind) {
      case 'iso-8859-1':
        return latin1(bytes, start, end)
      case 'us-ascii':
        return isAscii(bytes, start, end)
          ? latin1(bytes, start, end)
          : latin1(bytes, start, end).replace(/[\x80-\xff]/g, '\ufffd')
      case 'utf-16':
        return utf16(bytes.subarray(start, end))
      case 'platform':
        return this.#isWindows1252
          ? windows1252(latin1(bytes, start, end))
          : this.#platform!.decode(bytes.subarray(start, end))
    }
  }

  /** The text in UTF-8. Undefined if the bytes are UTF-8 already; they may begin with a byte order mark. */
  transcoded(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
    if (this.isUtf8 || (this.#extendsAscii && isAscii(bytes, start, end))) return undefined
    return Buffer.from(this.text(bytes, start, end), 'utf8')
  }
}

/** The characters of 0x80 to 0x9f. A byte without a character in the set becomes the control character of the same number. */
const WINDOWS_1252 =
  '\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f' +
  '\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178'

/** Some versions of Node decode windows-1252 as if it were ISO-8859-1. */
function windows1252(latin1Text: string): string {
  return latin1Text.replace(/[\x80-\x9f]/g, (char) => WINDOWS_1252[char.charCodeAt(0) - 0x80]!)
}

const BIG_ENDIAN = new TextDecoder('utf-16be', { ignoreBOM: true })
const LITTLE_ENDIAN = new TextDecoder('utf-16le', { ignoreBOM: true })

/** The byte order mark determines the byte order; without one it is big-endian. */
function utf16(bytes: Uint8Array): string {
  return (bytes[0] === 0xff && bytes[1] === 0xfe ? LITTLE_ENDIAN : BIG_ENDIAN).decode(bytes)
}
