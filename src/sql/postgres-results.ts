/**
 * The JSON texts of the values of a cached query's result, as they are in rows and events: numbers with all their digits, numerics
 * and what JSON has no number for as texts, points in time in ISO form with Z where they have a zone, bytes in base64.
 */
import type { DataType } from './data-types.ts'
import { doubleText, floatText } from './postgres-float-text.ts'

/** As formats/record-reader.ts has it. */
type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Value[]
  | ReadonlyMap<string, Value>

/**
 * The JSON text of a value of a column with this type (`MeantPostgresColumn.type`), in the form that sql/data-types.ts describes.
 * A numeric that is held as a text is printed like other texts.
 */
export function resultText(type: DataType, value: Value): string {
  if (value === null) return 'null'
  switch (type.kind) {
    case 'FLOAT':
      return floatJson(floatText(value as number))
    case 'DOUBLE':
      return floatJson(doubleText(value as number))
    case 'DECIMAL':
      return `"${decimalText(String(value), type.scale)}"`
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
      return `"${dateText(value as number)}"`
    case 'TIME':
      return `"${clockText(BigInt(value as number | bigint))}"`
    case 'TIMESTAMP':
      return `"${timestampText(BigInt(value as number | bigint), '')}"`
    case 'TIMESTAMP_LTZ':
      return `"${timestampText(BigInt(value as number | bigint), 'Z')}"`
    case 'ARRAY':
      return `[${(value as readonly Value[]).map((item) => resultText(type.element, item)).join(',')}]`
    case 'MAP':
    case 'ROW':
      throw new TypeError(`a result has no values of type ${type.kind}`)
    default:
      return String(value)
  }
}

function floatJson(text: string): string {
  return /\d$/.test(text) ? text : `"${text}"`
}

function decimalText(unscaled: string, scale: number): string {
  if (scale === 0) return unscaled
  const sign = unscaled.startsWith('-') ? '-' : ''
  const digits = unscaled.slice(sign.length).padStart(scale + 1, '0')
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

const DAY_US = 86_400_000_000n
/** DuckDB's days and microseconds of infinity; the negative of it is -infinity. */
const DATE_INFINITY = 2 ** 31 - 1
const TIMESTAMP_INFINITY = 2n ** 63n - 1n

function dateText(days: number): string {
  if (Math.abs(days) === DATE_INFINITY) return days > 0 ? 'infinity' : '-infinity'
  const [year, month, day] = civil(days)
  return `${yearText(year)}-${two(month)}-${two(day)}`
}

function timestampText(us: bigint, zone: string): string {
  if (us === TIMESTAMP_INFINITY || us === -TIMESTAMP_INFINITY) return us > 0n ? 'infinity' : '-infinity'
  const rest = ((us % DAY_US) + DAY_US) % DAY_US
  return `${dateText(Number((us - rest) / DAY_US))}T${clockText(rest)}${zone}`
}

/** As many digits after the point as the value needs. */
function clockText(us: bigint): string {
  const seconds = Number(us / 1_000_000n)
  const fraction = String(us % 1_000_000n)
    .padStart(6, '0')
    .replace(/0+$/, '')
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return fraction === '' ? clock : `${clock}.${fraction}`
}

const two = (value: number): string => String(value).padStart(2, '0')

/** The year 0 is 1 BC; years of more than four digits have a sign. */
function yearText(year: number): string {
  if (year > 9999) return `+${year}`
  return `${year < 0 ? '-' : ''}${String(Math.abs(year)).padStart(4, '0')}`
}

const ERA_DAYS = 146_097 // 400 years
const DAYS_TO_1970 = 719_468 // from March 1 of the year 0

/** Year, month and day of the Gregorian calendar; the year is counted from March. */
function civil(days: number): readonly [number, number, number] {
  const shifted = days + DAYS_TO_1970
  const era = Math.floor(shifted / ERA_DAYS)
  const dayOfEra = shifted - era * ERA_DAYS
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  return [era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day]
}
