/** Reads bodies through a format, as a query would: the specification is checked, a reader is opened, values come out. */
import type { EventHeaders, FormatError, RecordReader, Value } from '../../src/formats/record-reader.ts'
import { openReader, resolveFormat } from '../../src/formats/specification.ts'
import type { RecordSchema } from '../../src/schemas/schema.ts'
import { parseSchema } from '../../src/schemas/schema-json.ts'

export interface FormatUse {
  readonly format: string
  /** JSON of a schema, or the fields of a record as pairs of name and JSON of a type. */
  readonly schema?: object | readonly (readonly [name: string, type: unknown])[]
  readonly settings?: Readonly<Record<string, string>>
  /** Names; without it all fields. */
  readonly wanted?: readonly string[]
}

export type Body = string | Uint8Array

export class TestReader {
  readonly schema: RecordSchema
  readonly names: readonly string[]
  readonly reader: RecordReader

  constructor({ format, schema, settings = {}, wanted }: FormatUse) {
    const json = Array.isArray(schema) ? recordJson(schema) : schema
    const resolved = resolveFormat(
      format,
      json === undefined ? undefined : parseSchema(json),
      new Map(Object.entries(settings)),
    )
    this.schema = resolved.schema
    const all = resolved.schema.fields.map((field) => field.name)
    this.names = wanted ?? all
    this.reader = openReader(
      resolved,
      this.names.map((name) => all.indexOf(name)),
    )
  }

  /** The values by name, or the reason. The body stands amidst other bytes, as it does in a block. */
  read(body: Body, headers: EventHeaders = []): Record<string, Value> | string {
    const values: Value[] = []
    const error = this.into(values, body, headers)
    if (error !== undefined) return error.reason
    return Object.fromEntries(this.names.map((name, index) => [name, values[index]!]))
  }

  into(values: Value[], body: Body, headers: EventHeaders = []): FormatError | undefined {
    const before = Buffer.from('9,"9\n')
    const bytes = Buffer.concat([before, Buffer.from(body as string), Buffer.from('7"]}7,7 7\n')])
    const end = bytes.length - 10
    return this.reader.read(bytes, before.length, end, headers, values)
  }
}

export function recordJson(fields: readonly (readonly [name: string, type: unknown])[]): object {
  return { type: 'record', name: 'event', fields: fields.map(([name, type]) => ({ name, type })) }
}

export function optional(type: unknown): unknown {
  return [type, 'null']
}

export const LIST = { type: 'array', items: 'string' }
