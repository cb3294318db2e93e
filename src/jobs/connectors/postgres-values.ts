/**
 * Values of Flink's types as texts of PostgreSQL, in both directions. Columns are selected as texts in the forms that
 * formats/rows reads; written values are texts that PostgreSQL casts to the type of the column.
 */
import { decimalText } from '../../formats/avro-logical.ts'
import type { Value } from '../../formats/record-reader.ts'
import { type FieldType, fieldType, namedFields } from '../../formats/rows/field-type.ts'
import { JsonRowScanner } from '../../formats/rows/json-row-scanner.ts'
import { jsonText } from '../../formats/rows/json-row-writer.ts'
import { textValue } from '../../formats/rows/text-value.ts'
import { TimeTexts } from '../../formats/rows/time-values.ts'
import { type DataType, printType } from '../../sql/data-types.ts'
import { ConnectorError } from './connector.ts'

/** A column of a database table. */
export interface PostgresColumn {
  readonly name: string
  /** As format_type gives it, without length: `character varying`, `integer[]`, `"My enum"`. */
  readonly type: string
  /** typcategory and typtype of pg_type. */
  readonly category: string
  readonly isEnum: boolean
}

const WHOLE = ['smallint', 'integer', 'bigint']
const REAL = ['real', 'double precision']
const TIMESTAMPS = ['timestamp without time zone', 'timestamp with time zone']
const JSONS = ['json', 'jsonb']

/** Whether values of the type can be read from, or written to, the column. */
export function fitsColumn(type: DataType, { type: stored, category }: PostgresColumn): boolean {
  switch (type.kind) {
    case 'BOOLEAN':
      return stored === 'boolean'
    case 'TINYINT':
    case 'SMALLINT':
    case 'INT':
    case 'BIGINT':
    case 'DECIMAL':
    case 'FLOAT':
    case 'DOUBLE':
      return [...WHOLE, ...REAL, 'numeric'].includes(stored)
    case 'BYTES':
    case 'BINARY':
    case 'VARBINARY':
      return stored === 'bytea'
    case 'DATE':
      return stored === 'date'
    case 'TIME':
      return stored === 'time without time zone'
    case 'TIMESTAMP':
    case 'TIMESTAMP_LTZ':
      return TIMESTAMPS.includes(stored)
    case 'ARRAY':
      return category === 'A' || JSONS.includes(stored)
    case 'MAP':
    case 'ROW':
      return JSONS.includes(stored)
    default:
      return true
  }
}

export function quotedIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** The SQL that selects the column as a text that `readText` reads. */
export function selectedText(type: DataType, column: string): string {
  switch (type.kind) {
    case 'TIMESTAMP':
    case 'TIMESTAMP_LTZ':
      return `CAST(CAST(${column} AS timestamp) AS text)` // the session's time zone is UTC
    case 'ARRAY':
    case 'MAP':
    case 'ROW':
      return `CAST(to_jsonb(${column}) AS text)`
    default:
      return `CAST(${column} AS text)`
  }
}

/** Reads the texts that `selectedText` selects. Throws ConnectorError for one that does not fit. */
export class TextReader {
  readonly #type: FieldType
  readonly #dataType: DataType
  readonly #scanner = new JsonRowScanner()

  constructor(name: string, type: DataType) {
    this.#dataType = type
    this.#type = fieldType(type.kind === 'TIMESTAMP_LTZ' ? { ...type, kind: 'TIMESTAMP' } : type, name)
  }

  read(text: string | null): Value {
    if (text === null) return null
    const value = this.#value(text)
    if (value !== undefined) return value
    const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text
    throw new ConnectorError(
      `column ${this.#type.path} has '${shown}', which is not ${printType(this.#dataType)}`,
      false,
    )
  }

  #value(text: string): Value | undefined {
    switch (this.#dataType.kind) {
      case 'CHAR':
      case 'VARCHAR':
      case 'STRING':
        return text
      case 'BOOLEAN':
        return text === 'true' || text === 't'
      case 'FLOAT':
      case 'DOUBLE': {
        const value = Number(text)
        if (Number.isNaN(value) && text !== 'NaN') return undefined
        return this.#dataType.kind === 'FLOAT' ? Math.fround(value) : value
      }
      case 'BYTES':
      case 'BINARY':
      case 'VARBINARY':
        return new Uint8Array(Buffer.from(text.slice(2), 'hex'))
      case 'ARRAY':
      case 'MAP':
      case 'ROW':
        return this.#nested(text)
      default: {
        const bytes = Buffer.from(text, 'utf8')
        return textValue(this.#type, bytes, 0, bytes.length)
      }
    }
  }

  #nested(text: string): Value | undefined {
    const into: Value[] = []
    const bytes = Buffer.from(`{"v":${text}}`, 'utf8')
    try {
      this.#scanner.body(bytes, 0, bytes.length, namedFields([{ name: 'v', type: this.#type }]), into)
      return into[0]
    } catch {
      return undefined
    }
  }
}

/** Writes values as texts that PostgreSQL casts to the type of the column. */
export class TextWriter {
  readonly #type: DataType
  readonly #field: FieldType
  readonly #asJson: boolean
  readonly #texts = new TimeTexts()

  constructor(name: string, type: DataType, column: PostgresColumn) {
    this.#type = type
    this.#field = fieldType(type, name)
    this.#asJson = JSONS.includes(column.type)
  }

  write(value: Value): string | null {
    if (value === null) return null
    const { kind } = this.#type
    if ((kind === 'ARRAY' && this.#asJson) || kind === 'MAP' || kind === 'ROW') {
      return jsonText(this.#field, value, this.#texts)
    }
    return this.#text(this.#type, value)
  }

  #text(type: DataType, value: Exclude<Value, null>): string {
    switch (type.kind) {
      case 'DECIMAL':
        return decimalText(value as number | bigint, type.scale)
      case 'BYTES':
      case 'BINARY':
      case 'VARBINARY':
        return `\\x${Buffer.from(value as Uint8Array).toString('hex')}`
      case 'DATE':
        return this.#known(this.#texts.date(value as number))
      case 'TIME':
        return this.#texts.time(value as number)
      case 'TIMESTAMP':
        return this.#known(this.#texts.timestamp(value as number | bigint, type.precision))
      case 'TIMESTAMP_LTZ':
        return `${this.#known(this.#texts.timestamp(value as number | bigint, type.precision))}Z`
      case 'ARRAY':
        return `{${(value as readonly Value[]).map((item) => this.#element(type.element, item)).join(',')}}`
      case 'MAP':
      case 'ROW':
        return jsonText(fieldType(type, this.#field.path), value, this.#texts)
      default:
        return Object.is(value, -0) ? '-0' : String(value)
    }
  }

  #element(type: DataType, value: Value): string {
    if (value === null) return 'NULL'
    const text = this.#text(type, value)
    return type.kind === 'ARRAY' ? text : `"${text.replace(/["\\]/g, '\\$&')}"`
  }

  #known(text: string | undefined): string {
    if (text !== undefined) return text
    throw new ConnectorError(
      `column ${this.#field.path} has a time that is not within the years 0 to 9999`,
      false,
    )
  }
}

/** The type to which a written text is cast. Without a length, so that PostgreSQL rejects a text that is too long. */
export function writtenType({ type }: PostgresColumn): string {
  return type.replace(/^character(?=\[|$)/, 'bpchar').replace(/^bit(?=\[|$)/, 'bit varying')
}

const TEXTS = ['text', 'character varying']

export interface KeyComparison {
  /** The column, or an expression over it. */
  readonly left: string
  /** The type to which keys are cast. */
  readonly cast: string
}

/** How a column is compared with keys: in a type of the column's family, so that its index can be used. */
export function keyComparison(type: DataType, column: PostgresColumn, name: string): KeyComparison {
  switch (type.kind) {
    case 'TINYINT':
    case 'SMALLINT':
    case 'INT':
    case 'BIGINT':
      return { left: name, cast: 'bigint' }
    case 'DECIMAL':
      return { left: name, cast: 'numeric' }
    case 'FLOAT':
    case 'DOUBLE':
      return { left: name, cast: column.type === 'real' ? 'real' : 'double precision' }
    case 'CHAR':
    case 'VARCHAR':
    case 'STRING':
      if (TEXTS.includes(column.type)) return { left: name, cast: 'text' }
      if (column.type === 'uuid') return { left: name, cast: 'uuid' }
      if (column.type === 'character') return { left: name, cast: 'bpchar' }
      return { left: `CAST(${name} AS text)`, cast: 'text' }
    default:
      return { left: name, cast: column.type }
  }
}
