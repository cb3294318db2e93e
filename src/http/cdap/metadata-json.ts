/** What a client notes of a stream or a view, as JSON: an object of properties, a list of tags. */
import { checkPropertyNames, checkTags } from '../../metadata/metadata.ts'
import { ServiceError } from '../../service-error.ts'
import { readJson } from '../messages/json-document.ts'
import { scalarText, scalarTexts } from '../messages/json-values.ts'
import type { LenientJson } from '../messages/lenient-json.ts'

export function parseMetadataProperties(body: Uint8Array, depthMax: number): ReadonlyMap<string, string> {
  const wrong = invalid('Unable to read metadata properties from the request.')
  const json = readJson(body, depthMax, () => wrong)
  const properties = json instanceof Map ? scalarTexts(json) : undefined
  if (properties === undefined) throw wrong
  checkPropertyNames(properties)
  return properties
}

export function parseMetadataTags(body: Uint8Array, depthMax: number): string[] {
  const wrong = invalid('Unable to read a list of tags from the request.')
  const json = readJson(body, depthMax, () => wrong)
  const tags = Array.isArray(json) ? (json as LenientJson[]).map(scalarText) : [undefined]
  if (!tags.every((tag) => tag !== undefined)) throw wrong
  checkTags(tags as string[])
  return tags as string[]
}

function invalid(message: string): ServiceError {
  return new ServiceError('invalid_parameter', message)
}
