/**
 * A value of a simple type from its text: the content of a JSON string, a value of a CSV line. White space around a
 * number or a boolean does not matter.
 *
 *   BOOLEAN            true in any case; any other text is false
 *   TINYINT … BIGINT   number-values.ts; 1.0 and 1e3 are whole
 *   FLOAT DOUBLE       as Java reads them; NaN and Infinity too
 *   DECIMAL            rounded half up; null if it has too many digits; of a captured table it does not fit then
 *   STRING             the text
 *   BYTES              base64 with its padding
 *   DATE TIME …        time-values.ts
 *
 * Indexes are asserted with `!`: the caller passes a range inside the bytes.
 */
import { readDouble } from '../number-text.ts'
import type { Value } from '../record-reader.ts'
import { latin1, utf8 } from '../text-bytes.ts'
import { capturedTime } from './captured-times.ts'
import {
  BIGINT,
  BOOLEAN,
  BYTES,
  DATE,
  DECIMAL,
  DOUBLE,
  type FieldType,
  FLOAT,
  INT,
  SMALLINT,
  STRING,
  TIME,
  TIMESTAMP,
  TIMESTAMP_LTZ,
  TINYINT,
} from './field-type.ts'
import {
  decimalNumber,
  INT_RANGE,
  longNumber,
  SMALLINT_RANGE,
  TINYINT_RANGE,
  wholeNumber,
} from './number-values.ts'
import { dateValue, timestampValue, timeValue } from './time-values.ts'

/** Undefined if the text does not fit. `type` is not nested. */
export function textValue(type: FieldType, bytes: Uint8Array, start: number, end: number): Value | undefined {
  const { kind } = type
  if (kind === STRING) return validText(bytes, start, end)
  let from = start
  let to = end
  while (from < to && bytes[from]! <= 0x20) from++
  while (from < to && bytes[to - 1]! <= 0x20) to--
  if (kind <= DECIMAL) return kind === BOOLEAN ? isTrue(bytes, from, to) : numberValue(type, bytes, from, to)
  switch (kind) {
    case BYTES:
      return base64Value(bytes, start, end)
    case DATE:
      return dateValue(bytes, start, end) ?? captured(type, bytes, start, end)
    case TIME:
      return type.isCaptured ? capturedTime(type, bytes, start, end) : timeValue(bytes, start, end)
    case TIMESTAMP:
    case TIMESTAMP_LTZ:
      return (
        timestampValue(bytes, start, end, type.precision, kind === TIMESTAMP_LTZ) ??
        captured(type, bytes, start, end)
      )
    default:
      return undefined
  }
}

function captured(
  type: FieldType,
  bytes: Uint8Array,
  start: number,
  end: number,
): number | bigint | undefined {
  return type.isCaptured ? capturedTime(type, bytes, start, end) : undefined
}

/** The value of the number without white space around it. Undefined if it does not fit. */
export function numberValue(
  type: FieldType,
  bytes: Uint8Array,
  start: number,
  end: number,
): Value | undefined {
  switch (type.kind) {
    case DOUBLE:
      return start === end ? undefined : readDouble(bytes, start, end)
    case BIGINT:
      return longNumber(bytes, start, end)
    case INT:
      return wholeNumber(bytes, start, end, INT_RANGE)
    case DECIMAL: {
      const value = decimalNumber(bytes, start, end, type.precision, type.scale)
      return value === null && type.isCaptured ? undefined : value
    }
    case FLOAT: {
      const value = start === end ? undefined : readDouble(bytes, start, end)
      return value === undefined ? undefined : Math.fround(value)
    }
    case SMALLINT:
      return wholeNumber(bytes, start, end, SMALLINT_RANGE)
    case TINYINT:
      return wholeNumber(bytes, start, end, TINYINT_RANGE)
    default:
      return undefined
  }
}

/** The text; undefined if the bytes are not UTF-8. */
export function validText(bytes: Uint8Array, start: number, end: number): string | undefined {
  const text = utf8(bytes, start, end)
  return text.includes(REPLACEMENT) && !isUtf8(bytes, start, end) ? undefined : text
}

const REPLACEMENT = '\ufffd'
const STRICT = new TextDecoder('utf-8', { fatal: true })

function isUtf8(bytes: Uint8Array, start: number, end: number): boolean {
  try {
    STRICT.decode(bytes.subarray(start, end))
    return true
  } catch {
    return false
  }
}

function isTrue(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 4 && latin1(bytes, start, end).toLowerCase() === 'true'
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

function base64Value(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
  const text = latin1(bytes, start, end)
  if (text.length % 4 !== 0 || !BASE64.test(text)) return undefined
  return Uint8Array.from(Buffer.from(text, 'base64')) // a copy of its own: Buffers share memory
}
