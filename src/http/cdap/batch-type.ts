/**
 * Selects how the body of a batch is cut into events: by its `Content-Type`, else by the format of the stream.
 *
 *   avro/binary     without parameters, as in CDAP
 *   text/csv        and the other names of CSV: records. The delimiter is the parameter `delimiter`, or that of a
 *                   stream whose format is csv or tsv, or a comma
 *   text/tsv        and text/tab-separated-values: also records, if the stream's format is csv or tsv and reads quotes
 *   text/...        lines
 *
 * Media types are compared without case (RFC 9110, 8.3.1).
 *
 * Text is cut at bytes of ASCII. In some character sets such a byte may be part of another character, so a text in one of
 * these is refused instead of being cut at the wrong place.
 */
import type { BatchLayout } from '../../decoders/decoder.ts'
import { CHARSET_SETTING, findCharset } from '../../formats/charset.ts'
import { singleBytes } from '../../formats/charset-encoder.ts'
import type { FormatSpecification } from '../../formats/format-specification.ts'
import { findFormat } from '../../formats/index.ts'
import { ServiceError } from '../../service-error.ts'

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]"
/** CDAP accepts `text/` without a subtype. */
const MEDIA_TYPE = new RegExp(`^${TOKEN}+/${TOKEN}*$`)
/** A semicolon with one parameter or none; a value without quotes has no spaces, quotes and semicolons. */
const PARAMETER = new RegExp(`[ \\t]*;[ \\t]*(?:(${TOKEN}+)=(?:([^\\s";]+)|"((?:[^"\\\\]|\\\\.)*)"))?`, 'y')

const CSV_TYPES = new Set([
  'text/csv',
  'text/x-csv',
  'text/comma-separated-values',
  'text/x-comma-separated-values',
  'application/csv',
  'application/x-csv',
])

/** Without quotes by definition; if the stream reads quotes, a record may contain line ends. */
const TSV_TYPES = new Set(['text/tsv', 'text/tab-separated-values'])

/** Throws ServiceError 'missing_content_type', 'unsupported_content_type', 'invalid_content_type' or 'unsupported_charset'. */
export function batchLayout(contentType: string | undefined, format: FormatSpecification): BatchLayout {
  if (contentType === undefined) throw new ServiceError('missing_content_type', 'Unknown content type')
  const lowerCase = contentType.toLowerCase()
  if (lowerCase === 'avro/binary') return { kind: 'avro' }
  const named = /^[^;]*/.exec(contentType)![0]
  const types = named.split(',').map((type) => type.trim())
  const first = types[0]!.toLowerCase()
  if (!lowerCase.startsWith('text/') && !CSV_TYPES.has(first)) {
    throw new ServiceError('unsupported_content_type', `Unsupported content type ${contentType}`)
  }
  if (!types.every((type) => MEDIA_TYPE.test(type))) {
    throw malformed(contentType, 'separate parameters by semicolons, as in text/csv; charset=utf-8')
  }
  const csv =
    types.some((type) => CSV_TYPES.has(type.toLowerCase())) || (TSV_TYPES.has(first) && readsQuotes(format))
  if (csv && types.length > 1) throw malformed(contentType, 'name one type')
  const parameters = parseParameters(contentType, named.length)
  const charset = textCharset(parameters, format)
  if (!csv) return { kind: 'lines', mayBeUtf16: charset.mayBeUtf16 }
  const { delimiter, quote } = csvDialect(contentType, parameters, charset.name, format)
  assertNoTrailByte(charset.name, delimiter)
  // A delimiter that contains a quote or a line end makes quoted fields ambiguous, so there are none.
  if (delimiter.includes(quote) || delimiter.includes(LF) || delimiter.includes(CR)) {
    return { kind: 'lines', mayBeUtf16: charset.mayBeUtf16 }
  }
  return { kind: 'csv', mayBeUtf16: charset.mayBeUtf16, delimiter, quote }
}

function parseParameters(contentType: string, start: number): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  const end = contentType.trimEnd().length
  PARAMETER.lastIndex = start
  while (PARAMETER.lastIndex < end) {
    const at = PARAMETER.lastIndex
    const match = PARAMETER.exec(contentType)
    if (match === null) {
      throw malformed(
        contentType,
        `write parameters as name=value or name="value"; what cannot be read is ${JSON.stringify(contentType.slice(at, at + 40))}`,
      )
    }
    const [, given, plain, quoted] = match
    if (given === undefined) continue
    const name = given.toLowerCase()
    if (parameters.has(name)) throw malformed(contentType, `give parameter ${name} once`)
    if (name.endsWith('*')) throw malformed(contentType, `write parameter ${name} without its *`)
    parameters.set(name, plain ?? quoted!) // a name has one of them
  }
  return parameters
}

/** Formats that read bodies as text in a charset of their settings. */
const WITH_CHARSET = new Set(['text', 'csv', 'tsv'])

function charsetOf({ name, settings }: FormatSpecification): string | undefined {
  return WITH_CHARSET.has(findFormat(name)?.name ?? '') ? settings.get(CHARSET_SETTING) : undefined
}

interface TextCharset {
  readonly name: string | undefined
  /** Whether the body may begin with a byte order mark of UTF-16: not if a single-byte charset is declared. */
  readonly mayBeUtf16: boolean
}

/** The charset of the content type, else that of the stream's format. */
function textCharset(parameters: ReadonlyMap<string, string>, format: FormatSpecification): TextCharset {
  const declared = parameters.get('charset')?.replace(/^'(.*)'$/, '$1')
  const name = declared ?? charsetOf(format)
  if (name === undefined) return { name, mayBeUtf16: true }
  if (!extendsAscii(name)) {
    const whose = declared === undefined ? 'the format of the stream has' : 'Content-Type has'
    throw new ServiceError(
      'unsupported_charset',
      `${whose} the charset ${name}, which is not known to keep line ends as in ASCII; ` +
        'send the batch in UTF-8, or each text as an event of its own',
    )
  }
  return { name, mayBeUtf16: declared === undefined || labelOf(name) === 'utf-8' }
}

/** Code pages that the platform cannot decode but whose bytes below 0x80 are ASCII, and names that the tool `file` reports. */
const MORE_ASCII =
  /^(?:(?:cp|ibm|ibm-|dos-)(?:437|720|737|775|850|852|855|857|858|860|861|862|863|865|869)|binary|8bit|unknown-8bit)$/i
const NOT_ASCII = new Set(['utf-16le', 'utf-16be', 'iso-2022-jp'])

function extendsAscii(name: string): boolean {
  const charset = findCharset(name)
  if (charset === undefined) return MORE_ASCII.test(name)
  return charset.kind !== 'utf-16' && !NOT_ASCII.has(labelOf(name) ?? '')
}

function labelOf(name: string): string | undefined {
  const charset = findCharset(name)
  return charset?.kind === 'platform' ? charset.label : charset?.kind
}

/** Charsets where the second byte of a character may be a letter, a digit, or one of `@[\]^_{|}~`. */
const TRAILING_ASCII = new Set(['shift_jis', 'gbk', 'gb18030', 'big5', 'euc-kr'])
/** Charsets where both bytes are beyond ASCII: the end of one character and the start of the next may look like a third. */
const TRAILING_OTHERS = new Set(['euc-jp'])

function assertNoTrailByte(charset: string | undefined, delimiter: Buffer): void {
  const label = charset === undefined ? undefined : labelOf(charset)
  if (label === undefined) return
  const ascii =
    TRAILING_ASCII.has(label) && delimiter.some((byte) => /[0-9@-~]/.test(String.fromCharCode(byte)))
  const beyond = TRAILING_ASCII.has(label) || TRAILING_OTHERS.has(label)
  if (!ascii && !(beyond && delimiter.some((byte) => byte >= 0x80))) return
  throw new ServiceError(
    'unsupported_charset',
    `in the charset ${charset} the delimiter ${JSON.stringify(delimiter.toString())} may be a part of another character; ` +
      'use another delimiter, or send the batch in UTF-8',
  )
}

const LF = 0x0a
const CR = 0x0d
const QUOTE = 0x22

function isDelimited({ name }: FormatSpecification): boolean {
  return ['csv', 'tsv'].includes(findFormat(name)?.name ?? '')
}

function readsQuotes(format: FormatSpecification): boolean {
  return isDelimited(format) && format.settings.has('quote')
}

function csvDialect(
  contentType: string,
  parameters: ReadonlyMap<string, string>,
  charset: string | undefined,
  format: FormatSpecification,
): { delimiter: Buffer; quote: number } {
  const { defaultSettings } = findFormat(format.name) ?? {}
  const settings = isDelimited(format) ? new Map([...(defaultSettings ?? []), ...format.settings]) : undefined
  const quote = settings?.get('quote')?.charCodeAt(0) ?? QUOTE
  const given = parameters.get('delimiter')
  if (given === undefined) return { delimiter: encoded(settings?.get('delimiter') ?? ',', charset), quote }
  const delimiter = delimiterBytes(given)
  if (delimiter.length === 0 || [LF, CR, quote].some((byte) => delimiter.includes(byte))) {
    throw malformed(contentType, 'delimiter is one character or more, without quotes and line ends')
  }
  return { delimiter, quote }
}

/** The bytes of a delimiter of the stream's settings: UTF-8, unless its characters are single bytes of another charset. */
function encoded(delimiter: string, charset: string | undefined): Buffer {
  const known = charset !== undefined && !['utf-8', undefined].includes(labelOf(charset))
  return (known ? singleBytes(charset, delimiter) : undefined) ?? Buffer.from(delimiter)
}

/** The bytes as they were sent; `%09` and `\t` are a tab, which a header cannot hold without quotes. */
function delimiterBytes(given: string): Buffer {
  if (given === '\\t') return Buffer.from('\t')
  const unquoted = given.replace(/\\(.)/g, '$1')
  const decoded = unquoted.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return Buffer.from(decoded, 'latin1')
}

function malformed(contentType: string, advice: string): ServiceError {
  return new ServiceError('invalid_content_type', `Content-Type is '${contentType}'; ${advice}`)
}
