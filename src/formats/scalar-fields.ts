/** The schemas of formats that find texts in a body: fields of simple types, and perhaps a list as the last field. */
import { isSimpleOrNullableSimple, nonNullable, type RecordSchema, type Schema } from '../schemas/schema.ts'

/** Why a field is not of a simple type or a nullable one; undefined if all fields are. */
export function scalarFieldsProblem(schema: RecordSchema): string | undefined {
  const odd = schema.fields.find((field) => !isSimpleOrNullableSimple(field.schema))
  return odd === undefined ? undefined : `field ${odd.name} is neither of a simple type nor a nullable one`
}

/** The same, but the last field may be a list of texts. */
export function scalarFieldsThenListProblem(schema: RecordSchema): string | undefined {
  const last = schema.fields.at(-1)!
  const fields = isTextList(last.schema) ? schema.fields.slice(0, -1) : schema.fields
  return scalarFieldsProblem({ ...schema, fields })
}

/** An array of strings or of nullable strings, which may itself be nullable. */
export function isTextList(schema: Schema): boolean {
  const list = nonNullable(schema) ?? schema
  return list.type === 'array' && (nonNullable(list.items) ?? list.items).type === 'string'
}
