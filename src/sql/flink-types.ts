/**
 * Types of Flink's expressions and the rules that combine them: the type that several values have in common, and precision
 * and scale of DECIMAL arithmetic.
 */
import { type DataType, duckdbType, printType } from './data-types.ts'
import type { Node } from './tree.ts'

/** A DataType, or the type of an expression that no column can have. */
export type FlinkType =
  | DataType
  /** The literal NULL. */
  | { readonly kind: 'NULL' }
  | { readonly kind: 'INTERVAL'; readonly unit: 'MONTH' | 'SECOND' }

export type DecimalType = Extract<DataType, { kind: 'DECIMAL' }>

export interface Typed {
  readonly node: Node
  readonly type: FlinkType
}

export const BOOLEAN: FlinkType = { kind: 'BOOLEAN' }
export const INT: FlinkType = { kind: 'INT' }
export const BIGINT: FlinkType = { kind: 'BIGINT' }
export const DOUBLE: FlinkType = { kind: 'DOUBLE' }
export const STRING: FlinkType = { kind: 'STRING' }
export const DATE: FlinkType = { kind: 'DATE' }
export const TIME: FlinkType = { kind: 'TIME' }
export const timestamp = (precision: number): FlinkType => ({ kind: 'TIMESTAMP', precision })
export const timestampLtz = (precision: number): FlinkType => ({ kind: 'TIMESTAMP_LTZ', precision })

/** Digits of DECIMAL. */
const DIGITS_MAX = 38
/** Flink keeps this many digits after the point when it has to shorten a result. */
const SHORTENED_SCALE = 6

const INTEGERS = ['TINYINT', 'SMALLINT', 'INT', 'BIGINT']
const INTEGER_DIGITS: Readonly<Record<string, number>> = { TINYINT: 3, SMALLINT: 5, INT: 10, BIGINT: 19 }
const FLOATS = ['FLOAT', 'DOUBLE']
const TEXTS = ['CHAR', 'VARCHAR', 'STRING']
const TIMES = ['DATE', 'TIME', 'TIMESTAMP', 'TIMESTAMP_LTZ']

export const isInteger = ({ kind }: FlinkType): boolean => INTEGERS.includes(kind)
export const isFloat = ({ kind }: FlinkType): boolean => FLOATS.includes(kind)
export const isExact = (type: FlinkType): boolean => isInteger(type) || type.kind === 'DECIMAL'
export const isNumber = (type: FlinkType): boolean => isExact(type) || isFloat(type)
export const isText = ({ kind }: FlinkType): boolean => TEXTS.includes(kind)
export const isBytes = ({ kind }: FlinkType): boolean => ['BINARY', 'VARBINARY', 'BYTES'].includes(kind)
export const isTemporal = ({ kind }: FlinkType): boolean => TIMES.includes(kind)
export const isTimestamp = ({ kind }: FlinkType): boolean => kind === 'TIMESTAMP' || kind === 'TIMESTAMP_LTZ'

export function printFlinkType(type: FlinkType): string {
  if (type.kind === 'NULL') return 'NULL'
  return type.kind === 'INTERVAL' ? `INTERVAL ${type.unit}` : printType(type)
}

/** DuckDB's name of the type; for NULL that of INTEGER, which DuckDB gives it. */
export function engineType(type: FlinkType): string {
  if (type.kind === 'NULL') return 'INTEGER'
  return type.kind === 'INTERVAL' ? 'INTERVAL' : duckdbType(type)
}

export function decimal(precision: number, scale: number): DecimalType {
  return { kind: 'DECIMAL', precision, scale }
}

/** The type of an exact number as DECIMAL. */
export function asDecimal(type: FlinkType): DecimalType {
  return type.kind === 'DECIMAL' ? type : decimal(INTEGER_DIGITS[type.kind] ?? DIGITS_MAX, 0)
}

/** Shortens a type with too many digits: those before the point are kept, and up to six after it. */
function adjusted(precision: number, scale: number): DecimalType {
  if (precision <= DIGITS_MAX) return decimal(precision, scale)
  const shortest = Math.min(scale, SHORTENED_SCALE)
  return decimal(DIGITS_MAX, Math.max(DIGITS_MAX - (precision - scale), shortest))
}

export function sumType(left: DecimalType, right: DecimalType): DecimalType {
  const scale = Math.max(left.scale, right.scale)
  return adjusted(Math.max(left.precision - left.scale, right.precision - right.scale) + scale + 1, scale)
}

export function productType(left: DecimalType, right: DecimalType): DecimalType {
  return adjusted(left.precision + right.precision + 1, left.scale + right.scale)
}

export function quotientType(left: DecimalType, right: DecimalType): DecimalType {
  const scale = Math.max(SHORTENED_SCALE, left.scale + right.precision + 1)
  return adjusted(left.precision - left.scale + right.scale + scale, scale)
}

export function remainderType(left: DecimalType, right: DecimalType): DecimalType {
  const scale = Math.max(left.scale, right.scale)
  return adjusted(Math.min(left.precision - left.scale, right.precision - right.scale) + scale, scale)
}

/** The type of a number rounded to `digits` after the point. */
export function roundedType({ precision, scale }: DecimalType, digits: number): DecimalType {
  if (digits >= scale) return decimal(precision, scale)
  return decimal(Math.min(DIGITS_MAX, 1 + precision - scale + Math.max(0, digits)), Math.max(0, digits))
}

/** AVG of DECIMAL. */
export function averageType({ scale }: DecimalType): DecimalType {
  return decimal(DIGITS_MAX, Math.max(scale, SHORTENED_SCALE))
}

/** As `commonType`, but DOUBLE where FLOAT and DOUBLE meet: of COALESCE, GREATEST and LEAST. */
export function widestType(types: readonly FlinkType[]): FlinkType | undefined {
  const common = commonType(types)
  return common?.kind === 'FLOAT' && types.some(({ kind }) => kind === 'DOUBLE') ? DOUBLE : common
}

/** The type that all of these values can have; undefined if there is none. */
export function commonType(types: readonly FlinkType[]): FlinkType | undefined {
  return types.reduce<FlinkType | undefined>(
    (common, type) => common && common2(common, type),
    types[0] ?? { kind: 'NULL' },
  )
}

function common2(a: FlinkType, b: FlinkType): FlinkType | undefined {
  if (a.kind === 'NULL') return b
  if (b.kind === 'NULL') return a
  if (isNumber(a) && isNumber(b)) return commonNumber(a, b)
  if (isText(a) && isText(b)) return commonText(a, b)
  if (isBytes(a) && isBytes(b)) return { kind: 'BYTES' }
  if (isTemporal(a) && isTemporal(b)) return commonTime(a, b)
  return engineType(a) === engineType(b) ? a : undefined
}

/** Of FLOAT and DOUBLE, the first. */
export function commonNumber(a: FlinkType, b: FlinkType): FlinkType {
  if (isInteger(a) && isInteger(b)) return INTEGERS.indexOf(a.kind) >= INTEGERS.indexOf(b.kind) ? a : b
  if (isExact(a) && isExact(b)) {
    const [left, right] = [asDecimal(a), asDecimal(b)]
    const scale = Math.max(left.scale, right.scale)
    const whole = Math.max(left.precision - left.scale, right.precision - right.scale)
    return decimal(Math.min(DIGITS_MAX, whole + scale), Math.min(scale, DIGITS_MAX - whole))
  }
  if (isFloat(a) && isFloat(b)) return a
  if (a.kind === 'DECIMAL' || b.kind === 'DECIMAL') return DOUBLE
  return isFloat(a) ? a : b
}

function commonText(a: FlinkType, b: FlinkType): FlinkType {
  if (a.kind === 'STRING' || b.kind === 'STRING') return STRING
  const [left, right] = [a as { length: number }, b as { length: number }]
  if (a.kind === 'CHAR' && b.kind === 'CHAR' && left.length === right.length) return a
  return { kind: 'VARCHAR', length: Math.max(left.length, right.length) }
}

function commonTime(a: FlinkType, b: FlinkType): FlinkType | undefined {
  if (a.kind === b.kind) {
    if (!isTimestamp(a)) return a
    return (a as { precision: number }).precision >= (b as { precision: number }).precision ? a : b
  }
  if (a.kind === 'TIME' || b.kind === 'TIME') return undefined
  const precision = Math.max(...[a, b].map((type) => ('precision' in type ? type.precision : 0)))
  return [a, b].some(({ kind }) => kind === 'TIMESTAMP_LTZ') ? timestampLtz(precision) : timestamp(precision)
}
