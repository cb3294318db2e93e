/**
 * Members of a JSON body, read with their types. `null` counts as absent. Refusals are ServiceErrors with the member's name, what
 * it is, and what to use.
 */
import { ServiceError } from '../../service-error.ts'
import { readJson } from '../messages/json-document.ts'
import { type LenientJson, LenientNumber, type LenientObject } from '../messages/lenient-json.ts'

/** Characters of `schema_sql` and `statement`. */
export const SQL_CHARACTERS_MAX = 131_072
/** A longer name of a member is not repeated in an error. */
const SHOWN_CHARACTERS_MAX = 100

/** The members of a body that has to be an object, without those that are null. Throws ServiceError 'invalid_parameter'. */
export function readMembers(body: Uint8Array, depthMax?: number): LenientObject {
  const json = readJson(body, depthMax, (problem) =>
    badBody(`the body is not JSON: ${problem.message}`, problem),
  )
  if (json === undefined) throw badBody('the body is empty; send a JSON object')
  if (!(json instanceof Map)) throw badBody(`the body is ${kindOf(json)}; send a JSON object`)
  return withoutNulls(json as LenientObject)
}

export function withoutNulls(members: LenientObject): LenientObject {
  return new Map([...members].filter(([, value]) => value !== null))
}

/** Throws ServiceError 'invalid_table' for a member that is not in `known`; `prefix` is that of its name in the error. */
export function refuseUnknown(members: LenientObject, known: ReadonlySet<string>, prefix = ''): void {
  for (const name of members.keys()) {
    if (!known.has(name)) throw refused(`unknown field '${prefix}${shown(name)}'`)
  }
}

export function textOf(members: LenientObject, name: string, as = name): string | undefined {
  const value = members.get(name)
  if (value === undefined || typeof value === 'string') return value
  throw wrongType(as, value, 'a text')
}

export function requiredText(members: LenientObject, name: string, wanted: string): string {
  const value = textOf(members, name)
  if (value === undefined) throw refused(`there is no ${name}; ${wanted}`)
  return value
}

export function textsOf(members: LenientObject, name: string, as = name): readonly string[] | undefined {
  const value = members.get(name)
  if (value === undefined) return undefined
  if (!Array.isArray(value)) throw wrongType(as, value, 'a list of texts')
  return (value as readonly LenientJson[]).map((item) => {
    if (typeof item !== 'string') throw wrongType(`a member of ${as}`, item, 'a text')
    return item
  })
}

export function objectOf(members: LenientObject, name: string): LenientObject | undefined {
  const value = members.get(name)
  if (value === undefined) return undefined
  if (value instanceof Map) return withoutNulls(value as LenientObject)
  throw wrongType(name, value, 'an object')
}

/** SQL of at most SQL_CHARACTERS_MAX characters. */
export function requiredSql(members: LenientObject, name: string, wanted: string): string {
  const text = requiredText(members, name, wanted)
  if (text.length <= SQL_CHARACTERS_MAX) return text
  throw refused(`${name} has ${text.length} characters; use at most ${SQL_CHARACTERS_MAX}`)
}

/** As JSON.parse returns it. */
export function plainJson(json: LenientJson): unknown {
  if (json instanceof LenientNumber) return Number(json.text)
  if (Array.isArray(json)) return (json as readonly LenientJson[]).map(plainJson)
  if (json instanceof Map) return plainObject(json as LenientObject)
  return json
}

export function plainObject(members: LenientObject): Readonly<Record<string, unknown>> {
  return Object.fromEntries([...members].map(([name, value]) => [name, plainJson(value)]))
}

export function refused(message: string): ServiceError {
  return new ServiceError('invalid_table', message)
}

function wrongType(name: string, value: LenientJson, wanted: string): ServiceError {
  return refused(`${name} is ${kindOf(value)}; use ${wanted}`)
}

function badBody(message: string, cause?: Error): ServiceError {
  return new ServiceError('invalid_parameter', message, { cause })
}

function kindOf(value: LenientJson): string {
  if (value === null) return 'null'
  if (value instanceof LenientNumber) return 'a number'
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Map) return 'an object'
  return typeof value === 'string' ? 'a text' : `${value}`
}

function shown(name: string): string {
  return name.length > SHOWN_CHARACTERS_MAX ? `${name.slice(0, SHOWN_CHARACTERS_MAX)}…` : name
}
