/**
 * Logical types of Avro: what a value of an underlying type means. An unknown logical type, or one that does not fit its
 * underlying type, is ignored, as Avro requires.
 *
 *   decimal            bytes, fixed   unscaled two's complement, big-endian; 0 <= scale <= precision
 *   date               int            days since 1970-01-01
 *   time-…             int (millis), long (micros)   since midnight
 *   timestamp-…        long           since 1970-01-01T00:00:00Z, in millis, micros or nanos
 *   local-timestamp-…  long           the same, on the clock of wherever it is read
 *   uuid               string, fixed of 16 bytes
 */

/** As it stands in a schema. */
export interface LogicalAttribute {
  readonly name: string
  readonly precision?: number
  readonly scale?: number
}

/** `digits` are those of a second: 3 for millis, 6 for micros, 9 for nanos. */
export type LogicalType =
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'date' }
  | { readonly kind: 'time' | 'timestamp'; readonly digits: SecondDigits }
  | { readonly kind: 'uuid' }

export type SecondDigits = 3 | 6 | 9

/** More digits take time that grows with their square to print; such a decimal is read as bytes. */
export const DECIMAL_DIGITS_MAX = 1_000
/** Of a DECIMAL in SQL, in Hive as in DuckDB. */
export const SQL_DECIMAL_DIGITS_MAX = 38

const UUID_BYTES = 16
const DIGITS: Readonly<Record<string, SecondDigits>> = { millis: 3, micros: 6, nanos: 9 }

/** `base` is the underlying type; `size` is that of a fixed. */
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

/** The most digits of which every number fits a fixed of this size. */
function decimalDigitsOf(size: number): number {
  return Math.floor((8 * size - 1) * Math.log10(2))
}

/** Logical types without a column type that the clients of CDAP know; their values are texts. */
export function isText(type: LogicalType): boolean {
  return (
    type.kind === 'time' ||
    type.kind === 'uuid' ||
    (type.kind === 'decimal' && type.precision > SQL_DECIMAL_DIGITS_MAX)
  )
}
