/**
 * Schemas as text, minified, with members in a fixed order. The catalog stores this text: changing it is a decision.
 *
 *   printSchema       the CDAP dialect: {"type","name","fields":[{"name","type"}]}, enums without a name
 *   printAvroSchema   with all members that Avro uses; the same text for a schema that has none of them
 *
 *   {"type":"record","name","namespace"?,"aliases"?,"fields":[{"name","type","default"?,"aliases"?}]}
 *   {"type":"enum","name"?,"namespace"?,"aliases"?,"symbols","default"?}
 *   {"type":"fixed","name","namespace"?,"aliases"?,"size", logical?}
 *   {"type":"int", logical?}     logical: "logicalType","precision"?,"scale"?
 */
import type { LogicalAttribute } from './logical-type.ts'
import type { AvroNaming, Field, NamedSchema, RecordSchema, Schema } from './schema.ts'

/** Schemas with the same meaning have the same text. */
export function printSchema(schema: Schema): string {
  return print(schema, new Map())
}

export function printAvroSchema(schema: Schema): string {
  return new AvroPrinter().schema(schema, '')
}

function print(schema: Schema, printed: Map<string, RecordSchema>): string {
  switch (schema.type) {
    case 'record': {
      // Printed already, and no other record of this name since: the name is enough. It is also what ends a cycle.
      if (printed.get(schema.name) === schema) return text(schema.name)
      printed.set(schema.name, schema)
      const fields = schema.fields.map(
        (field) => `{"name":${text(field.name)},"type":${print(field.schema, printed)}}`,
      )
      return `{"type":"record","name":${text(schema.name)},"fields":[${fields.join(',')}]}`
    }
    case 'array':
      return `{"type":"array","items":${print(schema.items, printed)}}`
    case 'map':
      return `{"type":"map","keys":${print(schema.keys, printed)},"values":${print(schema.values, printed)}}`
    case 'enum':
      return `{"type":"enum","symbols":${JSON.stringify(schema.symbols)}}`
    case 'union':
      return `[${schema.members.map((member) => print(member, printed)).join(',')}]`
    case 'fixed':
      return `{"type":"fixed","name":${text(schema.name)},"size":${schema.size}}`
    default:
      return `"${schema.type}"`
  }
}

class AvroPrinter {
  /** The latest type that was printed, by full name. */
  readonly #latest = new Map<string, NamedSchema>()
  readonly #names = new Map<NamedSchema, string>()

  /** `namespace` is that of the enclosing definition. */
  schema(schema: Schema, namespace: string): string {
    switch (schema.type) {
      case 'array':
        return `{"type":"array","items":${this.schema(schema.items, namespace)}}`
      case 'map':
        return `{"type":"map","keys":${this.schema(schema.keys, namespace)},"values":${this.schema(schema.values, namespace)}}`
      case 'union':
        return `[${schema.members.map((member) => this.schema(member, namespace)).join(',')}]`
      case 'record':
      case 'enum':
      case 'fixed':
        return this.#named(schema, namespace)
      default:
        return schema.logical === undefined
          ? `"${schema.type}"`
          : `{"type":"${schema.type}"${logicalMembers(schema.logical)}}`
    }
  }

  #named(schema: NamedSchema, namespace: string): string {
    const known = this.#names.get(schema)
    if (known !== undefined && this.#latest.get(known) === schema) return text(seenFrom(namespace, known))
    const name = fullNameOf(schema.name ?? '', schema.namespace, namespace)
    if (schema.name !== undefined) {
      this.#names.set(schema, name)
      this.#latest.set(name, schema)
    }
    return `{"type":"${schema.type}"${namingMembers(schema)}${this.#content(schema, namespaceOf(name))}}`
  }

  #content(schema: NamedSchema, namespace: string): string {
    switch (schema.type) {
      case 'record':
        return `,"fields":[${schema.fields.map((field) => this.#field(field, namespace)).join(',')}]`
      case 'enum': {
        const symbol = schema.default === undefined ? '' : `,"default":${text(schema.default)}`
        return `,"symbols":${JSON.stringify(schema.symbols)}${symbol}`
      }
      case 'fixed':
        return `,"size":${schema.size}${schema.logical === undefined ? '' : logicalMembers(schema.logical)}`
    }
  }

  #field(field: Field, namespace: string): string {
    const value = field.default === undefined ? '' : `,"default":${field.default}`
    return `{"name":${text(field.name)},"type":${this.schema(field.schema, namespace)}${value}${aliasMember(field.aliases)}}`
  }
}

/** The full name of a name in a definition whose enclosing namespace is `enclosing`. */
export function fullNameOf(name: string, namespace: string | undefined, enclosing: string): string {
  if (name.includes('.')) return name
  const own = namespace ?? enclosing
  return own === '' ? name : `${own}.${name}`
}

export function namespaceOf(fullName: string): string {
  return fullName.slice(0, Math.max(0, fullName.lastIndexOf('.')))
}

function seenFrom(namespace: string, fullName: string): string {
  return namespaceOf(fullName) === namespace ? fullName.slice(fullName.lastIndexOf('.') + 1) : fullName
}

function namingMembers({ name, namespace, aliases }: AvroNaming & { readonly name?: string }): string {
  const named = name === undefined ? '' : `,"name":${text(name)}`
  const spaced = namespace === undefined ? '' : `,"namespace":${text(namespace)}`
  return `${named}${spaced}${aliasMember(aliases)}`
}

function aliasMember(aliases: readonly string[] | undefined): string {
  return aliases === undefined ? '' : `,"aliases":${JSON.stringify(aliases)}`
}

function logicalMembers({ name, precision, scale }: LogicalAttribute): string {
  const digits = precision === undefined ? '' : `,"precision":${precision}`
  return `,"logicalType":${text(name)}${digits}${scale === undefined ? '' : `,"scale":${scale}`}`
}

function text(value: string): string {
  return JSON.stringify(value)
}
