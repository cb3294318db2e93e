/**
 * Finds a character set by the names that Java and the web use.
 *
 * On the web, `iso-8859-1` and `us-ascii` mean windows-1252, and `utf-16` is little-endian, even if the byte order
 * mark differs. In Java, and so in every event of CDAP's clients, the names mean the real character sets. The platform has no
 * decoder for those, so they have their own kind here.
 */
import type { FormatSettings } from './format.ts'

export type Charset =
  | { readonly kind: 'iso-8859-1' } // byte = code point
  | { readonly kind: 'us-ascii' } // bytes from 0x80 on are not characters
  | { readonly kind: 'utf-16' } // byte order by the mark, big-endian without one
  | { readonly kind: 'platform'; readonly label: string } // new TextDecoder(label)

export const CHARSET_SETTING = 'charset'
export const DEFAULT_CHARSET = 'utf-8'

/** The names that Java allows: not empty, without spaces. */
const NAME = /^[a-z0-9][a-z0-9\-+.:_]*$/

const OWN: ReadonlyMap<string, 'iso-8859-1' | 'us-ascii' | 'utf-16'> = new Map([
  ...[
    'iso-8859-1',
    'iso_8859-1',
    'iso8859_1',
    'iso8859-1',
    'iso_8859_1',
    '8859_1',
    'iso-ir-100',
    'latin1',
    'l1',
  ]
    .concat(['819', 'cp819', 'ibm819', 'ibm-819', 'csisolatin1'])
    .map((name) => [name, 'iso-8859-1'] as const),
  ...[
    'us-ascii',
    'ascii',
    'ascii7',
    'iso646-us',
    'iso_646.irv:1991',
    'iso_646.irv:1983',
    'iso-ir-6',
    '646',
    'us',
  ]
    .concat(['cp367', 'ibm367', 'ansi_x3.4-1968', 'ansi_x3.4-1986', 'csascii'])
    .map((name) => [name, 'us-ascii'] as const),
  ...['utf-16', 'utf_16', 'utf16', 'unicode', 'unicodebig'].map((name) => [name, 'utf-16'] as const),
])

/** Java's names for sets that have other names on the web. */
const LABELS: ReadonlyMap<string, string> = new Map([
  ['utf_8', 'utf-8'],
  ['utf_16le', 'utf-16le'],
  ['x-utf-16le', 'utf-16le'],
  ['unicodelittleunmarked', 'utf-16le'],
  ['utf_16be', 'utf-16be'],
  ['x-utf-16be', 'utf-16be'],
  ['unicodebigunmarked', 'utf-16be'],
  ['ms932', 'shift_jis'],
  ['x-sjis', 'shift_jis'],
  ['euc_jp', 'euc-jp'],
  ['eucjp', 'euc-jp'],
  ['euc_kr', 'euc-kr'],
  ['euckr', 'euc-kr'],
  ['ms949', 'euc-kr'],
  ['x-windows-949', 'euc-kr'],
  ['euc_cn', 'gbk'],
  ['euccn', 'gbk'],
  ['ms936', 'gbk'],
  ['x-mswin-936', 'gbk'],
  ['cp936', 'gbk'],
  ['ms950', 'big5'],
  ['x-windows-950', 'big5'],
  ['big5_hkscs', 'big5-hkscs'],
  ['koi8_r', 'koi8-r'],
  ['koi8_u', 'koi8-u'],
  ['tis620', 'tis-620'],
  ['ms874', 'windows-874'],
  ['x-windows-874', 'windows-874'],
  ['macroman', 'macintosh'],
  ['x-macroman', 'macintosh'],
  ['maccyrillic', 'x-mac-cyrillic'],
  ['x-maccyrillic', 'x-mac-cyrillic'],
])

/** The character set of this name, in any case; undefined if the service cannot decode such a set. */
export function findCharset(name: string): Charset | undefined {
  const lower = name.toLowerCase()
  if (!NAME.test(lower)) return undefined
  const kind = OWN.get(lower)
  if (kind !== undefined) return { kind }
  // Java writes ISO8859_15 and Cp1252 where the web writes iso-8859-15 and windows-1252.
  const label =
    LABELS.get(lower) ?? lower.replace(/^iso8859[_-](\d+)$/, 'iso-8859-$1').replace(/^ms(125\d)$/, 'cp$1')
  try {
    return { kind: 'platform', label: new TextDecoder(label).encoding }
  } catch {
    return undefined // RangeError: the platform does not know the label
  }
}

/** Why the setting `charset` is not valid, or undefined if it is. */
export function charsetProblem(settings: FormatSettings): string | undefined {
  const name = settings.get(CHARSET_SETTING) ?? DEFAULT_CHARSET
  return findCharset(name) === undefined ? `charset is '${name}', which is not known` : undefined
}
