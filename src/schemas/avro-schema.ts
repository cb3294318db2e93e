/**
 * The writer schema of an Avro file as a graph: names are resolved, and the constant size of each type is known.
 *
 * It rejects schemas that a Java reader of container files rejects: undefined or repeated names, unions inside unions
 * or with two branches of one name, a fixed without a size. As in Java, the characters of names are not checked,
 * because files exist whose writers did not check them either. It is more lenient than Java in one case: `{"type": X}`
 * around any schema X is X.
 */
import { AvroProblem } from './avro-problem.ts'
import {
  isJsonArray,
  isJsonObject,
  type Json,
  type JsonArray,
  JsonNumber,
  type JsonObject,
  parseJson,
} from './avro-schema-json.ts'

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const
export type PrimitiveName = (typeof PRIMITIVES)[number]

export interface AvroName {
  readonly name: string
  /** '' means no namespace. */
  readonly namespace: string
}

/** Members of the JSON that Avro's encoding does not use, in their order, such as logical types. */
export type Properties = readonly (readonly [name: string, value: Json])[]

interface Typed {
  /** The size of every value of this type, if all values have the same size. */
  readonly constantBytes: number | undefined
  readonly properties: Properties
}

interface Named {
  readonly name: AvroName
  readonly doc: string | undefined
  /** Without duplicates. An alias without a namespace has the namespace of `name`. */
  readonly aliases: readonly AvroName[]
}

export interface PrimitiveType extends Typed {
  readonly kind: 'primitive'
  readonly primitive: PrimitiveName
}

/** Mutable while its fields are read, because they may refer to it. */
export interface RecordType extends Named {
  readonly kind: 'record'
  readonly error: boolean
  properties: Properties
  aliases: readonly AvroName[]
  fields: readonly AvroField[]
  constantBytes: number | undefined
  /**
   * If exactly one field takes bytes, the type of that field: its values have the same bytes. Following this link keeps
   * a chain of records in records from costing more steps than it has bytes.
   */
  sameBytesAs: AvroType | undefined
  /** Whether the schema refers to the type by name, so that its code must be callable. */
  mentioned: boolean
}

export interface EnumType extends Typed, Named {
  readonly kind: 'enum'
  readonly symbols: readonly string[]
}

export interface FixedType extends Typed, Named {
  readonly kind: 'fixed'
  readonly size: number
}

export interface ArrayType extends Typed {
  readonly kind: 'array'
  readonly items: AvroType
}

export interface MapType extends Typed {
  readonly kind: 'map'
  readonly values: AvroType
}

export interface UnionType extends Typed {
  readonly kind: 'union'
  readonly branches: readonly AvroType[]
}

export type NamedType = RecordType | EnumType | FixedType
export type AvroType = PrimitiveType | NamedType | ArrayType | MapType | UnionType

export interface AvroField {
  readonly name: string
  readonly type: AvroType
  readonly doc: string | undefined
  readonly default: Json | undefined
  readonly order: 'ascending' | 'descending' | 'ignore'
  readonly aliases: readonly string[]
  readonly properties: Properties
}

/** Throws AvroProblem if the text is not JSON or not a schema. */
export function parseSchema(text: string): AvroType {
  return new SchemaReader().schema(parseJson(text), '')
}

export function fullName(name: AvroName): string {
  return name.namespace === '' ? name.name : `${name.namespace}.${name.name}`
}

const FIXED_BYTES_MAX = 2 ** 31 - 1 // as in Java, where it is an int
const QUOTED_LENGTH_MAX = 100 // characters of the client's schema that a message quotes

const TYPE_WORDS: ReadonlySet<string> = new Set([
  ...['type', 'name', 'namespace', 'doc', 'aliases'],
  ...['fields', 'symbols', 'size', 'items', 'values'],
])
const FIELD_WORDS: ReadonlySet<string> = new Set(['name', 'type', 'doc', 'default', 'order', 'aliases'])
const ORDERS = ['ascending', 'descending', 'ignore'] as const

const PRIMITIVE_BYTES: Record<PrimitiveName, number | undefined> = {
  null: 0,
  boolean: 1,
  int: undefined,
  long: undefined,
  float: 4,
  double: 8,
  bytes: undefined,
  string: undefined,
}

class SchemaReader {
  readonly #named = new Map<string, NamedType>()

  /** `namespace` is that of the enclosing definition. */
  schema(json: Json, namespace: string): AvroType {
    if (typeof json === 'string') return this.#mention(json, namespace)
    if (isJsonArray(json)) return this.#union(json, namespace)
    if (isJsonObject(json)) return this.#object(json, namespace)
    throw new AvroProblem(`a schema must be a name, an object or an array, not ${quoted(json)}`)
  }

  #mention(text: string, namespace: string): AvroType {
    if (isPrimitive(text)) return primitiveType(text, [])
    // If the enclosing namespace does not have a name without dots, Java looks for it without a namespace too.
    const type = this.#named.get(fullName(parseName(text, namespace))) ?? this.#named.get(text)
    if (type === undefined) throw new AvroProblem(`the schema does not define the name ${quoted(text)}`)
    if (type.kind === 'record') type.mentioned = true
    return type
  }

  #union(json: JsonArray, namespace: string): UnionType {
    const branches = json.map((branch) => this.schema(branch, namespace))
    const names = new Set<string>()
    for (const branch of branches) {
      if (branch.kind === 'union') throw new AvroProblem('a union may not hold a union')
      const name = branchName(branch)
      if (names.has(name)) throw new AvroProblem(`a union holds the type ${quoted(name)} twice`)
      names.add(name)
    }
    return { kind: 'union', branches, properties: [], constantBytes: undefined }
  }

  #object(json: JsonObject, namespace: string): AvroType {
    const type = json.get('type')
    if (type === undefined) throw new AvroProblem('a schema object has no "type"')
    if (typeof type !== 'string') return this.schema(type, namespace)
    const properties = otherMembers(json, TYPE_WORDS)
    if (isPrimitive(type)) return primitiveType(type, properties)
    switch (type) {
      case 'array': {
        const items = this.schema(required(json, 'items', 'an array'), namespace)
        return { kind: 'array', items, properties, constantBytes: undefined }
      }
      case 'map': {
        const values = this.schema(required(json, 'values', 'a map'), namespace)
        return { kind: 'map', values, properties, constantBytes: undefined }
      }
      case 'record':
      case 'error':
        return this.#record(json, type === 'error', properties, namespace)
      case 'enum':
        return this.#define(enumType(json, properties, namespace))
      case 'fixed':
        return this.#define(fixedType(json, properties, namespace))
      default:
        return this.#mention(type, namespace)
    }
  }

  #define<T extends NamedType>(type: T): T {
    const name = fullName(type.name)
    if (isPrimitive(name)) throw new AvroProblem(`a type may not be named ${quoted(name)}, a primitive type`)
    if (this.#named.has(name)) throw new AvroProblem(`the schema defines the name ${quoted(name)} twice`)
    this.#named.set(name, type)
    return type
  }

  #record(json: JsonObject, error: boolean, properties: Properties, namespace: string): RecordType {
    const record: RecordType = this.#define({
      kind: 'record',
      ...namedMembers(json, error ? 'an error' : 'a record', namespace),
      error,
      properties,
      fields: [],
      constantBytes: undefined,
      sameBytesAs: undefined,
      mentioned: false,
    })
    const fields = required(json, 'fields', 'a record')
    if (!isJsonArray(fields))
      throw new AvroProblem(`the fields of record ${quoted(fullName(record.name))} are no array`)
    record.fields = fields.map((field) => this.#field(field, record.name.namespace))
    refuseTwins(record)
    settleSize(record)
    return record
  }

  #field(json: Json, namespace: string): AvroField {
    if (!isJsonObject(json)) throw new AvroProblem(`a field must be an object, not ${quoted(json)}`)
    const name = requiredText(json, 'name', 'a field')
    return {
      name,
      type: this.schema(required(json, 'type', `field ${quoted(name)}`), namespace),
      doc: optionalText(json, 'doc'),
      default: json.get('default'),
      order: fieldOrder(json, name),
      aliases: aliasTexts(json),
      properties: otherMembers(json, FIELD_WORDS),
    }
  }
}

function primitiveType(primitive: PrimitiveName, properties: Properties): PrimitiveType {
  return { kind: 'primitive', primitive, properties, constantBytes: PRIMITIVE_BYTES[primitive] }
}

function enumType(json: JsonObject, properties: Properties, namespace: string): EnumType {
  const named = namedMembers(json, 'an enum', namespace)
  const symbols = required(json, 'symbols', 'an enum')
  if (!isJsonArray(symbols) || !symbols.every((symbol) => typeof symbol === 'string')) {
    throw new AvroProblem(`the symbols of enum ${quoted(named.name.name)} are no array of strings`)
  }
  if (new Set(symbols).size < symbols.length) {
    throw new AvroProblem(`enum ${quoted(named.name.name)} has the same symbol twice`)
  }
  return { kind: 'enum', ...named, symbols, properties, constantBytes: undefined }
}

function fixedType(json: JsonObject, properties: Properties, namespace: string): FixedType {
  const named = namedMembers(json, 'a fixed', namespace)
  const written = required(json, 'size', 'a fixed')
  const size =
    written instanceof JsonNumber && /^[0-9]+$/.test(written.text) ? Number(written.text) : Number.NaN
  if (!(size <= FIXED_BYTES_MAX)) {
    throw new AvroProblem(
      `the size of fixed ${quoted(named.name.name)} is no whole number up to ${FIXED_BYTES_MAX}`,
    )
  }
  return { kind: 'fixed', ...named, size, properties, constantBytes: size }
}

function namedMembers(json: JsonObject, what: string, enclosing: string): Named {
  const name = parseName(requiredText(json, 'name', what), optionalText(json, 'namespace') ?? enclosing)
  const aliases = new Map<string, AvroName>()
  for (const text of aliasTexts(json)) {
    const alias = parseName(text, name.namespace)
    if (!aliases.has(fullName(alias))) aliases.set(fullName(alias), alias)
  }
  return { name, doc: optionalText(json, 'doc'), aliases: [...aliases.values()] }
}

function parseName(text: string, namespace: string): AvroName {
  const dot = text.lastIndexOf('.')
  if (dot < 0) return { name: text, namespace }
  return { name: text.slice(dot + 1), namespace: text.slice(0, dot) }
}

function refuseTwins(record: RecordType): void {
  const names = new Set<string>()
  for (const { name } of record.fields) {
    if (names.has(name))
      throw new AvroProblem(`record ${quoted(fullName(record.name))} has field ${quoted(name)} twice`)
    names.add(name)
  }
}

/** All fields are known here, except records that contain this one; this record has no constant size then. */
function settleSize(record: RecordType): void {
  let total: number | undefined = 0
  const sized: AvroType[] = []
  for (const { type } of record.fields) {
    total = total === undefined || type.constantBytes === undefined ? undefined : total + type.constantBytes
    if (type.constantBytes !== 0) sized.push(type)
  }
  record.constantBytes = total
  if (sized.length !== 1) return
  record.sameBytesAs = withoutWrapping(sized[0]!)
  if (record.sameBytesAs === record) {
    const name = quoted(fullName(record.name))
    throw new AvroProblem(`record ${name} always holds another one of itself, so no value of it ever ends`)
  }
}

/** Follows records that only wrap one type. Each has a link to the end of its chain, except while it is being read. */
export function withoutWrapping(type: AvroType): AvroType {
  return type.kind === 'record' && type.sameBytesAs !== undefined ? withoutWrapping(type.sameBytesAs) : type
}

function branchName(type: Exclude<AvroType, UnionType>): string {
  if (type.kind === 'primitive') return type.primitive
  if (type.kind === 'array' || type.kind === 'map') return type.kind
  return fullName(type.name)
}

function fieldOrder(json: JsonObject, field: string): AvroField['order'] {
  const written = json.get('order')
  if (written === undefined) return 'ascending'
  const order = ORDERS.find((known) => typeof written === 'string' && known === written.toLowerCase())
  if (order === undefined) {
    throw new AvroProblem(
      `the order of field ${quoted(field)} is ${quoted(written)}; use ascending, descending or ignore`,
    )
  }
  return order
}

function aliasTexts(json: JsonObject): readonly string[] {
  const aliases = json.get('aliases') ?? []
  if (!isJsonArray(aliases) || !aliases.every((alias) => typeof alias === 'string')) {
    throw new AvroProblem('"aliases" must be an array of strings')
  }
  return [...new Set(aliases)]
}

function otherMembers(json: JsonObject, words: ReadonlySet<string>): Properties {
  return [...json].filter(([name]) => !words.has(name))
}

function required(json: JsonObject, member: string, what: string): Json {
  const value = json.get(member)
  if (value === undefined) throw new AvroProblem(`${what} has no "${member}"`)
  return value
}

function requiredText(json: JsonObject, member: string, what: string): string {
  const text = optionalText(json, member)
  if (text === undefined) throw new AvroProblem(`${what} has no "${member}" that is a string`)
  return text
}

/** Java ignores a `doc` or `namespace` that is not a string. */
function optionalText(json: JsonObject, member: string): string | undefined {
  const value = json.get(member)
  return typeof value === 'string' ? value : undefined
}

function isPrimitive(text: string): text is PrimitiveName {
  return (PRIMITIVES as readonly string[]).includes(text)
}

function quoted(json: Json): string {
  const text = json instanceof JsonNumber ? json.text : JSON.stringify(json)
  return text.length > QUOTED_LENGTH_MAX ? `${text.slice(0, QUOTED_LENGTH_MAX)}…` : text
}
