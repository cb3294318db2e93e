/**
 * Properties of a stream as JSON: request body -> PropertiesChange, and StreamProperties -> the answer's text.
 *
 *   {"ttl":seconds,"format":{"name":…,"schema":{…},"settings":{…}},"notification.threshold.mb":n,
 *    "description":…,"principal":…}
 *
 * Every member may be missing, unknown ones are ignored, and null is a value like any other (and refused) save for a
 * format, its schema, its settings, and one of those: there it means absent. Read in two steps, as CDAP does: first
 * the whole body has to have the right shape, then values are checked in a fixed order, and the first failure wins.
 */
import { ServiceError } from '../../service-error.ts'
import { type PropertiesChange, type StreamProperties, saturateTtl } from '../../streams/properties.ts'
import { readJson } from '../messages/json-document.ts'
import { scalarText, truncatedNumber, wholeNumber } from '../messages/json-values.ts'
import type { LenientJson, LenientObject } from '../messages/lenient-json.ts'
import { checkGivenFormat, type GivenFormat, printFormat, readFormat } from './format-json.ts'

/** The body of a request that creates a stream: an empty one sets nothing. Rejects with 'invalid_properties'. */
export function parseNewProperties(body: Uint8Array, depthMax?: number): PropertiesChange {
  const json = parseJson(body, depthMax)
  return json === undefined ? {} : checkProperties(readProperties(json))
}

/** The body of a request that changes properties: it has to be there. Rejects with 'invalid_properties'. */
export function parsePropertiesChange(body: Uint8Array, depthMax?: number): PropertiesChange {
  const json = parseJson(body, depthMax)
  if (json === undefined) throw malformed('the body is empty')
  return checkProperties(readProperties(json))
}

/** Compact, members in the fixed order; description and principal only if there are any. */
export function printProperties(properties: StreamProperties): string {
  const { ttlSeconds, format, notificationThresholdMb, description, principal } = properties
  const members = [
    `"ttl":${ttlSeconds}`,
    `"format":${printFormat(format)}`,
    `"notification.threshold.mb":${notificationThresholdMb}`,
  ]
  if (description !== undefined) members.push(`"description":${JSON.stringify(description)}`)
  if (principal !== undefined) members.push(`"principal":${JSON.stringify(principal)}`)
  return `{${members.join(',')}}`
}

/** What a body holds once its shape is right; undefined is what it does not hold. */
interface GivenProperties {
  readonly ttl: bigint | undefined
  readonly format: GivenFormat | undefined
  readonly threshold: bigint | undefined
  readonly description: string | undefined
  readonly principal: string | undefined
}

function parseJson(body: Uint8Array, depthMax?: number): LenientJson | undefined {
  return readJson(body, depthMax, (problem) => malformed(problem.message, problem))
}

function readProperties(json: LenientJson): GivenProperties {
  if (!(json instanceof Map)) throw malformed('the body is not a JSON object')
  const members: LenientObject = json
  return {
    ttl: readMember(members, 'ttl', 'a whole number of seconds', wholeNumber),
    format: readFormat(members.get('format') ?? null, malformed),
    threshold: readMember(members, 'notification.threshold.mb', 'a whole number of megabytes', wholeInt32),
    description: readMember(members, 'description', 'a text', scalarText),
    principal: readMember(members, 'principal', 'a text', (value) =>
      typeof value === 'string' ? value : undefined,
    ),
  }
}

/** A number that an int32 holds once its decimals are cut off, as CDAP does with the threshold. */
function wholeInt32(json: LenientJson): bigint | undefined {
  const value = truncatedNumber(json)
  return value === undefined || BigInt.asIntN(32, value) !== value ? undefined : value
}

/** The member if it is there, read by `read`, which answers undefined to what it cannot read. */
function readMember<T>(
  members: LenientObject,
  key: string,
  wanted: string,
  read: (json: LenientJson) => T | undefined,
): T | undefined {
  const json = members.get(key)
  if (json === undefined) return undefined
  const value = read(json)
  if (value === undefined) throw malformed(`${key} is not ${wanted}`)
  return value
}

function checkProperties(given: GivenProperties): PropertiesChange {
  const { ttl, format, threshold, description, principal } = given
  if (ttl !== undefined && ttl < 0n) throw invalid('TTL value should be positive.')
  const checkedFormat = format && checkGivenFormat(format)
  if (threshold !== undefined && threshold <= 0n)
    throw invalid('Threshold value should be greater than zero.')
  if (principal !== undefined) checkPrincipal(principal)
  return {
    ...(ttl !== undefined && { ttlSeconds: saturateTtl(ttl) }),
    ...(checkedFormat !== undefined && { format: checkedFormat }),
    ...(threshold !== undefined && { notificationThresholdMb: Number(threshold) }),
    ...(description !== undefined && { description }),
    ...(principal !== undefined && { principal }),
  }
}

/** primary[/instance][@REALM], no part empty: the common shape of Kerberos names. */
const PRINCIPAL = /^[^/@]+(?:\/[^/@]+)?(?:@[^/@]+)?$/

function checkPrincipal(principal: string): void {
  if (PRINCIPAL.test(principal)) return
  throw invalid(
    `principal is '${principal}'; use primary/instance@REALM, where /instance and @REALM may be left out`,
  )
}

function malformed(reason: string, cause?: Error): ServiceError {
  return new ServiceError(
    'invalid_properties',
    `Invalid stream configuration. Please check that the configuration is a valid JSON Object with a valid schema. Cause: ${reason}`,
    { cause },
  )
}

function invalid(message: string): ServiceError {
  return new ServiceError('invalid_properties', message)
}
