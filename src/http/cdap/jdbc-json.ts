/** Questions of CDAP's JDBC driver about the database, as its client sends them: JSON with patterns, or no body. */
import { JDBC_INFO, type MetadataQuestion } from '../../explore/jdbc-catalog.ts'
import { ServiceError } from '../../service-error.ts'
import { readJson } from '../messages/json-document.ts'
import { scalarText } from '../messages/json-values.ts'
import type { LenientJson } from '../messages/lenient-json.ts'

/** What the driver writes in the path where it was given no schema. */
const NO_SCHEMA = 'null'
const TYPES_MAX = 100

/**
 * `{"catalog":…,"schemaPattern":…,"tableNamePattern":…,"tableTypes":[…],"columnNamePattern":…,"functionNamePattern":…}`;
 * what a question has no use for is ignored. Without a pattern for schemas the one in the path counts.
 */
export function parseQuestion(
  about: MetadataQuestion['about'],
  pathSchema: string | undefined,
  body: Uint8Array,
  depthMax?: number,
): MetadataQuestion {
  const members = membersOf(body, depthMax)
  const pattern = (name: string) => textOf(members, name)
  const schema = pattern('schemaPattern') ?? (pathSchema === NO_SCHEMA ? undefined : pathSchema)
  switch (about) {
    case 'schemas':
      return { about, schema }
    case 'tables':
      return { about, schema, table: pattern('tableNamePattern'), types: typesOf(members) }
    case 'columns':
      return { about, schema, table: pattern('tableNamePattern'), column: pattern('columnNamePattern') }
    case 'functions':
      return { about, function: pattern('functionNamePattern') }
    default:
      return { about }
  }
}

/** Throws ServiceError 'invalid_query' for what nobody knows. */
export function jdbcInfoOf(type: string): unknown {
  const value = JDBC_INFO.get(type)
  if (value === undefined) throw refused(`[SQLState HY000] Unrecognized GetInfoType value: ${type}`)
  const isText = typeof value === 'string'
  return { ...(isText && { stringValue: value }), shortValue: 0, intValue: isText ? 0 : value, longValue: 0 }
}

function membersOf(body: Uint8Array, depthMax?: number): ReadonlyMap<string, LenientJson> | undefined {
  const json = readJson(body, depthMax, ({ message }) => refused(`the body is not JSON: ${message}`))
  if (json === undefined || json === null) return undefined
  if (json instanceof Map) return json as ReadonlyMap<string, LenientJson>
  throw refused('the body is not a JSON object')
}

function textOf(members: ReadonlyMap<string, LenientJson> | undefined, name: string): string | undefined {
  const value = members?.get(name) ?? null
  if (value === null) return undefined
  const text = scalarText(value)
  if (text === undefined) throw refused(`${name} is not a text`)
  return text
}

function typesOf(members: ReadonlyMap<string, LenientJson> | undefined): string[] | undefined {
  const value = members?.get('tableTypes') ?? null
  if (value === null) return undefined
  const types =
    Array.isArray(value) && value.length <= TYPES_MAX ? value.map((one) => scalarText(one)) : [undefined]
  if (!types.every((type) => type !== undefined))
    throw refused(`tableTypes is not a list of at most ${TYPES_MAX} texts`)
  return types as string[]
}

function refused(message: string): ServiceError {
  return new ServiceError('invalid_query', message)
}
