/**
 * Logical types of Avro as values. A field of the record itself has the layout of its column. Within arrays, maps and
 * records the values are texts, as in JSON.
 *
 *               field of the record itself                                       within a value, and in JSON
 *   decimal     number | bigint, unscaled; beyond 38 digits a text               '-12.30'
 *   date        number, days since 1970-01-01                                    '2024-02-29'
 *   time        text                                                             '23:59:59.999', '23:59:59.999999'
 *   timestamp   number | bigint, micros since 1970-01-01; nanos if the reader's  '2024-02-29 12:00:00.000001'
 *   uuid        text                                                             '123e4567-e89b-12d3-a456-426614174000'
 *
 * Years are 1 to 9999; for nanos, those that 64 bits can hold. If the writer's schema has a unit, it is used, so that
 * an instant stays the same.
 *
 * Indexes are asserted with `!`: the loop bounds keep the index inside, and values have at least one byte.
 */
import type { AvroType } from '../schemas/avro-schema.ts'
import { JsonNumber } from '../schemas/avro-schema-json.ts'
import {
  isText,
  type LogicalAttribute,
  type LogicalType,
  logicalType,
  type SecondDigits,
} from '../schemas/logical-type.ts'
import { clockText, dateText } from './calendar.ts'
import { ValueProblem } from './datum-problem.ts'
import { exactLong } from './number-text.ts'
import type { Value } from './record-reader.ts'

type Scalar = Exclude<AvroType, { kind: 'union' | 'record' | 'array' | 'map' | 'enum' }>

export type Convert = (value: Value) => Value

/** Undefined if the type has no logical type, or one that Avro ignores. */
export function logicalOf(type: AvroType): LogicalType | undefined {
  if (type.kind !== 'primitive' && type.kind !== 'fixed') return undefined
  return logicalType(
    type.kind === 'primitive' ? type.primitive : 'fixed',
    type.kind === 'fixed' ? type.size : undefined,
    attributeOf(type),
  )
}

/** Converts a value of the underlying type; undefined if no conversion is needed. */
export function conversion(
  reader: LogicalType,
  writer: LogicalType | undefined,
  base: 'text' | 'other',
  path: string,
  nested: boolean,
): Convert | undefined {
  const asText = nested || isText(reader)
  switch (reader.kind) {
    case 'decimal': {
      const check = decimalReader(reader.precision, path)
      return asText ? (value) => decimalText(check(value), reader.scale) : check
    }
    case 'date': {
      const check = dateReader(path)
      return asText ? (value) => dateText(check(value)) : check
    }
    case 'time':
      return timeReader(writer?.kind === 'time' ? writer.digits : reader.digits, path)
    case 'timestamp': {
      const from = writer?.kind === 'timestamp' ? writer.digits : reader.digits
      const to = reader.digits === 9 ? 9 : 6
      const check = timestampReader(from, to, path)
      return asText ? (value) => timestampText(check(value), to) : check
    }
    case 'uuid':
      return base === 'text' ? undefined : uuidText
  }
}

/** Converts a value of a field of the record itself to its form within other values. */
export function logicalText(type: LogicalType, value: Value): Value {
  if (value === null || isText(type)) return value
  if (type.kind === 'decimal') return decimalText(value as number | bigint, type.scale)
  if (type.kind === 'date') return dateText(value as number)
  if (type.kind === 'timestamp') return timestampText(value as number | bigint, type.digits === 9 ? 9 : 6)
  return value
}

function attributeOf({ properties }: Scalar): LogicalAttribute | undefined {
  const members = new Map(properties)
  const name = members.get('logicalType')
  if (typeof name !== 'string') return undefined
  const whole = (key: string) => {
    const json = members.get(key)
    return json instanceof JsonNumber && /^[0-9]{1,10}$/.test(json.text) ? Number(json.text) : undefined
  }
  const [precision, scale] = [whole('precision'), whole('scale')]
  return {
    name,
    ...(precision !== undefined && { precision }),
    ...(scale !== undefined && { scale }),
  }
}

function decimalReader(precision: number, path: string): (value: Value) => number | bigint {
  const limit = 10n ** BigInt(precision)
  const nearLimit = precision <= 15 ? 10 ** precision : Number.POSITIVE_INFINITY
  const bytesMax = Math.ceil((precision * Math.log2(10) + 1) / 8)
  const tooLong = () => new ValueProblem(`field ${path} has a decimal of more than ${precision} digits`)
  return (value) => {
    const bytes = value as Uint8Array
    if (bytes.length === 0) throw new ValueProblem(`field ${path} has a decimal without bytes`)
    const from = significantFrom(bytes)
    if (bytes.length - from > bytesMax) throw tooLong()
    if (bytes.length - from <= NUMBER_BYTES) {
      const unscaled = smallUnscaled(bytes, from)
      if (Math.abs(unscaled) >= nearLimit) throw tooLong()
      return unscaled
    }
    const hex = Buffer.from(bytes.buffer, bytes.byteOffset + from, bytes.length - from).toString('hex')
    const unscaled = BigInt.asIntN(4 * hex.length, BigInt(`0x${hex}`))
    if (unscaled >= limit || unscaled <= -limit) throw tooLong()
    const near = Number(unscaled)
    return Number.isSafeInteger(near) ? near : unscaled
  }
}

/** A number holds this many bytes exactly. */
const NUMBER_BYTES = 6

function smallUnscaled(bytes: Uint8Array, from: number): number {
  const first = bytes[from]!
  let value = first >= 0x80 ? first - 0x100 : first
  for (let at = from + 1; at < bytes.length; at++) value = value * 0x100 + bytes[at]!
  return value
}

/** The index of the first significant byte of a two's complement: bytes before it only repeat the sign. */
function significantFrom(bytes: Uint8Array): number {
  let from = 0
  const last = bytes.length - 1
  while (from < last && bytes[from] === 0 && bytes[from + 1]! < 0x80) from++
  while (from < last && bytes[from] === 0xff && bytes[from + 1]! >= 0x80) from++
  return from
}

export function decimalText(unscaled: number | bigint, scale: number): string {
  const digits = String(unscaled < 0 ? -unscaled : unscaled).padStart(scale + 1, '0')
  const sign = unscaled < 0 ? '-' : ''
  const point = digits.length - scale
  return scale === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, point)}.${digits.slice(point)}`
}

const DAY_SECONDS = 86_400
const FIRST_DAY = -719_162 // 0001-01-01
const LAST_DAY = 2_932_896 // 9999-12-31
const YEARS = 'the years 1 to 9999'

function dateReader(path: string): (value: Value) => number {
  return (value) => {
    const days = value as number
    if (days >= FIRST_DAY && days <= LAST_DAY) return days
    throw new ValueProblem(`field ${path} has day ${days}, which is not within ${YEARS}`)
  }
}

function timeReader(digits: SecondDigits, path: string): Convert {
  const unit = 10 ** digits
  return (value) => {
    const time = Number(value)
    if (time < 0 || time >= DAY_SECONDS * unit)
      throw new ValueProblem(`field ${path} has time ${time}, which is not within a day`)
    return `${clockText(Math.floor(time / unit))}.${String(time % unit).padStart(digits, '0')}`
  }
}

/** Every count of micros that a number holds exactly is within these limits. */
const FIRST_MICROS = BigInt(FIRST_DAY * DAY_SECONDS) * 1_000_000n
const END_MICROS = BigInt((LAST_DAY + 1) * DAY_SECONDS) * 1_000_000n
/** DuckDB uses the smallest and the largest value for infinity. */
const NANOS_MAX = 2n ** 63n - 2n

function timestampReader(from: SecondDigits, to: 6 | 9, path: string): (value: Value) => number | bigint {
  const outside = (value: Value) =>
    new ValueProblem(
      `field ${path} has timestamp ${value}, which is not within ${to === 9 ? 'the years 1678 to 2261' : YEARS}`,
    )
  if (to === 9) {
    const factor = 10 ** (9 - from)
    return (value) => {
      if (typeof value === 'number' && Number.isSafeInteger(value * factor)) return value * factor
      const nanos = BigInt(value as number | bigint) * BigInt(factor)
      if (nanos > NANOS_MAX || nanos < -NANOS_MAX) throw outside(value)
      return exactLong(nanos)!
    }
  }
  if (from === 9) {
    return (value) =>
      typeof value === 'number' ? Math.floor(value / 1_000) : Number(floorDiv(value as bigint, 1_000n))
  }
  const factor = 10 ** (6 - from)
  return (value) => {
    if (typeof value === 'number' && Number.isSafeInteger(value * factor)) return value * factor
    const micros = BigInt(value as number | bigint) * BigInt(factor)
    if (micros < FIRST_MICROS || micros >= END_MICROS) throw outside(value)
    return exactLong(micros)!
  }
}

function floorDiv(value: bigint, by: bigint): bigint {
  return (value - (((value % by) + by) % by)) / by
}

function timestampText(value: number | bigint, digits: 6 | 9): string {
  const unit = BigInt(10 ** digits)
  const seconds = floorDiv(BigInt(value), unit)
  const day = Math.floor(Number(seconds) / DAY_SECONDS)
  const clock = clockText(Number(seconds) - day * DAY_SECONDS)
  const fraction = String(BigInt(value) - seconds * unit).padStart(digits, '0')
  return `${dateText(day)} ${clock}.${fraction}`
}

function uuidText(value: Value): string {
  const hex = Buffer.from(value as Uint8Array).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
