/**
 * Values of ARRAY, MAP and ROW between formats and the engine. Into the engine they go as JSON text, which a view casts to
 * the type of the column; out of it they come as the library's values.
 */
import type {
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
} from '@duckdb/node-api'
import type { Value } from '../../formats/record-reader.ts'
import { bytesText, valueJson } from '../../formats/value-json.ts'
import type { DataType } from '../../sql/data-types.ts'

export function isNested({ kind }: DataType): boolean {
  return kind === 'ARRAY' || kind === 'MAP' || kind === 'ROW'
}

/** JSON whose cast to the type of the column gives the value. */
export function engineJson(type: DataType, value: Value): string {
  if (value === null) return 'null'
  switch (type.kind) {
    case 'ARRAY':
      return `[${(value as readonly Value[]).map((item) => engineJson(type.element, item)).join(',')}]`
    case 'MAP':
      return membersJson(value as ReadonlyMap<string, Value>, () => type.value)
    case 'ROW': {
      const types = new Map(type.fields.map((field) => [field.name, field.type]))
      return membersJson(value as ReadonlyMap<string, Value>, (name) => types.get(name)!)
    }
    case 'BYTES':
    case 'BINARY':
    case 'VARBINARY':
      return JSON.stringify(bytesText(value as Uint8Array))
    case 'DECIMAL':
      return `"${decimalText(BigInt(value as number | bigint), type.scale)}"`
    case 'DATE':
      return `"${new Date((value as number) * DAY_MS).toISOString().slice(0, 10)}"`
    case 'TIME':
      return `"${timestampText(value as number).slice(11)}"`
    case 'TIMESTAMP':
      return `"${timestampText(value as number | bigint)}"`
    case 'TIMESTAMP_LTZ':
      return `"${timestampText(value as number | bigint)}+00"`
    default:
      return valueJson(value).replace(LONE_SURROGATE, '\\ufffd')
  }
}

const DAY_MS = 86_400_000
/** JSON.stringify writes half of a surrogate pair as an escape, which the engine does not read. */
const LONE_SURROGATE = /(?<=(?:^|[^\\])(?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g

function membersJson(map: ReadonlyMap<string, Value>, typeOf: (name: string) => DataType): string {
  const members: string[] = []
  for (const [name, value] of map)
    members.push(
      `${JSON.stringify(name).replace(LONE_SURROGATE, '\\ufffd')}:${engineJson(typeOf(name), value)}`,
    )
  return `{${members.join(',')}}`
}

function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const sign = unscaled < 0n ? '-' : ''
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** `2021-10-11 12:53:09.277000` in UTC. Years beyond 9999 and before 1 are not reached by any format. */
function timestampText(micros: number | bigint): string {
  const all = BigInt(micros)
  const fraction = ((all % 1_000_000n) + 1_000_000n) % 1_000_000n
  const seconds = Number((all - fraction) / 1_000_000n)
  const text = new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')
  return `${text}.${fraction.toString().padStart(6, '0')}`
}

const SAFE = BigInt(Number.MAX_SAFE_INTEGER)

/** A number while that is exact. */
export function numberOf(value: bigint): number | bigint {
  return value <= SAFE && value >= -SAFE ? Number(value) : value
}

/** A value of the library as a value of the type. */
export function typedValue(type: DataType, value: unknown): Value {
  if (value === null || value === undefined) return null
  switch (type.kind) {
    case 'ARRAY':
      return (value as DuckDBListValue).items.map((item) => typedValue(type.element, item))
    case 'MAP':
      return new Map(
        (value as DuckDBMapValue).entries.map(({ key, value: inner }) => [
          String(key),
          typedValue(type.value, inner),
        ]),
      )
    case 'ROW': {
      const { entries } = value as DuckDBStructValue
      return new Map(type.fields.map((field) => [field.name, typedValue(field.type, entries[field.name])]))
    }
    case 'BYTES':
    case 'BINARY':
    case 'VARBINARY':
      return (value as DuckDBBlobValue).bytes
    case 'DECIMAL':
      return numberOf((value as DuckDBDecimalValue).value)
    case 'DATE':
      return (value as DuckDBDateValue).days
    case 'TIME':
      return numberOf((value as DuckDBTimeValue).micros)
    case 'TIMESTAMP':
    case 'TIMESTAMP_LTZ':
      return numberOf((value as DuckDBTimestampValue).micros)
    default:
      return typeof value === 'bigint' ? numberOf(value) : (value as Value)
  }
}
