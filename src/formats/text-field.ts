/**
 * A field whose value is a text in a body: of a simple type, a nullable one, or a list of texts.
 *
 *   boolean        true, in upper or lower case; any other text is false
 *   int … double   number-text.ts
 *   bytes          characters below 256 are bytes, and \xNN is the byte NN
 *   string         the text itself
 *   empty text     null; for a string that is not nullable, the empty text
 *
 * Indexes are asserted with `!`: the caller passes a range inside the bytes, and `wanted` has indexes of fields.
 */
import { nonNullable, type RecordSchema, type SimpleType } from '../schemas/schema.ts'
import { readDouble, readInt, readLong } from './number-text.ts'
import {
  type FormatError,
  fieldError,
  nullRefused,
  quoted,
  type Value,
  valueMissing,
} from './record-reader.ts'
import { isTextList } from './scalar-fields.ts'
import { isAscii, utf8 } from './text-bytes.ts'

/** Constants instead of strings, so that one switch selects the code. */
export const NULL = 0
export const BOOLEAN = 1
export const INT = 2
export const LONG = 3
export const FLOAT = 4
export const DOUBLE = 5
export const BYTES = 6
export const STRING = 7
export const LIST = 8

const KINDS: Readonly<Record<SimpleType, number>> = {
  null: NULL,
  boolean: BOOLEAN,
  int: INT,
  long: LONG,
  float: FLOAT,
  double: DOUBLE,
  bytes: BYTES,
  string: STRING,
}

export interface TextField {
  readonly name: string
  readonly kind: number
  readonly nullable: boolean
  /** The index of its value in the record. */
  readonly slot: number
}

/** The requested fields, in the requested order. The schema must have been checked with scalar-fields.ts. */
export function textFields(schema: RecordSchema, wanted: readonly number[]): readonly TextField[] {
  return wanted.map((index, slot) => {
    const { name, schema: declared } = schema.fields[index]!
    const type = nonNullable(declared) ?? declared
    const kind = isTextList(declared) ? LIST : KINDS[type.type as SimpleType]
    return { name, kind, nullable: type !== declared || kind === NULL, slot }
  })
}

/**
 * Sets the field from UTF-8. If the text does not fit the type, sets null and returns an error. Lists are set by the
 * caller.
 */
export function fill(
  field: TextField,
  bytes: Uint8Array,
  start: number,
  end: number,
  into: Value[],
): FormatError | undefined {
  const { kind, slot } = field
  if (start === end) {
    into[slot] = kind === STRING && !field.nullable ? '' : null
    return field.nullable || kind === STRING ? undefined : nullRefused(field.name)
  }
  switch (kind) {
    case STRING:
      into[slot] = utf8(bytes, start, end)
      return undefined
    case INT: {
      const value = readInt(bytes, start, end)
      if (Number.isNaN(value)) break
      into[slot] = value
      return undefined
    }
    case LONG: {
      const value = readLong(bytes, start, end)
      if (value === undefined) break
      into[slot] = value
      return undefined
    }
    case FLOAT: {
      const value = readDouble(bytes, start, end)
      if (value === undefined) break
      into[slot] = Math.fround(value)
      return undefined
    }
    case DOUBLE: {
      const value = readDouble(bytes, start, end)
      if (value === undefined) break
      into[slot] = value
      return undefined
    }
    case BOOLEAN:
      into[slot] = isTrue(bytes, start, end)
      return undefined
    case BYTES:
      into[slot] = readBytes(bytes, start, end)
      return undefined
    default:
      into[slot] = null
      return undefined
  }
  into[slot] = null
  return notA(field, utf8(bytes, start, Math.min(end, start + EXCERPT_BYTES)))
}

/** Leaves the field without a value: null, or an empty list. */
export function fillNothing(field: TextField, into: Value[]): FormatError | undefined {
  const isList = field.kind === LIST
  into[field.slot] = isList ? [] : null
  return isList || field.nullable ? undefined : valueMissing(field.name)
}

const EXCERPT_BYTES = 200
const WORDS = ['null', 'a boolean', 'an int', 'a long', 'a float', 'a double']

function notA(field: TextField, text: string): FormatError {
  return fieldError(`field ${field.name} has ${quoted(text)}, which is not ${WORDS[field.kind]}`)
}

function isTrue(bytes: Uint8Array, start: number, end: number): boolean {
  return (
    end - start === 4 &&
    (bytes[start]! | 0x20) === 0x74 &&
    (bytes[start + 1]! | 0x20) === 0x72 &&
    (bytes[start + 2]! | 0x20) === 0x75 &&
    (bytes[start + 3]! | 0x20) === 0x65
  )
}

const BACKSLASH = 0x5c
const LETTER_X = 0x78

/**
 * Reads a text as `Bytes.toBytesBinary` of HBase does. In addition, small hexadecimal digits are accepted, and an
 * incomplete escape is text.
 */
export function readBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  if (!isAscii(bytes, start, end)) {
    // The bytes are code points, not bytes of UTF-8. Code points of 256 and above lose their upper bits, as in Java.
    const narrow = Buffer.from(utf8(bytes, start, end), 'latin1')
    return unescapeBytes(narrow, 0, narrow.length)
  }
  return unescapeBytes(bytes, start, end)
}

function unescapeBytes(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start)
  let length = 0
  let at = start
  while (at < end) {
    if (bytes[at] === BACKSLASH && at + 3 < end && bytes[at + 1] === LETTER_X) {
      const high = hexDigit(bytes[at + 2]!)
      const low = hexDigit(bytes[at + 3]!)
      if (high >= 0 && low >= 0) {
        copy[length++] = high * 16 + low
        at += 4
        continue
      }
    }
    copy[length++] = bytes[at++]!
  }
  return length === copy.length ? copy : copy.slice(0, length)
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1
}
