/**
 * The definition of a format: how the body of an event is read as a record of a schema. Schemas and settings are
 * checked when a stream or a view is configured; unknown settings are accepted. The contract of readers is in
 * record-reader.ts.
 */
import type { RecordSchema } from '../schemas/schema.ts'
import type { RecordReader, RequestedFields } from './record-reader.ts'

export type FormatName = 'avro' | 'clf' | 'csv' | 'grok' | 'json' | 'syslog' | 'text' | 'tsv'

export type FormatSettings = ReadonlyMap<string, string>

export interface Format {
  readonly name: FormatName
  /** The schema if the client gives none. A format without a default requires a schema. */
  readonly defaultSchema?: RecordSchema
  /** Settings that apply unless the client gives others. */
  readonly defaultSettings: FormatSettings
  /** Why the format cannot read records of this schema, or undefined if it can. */
  schemaProblem(schema: RecordSchema): string | undefined
  /** Why the format cannot work with these settings, defaults included, or undefined if it can. */
  settingsProblem(settings: FormatSettings, schema: RecordSchema): string | undefined
  /** The text in which a schema is stored; by default, that of the dialect. */
  readonly printSchema?: (schema: RecordSchema) => string
  /** Creates a reader. Schema and settings, with defaults, must have been checked. */
  reader(schema: RecordSchema, settings: FormatSettings, wanted: RequestedFields): RecordReader
}

export const NO_SETTINGS: FormatSettings = new Map()
