/**
 * Properties of a namespace as JSON: request body -> NamespaceChange, and NamespaceProperties -> the answer's text.
 *
 *   {"name":…,"description":…,"config":{"scheduler.queue.name":…,…,"principal":…,"keytabURI":…}}
 *
 * Every member may be missing or null. Unknown ones are ignored, and so is the name: the path has it. The principal
 * and its keytab are settings on the wire and properties inside; outside of config they are understood as well.
 */
import { ServiceError } from '../service-error.ts'
import type { NamespaceName } from '../streams/names.ts'
import type { NamespaceChange, NamespaceProperties } from '../streams/namespace.ts'
import { scalarText, scalarTexts } from './json-values.ts'
import { type LenientJson, LenientJsonError, parseLenientJsonBytes } from './lenient-json.ts'

/** What the body sets; nothing if it is empty. Rejects with 'invalid_properties'. */
export function parseNamespaceChange(body: Uint8Array, depthMax?: number): NamespaceChange {
  const json = parseJson(body, depthMax) ?? null
  if (json === null) return {}
  if (!(json instanceof Map)) throw malformed()
  const members = json as ReadonlyMap<string, LenientJson>
  const description = readText(members.get('description') ?? null)
  const config = new Map(readConfig(members.get('config') ?? null))
  const principal = config.get('principal') ?? readText(members.get('principal') ?? null)
  const keytabUri = config.get('keytabURI') ?? readText(members.get('keytabURI') ?? null)
  config.delete('principal')
  config.delete('keytabURI')
  return {
    ...(description !== undefined && { description }),
    ...(config.size > 0 && { config }),
    ...owner(principal, keytabUri),
  }
}

/** Compact, config last, with the owner as CDAP has it among its settings. */
export function printNamespace(name: NamespaceName, properties: NamespaceProperties): string {
  const config = new Map(properties.config)
  if (properties.principal !== undefined) config.set('principal', properties.principal)
  if (properties.keytabUri !== undefined) config.set('keytabURI', properties.keytabUri)
  const settings = [...config].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
  return `{"name":"${name}","description":${JSON.stringify(properties.description)},"config":{${settings.join(',')}}}`
}

function owner(principal: string | undefined, keytabUri: string | undefined): NamespaceChange {
  if (principal === undefined && keytabUri === undefined) return {}
  if (principal === undefined || keytabUri === undefined || principal === '' || keytabUri === '') {
    throw new ServiceError('invalid_properties', 'principal and keytabURI go together; give both or neither')
  }
  return { principal, keytabUri }
}

function parseJson(body: Uint8Array, depthMax?: number): LenientJson | undefined {
  try {
    return parseLenientJsonBytes(body, depthMax)
  } catch (error) {
    if (error instanceof LenientJsonError) throw malformed(error)
    throw error
  }
}

function readText(json: LenientJson): string | undefined {
  if (json === null) return undefined
  const text = scalarText(json)
  if (text === undefined) throw malformed()
  return text
}

function readConfig(json: LenientJson): ReadonlyMap<string, string> {
  if (json === null) return new Map()
  const config = scalarTexts(json)
  if (config === undefined) throw malformed()
  return config
}

function malformed(cause?: Error): ServiceError {
  return new ServiceError('invalid_properties', 'Invalid json object provided in request body.', { cause })
}
