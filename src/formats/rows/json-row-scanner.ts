/**
 * Reads a JSON object as the values of a row, by Flink's rules:
 *
 *   BOOLEAN                 true, false; a text: true in any case, else false
 *   numbers                 a number, or the text of one (text-value.ts)
 *   STRING                  a text; of a number or a boolean its text; of an object or an array its JSON without white space (not
 *                           of a captured event, where JSON is a text and an array here is one of more dimensions than one)
 *   BYTES, dates and times  a text (text-value.ts)
 *   ARRAY · MAP, ROW        an array · an object
 *
 * A member that is null or missing is null. The last one counts of members with one name. Names that are no columns are
 * passed over; their syntax is checked.
 *
 * Members are expected in the order of the columns, in which most writers send them; then finding a column is one
 * comparison of its name.
 *
 * Indexes are asserted with `!`: the scanner compares offsets with the end of the body, and field indexes come from the type.
 */
import {
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COLON,
  FALSE,
  JsonProblem,
  JsonScanner,
  NULL,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
  startsNumber,
  startsValue,
  TRUE,
} from '../json-scanner.ts'
import { readDouble } from '../number-text.ts'
import { quoted, type Value } from '../record-reader.ts'
import {
  ARRAY,
  BOOLEAN,
  DECIMAL,
  DOUBLE,
  type FieldType,
  MAP,
  type NamedFields,
  ROW,
  STRING,
} from './field-type.ts'
import { numberValue, textValue, validText } from './text-value.ts'

/** The rows in a body may have this many fields more than the body has bytes: `{}` makes all fields of its type. */
const FIELDS_BEYOND_BYTES = 65_536

/** The value does not fit the type of its column. The rest of the body can be read. */
export class JsonMisfit extends JsonProblem {}

/** Marks a member that has not been read yet. */
const MISSING = undefined as unknown as null

export class JsonRowScanner extends JsonScanner {
  #fieldsLeft = 0

  /** Reads the body `bytes[start, end)`, which is one object. Throws JsonProblem if it does not fit. */
  body(bytes: Uint8Array, start: number, end: number, fields: NamedFields, into: Value[]): void {
    this.open(bytes, start, end)
    this.#fieldsLeft = FIELDS_BEYOND_BYTES + (end - start)
    if (this.peek() !== OPEN_OBJECT) throw new JsonProblem('the body is not a JSON object')
    try {
      this.#members(fields, into)
    } catch (problem) {
      if (!(problem instanceof JsonMisfit)) throw problem
      // A later member of the same name may fit. Then the last one counts.
      this.open(bytes, start, end)
      this.peek()
      this.#lastMembers(fields, into)
    }
    if (this.peek() !== -1) throw this.unexpected()
  }

  #members(fields: NamedFields, into: Value[]): void {
    const count = fields.names.length
    for (let field = 0; field < count; field++) into[field] = MISSING
    this.enter()
    if (this.peek() === CLOSE_OBJECT) {
      this.at++
    } else {
      let guess = 0
      do {
        const field = this.#fieldOfKey(fields, guess)
        if (field < 0) {
          this.skip()
        } else {
          into[field] = this.#value(fields.fields[field]!)
          guess = field + 1
        }
      } while (this.another(CLOSE_OBJECT))
    }
    this.depth--
    for (let field = 0; field < count; field++) if (into[field] === MISSING) into[field] = null
  }

  /** Finds the last member of each name first, then reads these. */
  #lastMembers(fields: NamedFields, into: Value[]): void {
    const places = new Map<number, number>()
    this.enter()
    if (this.peek() === CLOSE_OBJECT) {
      this.at++
    } else {
      do {
        const field = this.#fieldOfKey(fields, 0)
        if (field >= 0) places.set(field, this.at)
        this.skip()
      } while (this.another(CLOSE_OBJECT))
    }
    const { at } = this
    for (let field = 0; field < fields.names.length; field++) into[field] = null
    for (const [field, place] of places) {
      this.at = place
      into[field] = this.#value(fields.fields[field]!)
    }
    this.at = at
    this.depth--
  }

  /** Reads a key and its colon. Returns the index of the field of that name, or -1. */
  #fieldOfKey(fields: NamedFields, guess: number): number {
    if (this.peek() !== QUOTE) throw this.unexpected()
    const from = this.at
    const expected = fields.keys[guess]
    let field: number
    if (expected !== undefined && this.#isKey(expected, from + 1)) {
      field = guess
      this.at = from + expected.length + 2
    } else {
      this.passString()
      field = this.#fieldOfName(fields, from, this.at)
    }
    if (this.peek() !== COLON) throw this.unexpected()
    this.at++
    return field
  }

  /** Whether these bytes and a quote stand here. */
  #isKey(key: Uint8Array, from: number): boolean {
    const bytes = this.bytes
    const length = key.length
    if (from + length >= this.end || bytes[from + length] !== QUOTE) return false
    for (let index = 0; index < length; index++) if (bytes[from + index] !== key[index]) return false
    return true
  }

  #fieldOfName(fields: NamedFields, from: number, to: number): number {
    if (this.marked || fields.keys.length > WALKED_FIELDS_MAX) {
      return fields.byName.get(this.text(from, to)) ?? -1
    }
    const { keys } = fields
    for (let field = 0; field < keys.length; field++) {
      const key = keys[field]
      if (key !== undefined && key.length === to - from - 2 && this.#isKey(key, from + 1)) return field
    }
    return -1
  }

  #value(type: FieldType): Value {
    const byte = this.peek()
    const { kind } = type
    if (byte === QUOTE) {
      if (kind === STRING) return this.#stringOf(type)
      if (kind >= ARRAY) throw this.#misfit(type)
      return this.#textOf(type)
    }
    if (startsNumber(byte)) {
      const from = this.at
      this.passNumber()
      const value =
        kind === DOUBLE
          ? readDouble(this.bytes, from, this.at)
          : kind === STRING
            ? validText(this.bytes, from, this.at)
            : kind === BOOLEAN || kind > DECIMAL
              ? undefined
              : numberValue(type, this.bytes, from, this.at)
      if (value !== undefined) return value
      this.at = from
      throw this.#misfit(type)
    }
    if (byte === 0x6e /* n */) {
      this.literal(NULL)
      return null
    }
    if (byte === 0x74 /* t */ || byte === 0x66 /* f */) return this.#boolean(type, byte === 0x74)
    if (byte === OPEN_OBJECT && kind === ROW) return this.#row(type)
    if (byte === OPEN_OBJECT && kind === MAP) return this.#map(type)
    if (byte === OPEN_ARRAY && kind === ARRAY) return this.#array(type)
    const holdsJson = kind === STRING && !type.isCaptured
    if ((byte === OPEN_OBJECT || byte === OPEN_ARRAY) && holdsJson) return this.#json()
    throw this.#misfit(type)
  }

  #stringOf(type: FieldType): string {
    const from = this.at
    this.passString()
    const text = this.marked
      ? validText(this.bytes, from, this.at)
      : validText(this.bytes, from + 1, this.at - 1)
    if (text === undefined) {
      this.at = from
      throw new JsonMisfit(`column ${type.path} has a text that is not UTF-8`)
    }
    return this.marked ? (JSON.parse(text) as string) : text // passString has checked the syntax
  }

  /** The value of a text that stands for a value of another type. */
  #textOf(type: FieldType): Value {
    const from = this.at
    this.passString()
    let value: Value | undefined
    if (this.marked) {
      const text = Buffer.from(this.text(from, this.at), 'utf8')
      value = textValue(type, text, 0, text.length)
    } else {
      value = textValue(type, this.bytes, from + 1, this.at - 1)
    }
    if (value !== undefined) return value
    this.at = from
    throw this.#misfit(type)
  }

  #boolean(type: FieldType, value: boolean): Value {
    if (type.kind !== BOOLEAN && type.kind !== STRING) throw this.#misfit(type)
    this.literal(value ? TRUE : FALSE)
    return type.kind === BOOLEAN ? value : String(value)
  }

  #array(type: FieldType): Value {
    const items = type.items!
    this.enter()
    const values: Value[] = []
    if (this.peek() === CLOSE_ARRAY) {
      this.at++
    } else {
      do values.push(this.#value(items))
      while (this.another(CLOSE_ARRAY))
    }
    this.depth--
    return values
  }

  #map(type: FieldType): Value {
    const items = type.items!
    this.enter()
    const map = new Map<string, Value>()
    if (this.peek() === CLOSE_OBJECT) {
      this.at++
    } else {
      do {
        if (this.peek() !== QUOTE) throw this.unexpected()
        const key = this.#stringOf(type)
        if (this.peek() !== COLON) throw this.unexpected()
        this.at++
        map.set(key, this.#value(items))
      } while (this.another(CLOSE_OBJECT))
    }
    this.depth--
    return map
  }

  #row(type: FieldType): Value {
    this.#fieldsLeft -= type.names.length
    if (this.#fieldsLeft < 0) throw new JsonProblem('the rows in the body make more fields than it has bytes')
    const values: Value[] = new Array(type.names.length).fill(MISSING)
    this.#members(type, values)
    const map = new Map<string, Value>()
    for (let field = 0; field < values.length; field++) map.set(type.names[field]!, values[field]!)
    return map
  }

  /** The text of an object or an array, without white space between its parts. */
  #json(): string {
    const from = this.at
    this.skip()
    const { bytes } = this
    const compact = Buffer.allocUnsafe(this.at - from)
    let length = 0
    let inString = false
    for (let at = from; at < this.at; at++) {
      const byte = bytes[at]!
      if (byte === QUOTE) inString = !inString
      else if (!inString && byte <= 0x20) continue
      compact[length++] = byte
      if (inString && byte === BACKSLASH) compact[length++] = bytes[++at]!
    }
    const text = validText(compact, 0, length)
    if (text !== undefined) return text
    this.at = from
    throw new JsonMisfit('an object or array has a text that is not UTF-8')
  }

  #misfit(type: FieldType): JsonProblem {
    const byte = this.peek()
    if (byte === -1 || !startsValue(byte)) return this.unexpected()
    const from = this.at
    const end = byte === QUOTE || startsNumber(byte) ? this.#scalarEnd(byte) : Math.min(this.end, from + 24)
    const text = Buffer.from(this.bytes.subarray(from, Math.min(end, from + EXCERPT_BYTES))).toString('utf8')
    return new JsonMisfit(`column ${type.path} has ${quoted(text)}, which is not ${type.typeName}`)
  }

  #scalarEnd(byte: number): number {
    const from = this.at
    if (byte === QUOTE) this.passString()
    else this.passNumber()
    const end = this.at
    this.at = from
    return end
  }
}

const WALKED_FIELDS_MAX = 16
const BACKSLASH = 0x5c
const EXCERPT_BYTES = 200
