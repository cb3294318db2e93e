/**
 * A format as JSON, as it stands in the properties of a stream, in a view, and alone:
 *
 *   {"name":…,"schema":{…},"settings":{…}}
 *
 * Read in two steps, as CDAP does: first its shape, then its values. Null is the same as absent.
 */
import { checkFormat } from '../../formats/specification.ts'
import type { Schema } from '../../schemas/schema.ts'
import { parseSchema, SchemaError } from '../../schemas/schema-json.ts'
import { ServiceError } from '../../service-error.ts'
import type { FormatSpecification } from '../../streams/properties.ts'
import { readJson } from '../messages/json-document.ts'
import { scalarText, scalarTexts } from '../messages/json-values.ts'
import type { LenientJson, LenientObject } from '../messages/lenient-json.ts'

/** A format whose shape is right; undefined is what it does not hold. */
export interface GivenFormat {
  readonly name: string | undefined
  readonly schema: Schema | undefined
  readonly settings: ReadonlyMap<string, string>
}

/** Makes the refusal of a document that does not have the right shape. */
export type Malformed = (reason: string, cause?: Error) => ServiceError

/** Undefined if there is none. Throws what `malformed` makes. */
export function readFormat(json: LenientJson, malformed: Malformed): GivenFormat | undefined {
  if (json === null) return undefined
  if (!(json instanceof Map)) throw malformed('format is not an object')
  const members: LenientObject = json
  const name = members.get('name') ?? null
  const nameText = name === null ? undefined : scalarText(name)
  if (name !== null && nameText === undefined) throw malformed('name is not a text')
  const schema = readSchema(members.get('schema') ?? null, malformed)
  const settings = members.get('settings') ?? null
  const texts = settings === null ? new Map<string, string>() : scalarTexts(settings)
  if (texts === undefined) throw malformed('settings is not an object of texts')
  return { name: nameText, schema, settings: texts }
}

/** A body that is a format. Rejects with 'invalid_properties', and `text` if it does not have the right shape. */
export function parseFormatDocument(body: Uint8Array, text: string, depthMax?: number): FormatSpecification {
  const malformed: Malformed = (reason, cause = new Error(reason)) =>
    new ServiceError('invalid_properties', text, { cause })
  const json = readJson(body, depthMax, (problem) => malformed(problem.message, problem))
  const format = readFormat(json ?? null, malformed)
  if (format === undefined) throw malformed('the body is empty')
  return checkGivenFormat(format)
}

/** Throws ServiceError 'invalid_properties'. */
export function checkGivenFormat(format: GivenFormat): FormatSpecification {
  if (format.name === undefined)
    throw new ServiceError('invalid_properties', 'A format name must be specified.')
  return checkFormat(format.name, format.schema, format.settings)
}

/** `{"name":…,"schema":…,"settings":{…}}`, compact. */
export function printFormat(format: FormatSpecification): string {
  const settings = [...format.settings].map(
    ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
  )
  return `{"name":${JSON.stringify(format.name)},"schema":${format.schema},"settings":{${settings.join(',')}}}`
}

function readSchema(json: LenientJson, malformed: Malformed): Schema | undefined {
  if (json === null) return undefined
  try {
    return parseSchema(json)
  } catch (error) {
    if (error instanceof SchemaError) throw malformed(`schema: ${error.message}`, error)
    throw error
  }
}
