/** Writes rows as binary Avro datums of the schema that avro-row.ts derives from the columns. */
import type { Value } from '../record-reader.ts'
import {
  ARRAY,
  BOOLEAN,
  BYTES,
  DATE,
  DECIMAL,
  DOUBLE,
  type FieldType,
  FLOAT,
  fieldType,
  MAP,
  ROW,
  STRING,
  TIME,
  TIMESTAMP,
  TIMESTAMP_LTZ,
} from './field-type.ts'
import type { RowColumn, RowWriter } from './row-format.ts'
import { FormatProblem } from './row-options.ts'

const FIRST_BYTES = 1024
const MILLIS_DIGITS = 3
/** Twice such a number is exact. */
const NUMBER_MAX = 2 ** 51

export class AvroRowWriter implements RowWriter {
  readonly contentType = 'avro/binary'
  readonly #types: readonly FieldType[]
  readonly #nullable: readonly boolean[]
  #bytes = Buffer.allocUnsafe(FIRST_BYTES)
  #length = 0

  constructor(columns: readonly RowColumn[]) {
    this.#types = columns.map(({ name, type }) => fieldType(type, name))
    this.#nullable = columns.map(({ nullable }) => nullable)
  }

  write(values: readonly Value[]): Uint8Array {
    this.#length = 0
    for (let index = 0; index < this.#types.length; index++) {
      const type = this.#types[index]!
      const value = values[index]!
      if (this.#nullable[index]) this.#nullableValue(type, value)
      else if (value === null) throw new FormatProblem(`column ${type.path} has no value, and is NOT NULL`)
      else this.#value(type, value)
    }
    return new Uint8Array(this.#bytes.subarray(0, this.#length))
  }

  #nullableValue(type: FieldType, value: Value): void {
    this.#long(value === null ? 0 : 1)
    if (value !== null) this.#value(type, value)
  }

  #value(type: FieldType, value: Exclude<Value, null>): void {
    switch (type.kind) {
      case BOOLEAN:
        this.#reserve(1)
        this.#bytes[this.#length++] = value ? 1 : 0
        return
      case FLOAT:
        this.#reserve(4)
        this.#length = this.#bytes.writeFloatLE(value as number, this.#length)
        return
      case DOUBLE:
        this.#reserve(8)
        this.#length = this.#bytes.writeDoubleLE(value as number, this.#length)
        return
      case DECIMAL:
        this.#sized(twosComplement(BigInt(value as number | bigint)))
        return
      case STRING:
        this.#sized(Buffer.from(value as string, 'utf8'))
        return
      case BYTES:
        this.#sized(value as Uint8Array)
        return
      case DATE:
        this.#long(value as number)
        return
      case TIME:
        this.#long(Math.floor((value as number) / 1_000))
        return
      case TIMESTAMP:
      case TIMESTAMP_LTZ:
        this.#long(type.precision <= MILLIS_DIGITS ? millis(value as number | bigint) : (value as number))
        return
      case ARRAY: {
        const items = value as readonly Value[]
        if (items.length > 0) this.#long(items.length)
        for (const item of items) this.#nullableValue(type.items!, item)
        this.#long(0)
        return
      }
      case MAP: {
        const map = value as ReadonlyMap<string, Value>
        if (map.size > 0) this.#long(map.size)
        for (const [key, item] of map) {
          this.#sized(Buffer.from(key, 'utf8'))
          this.#nullableValue(type.items!, item)
        }
        this.#long(0)
        return
      }
      case ROW: {
        const row = value as ReadonlyMap<string, Value>
        for (let index = 0; index < type.names.length; index++) {
          this.#nullableValue(type.fields[index]!, row.get(type.names[index]!) ?? null)
        }
        return
      }
      default:
        this.#long(value as number | bigint)
        return
    }
  }

  #long(value: number | bigint): void {
    this.#reserve(10)
    if (typeof value === 'bigint' || value > NUMBER_MAX || value < -NUMBER_MAX) {
      this.#bigLong(BigInt(value))
      return
    }
    let left = value >= 0 ? value * 2 : -value * 2 - 1
    while (left >= 0x80) {
      this.#bytes[this.#length++] = (left % 0x80) + 0x80
      left = Math.floor(left / 0x80)
    }
    this.#bytes[this.#length++] = left
  }

  #bigLong(value: bigint): void {
    let left = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    while (left >= 0x80n) {
      this.#bytes[this.#length++] = Number(left & 0x7fn) | 0x80
      left >>= 7n
    }
    this.#bytes[this.#length++] = Number(left)
  }

  #sized(bytes: Uint8Array): void {
    this.#long(bytes.length)
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#length + bytes))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}

function millis(micros: number | bigint): number {
  if (typeof micros === 'number') return Math.floor(micros / 1_000)
  const rest = ((micros % 1_000n) + 1_000n) % 1_000n
  return Number((micros - rest) / 1_000n)
}

/** Big-endian, with as few bytes as hold the sign. */
function twosComplement(value: bigint): Uint8Array {
  let bytes = 1
  while (BigInt.asIntN(8 * bytes, value) !== value) bytes++
  const hex = BigInt.asUintN(8 * bytes, value).toString(16)
  return Buffer.from(hex.padStart(2 * bytes, '0'), 'hex')
}
