/**
 * The schema of records, for formats and SQL: the CDAP dialect of Avro's schemas.
 *
 * It differs from Avro: maps have a key schema, enums need no name, and names may be any text. The additional
 * attributes of Avro (namespaces, aliases, defaults, logical types, fixed) are kept as they were written, for the
 * format avro; other formats ignore them. A reference by name, also one inside the definition itself, is the same
 * object as the definition. So a schema may contain cycles, and code that walks it must remember the records it has
 * visited.
 */
import type { LogicalAttribute } from './logical-type.ts'

export type SimpleType = 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string'

export interface SimpleSchema {
  readonly type: SimpleType
  readonly logical?: LogicalAttribute
}

/** The attributes that Avro has for named types, as they were written. */
export interface AvroNaming {
  readonly namespace?: string
  readonly aliases?: readonly string[]
  /** Why Avro rejects the type, as a sentence without its subject. Only the format avro uses it. */
  readonly flaw?: string
}

export interface EnumSchema extends AvroNaming {
  readonly type: 'enum'
  readonly name?: string
  /** The symbol that replaces a symbol which is not in the list. */
  readonly default?: string
  /** At least one symbol, each once. */
  readonly symbols: readonly string[]
}

export interface ArraySchema {
  readonly type: 'array'
  readonly items: Schema
}

export interface MapSchema {
  readonly type: 'map'
  readonly keys: Schema
  readonly values: Schema
}

/** Only Avro has this type. */
export interface FixedSchema extends AvroNaming {
  readonly type: 'fixed'
  readonly name: string
  readonly size: number
  readonly logical?: LogicalAttribute
}

export interface RecordSchema extends AvroNaming {
  readonly type: 'record'
  readonly name: string
  /** Each name once, case-sensitively. At least one field, except in a record within another. */
  readonly fields: readonly Field[]
}

export interface UnionSchema {
  readonly type: 'union'
  /** At least one member. */
  readonly members: readonly Schema[]
}

export interface Field {
  readonly name: string
  readonly schema: Schema
  /** The value of the field, as JSON, for a record that was written without it. */
  readonly default?: string
  readonly aliases?: readonly string[]
  readonly flaw?: string
}

export type NamedSchema = RecordSchema | EnumSchema | FixedSchema
export type Schema = SimpleSchema | ArraySchema | MapSchema | UnionSchema | NamedSchema

export const SIMPLE_TYPES: readonly SimpleType[] = [
  'null',
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'bytes',
  'string',
]

/**
 * The schema of the values that are not null: `string` for `["string","null"]`, in either order. Undefined if the
 * schema is not nullable. A nullable schema is a union of exactly two members of which exactly one is null.
 */
export function nonNullable(schema: Schema): Schema | undefined {
  if (schema.type !== 'union' || schema.members.length !== 2) return undefined
  const [first, second] = schema.members as readonly [Schema, Schema]
  if (first.type === 'null') return second.type === 'null' ? undefined : second
  return second.type === 'null' ? first : undefined
}

export function isSimple(schema: Schema): schema is SimpleSchema {
  return (SIMPLE_TYPES as readonly string[]).includes(schema.type)
}

/** A simple schema, or a nullable one. */
export function isSimpleOrNullableSimple(schema: Schema): boolean {
  return isSimple(nonNullable(schema) ?? schema)
}

export function simple(type: SimpleType): SimpleSchema {
  return { type }
}

/** In the order of CDAP: the type first, then null. */
export function nullable(schema: Schema): UnionSchema {
  return { type: 'union', members: [schema, simple('null')] }
}

export function arrayOf(items: Schema): ArraySchema {
  return { type: 'array', items }
}

export function recordOf(name: string, fields: Readonly<Record<string, Schema>>): RecordSchema {
  return { type: 'record', name, fields: Object.entries(fields).map(([name, schema]) => ({ name, schema })) }
}
