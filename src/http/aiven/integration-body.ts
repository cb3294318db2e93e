/**
 * The body that makes an integration: `{"source_service","dest_service","integration_type":"flink","user_config":{…}}`. Clients
 * also send members about endpoints, which are null; other members are ignored, as the vendor's clients have several.
 */
import type { LenientObject } from '../messages/lenient-json.ts'
import { objectOf, plainObject, readMembers, refused, requiredText, textOf } from './body-members.ts'

/** Of the body alone; the path has the project. */
export interface GivenIntegration {
  readonly sourceService: string
  readonly destService: string
  /** Undefined: the project of the path. */
  readonly sourceProject: string | undefined
  readonly destProject: string | undefined
  readonly userConfig: Readonly<Record<string, unknown>>
}

const WANTED = 'send {"source_service":"…","dest_service":"…","integration_type":"flink","user_config":{…}}'

/** Throws ServiceError 'invalid_parameter' for a body that is no JSON object, 'invalid_table' for its members. */
export function parseIntegration(body: Uint8Array, depthMax?: number): GivenIntegration {
  const members = readMembers(body, depthMax)
  for (const name of ['source_endpoint_id', 'dest_endpoint_id']) {
    if (members.has(name)) throw refused(`${name} is given; there are no endpoints, so name a source_service`)
  }
  const type = requiredText(members, 'integration_type', WANTED)
  if (type !== 'flink') throw refused(`integration_type is '${type}'; use flink`)
  return {
    sourceService: requiredText(members, 'source_service', WANTED),
    destService: requiredText(members, 'dest_service', WANTED),
    sourceProject: textOf(members, 'source_project'),
    destProject: textOf(members, 'dest_project'),
    userConfig: userConfigOf(members),
  }
}

/** `{"user_config":{…}}`. Throws as parseIntegration. */
export function parseIntegrationChange(
  body: Uint8Array,
  depthMax?: number,
): Readonly<Record<string, unknown>> {
  return userConfigOf(readMembers(body, depthMax))
}

function userConfigOf(members: LenientObject): Readonly<Record<string, unknown>> {
  return plainObject(objectOf(members, 'user_config') ?? new Map())
}
