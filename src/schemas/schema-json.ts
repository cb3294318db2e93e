/**
 * The JSON form of schemas: parsed JSON -> Schema, and Schema -> canonical text.
 *
 *   schema:  "string"                                            a simple type, or a record defined before, by name
 *            ["string", "null"]                                  a union
 *            {"type":"int"}                                      the same as "int"
 *            {"type":"record","name":…,"fields":[{"name":…,"type":schema},…]}
 *            {"type":"array","items":schema}
 *            {"type":"map","keys":schema,"values":schema}        without keys they are strings, as in Avro
 *            {"type":"enum","symbols":[…]}
 *
 * Type words are read in any case and members in any order; unknown ones (doc, default, namespace) are skipped. The
 * canonical text is minified, with members in the order above. It is kept in the catalog: changing it is a decision.
 *
 * A record name means its latest definition so far, and simple type words win over record names.
 */
import { type Field, type RecordSchema, type Schema, SIMPLE_TYPES, type SimpleType } from './schema.ts'

/** Schemas within schemas; each step is one call deep. Beyond any table anyone queries. */
export const SCHEMA_DEPTH_MAX = 32

/** The JSON is not a schema. The message says where, as a path from the top: `$.fields.age.type`. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
}

/**
 * Reads a schema from parsed JSON, in which objects may be Maps or plain objects. Rejects with SchemaError whatever is
 * not a schema.
 */
export function parseSchema(json: unknown): Schema {
  return parse(json, '$', 1, new Map())
}

/** Reads a schema from strict JSON text, such as what printSchema has printed. */
export function parseSchemaText(text: string): Schema {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new SchemaError('the schema is not JSON', { cause })
  }
  return parseSchema(json)
}

/** The canonical text: two schemas that mean the same have the same one. */
export function printSchema(schema: Schema): string {
  return print(schema, new Map())
}

type Records = Map<string, RecordSchema>

function parse(json: unknown, path: string, depth: number, records: Records): Schema {
  if (depth > SCHEMA_DEPTH_MAX)
    throw new SchemaError(`${path} is nested deeper than ${SCHEMA_DEPTH_MAX} schemas`)
  if (typeof json === 'string') return parseWord(json, path, records)
  if (Array.isArray(json)) return parseUnion(json, path, depth, records)
  const members = membersOf(json)
  if (members === undefined) throw new SchemaError(`${path} is not a type word, an object or a union`)
  const type = members.get('type')
  if (typeof type !== 'string') throw new SchemaError(`${path} has no "type" that is a text`)
  switch (type.toLowerCase()) {
    case 'record':
      return parseRecord(members, path, depth, records)
    case 'array':
      return { type: 'array', items: parse(members.get('items'), `${path}.items`, depth + 1, records) }
    case 'map':
      return {
        type: 'map',
        keys: parse(members.get('keys') ?? 'string', `${path}.keys`, depth + 1, records),
        values: parse(members.get('values'), `${path}.values`, depth + 1, records),
      }
    case 'enum':
      return { type: 'enum', symbols: parseSymbols(members.get('symbols'), path) }
    default:
      return parseWord(type, path, records)
  }
}

function parseWord(word: string, path: string, records: Records): Schema {
  const type = word.toLowerCase()
  if ((SIMPLE_TYPES as readonly string[]).includes(type)) return { type: type as SimpleType }
  const record = records.get(word)
  if (record === undefined) {
    throw new SchemaError(`${path} is '${word}', which is neither a type nor a record defined before`)
  }
  return record
}

function parseUnion(members: readonly unknown[], path: string, depth: number, records: Records): Schema {
  if (members.length === 0) throw new SchemaError(`${path} is a union without members`)
  return {
    type: 'union',
    members: members.map((member, index) => parse(member, `${path}[${index}]`, depth + 1, records)),
  }
}

function parseRecord(
  members: ReadonlyMap<string, unknown>,
  path: string,
  depth: number,
  records: Records,
): RecordSchema {
  const name = members.get('name')
  if (typeof name !== 'string' || name === '') throw new SchemaError(`${path} is a record without a name`)
  const fieldList = members.get('fields')
  if (!Array.isArray(fieldList) || fieldList.length === 0) {
    throw new SchemaError(`${path} is a record without fields`)
  }
  const fields: Field[] = []
  const record: RecordSchema = { type: 'record', name, fields }
  records.set(name, record) // before its fields, which may refer to it
  const fieldNames = new Set<string>()
  for (const [index, fieldJson] of fieldList.entries()) {
    const field = parseField(fieldJson, `${path}.fields`, index, depth, records)
    if (fieldNames.has(field.name)) throw new SchemaError(`${path} has two fields '${field.name}'`)
    fieldNames.add(field.name)
    fields.push(field)
  }
  return record
}

function parseField(json: unknown, path: string, index: number, depth: number, records: Records): Field {
  const members = membersOf(json)
  const name = members?.get('name')
  if (members === undefined || typeof name !== 'string' || name === '') {
    throw new SchemaError(`${path}[${index}] is not a field with a name`)
  }
  return { name, schema: parse(members.get('type'), `${path}.${name}.type`, depth + 1, records) }
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

/** The members of a JSON object: those of a Map, or the own ones of any other object. Undefined for anything else. */
function membersOf(json: unknown): ReadonlyMap<string, unknown> | undefined {
  if (json instanceof Map) return json
  return typeof json === 'object' && json !== null ? new Map(Object.entries(json)) : undefined
}

function print(schema: Schema, printed: Records): string {
  switch (schema.type) {
    case 'record': {
      // Printed before under this name, and no other since: the name is enough, and the only way out of a cycle.
      if (printed.get(schema.name) === schema) return JSON.stringify(schema.name)
      printed.set(schema.name, schema)
      const fields = schema.fields.map(
        (field) => `{"name":${JSON.stringify(field.name)},"type":${print(field.schema, printed)}}`,
      )
      return `{"type":"record","name":${JSON.stringify(schema.name)},"fields":[${fields.join(',')}]}`
    }
    case 'array':
      return `{"type":"array","items":${print(schema.items, printed)}}`
    case 'map':
      return `{"type":"map","keys":${print(schema.keys, printed)},"values":${print(schema.values, printed)}}`
    case 'enum':
      return `{"type":"enum","symbols":${JSON.stringify(schema.symbols)}}`
    case 'union':
      return `[${schema.members.map((member) => print(member, printed)).join(',')}]`
    default:
      return `"${schema.type}"`
  }
}
