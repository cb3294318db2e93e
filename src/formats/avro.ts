/**
 * Avro: the body is one binary datum, read into the schema given by Avro's rules of resolution. There is no default
 * schema and no setting. Which schema the datum was written in is the event's business: see avro-reader.ts.
 *
 * The schema has to mean something in Avro, which knows less than the dialect: keys of maps are strings, names are
 * identifiers, a record is defined once, a union holds no union and each kind of value once. An enum needs a name there
 * and has none here, so none is allowed: CDAP refuses them, too.
 */
import { AvroProblem } from '../schemas/avro-problem.ts'
import { parseSchema } from '../schemas/avro-schema.ts'
import type { RecordSchema, Schema } from '../schemas/schema.ts'
import { printSchema } from '../schemas/schema-json.ts'
import { AvroReader } from './avro-reader.ts'
import { type Format, NO_SETTINGS } from './format.ts'

export const avro: Format = {
  name: 'avro',
  defaultSettings: NO_SETTINGS,
  schemaProblem: (schema) => problem(schema, new Map()) ?? endlessProblem(schema),
  settingsProblem: () => undefined,
  reader: (schema, _settings, wanted) => new AvroReader(schema, wanted),
}

/** A record that always holds another one of itself, which no datum can be. */
function endlessProblem(schema: RecordSchema): string | undefined {
  try {
    parseSchema(printSchema(schema))
    return undefined
  } catch (error) {
    if (error instanceof AvroProblem) return error.message
    throw error
  }
}

const FIELD_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
/** Records may be in a namespace, written before the name. */
const RECORD_NAME = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/

function problem(schema: Schema, seen: Map<string, RecordSchema>): string | undefined {
  switch (schema.type) {
    case 'record':
      return recordProblem(schema, seen)
    case 'array':
      return problem(schema.items, seen)
    case 'map':
      return schema.keys.type === 'string'
        ? problem(schema.values, seen)
        : 'a map has keys other than strings'
    case 'union':
      return unionProblem(schema.members, seen)
    case 'enum':
      return 'an enum has no name, which Avro needs'
    default:
      return undefined
  }
}

function recordProblem(record: RecordSchema, seen: Map<string, RecordSchema>): string | undefined {
  const known = seen.get(record.name)
  if (known === record) return undefined // referred to by name
  if (known !== undefined) return `record ${record.name} is defined twice`
  if (!RECORD_NAME.test(record.name)) return `'${record.name}' is not a name in Avro`
  seen.set(record.name, record)
  return firstProblem(record.fields, ({ name, schema }) =>
    FIELD_NAME.test(name) ? problem(schema, seen) : `'${name}' is not a name in Avro`,
  )
}

function unionProblem(members: readonly Schema[], seen: Map<string, RecordSchema>): string | undefined {
  const kinds = new Set<string>()
  return firstProblem(members, (member) => {
    if (member.type === 'union') return 'a union holds a union'
    const kind = member.type === 'record' ? `record ${member.name}` : member.type
    if (kinds.has(kind)) return `a union holds ${kind} twice`
    kinds.add(kind)
    return problem(member, seen)
  })
}

function firstProblem<T>(values: readonly T[], find: (value: T) => string | undefined): string | undefined {
  for (const value of values) {
    const found = find(value)
    if (found !== undefined) return found
  }
  return undefined
}
