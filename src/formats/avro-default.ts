/**
 * The default of a field as a value: records that were written without the field have this value.
 *
 *   bytes, fixed   a text whose characters below 256 are the bytes
 *   union          the first branch that the default fits
 *   record         an object; fields that it leaves out have their own defaults
 *   float, double  numbers, and numbers written as texts, as old writers put them there
 *
 * A nullable field without a default is null. That is not a rule of Avro; schemas that were set before this service
 * supported defaults need it.
 *
 * Defaults are computed once per schema. The number of values is limited, because defaults of records within records
 * may double at every level.
 */
import type { AvroField, AvroType, RecordType, UnionType } from '../schemas/avro-schema.ts'
import { isJsonArray, isJsonObject, type Json, JsonNumber } from '../schemas/avro-schema-json.ts'
import { conversion, logicalOf } from './avro-logical.ts'
import { DatumProblem, ValueProblem } from './datum-problem.ts'
import { exactLong } from './number-text.ts'
import type { Value } from './record-reader.ts'

export const DEFAULT_VALUES_MAX = 65_536
const DEFAULT_DEPTH_MAX = 256
/** A text counts as one more value for each of its parts of this many characters. */
const CHARS_PER_VALUE = 64

export interface Default {
  /** Undefined if there is no default that fits the type of the field. */
  readonly value: Value | undefined
  /** Why there is no value. */
  readonly reason: string
  /** The number of values that were made; long texts count as several. */
  readonly weight: number
}

export function defaultOf(field: AvroField, path: string, nested: boolean): Default {
  if (field.default === undefined) {
    const reason = `the event was written without field ${path}, which cannot be null`
    return takesNull(field.type)
      ? { value: null, reason: '', weight: 1 }
      : { value: undefined, reason, weight: 1 }
  }
  const maker = new DefaultMaker(path)
  try {
    const value = maker.value(field.default, field.type, nested, 1)
    return { value, reason: '', weight: maker.weight }
  } catch (problem) {
    if (problem instanceof ValueProblem || problem instanceof DatumProblem)
      return { value: undefined, reason: problem.reason, weight: maker.weight }
    throw problem
  }
}

export function takesNull(type: AvroType): boolean {
  if (type.kind === 'union') return type.branches.some(takesNull)
  return type.kind === 'primitive' && type.primitive === 'null'
}

/** A union of a type and null. */
export function isNullable({ branches }: UnionType): boolean {
  return branches.length === 2 && branches.filter(takesNull).length === 1
}

class DefaultMaker {
  readonly #path: string
  weight = 0

  constructor(path: string) {
    this.#path = path
  }

  value(json: Json, type: AvroType, nested: boolean, depth: number): Value {
    this.#count(1)
    if (depth > DEFAULT_DEPTH_MAX) throw new DatumProblem(`field ${this.#path} has a default that never ends`)
    const logical = logicalOf(type)
    const value = this.#plain(json, type, nested, depth)
    if (logical === undefined) return value
    const base = type.kind === 'primitive' && type.primitive === 'string' ? 'text' : 'other'
    return conversion(logical, undefined, base, this.#path, nested)?.(value) ?? value
  }

  #plain(json: Json, type: AvroType, nested: boolean, depth: number): Value {
    switch (type.kind) {
      case 'primitive':
        return this.#primitive(json, type.primitive)
      case 'enum':
        if (typeof json === 'string' && type.symbols.includes(json)) return json
        throw this.#notA('one of the symbols')
      case 'fixed': {
        const bytes = this.#bytes(json)
        if (bytes.length !== type.size) throw this.#notA(`a fixed of ${type.size} bytes`)
        return bytes
      }
      case 'array':
        if (!isJsonArray(json)) throw this.#notA('an array')
        return json.map((item) => this.value(item, type.items, true, depth + 1))
      case 'map':
        if (!isJsonObject(json)) throw this.#notA('a map')
        return new Map(
          [...json].map(([key, value]) => [key, this.value(value, type.values, true, depth + 1)]),
        )
      case 'record':
        return this.#record(json, type, depth)
      case 'union':
        return this.#union(json, type.branches, nested || !isNullable(type), depth)
    }
  }

  #record(json: Json, { fields }: RecordType, depth: number): Value {
    if (!isJsonObject(json)) throw this.#notA('a record')
    const members = fields.map((field): [string, Value] => {
      const member = json.has(field.name) ? json.get(field.name) : field.default
      if (member === undefined) throw this.#notA(`a record: it has no ${field.name.slice(0, 60)}`)
      return [field.name, this.value(member, field.type, true, depth + 1)]
    })
    return new Map(members)
  }

  #union(json: Json, branches: readonly AvroType[], nested: boolean, depth: number): Value {
    for (const branch of branches) {
      try {
        return this.value(json, branch, nested, depth + 1)
      } catch (problem) {
        if (!(problem instanceof ValueProblem)) throw problem
      }
    }
    throw this.#notA('of the union')
  }

  #primitive(json: Json, primitive: string): Value {
    switch (primitive) {
      case 'null':
        if (json === null) return null
        break
      case 'boolean':
        if (typeof json === 'boolean') return json
        break
      case 'int':
      case 'long': {
        const value = wholeOf(json)
        if (value !== undefined && (primitive === 'long' || value === (Number(value) | 0))) return value
        break
      }
      case 'float':
      case 'double': {
        const value = floatOf(json)
        if (value !== undefined) return primitive === 'float' ? Math.fround(value) : value
        break
      }
      case 'string':
        if (typeof json !== 'string') break
        this.#count(Math.floor(json.length / CHARS_PER_VALUE))
        return json
      case 'bytes':
        return this.#bytes(json)
    }
    throw this.#notA(primitive)
  }

  #bytes(json: Json): Uint8Array {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: all bytes are meant
    if (typeof json !== 'string' || !/^[\u0000-\u00ff]*$/.test(json)) throw this.#notA('bytes')
    this.#count(Math.floor(json.length / CHARS_PER_VALUE))
    return new Uint8Array(Buffer.from(json, 'latin1'))
  }

  #count(values: number): void {
    this.weight += values
    if (this.weight > DEFAULT_VALUES_MAX)
      throw new DatumProblem(`field ${this.#path} has a default of more than ${DEFAULT_VALUES_MAX} values`)
  }

  #notA(what: string): ValueProblem {
    return new ValueProblem(`field ${this.#path} has a default that is not ${what}`)
  }
}

function wholeOf(json: Json): number | bigint | undefined {
  if (!(json instanceof JsonNumber) || !/^-?[0-9]{1,19}$/.test(json.text)) return undefined
  return exactLong(BigInt(json.text))
}

function floatOf(json: Json): number | undefined {
  if (json instanceof JsonNumber) return Number(json.text)
  if (typeof json !== 'string' || json.trim() === '') return undefined
  const value = Number(json)
  return Number.isNaN(value) && json !== 'NaN' ? undefined : value
}
