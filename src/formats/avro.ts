/**
 * Avro: the body is one binary datum. It is converted to the given schema by Avro's rules of resolution. There is no
 * default schema and no setting. The event determines the schema that the datum was written in: see avro-reader.ts.
 *
 * The schema has to be valid in Avro, which is stricter than the dialect: keys of maps are strings, names are
 * identifiers, a name is defined once, a union contains no union and each kind of value once, and an enum has a name.
 */
import { clipped } from '../schemas/avro-attributes.ts'
import { AvroProblem } from '../schemas/avro-problem.ts'
import { parseSchema, type RecordType } from '../schemas/avro-schema.ts'
import type { Field, NamedSchema, RecordSchema, Schema } from '../schemas/schema.ts'
import { fullNameOf, namespaceOf, printAvroSchema } from '../schemas/schema-print.ts'
import { AvroReader } from './avro-reader.ts'
import { type Format, NO_SETTINGS } from './format.ts'

export const avro: Format = {
  name: 'avro',
  defaultSettings: NO_SETTINGS,
  schemaProblem: (schema) => new SchemaCheck().problem(schema, '$', '') ?? parseProblem(schema),
  settingsProblem: () => undefined,
  reader: (schema, _settings, wanted) =>
    new AvroReader(parseSchema(printAvroSchema(schema)) as RecordType, wanted),
  printSchema: printAvroSchema,
}

/** Finds errors that SchemaCheck does not look for, such as a record that always contains another one of itself. */
function parseProblem(schema: RecordSchema): string | undefined {
  try {
    parseSchema(printAvroSchema(schema))
    return undefined
  } catch (error) {
    if (error instanceof AvroProblem) return error.message
    throw error
  }
}

const FIELD_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
/** A type name may begin with a namespace. */
const TYPE_NAME = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/
const NAME_RULE = 'use letters, digits and _, no digit first'

/** Finds the first part of the schema that Avro would reject. Returns a sentence with its place. */
class SchemaCheck {
  readonly #defined = new Set<string>()
  readonly #fullNames = new Map<NamedSchema, string>()

  /** `namespace` is that of the enclosing definition. */
  problem(schema: Schema, path: string, namespace: string): string | undefined {
    switch (schema.type) {
      case 'record':
      case 'enum':
      case 'fixed':
        return this.#namedProblem(schema, path, namespace)
      case 'array':
        return this.problem(schema.items, `${path}.items`, namespace)
      case 'map':
        return schema.keys.type === 'string'
          ? this.problem(schema.values, `${path}.values`, namespace)
          : `${path} is a map with keys other than strings; leave "keys" out`
      case 'union':
        return this.#unionProblem(schema.members, path, namespace)
      default:
        return undefined
    }
  }

  #namedProblem(schema: NamedSchema, path: string, enclosing: string): string | undefined {
    const { name } = schema
    if (name === undefined) return `${path} is an enum without a name, which Avro needs; add "name"`
    if (this.#fullNames.has(schema)) return undefined // referred to by name
    const fullName = fullNameOf(name, schema.namespace, enclosing)
    if (this.#defined.has(fullName))
      return `${path} defines the name '${clipped(fullName)}' a second time; use another, or the name alone`
    if (!TYPE_NAME.test(fullName))
      return `${path} has the name '${clipped(fullName)}', which is none in Avro; ${NAME_RULE}`
    if (schema.flaw !== undefined) return `${path} ${schema.flaw}`
    this.#defined.add(fullName)
    this.#fullNames.set(schema, fullName)
    if (schema.type !== 'record') return undefined
    return firstProblem(schema.fields, (field) => this.#fieldProblem(field, path, namespaceOf(fullName)))
  }

  #fieldProblem({ name, schema, flaw }: Field, path: string, namespace: string): string | undefined {
    const at = `${path}.fields.${clipped(name)}`
    if (!FIELD_NAME.test(name)) {
      return `${at} has a name that is none in Avro; ${NAME_RULE}, and list the one it was written with in "aliases"`
    }
    if (flaw !== undefined) return `${at} ${flaw}`
    return this.problem(schema, `${at}.type`, namespace)
  }

  #unionProblem(members: readonly Schema[], path: string, namespace: string): string | undefined {
    const kinds = new Set<string>()
    return firstProblem(members, (member, index) => {
      if (member.type === 'union')
        return `${path}[${index}] is a union in a union; put its members in the outer one`
      const kind = this.#kindOf(member, namespace)
      if (kinds.has(kind)) return `${path} is a union that holds ${clipped(kind)} twice; leave one out`
      kinds.add(kind)
      return this.problem(member, `${path}[${index}]`, namespace)
    })
  }

  #kindOf(schema: Schema, namespace: string): string {
    if (!('name' in schema) || schema.name === undefined) return schema.type
    const fullName = this.#fullNames.get(schema) ?? fullNameOf(schema.name, schema.namespace, namespace)
    return `${schema.type} ${fullName}`
  }
}

function firstProblem<T>(
  values: readonly T[],
  find: (value: T, index: number) => string | undefined,
): string | undefined {
  for (const [index, value] of values.entries()) {
    const found = find(value, index)
    if (found !== undefined) return found
  }
  return undefined
}
