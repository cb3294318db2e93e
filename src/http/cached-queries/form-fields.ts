/**
 * A body `application/x-www-form-urlencoded`, as `curl -d` and `curl --data-urlencode` send it. A value that was not coded is cut at
 * each `&`, so an unknown field may be a part of the connection string.
 */
import { assertText, type FieldNames, type Fields, invalidRequest, isKnown, twice } from './fields.ts'

const PERCENT = 0x25
const PLUS = 0x2b
const SPACE = 0x20
const AMPERSAND = 0x26
const EQUALS = 0x3d

/** Parameters of connection strings: a client that did not code its string sends them as fields. */
const CONNECTION_PARAMETERS = new Set([
  ...['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'ssl', 'application_name', 'connect_timeout', 'options'],
  ...['target_session_attrs', 'channel_binding', 'gssencmode', 'keepalives', 'uselibpqcompat', 'schema'],
])
const PLAIN_NAME = /^[A-Za-z][A-Za-z0-9_]{0,40}$/

/** Throws ServiceError 'invalid_parameter'. */
export function formFields(body: Uint8Array, names: FieldNames): Fields {
  const fields = new Map<string, string>()
  let unknown: { readonly name: string; readonly at: number } | undefined
  for (let start = 0; start < body.length; ) {
    const end = indexOf(body, AMPERSAND, start, body.length)
    if (end > start) {
      const equals = indexOf(body, EQUALS, start, end)
      const name = decoded(body.subarray(start, equals), undefined)
      if (!isKnown(names, name)) {
        unknown = { name, at: start }
        break
      }
      if (fields.has(name)) throw twice(name)
      const value = decoded(body.subarray(equals + 1, end), name)
      assertText(name, value)
      fields.set(name, value)
    }
    start = end + 1
  }
  if (unknown === undefined) return fields
  if (unknown.at === 0 && unknown.name.trimStart().startsWith('{'))
    throw invalidRequest('the body seems to be JSON; send the header Content-Type: application/json')
  const shown = mayShow(unknown.name, body.subarray(unknown.at), fields, names) ? ` '${unknown.name}'` : ''
  throw invalidRequest(`unknown field${shown}; was connectionString sent without --data-urlencode?`)
}

/**
 * Whether an unknown name may be in an answer. A password with `&` in it goes on in the fields behind it, up to the `@` before the
 * host; one that is a parameter has no such end.
 */
function mayShow(name: string, rest: Uint8Array, fields: Fields, names: FieldNames): boolean {
  if (CONNECTION_PARAMETERS.has(name)) return true
  const string = fields.get('connectionString')
  if (!PLAIN_NAME.test(name) || (string !== undefined && /password/i.test(string))) return false
  const unknown = Buffer.from(rest)
    .toString('latin1')
    .split('&')
    .filter((part) => !isKnown(names, part.split('=', 1)[0]!))
  return !unknown.some((part) => /@|%40|password/i.test(part))
}

/** `name` is undefined for a name. */
function decoded(coded: Uint8Array, name: string | undefined): string {
  const bytes = new Uint8Array(coded.length)
  let length = 0
  for (let i = 0; i < coded.length; i++) {
    const byte = coded[i]!
    if (byte === PERCENT) {
      const value = hexDigit(coded[i + 1]) * 16 + hexDigit(coded[i + 2])
      if (Number.isNaN(value)) throw badEscape(name)
      bytes[length++] = value
      i += 2
    } else {
      bytes[length++] = byte === PLUS ? SPACE : byte
    }
  }
  try {
    return UTF8.decode(bytes.subarray(0, length))
  } catch (cause) {
    throw invalidRequest(
      name === undefined
        ? 'the name of a field is not UTF-8'
        : `field ${name} is not UTF-8; send it in UTF-8`,
      cause,
    )
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function badEscape(name: string | undefined) {
  return invalidRequest(
    name === undefined
      ? 'the name of a field has % without two hexadecimal digits; use --data-urlencode'
      : `field ${name} has % without two hexadecimal digits; was it sent without --data-urlencode?`,
  )
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return Number.NaN
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : Number.NaN
}

/** `end` if there is none. */
function indexOf(bytes: Uint8Array, byte: number, start: number, end: number): number {
  const at = bytes.indexOf(byte, start)
  return at === -1 || at > end ? end : at
}
