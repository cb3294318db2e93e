/** The type of a column prepared for reading and writing: one number selects the code, nested types have their parts. */
import { type DataType, printType } from '../../sql/data-types.ts'

export const BOOLEAN = 0
export const TINYINT = 1
export const SMALLINT = 2
export const INT = 3
export const BIGINT = 4
export const FLOAT = 5
export const DOUBLE = 6
export const DECIMAL = 7
export const STRING = 8
export const BYTES = 9
export const DATE = 10
export const TIME = 11
export const TIMESTAMP = 12
export const TIMESTAMP_LTZ = 13
export const ARRAY = 14
export const MAP = 15
export const ROW = 16

const KINDS: Readonly<Record<DataType['kind'], number>> = {
  BOOLEAN,
  TINYINT,
  SMALLINT,
  INT,
  BIGINT,
  FLOAT,
  DOUBLE,
  DECIMAL,
  CHAR: STRING,
  VARCHAR: STRING,
  STRING,
  BINARY: BYTES,
  VARBINARY: BYTES,
  BYTES,
  DATE,
  TIME,
  TIMESTAMP,
  TIMESTAMP_LTZ,
  ARRAY,
  MAP,
  ROW,
}

export interface FieldType {
  readonly kind: number
  /** As in `address.street`. For messages. */
  readonly path: string
  /** As the API shows it. For messages. */
  readonly typeName: string
  /** Of a DECIMAL; of a timestamp, the digits of its fraction. */
  readonly precision: number
  readonly scale: number
  /** Of a column of a captured event: dates and times are those of captured-times.ts. */
  readonly isCaptured: boolean
  /** Elements of an ARRAY, values of a MAP. */
  readonly items: FieldType | undefined
  readonly fields: readonly FieldType[]
  readonly names: readonly string[]
  /** Names of the fields in UTF-8; undefined for one that JSON has to escape. */
  readonly keys: readonly (Uint8Array | undefined)[]
  readonly byName: ReadonlyMap<string, number>
}

/** Digits of the fraction that a timestamp can have here. */
export const FRACTION_DIGITS_MAX = 6

export function fieldType(type: DataType, path: string, isCaptured = false): FieldType {
  const fields = type.kind === 'ROW' ? type.fields : []
  const items = type.kind === 'ARRAY' ? type.element : type.kind === 'MAP' ? type.value : undefined
  const isTimestamp = type.kind === 'TIMESTAMP' || type.kind === 'TIMESTAMP_LTZ'
  return {
    kind: KINDS[type.kind],
    path,
    typeName: printType(type),
    precision:
      type.kind === 'DECIMAL'
        ? type.precision
        : isTimestamp
          ? Math.min(type.precision, FRACTION_DIGITS_MAX)
          : 0,
    scale: type.kind === 'DECIMAL' ? type.scale : 0,
    isCaptured,
    items: items && fieldType(items, `${path}[]`, isCaptured),
    ...namedFields(
      fields.map(({ name, type: inner }) => ({
        name,
        type: fieldType(inner, `${path}.${name}`, isCaptured),
      })),
    ),
  }
}

export interface NamedFields {
  readonly fields: readonly FieldType[]
  readonly names: readonly string[]
  readonly keys: readonly (Uint8Array | undefined)[]
  readonly byName: ReadonlyMap<string, number>
}

export function namedFields(
  fields: readonly { readonly name: string; readonly type: FieldType }[],
): NamedFields {
  const names = fields.map(({ name }) => name)
  return {
    fields: fields.map(({ type }) => type),
    names,
    keys: names.map((name) => (JSON.stringify(name) === `"${name}"` ? Buffer.from(name, 'utf8') : undefined)),
    byName: new Map(names.map((name, index) => [name, index])),
  }
}
