/**
 * The JSON form of schemas: parsed JSON -> Schema. schema-print.ts converts schemas back to JSON.
 *
 *   schema:  "string"                                            a simple type, or the name of a type defined before
 *            ["string", "null"]                                  a union
 *            {"type":"int"}                                      the same as "int"
 *            {"type":schema}                                     the same as that schema
 *            {"type":"record","name":…,"fields":[{"name":…,"type":schema},…]}
 *            {"type":"array","items":schema}
 *            {"type":"map","keys":schema,"values":schema}        without keys they are strings, as in Avro
 *            {"type":"enum","symbols":[…]}                       and a name, in Avro
 *            {"type":"fixed","name":…,"size":…}                  in Avro only
 *
 * Type words are accepted in any case and members in any order. Members that only Avro uses are kept
 * (avro-attributes.ts); members that no reader uses (doc, order, others) are skipped.
 *
 * A name refers to its latest definition so far: the one in the enclosing namespace, else the one with exactly this
 * text. Type words in lower case have priority over names, and names over type words in another case.
 */
import {
  aliasesOf,
  avroNaming,
  enumDefault,
  fieldDefault,
  logicalAttribute,
  wholeNumber,
} from './avro-attributes.ts'
import { AvroProblem } from './avro-problem.ts'
import { parseJson } from './avro-schema-json.ts'
import {
  type EnumSchema,
  type Field,
  type FixedSchema,
  type NamedSchema,
  type RecordSchema,
  type Schema,
  SIMPLE_TYPES,
  type SimpleType,
} from './schema.ts'
import { fullNameOf, namespaceOf } from './schema-print.ts'

export { printAvroSchema, printSchema } from './schema-print.ts'

/** Nesting of schemas. Each level is one recursive call. No real table is nested this deep. */
export const SCHEMA_DEPTH_MAX = 32

/** The JSON is not a schema. The message has the place, as a path from the top: `$.fields.age.type`. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
}

/**
 * Reads a schema from parsed JSON, in which objects may be Maps or plain objects, and numbers may be objects that keep
 * their text. Throws SchemaError if the JSON is not a schema.
 */
export function parseSchema(json: unknown): Schema {
  return new SchemaReader().schema(json, '$', { depth: 1, namespace: '', isTop: true })
}

/** Reads a schema from strict JSON text, such as the output of printSchema. */
export function parseSchemaText(text: string): Schema {
  try {
    // JSON.parse would round some numbers in a default.
    return parseSchema(text.includes('"default"') ? parseJson(text) : JSON.parse(text))
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof AvroProblem)
      throw new SchemaError('the schema is not JSON', { cause })
    throw cause
  }
}

const TYPE_WORDS: ReadonlySet<string> = new Set([
  ...SIMPLE_TYPES,
  ...['record', 'error', 'array', 'map', 'enum', 'fixed'],
])

interface Around {
  readonly depth: number
  /** The schema is the whole JSON, or only objects `{"type":schema}` are around it. */
  readonly isTop: boolean
  /** The namespace of the enclosing definition. */
  readonly namespace: string
}

class SchemaReader {
  readonly #named = new Map<string, NamedSchema>()

  schema(json: unknown, path: string, around: Around): Schema {
    if (around.depth > SCHEMA_DEPTH_MAX)
      throw new SchemaError(`${path} is nested deeper than ${SCHEMA_DEPTH_MAX} schemas`)
    if (typeof json === 'string') return this.#word(json, path, around.namespace)
    const inner = { ...around, depth: around.depth + 1, isTop: false }
    if (Array.isArray(json)) return this.#union(json, path, inner)
    const members = membersOf(json)
    if (members === undefined) throw new SchemaError(`${path} is not a type word, an object or a union`)
    const type = members.get('type')
    if (Array.isArray(type) || membersOf(type) !== undefined)
      return this.schema(type, `${path}.type`, { ...inner, isTop: around.isTop })
    if (typeof type !== 'string') throw new SchemaError(`${path} has no "type" that is a text`)
    if (this.#find(type, around.namespace) !== undefined) return this.#word(type, path, around.namespace)
    switch (type.toLowerCase()) {
      case 'record':
      case 'error':
        return this.#record(members, path, around)
      case 'array':
        return { type: 'array', items: this.schema(members.get('items'), `${path}.items`, inner) }
      case 'map':
        return {
          type: 'map',
          keys: this.schema(members.get('keys') ?? 'string', `${path}.keys`, inner),
          values: this.schema(members.get('values'), `${path}.values`, inner),
        }
      case 'enum':
        return this.#enum(members, path, around.namespace)
      case 'fixed':
        return this.#fixed(members, path, around.namespace)
      default:
        return this.#word(type, path, around.namespace, members)
    }
  }

  #word(word: string, path: string, namespace: string, members?: ReadonlyMap<string, unknown>): Schema {
    const named = this.#find(word, namespace)
    if (named !== undefined) return named
    const type = word.toLowerCase()
    if ((SIMPLE_TYPES as readonly string[]).includes(type)) {
      return { type: type as SimpleType, ...(members !== undefined && logicalAttribute(members)) }
    }
    throw new SchemaError(`${path} is '${word}', which is neither a type nor a record defined before`)
  }

  #find(word: string, namespace: string): NamedSchema | undefined {
    if (TYPE_WORDS.has(word)) return undefined
    return this.#named.get(fullNameOf(word, undefined, namespace)) ?? this.#named.get(word)
  }

  #union(members: readonly unknown[], path: string, inner: Around): Schema {
    if (members.length === 0) throw new SchemaError(`${path} is a union without members`)
    return {
      type: 'union',
      members: members.map((member, index) => this.schema(member, `${path}[${index}]`, inner)),
    }
  }

  #record(members: ReadonlyMap<string, unknown>, path: string, around: Around): RecordSchema {
    const name = nameOf(members, path, 'record')
    const fieldList = members.get('fields')
    if (!Array.isArray(fieldList) || (fieldList.length === 0 && around.isTop)) {
      throw new SchemaError(`${path} is a record without fields`)
    }
    const fields: Field[] = []
    const record: RecordSchema = { type: 'record', name, ...avroNaming(members), fields }
    // The record is defined before its fields are read, because they may refer to it.
    const fullName = this.#define(record, name, around.namespace)
    const inner = { depth: around.depth + 1, namespace: namespaceOf(fullName), isTop: false }
    const fieldNames = new Set<string>()
    for (const [index, fieldJson] of fieldList.entries()) {
      const field = this.#field(fieldJson, `${path}.fields`, index, inner)
      if (fieldNames.has(field.name)) throw new SchemaError(`${path} has two fields '${field.name}'`)
      fieldNames.add(field.name)
      fields.push(field)
    }
    return record
  }

  #field(json: unknown, path: string, index: number, inner: Around): Field {
    const members = membersOf(json)
    const name = members?.get('name')
    if (members === undefined || typeof name !== 'string' || name === '') {
      throw new SchemaError(`${path}[${index}] is not a field with a name`)
    }
    const schema = this.schema(members.get('type'), `${path}.${name}.type`, inner)
    return { name, schema, ...fieldDefault(members), ...aliasesOf(members) }
  }

  #enum(members: ReadonlyMap<string, unknown>, path: string, namespace: string): EnumSchema {
    const symbols = parseSymbols(members.get('symbols'), path)
    const name = members.get('name')
    const isNamed = typeof name === 'string' && name !== ''
    const schema: EnumSchema = {
      type: 'enum',
      ...(isNamed && { name }),
      ...avroNaming(members),
      symbols,
      ...enumDefault(members, symbols),
    }
    if (isNamed) this.#define(schema, name, namespace)
    return schema
  }

  #fixed(members: ReadonlyMap<string, unknown>, path: string, namespace: string): FixedSchema {
    const name = nameOf(members, path, 'fixed')
    const size = wholeNumber(members.get('size'))
    if (size === undefined)
      throw new SchemaError(`${path} is a fixed whose size is no whole number from 0 to 2147483647`)
    const schema: FixedSchema = {
      type: 'fixed',
      name,
      ...avroNaming(members),
      size,
      ...logicalAttribute(members),
    }
    this.#define(schema, name, namespace)
    return schema
  }

  /** Returns the full name. */
  #define(schema: NamedSchema, name: string, enclosing: string): string {
    const fullName = fullNameOf(name, schema.namespace, enclosing)
    this.#named.set(name, schema)
    this.#named.set(fullName, schema)
    return fullName
  }
}

function nameOf(members: ReadonlyMap<string, unknown>, path: string, what: string): string {
  const name = members.get('name')
  if (typeof name !== 'string' || name === '') throw new SchemaError(`${path} is a ${what} without a name`)
  return name
}

function parseSymbols(json: unknown, path: string): readonly string[] {
  if (!Array.isArray(json) || json.length === 0) throw new SchemaError(`${path} is an enum without symbols`)
  const symbols = new Set<string>()
  for (const symbol of json as readonly unknown[]) {
    if (typeof symbol !== 'string') throw new SchemaError(`${path}.symbols holds something other than text`)
    if (symbols.has(symbol)) throw new SchemaError(`${path}.symbols holds '${symbol}' twice`)
    symbols.add(symbol)
  }
  return [...symbols]
}

/** The members of a JSON object: those of a Map, or the own members of another object. Undefined for other values. */
function membersOf(json: unknown): ReadonlyMap<string, unknown> | undefined {
  if (json instanceof Map) return json
  return typeof json === 'object' && json !== null ? new Map(Object.entries(json)) : undefined
}
