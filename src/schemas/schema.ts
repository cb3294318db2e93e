/**
 * The schema of records, as formats and SQL see it: the CDAP dialect of Avro's schemas.
 *
 * It differs from Avro: maps have a key schema, enums need no name, and names may be any text. What Avro has besides
 * (namespaces, aliases, defaults, logical types, fixed) is kept as it was written, for the format avro; the others
 * ignore it. A type that is referred to by name, inside its own definition included, is the very same object at every
 * place, so a schema may hold cycles and a walk over it must remember which records it has seen.
 */
import type { LogicalAttribute } from './logical-type.ts'

export type SimpleType = 'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string'

export interface SimpleSchema {
  readonly type: SimpleType
  readonly logical?: LogicalAttribute
}

/** What Avro knows of a type with a name, as it was written. */
export interface AvroNaming {
  readonly namespace?: string
  readonly aliases?: readonly string[]
  /** Why Avro rejects the type, as a sentence without its subject. Only the format avro reads it. */
  readonly flaw?: string
}

export interface EnumSchema extends AvroNaming {
  readonly type: 'enum'
  readonly name?: string
  /** What a symbol is read as that is not in the list. */
  readonly default?: string
  /** At least one, each once. */
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

/** Avro's alone. */
export interface FixedSchema extends AvroNaming {
  readonly type: 'fixed'
  readonly name: string
  readonly size: number
  readonly logical?: LogicalAttribute
}

export interface RecordSchema extends AvroNaming {
  readonly type: 'record'
  readonly name: string
  /** Each name once, case-sensitively; at least one, save in a record within another. */
  readonly fields: readonly Field[]
}

export interface UnionSchema {
  readonly type: 'union'
  /** At least one. */
  readonly members: readonly Schema[]
}

export interface Field {
  readonly name: string
  readonly schema: Schema
  /** What a record has that was written without the field, as JSON. */
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
 * What a nullable schema is when it is not null: `string` of `["string","null"]`, in either order. Undefined if the
 * schema is not nullable, which means a union of exactly two members of which exactly one is null.
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

/** The order that CDAP prints: the type first, then null. */
export function nullable(schema: Schema): UnionSchema {
  return { type: 'union', members: [schema, simple('null')] }
}

export function arrayOf(items: Schema): ArraySchema {
  return { type: 'array', items }
}

export function recordOf(name: string, fields: Readonly<Record<string, Schema>>): RecordSchema {
  return { type: 'record', name, fields: Object.entries(fields).map(([name, schema]) => ({ name, schema })) }
}
