/**
 * The body is the value of the only column, as in Flink's format raw. An empty body of a column that is not a text and
 * not bytes is NULL.
 *
 *   STRING · BYTES                            UTF-8 · as they are
 *   BOOLEAN                                   one byte, 0 is false
 *   TINYINT SMALLINT INT BIGINT FLOAT DOUBLE  1, 2, 4, 8, 4, 8 bytes, big-endian
 */
import { exactLong } from '../number-text.ts'
import type { EventHeaders, FormatError, Value } from '../record-reader.ts'
import {
  BIGINT,
  BOOLEAN,
  BYTES,
  DOUBLE,
  type FieldType,
  FLOAT,
  fieldType,
  INT,
  SMALLINT,
  STRING,
  TINYINT,
} from './field-type.ts'
import type { RowColumn, RowReader, RowWriter } from './row-format.ts'
import { validText } from './text-value.ts'

const SIZES: Readonly<Record<number, number>> = {
  [BOOLEAN]: 1,
  [TINYINT]: 1,
  [SMALLINT]: 2,
  [INT]: 4,
  [BIGINT]: 8,
  [FLOAT]: 4,
  [DOUBLE]: 8,
}

/** Why rows of these columns cannot be raw bodies, or undefined. */
export function rawProblem(columns: readonly RowColumn[]): string | undefined {
  const [column, ...others] = columns
  if (column === undefined || others.length > 0) {
    return `the format raw needs exactly one column; there are ${columns.length}`
  }
  const { kind, typeName } = fieldType(column.type, column.name)
  if (kind === STRING || kind === BYTES || SIZES[kind] !== undefined) return undefined
  return `the format raw cannot hold ${typeName}; use STRING, BYTES, BOOLEAN, an integer, FLOAT or DOUBLE`
}

export class RawRowReader implements RowReader {
  readonly #type: FieldType
  readonly #isWanted: boolean

  constructor(columns: readonly RowColumn[], wanted: readonly number[]) {
    this.#type = fieldType(columns[0]!.type, columns[0]!.name)
    this.#isWanted = wanted.length > 0
  }

  read(
    bytes: Uint8Array,
    start: number,
    end: number,
    _headers: EventHeaders,
    into: Value[],
  ): FormatError | undefined {
    if (!this.#isWanted) return undefined
    const { kind, path, typeName } = this.#type
    if (kind === STRING) {
      const text = validText(bytes, start, end)
      if (text === undefined) return { reason: `column ${path} has a text that is not UTF-8` }
      into[0] = text
    } else if (kind === BYTES) {
      into[0] = new Uint8Array(bytes.subarray(start, end))
    } else if (start === end) {
      into[0] = null
    } else if (end - start !== SIZES[kind]) {
      return { reason: `column ${path} has ${end - start} bytes; ${typeName} has ${SIZES[kind]}` }
    } else {
      into[0] = fixedValue(kind, new DataView(bytes.buffer, bytes.byteOffset + start, end - start))
    }
    return undefined
  }
}

function fixedValue(kind: number, view: DataView): Value {
  switch (kind) {
    case BOOLEAN:
      return view.getUint8(0) !== 0
    case TINYINT:
      return view.getInt8(0)
    case SMALLINT:
      return view.getInt16(0)
    case INT:
      return view.getInt32(0)
    case FLOAT:
      return view.getFloat32(0)
    case DOUBLE:
      return view.getFloat64(0)
    default:
      return exactLong(view.getBigInt64(0))!
  }
}

export class RawRowWriter implements RowWriter {
  readonly contentType = 'application/octet-stream'
  readonly #type: FieldType
  readonly #index: number

  /** `index` is that of the value among the values of a row. */
  constructor(column: RowColumn, index: number) {
    this.#type = fieldType(column.type, column.name)
    this.#index = index
  }

  write(values: readonly Value[]): Uint8Array {
    const value = values[this.#index]!
    if (value === null) return new Uint8Array(0)
    const { kind } = this.#type
    if (kind === STRING) return Buffer.from(value as string, 'utf8')
    if (kind === BYTES) return Uint8Array.from(value as Uint8Array)
    const bytes = new Uint8Array(SIZES[kind]!)
    setFixed(kind, new DataView(bytes.buffer), value as number | bigint | boolean)
    return bytes
  }
}

function setFixed(kind: number, view: DataView, value: number | bigint | boolean): void {
  switch (kind) {
    case BOOLEAN:
      view.setUint8(0, value ? 1 : 0)
      return
    case TINYINT:
      view.setInt8(0, value as number)
      return
    case SMALLINT:
      view.setInt16(0, value as number)
      return
    case INT:
      view.setInt32(0, value as number)
      return
    case FLOAT:
      view.setFloat32(0, value as number)
      return
    case DOUBLE:
      view.setFloat64(0, value as number)
      return
    default:
      view.setBigInt64(0, BigInt(value))
  }
}
