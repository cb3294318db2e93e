/**
 * Reads one JSON object per body, byte by byte. Requested members become values directly; the syntax of other members
 * is checked only. So a long is exact, and members that are not requested are not built.
 *
 *   boolean         true or false
 *   int, long       a whole number within 32 or 64 bits; 1.0 and 1e3 are whole too
 *   float, double   a number within their range
 *   string, enum    a string; for an enum one of the symbols
 *   bytes           a string: characters below 256 are bytes, and \xNN is the byte NN, as in the other formats
 *   array, map      an array, an object
 *   record          an object
 *   union           the first member that this kind of JSON value fits; no member is tried twice
 *
 * null and a missing member become null where the schema allows it. If a member occurs twice, the last one is used.
 * Types are not converted: "5" is not an int, and 5 is not a string.
 *
 * A member that does not fit its type, at any depth, is an error of its field only. A body that is not JSON, or is
 * nested too deep, is an error of the body.
 *
 * Indexes are asserted with `!`: the reader compares offsets with the end of the body, and field indexes come from the
 * schema. What is JSON and what is not, json-scanner.ts decides.
 */
import { nonNullable, type RecordSchema, type Schema } from '../schemas/schema.ts'
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
} from './json-scanner.ts'
import { readDouble, readInt, readLong } from './number-text.ts'
import {
  alsoWrong,
  type EventHeaders,
  type FormatError,
  fieldError,
  nullRefused,
  type RecordReader,
  type Value,
  valueMissing,
} from './record-reader.ts'
import { readBytes } from './text-field.ts'

/** The nested records of a body may have this many fields more than the body has bytes: `{}` makes all fields of its schema. */
export const JSON_FIELDS_BEYOND_BYTES = 65_536

/** The most members of a body that may not fit their types. Each costs some microseconds, and a member may be repeated. */
export const JSON_MISFITS_MAX = 10_000

/** A schema prepared for reading. Mutable while a record is prepared: its fields may refer to it. */
interface Shape {
  readonly type: Schema['type']
  /** The path of the field, as in `address.street`. Used in messages. */
  readonly path: string
  nullable: boolean
  symbols?: ReadonlySet<string>
  /** For an array or a map. */
  items?: Shape
  members?: readonly Shape[]
  record?: RecordShape
}

interface RecordShape {
  names: readonly string[]
  keys: readonly Uint8Array[]
  shapes: readonly Shape[]
  /** For records with more than WALKED_FIELDS_MAX fields. */
  byName: ReadonlyMap<string, number> | undefined
}

const WALKED_FIELDS_MAX = 16

export class JsonReader implements RecordReader {
  readonly #record: RecordShape
  readonly #slots: number
  readonly #cursor = new JsonCursor()

  constructor(schema: RecordSchema, wanted: readonly number[]) {
    this.#record = recordShape(
      wanted.map((index) => schema.fields[index]!),
      '',
      new Map(),
    )
    this.#slots = wanted.length
  }

  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    _headers: EventHeaders,
    into: Value[],
  ): FormatError | undefined {
    for (let slot = 0; slot < this.#slots; slot++) into[slot] = MISSING
    try {
      return this.#cursor.document(bytes, start, end, this.#record, into)
    } catch (problem) {
      if (problem instanceof JsonProblem) return { reason: problem.reason }
      throw problem
    }
  }
}

/** The value does not fit the type of its field. The rest of the body can be read. */
class JsonMisfit extends JsonProblem {}

/** Marks a member that has not been read yet; a reader never returns it. */
const MISSING = undefined as unknown as null

function shapeOf(schema: Schema, path: string, records: Map<RecordSchema, Shape>): Shape {
  const inner = nonNullable(schema)
  if (inner !== undefined) return { ...shapeOf(inner, path, records), nullable: true }
  switch (schema.type) {
    case 'record': {
      const known = records.get(schema)
      if (known !== undefined) return known
      // The parts are filled in place, because a nullable copy of the shape shares them.
      const record: RecordShape = { names: [], keys: [], shapes: [], byName: undefined }
      const shape: Shape = { type: 'record', path, nullable: false, record }
      records.set(schema, shape)
      Object.assign(record, recordShape(schema.fields, path === '' ? '' : `${path}.`, records))
      return shape
    }
    case 'enum':
      return { type: 'enum', path, nullable: false, symbols: new Set(schema.symbols) }
    case 'array':
      return { type: 'array', path, nullable: false, items: shapeOf(schema.items, path, records) }
    case 'map':
      return { type: 'map', path, nullable: false, items: shapeOf(schema.values, path, records) }
    case 'union': {
      const members = schema.members.map((member) => shapeOf(member, path, records))
      return { type: 'union', path, nullable: members.some((member) => member.nullable), members }
    }
    default:
      return { type: schema.type, path, nullable: schema.type === 'null' }
  }
}

function recordShape(
  fields: RecordSchema['fields'],
  prefix: string,
  records: Map<RecordSchema, Shape>,
): RecordShape {
  const names = fields.map((field) => field.name)
  return {
    names,
    keys: names.map((name) => Buffer.from(name, 'utf8')),
    shapes: fields.map((field) => shapeOf(field.schema, `${prefix}${field.name}`, records)),
    byName: names.length > WALKED_FIELDS_MAX ? new Map(names.map((name, index) => [name, index])) : undefined,
  }
}

class JsonCursor extends JsonScanner {
  #fieldsLeft = 0
  /** The reasons why fields of the body have no value, by the index of the field; undefined while there are none. */
  #misfits: Map<number, string> | undefined
  #misfitCount = 0

  document(
    bytes: Uint8Array,
    start: number,
    end: number,
    record: RecordShape,
    into: Value[],
  ): FormatError | undefined {
    this.open(bytes, start, end)
    this.#fieldsLeft = JSON_FIELDS_BEYOND_BYTES + (end - start)
    this.#misfits = undefined
    this.#misfitCount = 0
    if (this.peek() !== OPEN_OBJECT) throw new JsonProblem('the body is not a JSON object')
    this.enter()
    if (this.peek() === CLOSE_OBJECT) this.at++
    else while (!this.#fields(record, into)) if (!this.another(CLOSE_OBJECT)) break
    if (this.peek() !== -1) throw this.unexpected()
    return this.#missing(record, into)
  }

  /**
   * Reads the members of the body, beginning with the next one. Returns true at the end of the body. Returns false
   * after a member that does not fit; its field is null and the reason is stored. If a member occurs twice, the last
   * one is used.
   */
  #fields(record: RecordShape, into: Value[]): boolean {
    let field = -1
    let from = 0
    try {
      do {
        field = this.#fieldOfKey(record)
        from = this.at
        if (field < 0) {
          this.skip()
        } else {
          into[field] = this.#value(record.shapes[field]!)
          if (this.#misfits !== undefined) this.#misfits.delete(field)
        }
      } while (this.another(CLOSE_OBJECT))
      return true
    } catch (problem) {
      if (!(problem instanceof JsonMisfit)) throw problem
      if (++this.#misfitCount > JSON_MISFITS_MAX) {
        throw new JsonProblem(`more than ${JSON_MISFITS_MAX} members do not fit`)
      }
      this.at = from
      this.depth = 1
      this.skip()
      this.#misfits ??= new Map()
      this.#misfits.set(field, problem.reason)
      into[field] = null
      return false
    }
  }

  /** Sets fields without a member to null. Returns an error for missing values and for values that do not fit. */
  #missing(record: RecordShape, into: Value[]): FormatError | undefined {
    let wrong: FormatError | undefined
    for (let field = 0; field < record.shapes.length; field++) {
      if (into[field] !== MISSING) continue
      const { nullable, path } = record.shapes[field]!
      if (!nullable) wrong = alsoWrong(wrong, valueMissing(path))
      into[field] = null
    }
    if (this.#misfits === undefined) return wrong
    for (const reason of this.#misfits.values()) wrong = alsoWrong(wrong, fieldError(reason))
    return wrong
  }

  /** Reads the members of an object within a field. The next byte is its opening brace. */
  #members(record: RecordShape, into: Value[]): void {
    this.enter()
    if (this.peek() === CLOSE_OBJECT) {
      this.at++
    } else {
      do {
        const field = this.#fieldOfKey(record)
        if (field < 0) this.skip()
        else into[field] = this.#value(record.shapes[field]!)
      } while (this.another(CLOSE_OBJECT))
    }
    this.depth--
    for (let field = 0; field < record.shapes.length; field++) {
      if (into[field] !== MISSING) continue
      const shape = record.shapes[field]!
      if (!shape.nullable) throw new JsonMisfit(valueMissing(shape.path).reason)
      into[field] = null
    }
  }

  /** Reads a key and its colon. Returns the index of the field of that name, or -1. */
  #fieldOfKey(record: RecordShape): number {
    if (this.peek() !== QUOTE) throw this.unexpected()
    const from = this.at
    this.passString()
    const to = this.at
    const field =
      this.marked || record.byName !== undefined
        ? this.#fieldOfName(record, this.text(from, to))
        : this.#fieldOfBytes(record, from + 1, to - 1)
    if (this.peek() !== COLON) throw this.unexpected()
    this.at++
    return field
  }

  #fieldOfName(record: RecordShape, name: string): number {
    return record.byName === undefined ? record.names.indexOf(name) : (record.byName.get(name) ?? -1)
  }

  #fieldOfBytes(record: RecordShape, from: number, to: number): number {
    const keys = record.keys
    const bytes = this.bytes
    for (let field = 0; field < keys.length; field++) {
      const key = keys[field]!
      if (key.length !== to - from) continue
      let index = 0
      while (index < key.length && key[index] === bytes[from + index]) index++
      if (index === key.length) return field
    }
    return -1
  }

  #value(shape: Shape): Value {
    const byte = this.peek()
    if (byte === 0x6e /* n */) {
      this.literal(NULL)
      if (!shape.nullable) throw new JsonMisfit(nullRefused(shape.path).reason)
      return null
    }
    if (shape.type === 'union') return this.#member(shape, byte)
    return this.#valueOf(shape, byte)
  }

  #valueOf(shape: Shape, byte: number): Value {
    switch (shape.type) {
      case 'string':
        if (byte !== QUOTE) throw this.#notA(shape)
        return this.string()
      case 'int':
      case 'long':
      case 'float':
      case 'double': {
        if (!startsNumber(byte)) throw this.#notA(shape)
        const from = this.at
        this.passNumber()
        const value = this.#numberAs(shape.type, from)
        if (value === undefined) {
          this.at = from
          throw this.#notA(shape)
        }
        return value
      }
      case 'boolean':
        if (byte === 0x74 /* t */) {
          this.literal(TRUE)
          return true
        }
        if (byte !== 0x66 /* f */) throw this.#notA(shape)
        this.literal(FALSE)
        return false
      case 'bytes': {
        if (byte !== QUOTE) throw this.#notA(shape)
        const text = Buffer.from(this.string(), 'utf8')
        return readBytes(text, 0, text.length)
      }
      case 'enum': {
        const from = this.at
        if (byte !== QUOTE) throw this.#notA(shape)
        const symbol = this.string()
        if (shape.symbols!.has(symbol)) return symbol
        this.at = from
        throw this.#notA(shape)
      }
      case 'array':
        if (byte !== OPEN_ARRAY) throw this.#notA(shape)
        return this.#array(shape.items!)
      case 'map':
        if (byte !== OPEN_OBJECT) throw this.#notA(shape)
        return this.#map(shape.items!)
      case 'record':
        if (byte !== OPEN_OBJECT) throw this.#notA(shape)
        return this.#object(shape.record!)
      default:
        throw this.#notA(shape) // null
    }
  }

  /** Returns the first member of the union that fits the value. The first byte decides, for numbers and enums the value too. */
  #member(union: Shape, byte: number): Value {
    const from = this.at
    for (const shape of union.members!) {
      switch (shape.type) {
        case 'null':
          continue
        case 'int':
        case 'long':
        case 'float':
        case 'double': {
          if (!startsNumber(byte)) continue
          this.passNumber()
          const value = this.#numberAs(shape.type, from)
          if (value !== undefined) return value
          this.at = from
          continue
        }
        case 'enum': {
          if (byte !== QUOTE) continue
          const symbol = this.string()
          if (shape.symbols!.has(symbol)) return symbol
          this.at = from
          continue
        }
        case 'union':
          return this.#member(shape, byte)
        default:
          if (byte === FIRST_BYTE[shape.type] || (shape.type === 'boolean' && byte === 0x66) /* f */) {
            return this.#valueOf(shape, byte)
          }
      }
    }
    throw this.#notA(union)
  }

  #array(items: Shape): Value {
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

  #map(values: Shape): Value {
    this.enter()
    const map = new Map<string, Value>()
    if (this.peek() === CLOSE_OBJECT) {
      this.at++
    } else {
      do {
        if (this.peek() !== QUOTE) throw this.unexpected()
        const key = this.string()
        if (this.peek() !== COLON) throw this.unexpected()
        this.at++
        map.set(key, this.#value(values))
      } while (this.another(CLOSE_OBJECT))
    }
    this.depth--
    return map
  }

  #object(record: RecordShape): Value {
    this.#fieldsLeft -= record.names.length
    if (this.#fieldsLeft < 0)
      throw new JsonProblem('the records in the body make more fields than it has bytes')
    const values: Value[] = new Array(record.names.length).fill(MISSING)
    this.#members(record, values)
    const map = new Map<string, Value>()
    for (let field = 0; field < values.length; field++) map.set(record.names[field]!, values[field]!)
    return map
  }

  /** The last number that was scanned, which begins at `from`; undefined if it does not fit this type. */
  #numberAs(type: 'int' | 'long' | 'float' | 'double', from: number): number | bigint | undefined {
    if (!this.marked && type === 'int') {
      const value = readInt(this.bytes, from, this.at)
      return Number.isNaN(value) ? undefined : value
    }
    if (!this.marked && type === 'long') return readLong(this.bytes, from, this.at)
    const value = readDouble(this.bytes, from, this.at)!
    switch (type) {
      // JSON has no infinite numbers: an infinite value means that the number is out of range.
      case 'double':
        return Number.isFinite(value) ? value : undefined
      case 'float': {
        const rounded = Math.fround(value)
        return Number.isFinite(rounded) ? rounded : undefined
      }
      case 'int':
        return value === (value | 0) ? value | 0 : undefined
      case 'long':
        return Number.isSafeInteger(value) ? value + 0 : undefined
    }
  }

  #notA(shape: Shape): JsonProblem {
    const byte = this.peek()
    // Text that is not a JSON value is an error of the body, not of the field.
    if (byte === -1 || !startsValue(byte)) return this.unexpected()
    return new JsonMisfit(`field ${shape.path} has ${this.excerpt()}, which is not ${WORDS[shape.type]}`)
  }
}

const FIRST_BYTE: Readonly<Partial<Record<Schema['type'], number>>> = {
  boolean: 0x74,
  string: QUOTE,
  bytes: QUOTE,
  array: OPEN_ARRAY,
  map: OPEN_OBJECT,
  record: OPEN_OBJECT,
}

const WORDS: Readonly<Record<Schema['type'], string>> = {
  null: 'null',
  boolean: 'true or false',
  int: 'an int',
  long: 'a long',
  float: 'a number',
  double: 'a number',
  bytes: 'a string',
  string: 'a string',
  enum: 'one of its symbols',
  fixed: 'a string',
  array: 'an array',
  map: 'an object',
  record: 'an object',
  union: 'a member of its union',
}
