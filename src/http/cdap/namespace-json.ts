/**
 * Properties of a namespace as JSON: request body -> NamespaceChange, and NamespaceProperties -> the answer's text.
 *
 *   {"name":…,"description":…,"config":{"scheduler.queue.name":…,…,"principal":…,"keytabURI":…}}
 *
 * Every member may be missing or null. Unknown ones are ignored, and so is the name: the path has it. A setting comes
 * back as the type that was sent: text, number or boolean. The principal and its keytab are settings on the wire and
 * properties inside, always texts; outside of config they are understood as well.
 */
import { ServiceError } from '../../service-error.ts'
import type { NamespaceName } from '../../streams/names.ts'
import type { NamespaceChange, NamespaceProperties, SettingValue } from '../../streams/namespace.ts'
import { readJson } from '../messages/json-document.ts'
import { scalarText } from '../messages/json-values.ts'
import { type LenientJson, LenientNumber } from '../messages/lenient-json.ts'

/** What the body sets; nothing if it is empty. Rejects with 'invalid_properties'. */
export function parseNamespaceChange(body: Uint8Array, depthMax?: number): NamespaceChange {
  const json = readJson(body, depthMax, malformed) ?? null
  if (json === null) return {}
  if (!(json instanceof Map)) throw malformed()
  const members = json as ReadonlyMap<string, LenientJson>
  const description = readText(members.get('description') ?? null)
  const config = readConfig(members.get('config') ?? null)
  const principal = textOf(config.get('principal')) ?? readText(members.get('principal') ?? null)
  const keytabUri = textOf(config.get('keytabURI')) ?? readText(members.get('keytabURI') ?? null)
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
  const settings = [...config].map(([key, value]) => `${JSON.stringify(key)}:${printSetting(value)}`)
  return `{"name":"${name}","description":${JSON.stringify(properties.description)},"config":{${settings.join(',')}}}`
}

function owner(principal: string | undefined, keytabUri: string | undefined): NamespaceChange {
  if (principal === undefined && keytabUri === undefined) return {}
  if (principal === undefined || keytabUri === undefined || principal === '' || keytabUri === '') {
    throw new ServiceError('invalid_properties', 'principal and keytabURI go together; give both or neither')
  }
  return { principal, keytabUri }
}

function readText(json: LenientJson): string | undefined {
  if (json === null) return undefined
  const text = scalarText(json)
  if (text === undefined) throw malformed()
  return text
}

/** Settings that are null count as absent. */
function readConfig(json: LenientJson): Map<string, SettingValue> {
  const config = new Map<string, SettingValue>()
  if (json === null) return config
  if (!(json instanceof Map)) throw malformed()
  for (const [key, member] of json as ReadonlyMap<string, LenientJson>) {
    if (member !== null) config.set(key, readSetting(member))
  }
  return config
}

function readSetting(json: LenientJson): SettingValue {
  if (typeof json === 'string' || typeof json === 'boolean') return json
  if (json instanceof LenientNumber) return { number: json.text }
  throw malformed()
}

function textOf(value: SettingValue | undefined): string | undefined {
  return typeof value === 'object' ? value.number : value?.toString()
}

function printSetting(value: SettingValue): string {
  return typeof value === 'object' ? value.number : JSON.stringify(value)
}

function malformed(cause?: Error): ServiceError {
  return new ServiceError('invalid_properties', 'Invalid json object provided in request body.', { cause })
}
