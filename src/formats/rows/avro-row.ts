/**
 * Rows as Avro: one binary datum a body, without container or schema id. The schema of a row is derived from the columns:
 * a record named `record`, whose fields are the columns in order, nullable ones as a union with null.
 *
 *   TINYINT SMALLINT INT · BIGINT    int · long
 *   DECIMAL(p, s)                    bytes, decimal
 *   DATE · TIME                      int, date · int, time-millis
 *   TIMESTAMP(p), TIMESTAMP_LTZ(p)   long, timestamp-millis up to 3 digits, timestamp-micros beyond
 *   ROW                              a record named by its path: record_address
 *
 * A header `schema` of an event is the schema that its datum was written in (avro-reader.ts).
 */
import { parseSchema, type RecordType } from '../../schemas/avro-schema.ts'
import type { DataType } from '../../sql/data-types.ts'
import { AvroReader } from '../avro-reader.ts'
import { type EventHeaders, type FormatError, quoted, type Value } from '../record-reader.ts'
import {
  ARRAY,
  DATE,
  DECIMAL,
  type FieldType,
  fieldType,
  MAP,
  ROW,
  SMALLINT,
  TIME,
  TIMESTAMP,
  TIMESTAMP_LTZ,
  TINYINT,
} from './field-type.ts'
import type { RowColumn, RowReader } from './row-format.ts'
import { textValue } from './text-value.ts'

const NAMESPACE = 'org.apache.flink.avro.generated'
const MILLIS_DIGITS = 3
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Why rows of these columns cannot be Avro, or undefined. */
export function avroProblem(columns: readonly RowColumn[]): string | undefined {
  const bad = columns.flatMap(({ name, type }) => [name, ...rowNames(type)]).find((name) => !NAME.test(name))
  return bad === undefined
    ? undefined
    : `the name ${quoted(bad)} is none in Avro; use letters, digits and _, no digit first`
}

function rowNames(type: DataType): string[] {
  if (type.kind === 'ARRAY') return rowNames(type.element)
  if (type.kind === 'MAP') return rowNames(type.value)
  if (type.kind !== 'ROW') return []
  return type.fields.flatMap(({ name, type: inner }) => [name, ...rowNames(inner)])
}

export function avroRecord(columns: readonly RowColumn[]): RecordType {
  return parseSchema(JSON.stringify(recordJson('record', columns))) as RecordType
}

function recordJson(name: string, fields: readonly RowColumn[]): object {
  return {
    type: 'record',
    name,
    namespace: NAMESPACE,
    fields: fields.map((field) => {
      const type = typeJson(field.type, `${name}_${field.name}`)
      return field.nullable
        ? { name: field.name, type: ['null', type], default: null }
        : { name: field.name, type }
    }),
  }
}

function typeJson(type: DataType, name: string): unknown {
  switch (type.kind) {
    case 'BOOLEAN':
    case 'FLOAT':
    case 'DOUBLE':
    case 'BYTES':
    case 'STRING':
      return type.kind.toLowerCase()
    case 'TINYINT':
    case 'SMALLINT':
    case 'INT':
      return 'int'
    case 'BIGINT':
      return 'long'
    case 'CHAR':
    case 'VARCHAR':
      return 'string'
    case 'BINARY':
    case 'VARBINARY':
      return 'bytes'
    case 'DECIMAL':
      return { type: 'bytes', logicalType: 'decimal', precision: type.precision, scale: type.scale }
    case 'DATE':
      return { type: 'int', logicalType: 'date' }
    case 'TIME':
      return { type: 'int', logicalType: 'time-millis' }
    case 'TIMESTAMP':
    case 'TIMESTAMP_LTZ':
      return {
        type: 'long',
        logicalType: type.precision <= MILLIS_DIGITS ? 'timestamp-millis' : 'timestamp-micros',
      }
    case 'ARRAY':
      return { type: 'array', items: ['null', typeJson(type.element, name)] }
    case 'MAP':
      return { type: 'map', values: ['null', typeJson(type.value, name)] }
    case 'ROW':
      return recordJson(
        name,
        type.fields.map((field) => ({ ...field, nullable: true })),
      )
  }
}

export class AvroRowReader implements RowReader {
  readonly #reader: AvroReader
  readonly #types: readonly FieldType[]
  readonly #converts: readonly boolean[]

  constructor(columns: readonly RowColumn[], wanted: readonly number[]) {
    this.#reader = new AvroReader(avroRecord(columns), wanted)
    this.#types = wanted.map((index) => fieldType(columns[index]!.type, columns[index]!.name))
    this.#converts = this.#types.map((type) => needsConversion(type, false))
  }

  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    headers: EventHeaders,
    into: Value[],
  ): FormatError | undefined {
    const problem = this.#reader.read(bytes, start, end, headers, into)
    if (problem !== undefined) return problem
    for (let index = 0; index < this.#types.length; index++) {
      if (!this.#converts[index]) continue
      const value = rowValue(this.#types[index]!, into[index]!, false)
      if (value === undefined) {
        const { path, typeName } = this.#types[index]!
        return { reason: `column ${path} has ${quoted(String(into[index]))}, which is not ${typeName}` }
      }
      into[index] = value
    }
    return undefined
  }
}

function needsConversion(type: FieldType, nested: boolean): boolean {
  if (type.items !== undefined) return needsConversion(type.items, true)
  if (type.kind === ROW) return type.fields.some((field) => needsConversion(field, true))
  if (type.kind === TINYINT || type.kind === SMALLINT || type.kind === TIME) return true
  return nested && TEXTS_WITHIN.includes(type.kind)
}

/** The reader returns these as texts within other values (avro-logical.ts). */
const TEXTS_WITHIN: readonly number[] = [DECIMAL, DATE, TIMESTAMP, TIMESTAMP_LTZ]

/** The value in the form of data-types.ts; undefined if it does not fit. */
function rowValue(type: FieldType, value: Value, nested: boolean): Value | undefined {
  if (value === null || !needsConversion(type, nested)) return value
  switch (type.kind) {
    case ARRAY:
      return everyFits((value as readonly Value[]).map((item) => rowValue(type.items!, item, true)))
    case MAP:
      return convertedMap(value as ReadonlyMap<string, Value>, () => type.items!)
    case ROW:
      return convertedMap(value as ReadonlyMap<string, Value>, (name) => type.fields[type.byName.get(name)!]!)
    case TINYINT:
    case SMALLINT: {
      const bits = type.kind === TINYINT ? 24 : 16
      return ((value as number) << bits) >> bits === value ? value : undefined
    }
    default: {
      const text = Buffer.from(value as string, 'latin1')
      const plain = type.kind === TIMESTAMP_LTZ ? { ...type, kind: TIMESTAMP } : type
      return textValue(plain, text, 0, text.length)
    }
  }
}

function everyFits(values: readonly (Value | undefined)[]): readonly Value[] | undefined {
  return values.includes(undefined) ? undefined : (values as readonly Value[])
}

function convertedMap(
  map: ReadonlyMap<string, Value>,
  typeOf: (name: string) => FieldType,
): ReadonlyMap<string, Value> | undefined {
  const converted = new Map<string, Value>()
  for (const [name, value] of map) {
    const fitting = rowValue(typeOf(name), value, true)
    if (fitting === undefined) return undefined
    converted.set(name, fitting)
  }
  return converted
}
