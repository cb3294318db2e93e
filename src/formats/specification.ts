/**
 * Checks the format that a client requests and completes it: name + schema? + settings -> FormatSpecification, which
 * always has a schema. The messages are those of CDAP; the cause of the error has the details.
 */
import type { RecordSchema, Schema } from '../schemas/schema.ts'
import { printSchema } from '../schemas/schema-json.ts'
import { ServiceError } from '../service-error.ts'
import type { Format, FormatSettings } from './format.ts'
import type { FormatSpecification } from './format-specification.ts'
import { findFormat } from './index.ts'
import { allFields, type RecordReader, type RequestedFields } from './record-reader.ts'

/** A specification in the form that a reader of bodies needs. */
export interface ResolvedFormat {
  readonly format: Format
  readonly schema: RecordSchema
  /** The settings of the specification, with the format's defaults for the others. */
  readonly settings: FormatSettings
}

/**
 * The specification in the form that is stored, with name and settings exactly as the client sent them.
 *
 * Throws ServiceError 'invalid_properties' if the format is unknown, does not support the schema, or cannot work with
 * the settings; in this order.
 */
export function checkFormat(
  name: string,
  schema: Schema | undefined,
  settings: FormatSettings,
): FormatSpecification {
  const { format, schema: record } = resolveFormat(name, schema, settings)
  return { name, schema: (format.printSchema ?? printSchema)(record), settings }
}

/** Makes the same checks, for callers that read bodies. */
export function resolveFormat(
  name: string,
  schema: Schema | undefined,
  settings: FormatSettings,
): ResolvedFormat {
  const format = findFormat(name)
  if (format === undefined) throw notInstantiated(name, 'there is no such format')
  const record = checkSchema(format, name, schema ?? format.defaultSchema)
  const effective = new Map([...format.defaultSettings, ...settings])
  const problem = format.settingsProblem(effective, record)
  if (problem !== undefined) throw notInstantiated(name, problem)
  return { format, schema: record, settings: effective }
}

/** A reader of bodies, for the requested fields or for all. */
export function openReader(
  { format, schema, settings }: ResolvedFormat,
  wanted: RequestedFields = allFields(schema),
): RecordReader {
  return format.reader(schema, settings, wanted)
}

function checkSchema(format: Format, name: string, schema: Schema | undefined): RecordSchema {
  if (schema === undefined) throw schemaNotSupported(name, 'the format has no schema of its own; give one')
  if (schema.type !== 'record')
    throw schemaNotSupported(name, `the schema is of type ${schema.type}, not a record`)
  const problem = format.schemaProblem(schema)
  if (problem !== undefined) throw schemaNotSupported(name, problem)
  return schema
}

function schemaNotSupported(name: string, reason: string): ServiceError {
  return new ServiceError(
    'invalid_properties',
    `Format ${name} does not support the requested schema. Cause: ${reason}`,
    { cause: new Error(reason) },
  )
}

function notInstantiated(name: string, reason: string): ServiceError {
  return new ServiceError('invalid_properties', `Invalid format, unable to instantiate format ${name}`, {
    cause: new Error(reason),
  })
}
