/**
 * Logical types of Avro: the meaning of a value of an underlying type. An unknown logical type, or one that does not
 * fit its underlying type, is ignored, as Avro requires.
 *
 *   decimal            bytes, fixed   unscaled two's complement, big-endian; 0 <= scale <= precision
 *   date               int            days since 1970-01-01
 *   time-…             int (millis), long (micros)   since midnight
 *   timestamp-…        long           since 1970-01-01T00:00:00Z, in millis, micros or nanos
 *   local-timestamp-…  long           the same, in the local time of the place where it is read
 *   uuid               string, fixed of 16 bytes
 */

/** The attribute as the schema has it. */
export interface LogicalAttribute {
  readonly name: string
  readonly precision?: number
  readonly scale?: number
}

/** `digits` are the decimal digits of a second: 3 for millis, 6 for micros, 9 for nanos. */
export type LogicalType =
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'date' }
  | { readonly kind: 'time' | 'timestamp'; readonly digits: SecondDigits }
  | { readonly kind: 'uuid' }

export type SecondDigits = 3 | 6 | 9

/** The time to print a decimal grows with the square of its digits. A decimal with more digits is read as bytes. */
export const DECIMAL_DIGITS_MAX = 1_000
/** The most digits of a DECIMAL in SQL, in Hive and in DuckDB. */
export const SQL_DECIMAL_DIGITS_MAX = 38

const UUID_BYTES = 16
const DIGITS: Readonly<Record<string, SecondDigits>> = { millis: 3, micros: 6, nanos: 9 }

/** `base` is the underlying type. `size` is the size of a fixed. */
export function logicalType(
  base: string,
  size: number | undefined,
  attribute: LogicalAttribute | undefined,
): LogicalType | undefined {
  if (attribute === undefined) return undefined
  switch (attribute.name) {
    case 'decimal':
      return base === 'bytes' || base === 'fixed' ? decimal(size, attribute) : undefined
    case 'date':
      return base === 'int' ? { kind: 'date' } : undefined
    case 'time-millis':
      return base === 'int' ? { kind: 'time', digits: 3 } : undefined
    case 'time-micros':
      return base === 'long' ? { kind: 'time', digits: 6 } : undefined
    case 'uuid':
      return base === 'string' || (base === 'fixed' && size === UUID_BYTES) ? { kind: 'uuid' } : undefined
    default: {
      const unit = /^(?:local-)?timestamp-(millis|micros|nanos)$/.exec(attribute.name)?.[1]
      return unit !== undefined && base === 'long' ? { kind: 'timestamp', digits: DIGITS[unit]! } : undefined
    }
  }
}

function decimal(
  size: number | undefined,
  { precision = 0, scale = 0 }: LogicalAttribute,
): LogicalType | undefined {
  const isSound = precision >= 1 && precision <= DECIMAL_DIGITS_MAX && scale >= 0 && scale <= precision
  if (!isSound || (size !== undefined && precision > decimalDigitsOf(size))) return undefined
  return { kind: 'decimal', precision, scale }
}

/** The most digits of a decimal such that all its values fit a fixed of this size. */
function decimalDigitsOf(size: number): number {
  return Math.floor((8 * size - 1) * Math.log10(2))
}

/** Logical types for which CDAP's clients have no column type. Their values are texts. */
export function isText(type: LogicalType): boolean {
  return (
    type.kind === 'time' ||
    type.kind === 'uuid' ||
    (type.kind === 'decimal' && type.precision > SQL_DECIMAL_DIGITS_MAX)
  )
}
