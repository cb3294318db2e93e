/**
 * The body that defines a table, in both forms of Aiven's clients, as one TableRequest.
 *
 *   flat     {"name","integration_id","schema_sql","kafka_topic" | "jdbc_table" | "opensearch_index","kafka_…"}
 *   nested   {"name","integration_id","schema_sql","kafka" | "upsert_kafka" | "upsert-kafka" | "jdbc" | "opensearch":{…}}
 *
 * Reading checks names and JSON types of members, and that there is one connector. The tables service checks all values, and the
 * members of the nested form. A problem of the connector is part of the result, because an unknown integration is reported before it.
 */

import { ServiceError } from '../../service-error.ts'
import type { ConnectorRequest, TableRequest } from '../../tables/table-service.ts'
import type { LenientObject } from '../messages/lenient-json.ts'
import {
  objectOf,
  plainJson,
  plainObject,
  readMembers,
  refused,
  refuseUnknown,
  requiredSql,
  requiredText,
  textOf,
  textsOf,
} from './body-members.ts'

type Kind = ConnectorRequest['kind']

/** Names of connectors in bodies. The last three are not in Aiven's API. */
const NESTED: ReadonlyMap<string, Kind> = new Map([
  ['kafka', 'kafka'],
  ['upsert_kafka', 'upsert_kafka'],
  ['upsert-kafka', 'upsert_kafka'],
  ['jdbc', 'jdbc'],
  ['opensearch', 'opensearch'],
  ['datagen', 'datagen'],
  ['print', 'print'],
  ['blackhole', 'blackhole'],
])

/** Members of the flat form that name a connector, and its option for the value. */
const FLAT: ReadonlyMap<string, readonly [kind: Kind, option: string]> = new Map([
  ['kafka_topic', ['kafka', 'topic']],
  ['jdbc_table', ['jdbc', 'table_name']],
  ['opensearch_index', ['opensearch', 'index']],
])

/** The other members of the flat form, all of `kafka_topic`, as options of the nested form. */
const FLAT_OPTIONS: ReadonlyMap<string, string> = new Map([
  ['kafka_startup_mode', 'scan_startup_mode'],
  ['kafka_value_format', 'value_format'],
  ['kafka_key_format', 'key_format'],
  ['kafka_key_fields', 'key_fields'],
  ['kafka_value_fields_include', 'value_fields_include'],
])

const KNOWN: ReadonlySet<string> = new Set([
  ...['name', 'integration_id', 'schema_sql', 'like_options', 'partitioned_by', 'kafka_connector_type'],
  ...NESTED.keys(),
  ...FLAT.keys(),
  ...FLAT_OPTIONS.keys(),
])

const WANTED = 'a table needs name, integration_id, schema_sql and a connector'

export type GivenTable = Omit<TableRequest, 'connector'> & {
  readonly connector: ConnectorRequest | { readonly problem: string }
}

/** Throws ServiceError 'invalid_parameter' for a body that is no JSON object, 'invalid_table' for its members. */
export function parseTable(body: Uint8Array, depthMax?: number): GivenTable {
  return readTable(readMembers(body, depthMax))
}

/** What a table to be validated is, or why it is none; `name` is empty if it has none. */
export type TableToValidate =
  | { readonly name: string; readonly table: GivenTable }
  | { readonly name: string; readonly problem: string }

/** Throws ServiceError 'invalid_parameter' for a body that is no JSON object. */
export function parseTableToValidate(body: Uint8Array, depthMax?: number): TableToValidate {
  const members = readMembers(body, depthMax)
  const given = members.get('name')
  const name = typeof given === 'string' ? given : ''
  try {
    return { name, table: readTable(members) }
  } catch (error) {
    return { name, problem: messageOf(error) }
  }
}

function readTable(members: LenientObject): GivenTable {
  refuseUnknown(members, KNOWN)
  return {
    name: requiredText(members, 'name', WANTED),
    integrationId: requiredText(members, 'integration_id', WANTED),
    schemaSql: requiredSql(members, 'schema_sql', WANTED),
    connector: connectorOrProblem(members),
    likeOptions: textOf(members, 'like_options'),
    partitionedBy: members.has('partitioned_by') ? plainJson(members.get('partitioned_by')!) : undefined,
  }
}

function connectorOrProblem(members: LenientObject): GivenTable['connector'] {
  try {
    return readConnector(members)
  } catch (error) {
    return { problem: messageOf(error) }
  }
}

/** Of a ServiceError; throws any other error. */
function messageOf(error: unknown): string {
  if (error instanceof ServiceError) return error.message
  throw error
}

function readConnector(members: LenientObject): ConnectorRequest {
  const given = [...NESTED.keys(), ...FLAT.keys()].filter((name) => members.has(name))
  const [name] = given
  if (name === undefined || given.length > 1)
    throw refused('give exactly one of kafka, upsert_kafka and jdbc')
  refuseStrayOptions(members, name)
  const kind = NESTED.get(name)
  return kind === undefined
    ? readFlat(members, name)
    : { kind, options: plainObject(objectOf(members, name)!) }
}

/** Options of `kafka_topic` beside another connector would have no effect. */
function refuseStrayOptions(members: LenientObject, connector: string): void {
  if (connector === 'kafka_topic') return
  const stray = [...FLAT_OPTIONS.keys(), 'kafka_connector_type'].find((name) => members.has(name))
  if (stray !== undefined) throw refused(`${stray} belongs to kafka_topic; leave it out with ${connector}`)
}

function readFlat(members: LenientObject, name: string): ConnectorRequest {
  const [kind, option] = FLAT.get(name)!
  const options: Record<string, unknown> = { [option]: textOf(members, name) }
  for (const [flat, nested] of FLAT_OPTIONS) {
    const value = flat === 'kafka_key_fields' ? textsOf(members, flat) : textOf(members, flat)
    if (value !== undefined) options[nested] = value
  }
  const type = textOf(members, 'kafka_connector_type') ?? 'kafka'
  if (type !== 'kafka' && type !== 'upsert-kafka')
    throw refused(`kafka_connector_type is '${type}'; use kafka or upsert-kafka`)
  return { kind: type === 'upsert-kafka' ? 'upsert_kafka' : kind, options }
}
