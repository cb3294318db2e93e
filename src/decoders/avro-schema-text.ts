/**
 * A writer schema as Java Avro's `Schema.toString()` prints it. This text is the `schema` header, and its hash is
 * computed from it. Equal schemas that were written with other spacing or member order have the same text.
 *
 *   record, error: type name namespace? doc? fields, other members, aliases?
 *   field:         name type doc? default? order? aliases?, other members
 *   enum:          type name namespace? doc? symbols, other members, aliases?
 *   fixed:         type name namespace? doc? size, other members, aliases?
 *   array, map:    type items|values, other members
 *   primitive:     "int", or {"type":"int", other members} if there are any
 *
 * A namespace is printed where it differs from the enclosing one ("" for no namespace inside one). A type that was
 * printed before is referred to by name. `order` is printed only if it is not ascending. Numbers are printed as Java
 * holds them: whole numbers with all digits at any length, others as doubles (1.0 stays 1.0, 1.50 becomes 1.5, 1e10
 * becomes 1.0E10).
 *
 * Where versions of Java Avro differ, the printed text is one that reads back as the same schema: other members of
 * every JSON type are kept (Avro 1.6 keeps strings only, and would lose the precision of a decimal), and the namespace
 * of an enum or fixed does not change the types after it. Known differences: a lone surrogate is escaped, where Java's
 * UTF-8 has a `?`; JDKs before 19 print a few doubles with more digits than needed.
 */
import {
  type AvroField,
  type AvroName,
  type AvroType,
  fullName,
  type NamedType,
  type Properties,
} from '../schemas/avro-schema.ts'
import { isJsonArray, isJsonObject, type Json, JsonNumber } from '../schemas/avro-schema-json.ts'

export function schemaText(schema: AvroType): string {
  return new SchemaPrinter().schema(schema, '')
}

type Member = readonly [name: string, json: string]

class SchemaPrinter {
  readonly #printed = new Set<string>()

  schema(type: AvroType, namespace: string): string {
    switch (type.kind) {
      case 'primitive': {
        const name = text(type.primitive)
        return type.properties.length === 0 ? name : object([['type', name], ...others(type.properties)])
      }
      case 'union':
        return array(type.branches.map((branch) => this.schema(branch, namespace)))
      case 'array':
        return object([
          ['type', text('array')],
          ['items', this.schema(type.items, namespace)],
          ...others(type.properties),
        ])
      case 'map':
        return object([
          ['type', text('map')],
          ['values', this.schema(type.values, namespace)],
          ...others(type.properties),
        ])
      default:
        return this.#named(type, namespace)
    }
  }

  #named(type: NamedType, namespace: string): string {
    const name = fullName(type.name)
    if (this.#printed.has(name)) return text(nameSeenFrom(namespace, type.name))
    this.#printed.add(name)
    const members: Member[] = [
      ['type', text(type.kind === 'record' && type.error ? 'error' : type.kind)],
      ['name', text(type.name.name)],
    ]
    if (type.name.namespace !== namespace) members.push(['namespace', text(type.name.namespace)])
    if (type.doc !== undefined) members.push(['doc', text(type.doc)])
    members.push(this.#content(type), ...others(type.properties))
    if (type.aliases.length > 0) {
      const aliases = type.aliases.map((alias) => text(nameSeenFrom(type.name.namespace, alias)))
      members.push(['aliases', array(aliases)])
    }
    return object(members)
  }

  #content(type: NamedType): Member {
    if (type.kind === 'enum') return ['symbols', array(type.symbols.map(text))]
    if (type.kind === 'fixed') return ['size', String(type.size)]
    return ['fields', array(type.fields.map((field) => this.#field(field, type.name.namespace)))]
  }

  #field(field: AvroField, namespace: string): string {
    const members: Member[] = [
      ['name', text(field.name)],
      ['type', this.schema(field.type, namespace)],
    ]
    if (field.doc !== undefined) members.push(['doc', text(field.doc)])
    if (field.default !== undefined) members.push(['default', defaultText(field.default, field.type)])
    if (field.order !== 'ascending') members.push(['order', text(field.order)])
    if (field.aliases.length > 0) members.push(['aliases', array(field.aliases.map(text))])
    return object([...members, ...others(field.properties)])
  }
}

function nameSeenFrom(namespace: string, name: AvroName): string {
  return name.namespace === namespace ? name.name : fullName(name)
}

/** Old writers put the default of a float or double in quotes. Java prints the number. */
function defaultText(value: Json, type: AvroType): string {
  const floating = type.kind === 'primitive' && (type.primitive === 'float' || type.primitive === 'double')
  if (floating && typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value))) {
    return doubleText(Number(value))
  }
  return jsonText(value)
}

function others(properties: Properties): Member[] {
  return properties.map(([name, value]) => [name, jsonText(value)])
}

function jsonText(value: Json): string {
  if (typeof value === 'string') return text(value)
  if (value instanceof JsonNumber) return numberText(value.text)
  if (isJsonArray(value)) return array(value.map(jsonText))
  if (isJsonObject(value)) return object([...value].map(([name, member]) => [name, jsonText(member)]))
  return String(value)
}

function object(members: readonly Member[]): string {
  return `{${members.map(([name, json]) => `${text(name)}:${json}`).join(',')}}`
}

function array(items: readonly string[]): string {
  return `[${items.join(',')}]`
}

/** Escapes as Jackson does: like JSON.stringify, but with hexadecimal digits of control characters in upper case. */
function text(value: string): string {
  return JSON.stringify(value).replace(/\\\\|\\u00[01][0-9a-f]/g, (sequence) =>
    sequence === '\\\\' ? sequence : `\\u${sequence.slice(2).toUpperCase()}`,
  )
}

function numberText(written: string): string {
  if (/[.eE]/.test(written)) return doubleText(Number(written))
  return written === '-0' ? '0' : written
}

/** Java's Double.toString: without exponent from 0.001 up to 10 million, else as in `1.0E10`; always with a fraction. */
function doubleText(value: number): string {
  if (!Number.isFinite(value)) return text(String(value))
  const magnitude = Math.abs(value)
  if (magnitude === 0) return Object.is(value, -0) ? '-0.0' : '0.0'
  if (magnitude >= 1e-3 && magnitude < 1e7) return withFraction(String(value))
  const [digits, exponent] = value.toExponential().split('e') as [string, string]
  return `${withFraction(digits)}E${Number(exponent)}`
}

function withFraction(digits: string): string {
  return digits.includes('.') ? digits : `${digits}.0`
}
