/**
 * What a format is: a way to read the body of an event as a record of a schema. This is the half that is decided when a
 * stream or a view is configured: which schemas and settings make sense. No settings are refused for being unknown.
 */
import type { RecordSchema } from '../schemas/schema.ts'

export type FormatName = 'avro' | 'clf' | 'csv' | 'grok' | 'syslog' | 'text' | 'tsv'

export type FormatSettings = ReadonlyMap<string, string>

export interface Format {
  readonly name: FormatName
  /** The schema of whoever gives none; a format without one needs to be given a schema. */
  readonly defaultSchema?: RecordSchema
  /** Settings that hold unless the client gives others. */
  readonly defaultSettings: FormatSettings
  /** Why the format cannot read records of this schema, or undefined if it can. */
  schemaProblem(schema: RecordSchema): string | undefined
  /** Why the format cannot work with these settings, defaults included, or undefined if it can. */
  settingsProblem(settings: FormatSettings, schema: RecordSchema): string | undefined
}

export const NO_SETTINGS: FormatSettings = new Map()
