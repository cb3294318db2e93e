/**
 * What a format is: a way to read the body of an event as a record of a schema. Which schemas and settings make sense is
 * decided when a stream or a view is configured; no settings are refused for being unknown. How bodies are read is
 * record-reader.ts.
 */
import type { RecordSchema } from '../schemas/schema.ts'
import type { RecordReader, RequestedFields } from './record-reader.ts'

export type FormatName = 'avro' | 'clf' | 'csv' | 'grok' | 'json' | 'syslog' | 'text' | 'tsv'

export type FormatSettings = ReadonlyMap<string, string>

export interface Format {
  readonly name: FormatName
  /** Used if the client gives no schema; a format without a default requires one. */
  readonly defaultSchema?: RecordSchema
  /** Settings that hold unless the client gives others. */
  readonly defaultSettings: FormatSettings
  /** Why the format cannot read records of this schema, or undefined if it can. */
  schemaProblem(schema: RecordSchema): string | undefined
  /** Why the format cannot work with these settings, defaults included, or undefined if it can. */
  settingsProblem(settings: FormatSettings, schema: RecordSchema): string | undefined
  /** The text that is kept of a schema; without it, that of the dialect. */
  readonly printSchema?: (schema: RecordSchema) => string
  /** A reader for a schema and settings that have been checked, defaults included. */
  reader(schema: RecordSchema, settings: FormatSettings, wanted: RequestedFields): RecordReader
}

export const NO_SETTINGS: FormatSettings = new Map()
