/**
 * JSON: the body is one object in UTF-8. Its members become the fields of the same names, in any order; other members
 * are ignored. There is no default schema and no setting. All schemas of the dialect can be read, with nested records,
 * except maps whose keys are not strings: see json-reader.ts.
 */
import type { RecordSchema, Schema } from '../schemas/schema.ts'
import { type Format, NO_SETTINGS } from './format.ts'
import { JsonReader } from './json-reader.ts'

export const json: Format = {
  name: 'json',
  defaultSettings: NO_SETTINGS,
  schemaProblem: (schema) => problem(schema, new Set()),
  settingsProblem: () => undefined,
  reader: (schema, _settings, wanted) => new JsonReader(schema, wanted),
}

function problem(schema: Schema, seen: Set<RecordSchema>): string | undefined {
  switch (schema.type) {
    case 'record':
      if (seen.has(schema)) return undefined
      seen.add(schema)
      return firstProblem(
        schema.fields.map((field) => field.schema),
        seen,
      )
    case 'array':
      return problem(schema.items, seen)
    case 'map':
      return schema.keys.type === 'string'
        ? problem(schema.values, seen)
        : 'a map has keys other than strings'
    case 'union':
      return firstProblem(schema.members, seen)
    case 'fixed':
      return `${schema.name} is a fixed, which is Avro's alone; use bytes`
    default:
      return undefined
  }
}

function firstProblem(schemas: readonly Schema[], seen: Set<RecordSchema>): string | undefined {
  for (const schema of schemas) {
    const found = problem(schema, seen)
    if (found !== undefined) return found
  }
  return undefined
}
