/**
 * Writes rows as JSON objects, by the rules of Flink's format json: members are the columns in order, NULL is null,
 * numbers are exact, a DECIMAL has all digits of its scale, times are texts (time-values.ts), bytes are base64. NaN and
 * the infinities are texts.
 */
import { decimalText } from '../avro-logical.ts'
import type { Value } from '../record-reader.ts'
import {
  ARRAY,
  BIGINT,
  BOOLEAN,
  BYTES,
  DATE,
  DECIMAL,
  DOUBLE,
  type FieldType,
  FLOAT,
  fieldType,
  INT,
  MAP,
  SMALLINT,
  STRING,
  TIME,
  TIMESTAMP,
  TIMESTAMP_LTZ,
  TINYINT,
} from './field-type.ts'
import type { RowColumn, RowWriter } from './row-format.ts'
import { FormatProblem } from './row-options.ts'
import { TimeTexts } from './time-values.ts'

export class JsonRowWriter implements RowWriter {
  readonly contentType = 'application/json'
  readonly #types: readonly FieldType[]
  /** What stands before each value: a brace or a comma, the name, a colon. */
  readonly #before: readonly string[]
  readonly #indexes: readonly number[]
  readonly #texts = new TimeTexts()

  /** `indexes` are those of the values of `columns` among the values of a row. */
  constructor(columns: readonly RowColumn[], indexes: readonly number[]) {
    this.#types = columns.map(({ name, type }) => fieldType(type, name))
    this.#before = columns.map(({ name }, index) => `${index === 0 ? '{' : ','}${JSON.stringify(name)}:`)
    this.#indexes = indexes
  }

  write(values: readonly Value[]): Uint8Array {
    return Buffer.from(this.text(values), 'utf8')
  }

  text(values: readonly Value[]): string {
    const types = this.#types
    if (types.length === 0) return '{}'
    let text = ''
    for (let index = 0; index < types.length; index++) {
      text += this.#before[index]! + jsonText(types[index]!, values[this.#indexes[index]!]!, this.#texts)
    }
    return `${text}}`
  }
}

/** Throws FormatProblem. */
export function jsonText(type: FieldType, value: Value, texts: TimeTexts): string {
  if (value === null) return 'null'
  switch (type.kind) {
    case STRING:
      return quotedText(value as string)
    case DOUBLE:
      return doubleText(value as number)
    case FLOAT:
      return floatText(value as number)
    case BOOLEAN:
    case TINYINT:
    case SMALLINT:
    case INT:
    case BIGINT:
      return String(value)
    case DECIMAL:
      return decimalText(value as number | bigint, type.scale)
    case BYTES:
    case DATE:
    case TIME:
    case TIMESTAMP:
    case TIMESTAMP_LTZ:
      return `"${plainText(type, value, texts)}"`
    case ARRAY:
      return `[${(value as readonly Value[]).map((item) => jsonText(type.items!, item, texts)).join(',')}]`
    case MAP: {
      const members: string[] = []
      for (const [key, item] of value as ReadonlyMap<string, Value>) {
        members.push(`${quotedText(key)}:${jsonText(type.items!, item, texts)}`)
      }
      return `{${members.join(',')}}`
    }
    default: {
      const row = value as ReadonlyMap<string, Value>
      const members = type.names.map(
        (name, index) => `${quotedText(name)}:${jsonText(type.fields[index]!, row.get(name) ?? null, texts)}`,
      )
      return `{${members.join(',')}}`
    }
  }
}

/** The text of a value that has no quotes and needs no escapes. `type` is BYTES, DATE, TIME or a timestamp. */
export function plainText(type: FieldType, value: Exclude<Value, null>, texts: TimeTexts): string {
  switch (type.kind) {
    case BYTES: {
      const { buffer, byteOffset, byteLength } = value as Uint8Array
      return Buffer.from(buffer, byteOffset, byteLength).toString('base64')
    }
    case TIME:
      return texts.time(value as number)
    default: {
      const text =
        type.kind === DATE
          ? texts.date(value as number)
          : texts.timestamp(value as number | bigint, type.precision)
      if (text === undefined)
        throw new FormatProblem(`column ${type.path} has a time that is not within the years 0 to 9999`)
      return type.kind === TIMESTAMP_LTZ ? `${text}Z` : text
    }
  }
}

export function doubleText(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`
  return value === 0 && Object.is(value, -0) ? '-0.0' : String(value)
}

/** With the digits of a number of 32 bits: 0.1, not 0.10000000149011612. */
export function floatText(value: number): string {
  if (!Number.isFinite(value) || Number.isInteger(value)) return doubleText(value)
  for (let digits = 7; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return String(short)
  }
  return String(value)
}

const ESCAPED_MAX = 0x1f
const SHORT_CHARS = 40

function quotedText(text: string): string {
  const { length } = text
  if (length > SHORT_CHARS) return JSON.stringify(text)
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index)
    if (code <= ESCAPED_MAX || code > 0x7e || code === 0x22 || code === 0x5c) return JSON.stringify(text)
  }
  return `"${text}"`
}
