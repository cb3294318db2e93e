/**
 * Values of a cached result as JSON, in the forms of captured events: numbers are exact, a DECIMAL is a text with all digits
 * of its scale, times are texts with a T and as many digits as they need, bytes are base64.
 */
import { decimalText } from '../../formats/avro-logical.ts'
import type { Value } from '../../formats/record-reader.ts'
import { doubleText, floatText } from '../../formats/rows/json-row-writer.ts'
import { FormatProblem } from '../../formats/rows/row-options.ts'
import { TimeTexts } from '../../formats/rows/time-values.ts'
import type { DataType } from '../../sql/data-types.ts'

const MICROS_DIGITS = 6
const times = new TimeTexts()

/** Throws FormatProblem for a type or a time that no result can have. */
export function resultText(type: DataType, value: Value): string {
  if (value === null) return 'null'
  switch (type.kind) {
    case 'BOOLEAN':
    case 'TINYINT':
    case 'SMALLINT':
    case 'INT':
    case 'BIGINT':
      return String(value)
    case 'FLOAT':
      return floatText(value as number)
    case 'DOUBLE':
      return doubleText(value as number)
    case 'DECIMAL':
      return `"${decimalText(value as number | bigint, type.scale)}"`
    case 'CHAR':
    case 'VARCHAR':
    case 'STRING':
      return JSON.stringify(value)
    case 'BINARY':
    case 'VARBINARY':
    case 'BYTES': {
      const { buffer, byteOffset, byteLength } = value as Uint8Array
      return `"${Buffer.from(buffer, byteOffset, byteLength).toString('base64')}"`
    }
    case 'DATE':
      return quoted(times.date(value as number))
    case 'TIME':
      return quoted(times.timestamp(value as number, MICROS_DIGITS)?.slice('1970-01-01 '.length))
    case 'TIMESTAMP':
      return quoted(timestampText(value))
    case 'TIMESTAMP_LTZ':
      return quoted(timestampText(value), 'Z')
    case 'ARRAY':
      return `[${(value as readonly Value[]).map((item) => resultText(type.element, item)).join(',')}]`
    default:
      throw new FormatProblem(`a result has no values of type ${type.kind}`)
  }
}

function timestampText(value: Value): string | undefined {
  return times.timestamp(value as number | bigint, MICROS_DIGITS)?.replace(' ', 'T')
}

function quoted(text: string | undefined, after = ''): string {
  if (text === undefined)
    throw new FormatProblem('a result has a time that is not within the years 0 to 9999')
  return `"${text}${after}"`
}
