/** A field of the record itself as JSON: a value of a logical type is a text, as it is within arrays, maps and records. */
import { logicalType } from '../schemas/logical-type.ts'
import { nonNullable, type Schema } from '../schemas/schema.ts'
import { logicalText } from './avro-logical.ts'
import type { Value } from './record-reader.ts'
import { valueJson } from './value-json.ts'

export function fieldJson(schema: Schema, value: Value): string {
  const inner = nonNullable(schema) ?? schema
  if (!('logical' in inner)) return valueJson(value)
  const size = inner.type === 'fixed' ? inner.size : undefined
  const type = logicalType(inner.type, size, inner.logical)
  return valueJson(type === undefined ? value : logicalText(type, value))
}
