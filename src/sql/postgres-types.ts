/**
 * Types of PostgreSQL as expressions have them, and how their values are held in DuckDB.
 *
 *   numeric, fixed    DECIMAL(precision, scale): all values show `scale` digits after the point
 *   numeric, scaled   DECIMAL(precision, scale) and, as a second expression, the digits after the point that each value shows
 *   numeric, exact    VARCHAR: the number as PostgreSQL prints it. `sameScale`: equal numbers are equal texts
 *   character(n)      VARCHAR with the blanks at its end
 *   other             VARCHAR: uuid, enums, inet, and all types whose texts are only compared
 *   unknown           a constant text or NULL that has no type yet
 */
import { type DataType, duckdbType } from './data-types.ts'
import type { Node } from './tree.ts'

export type NumericForm =
  | { readonly form: 'fixed' | 'scaled'; readonly precision: number; readonly scale: number }
  | { readonly form: 'exact'; readonly sameScale: boolean }

export type PgNumeric = { readonly kind: 'numeric' } & NumericForm

export interface PgExact {
  readonly kind: 'numeric'
  readonly form: 'exact'
  readonly sameScale: boolean
}

export type PgKind =
  | ('boolean' | 'int2' | 'int4' | 'int8' | 'float4' | 'float8')
  | ('text' | 'varchar' | 'bpchar' | 'date' | 'time' | 'interval' | 'bytea' | 'json' | 'jsonb')

export type PgType =
  | { readonly kind: PgKind }
  | PgNumeric
  | { readonly kind: 'timestamp' | 'timestamptz'; readonly precision: number }
  | { readonly kind: 'other'; readonly name: string }
  | { readonly kind: 'array'; readonly element: PgType }
  | { readonly kind: 'unknown' }

/** An expression with PostgreSQL's meaning. */
export interface Typed {
  /** Of a scaled numeric: the value. */
  readonly node: Node
  readonly type: PgType
  /** Of a scaled numeric: the digits after the point that the value shows, INTEGER. Without meaning where the value is NULL. */
  readonly scale?: Node
  readonly nullable: boolean
}

export const BOOLEAN: PgType = { kind: 'boolean' }
export const INT4: PgType = { kind: 'int4' }
export const INT8: PgType = { kind: 'int8' }
export const FLOAT8: PgType = { kind: 'float8' }
export const TEXT: PgType = { kind: 'text' }
export const DATE: PgType = { kind: 'date' }
export const INTERVAL: PgType = { kind: 'interval' }
export const UNKNOWN: PgType = { kind: 'unknown' }
export const EXACT: PgExact = { kind: 'numeric', form: 'exact', sameScale: false }

/** Digits of DECIMAL. */
export const DIGITS_MAX = 38
export const PRECISION_MAX = 6

export const timestamp = (precision = PRECISION_MAX): PgType => ({ kind: 'timestamp', precision })
export const timestamptz = (precision = PRECISION_MAX): PgType => ({ kind: 'timestamptz', precision })

export function fixed(precision: number, scale: number): PgNumeric & { precision: number; scale: number } {
  return {
    kind: 'numeric',
    form: 'fixed',
    precision: Math.min(Math.max(precision, scale, 1), DIGITS_MAX),
    scale,
  }
}

const NAMES: Readonly<Record<PgKind, string>> = {
  boolean: 'boolean',
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
  float4: 'real',
  float8: 'double precision',
  text: 'text',
  varchar: 'character varying',
  bpchar: 'character',
  date: 'date',
  time: 'time without time zone',
  interval: 'interval',
  bytea: 'bytea',
  json: 'json',
  jsonb: 'jsonb',
}

/** As format_type() prints it, without modifiers. */
export function printPgType(type: PgType): string {
  switch (type.kind) {
    case 'numeric':
      return 'numeric'
    case 'timestamp':
      return 'timestamp without time zone'
    case 'timestamptz':
      return 'timestamp with time zone'
    case 'other':
      return type.name
    case 'array':
      return `${printPgType(type.element)}[]`
    case 'unknown':
      return 'unknown'
    default:
      return NAMES[type.kind]
  }
}

const INTEGERS = ['int2', 'int4', 'int8']
const FLOATS = ['float4', 'float8']
const TEXTS = ['text', 'varchar', 'bpchar']

export const isInteger = ({ kind }: PgType): boolean => INTEGERS.includes(kind)
export const isNumeric = (type: PgType): type is PgNumeric => type.kind === 'numeric'
export const isExactNumber = (type: PgType): boolean => isInteger(type) || type.kind === 'numeric'
export const isFloat = ({ kind }: PgType): boolean => FLOATS.includes(kind)
export const isNumber = (type: PgType): boolean => isExactNumber(type) || isFloat(type)
export const isText = ({ kind }: PgType): boolean => TEXTS.includes(kind)
export const isTimestamp = ({ kind }: PgType): boolean => kind === 'timestamp' || kind === 'timestamptz'
export const isPoint = (type: PgType): boolean => type.kind === 'date' || isTimestamp(type)
export const isJson = ({ kind }: PgType): boolean => kind === 'json' || kind === 'jsonb'

export const integerRank = ({ kind }: PgType): number => INTEGERS.indexOf(kind)

const INTEGER_DIGITS: Readonly<Record<string, number>> = { int2: 5, int4: 10, int8: 19 }

/** The digits of an integer type as numeric. */
export const integerDigits = ({ kind }: PgType): number => INTEGER_DIGITS[kind] ?? DIGITS_MAX

/** The type of a column in DuckDB. A scaled numeric becomes a text there. */
export function dataTypeOf(type: PgType): DataType {
  switch (type.kind) {
    case 'boolean':
      return { kind: 'BOOLEAN' }
    case 'int2':
      return { kind: 'SMALLINT' }
    case 'int4':
      return { kind: 'INT' }
    case 'int8':
      return { kind: 'BIGINT' }
    case 'float4':
      return { kind: 'FLOAT' }
    case 'float8':
      return { kind: 'DOUBLE' }
    case 'numeric':
      return type.form === 'fixed'
        ? { kind: 'DECIMAL', precision: type.precision, scale: type.scale }
        : { kind: 'STRING' }
    case 'date':
      return { kind: 'DATE' }
    case 'time':
      return { kind: 'TIME' }
    case 'timestamp':
      return { kind: 'TIMESTAMP', precision: type.precision }
    case 'timestamptz':
      return { kind: 'TIMESTAMP_LTZ', precision: type.precision }
    case 'bytea':
      return { kind: 'BYTES' }
    case 'array':
      return { kind: 'ARRAY', element: dataTypeOf(type.element) }
    default:
      return { kind: 'STRING' }
  }
}

/** DuckDB's name of the type. */
export function engineType(type: PgType): string {
  if (type.kind === 'interval') return 'INTERVAL'
  if (type.kind === 'numeric' && type.form === 'scaled') return `DECIMAL(${type.precision},${type.scale})`
  return duckdbType(dataTypeOf(type))
}

const KINDS: Readonly<Record<string, PgType>> = {
  ...Object.fromEntries(Object.entries(NAMES).map(([kind, name]) => [name, { kind } as PgType])),
  bool: BOOLEAN,
  int2: { kind: 'int2' },
  int: INT4,
  int4: INT4,
  int8: INT8,
  oid: INT8,
  float4: { kind: 'float4' },
  float: FLOAT8,
  float8: FLOAT8,
  varchar: { kind: 'varchar' },
  bpchar: { kind: 'bpchar' },
  char: { kind: 'bpchar' },
  time: { kind: 'time' },
  decimal: EXACT,
  dec: EXACT,
  numeric: EXACT,
  money: fixed(19, 2),
  name: TEXT,
}

export interface WrittenType {
  readonly type: PgType
  /** The numbers in parentheses. */
  readonly modifiers: readonly number[]
}

/** Reads PostgreSQL's name of a type: `numeric(10,2)`, `timestamp(3) with time zone`, `character varying(20)[]`. */
export function readPgType(written: string): WrittenType {
  const name = written.trim()
  if (name.endsWith('[]')) {
    const { type, modifiers } = readPgType(name.slice(0, -2))
    return { type: type.kind === 'array' ? type : { kind: 'array', element: type }, modifiers }
  }
  const match = /^([^(]+?)\s*(?:\(\s*(-?\d+)\s*(?:,\s*(-?\d+)\s*)?\))?(\s+with(?:out)? time zone)?$/i.exec(
    name,
  )
  if (match === null) return { type: { kind: 'other', name }, modifiers: [] }
  const modifiers = [match[2], match[3]].filter((one) => one !== undefined).map(Number)
  const base = `${match[1]!.toLowerCase()}${(match[4] ?? '').toLowerCase().replaceAll(/\s+/g, ' ')}`
  return { type: baseType(base, name, modifiers), modifiers }
}

function baseType(base: string, name: string, modifiers: readonly number[]): PgType {
  const [first = PRECISION_MAX] = modifiers
  if (base === 'timestamp' || base === 'timestamp without time zone') return timestamp(first)
  if (base === 'timestamptz' || base === 'timestamp with time zone') return timestamptz(first)
  if (base === 'float')
    return modifiers[0] !== undefined && first <= FLOAT4_BITS ? { kind: 'float4' } : FLOAT8
  const known = KINDS[base]
  if (known === undefined) return { kind: 'other', name: base === '' ? name : base }
  return known.kind === 'numeric' && base !== 'money' ? numericOf(modifiers) : known
}

const FLOAT4_BITS = 24

function numericOf(modifiers: readonly number[]): PgNumeric {
  const [precision, scale = 0] = modifiers
  if (precision === undefined) return EXACT
  const whole = scale < 0 ? precision - scale : Math.max(precision, scale)
  return whole > DIGITS_MAX ? { ...EXACT, sameScale: true } : fixed(whole, Math.max(scale, 0))
}

/** The type of a column of a table. Its values must be held as `type` says. */
export function columnPgType(databaseType: string): PgType {
  return readPgType(databaseType).type
}
