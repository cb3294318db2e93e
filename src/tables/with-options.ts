/**
 * The options of `CREATE TABLE … WITH (…)`: the connector of a table, and how its system is reached. Names are checked when the table is
 * created. Values may have `${…}`, secrets that are filled in when a job starts, so what is wrong with a value is a property of the
 * table that statements find when they name it.
 */

import { ServiceError } from '../service-error.ts'
import type { TableSchema } from '../sql/table-schema.ts'
import { type ColumnNaming, connectorWithColumns } from './connector-columns.ts'
import { checkedConnector } from './connector-options.ts'
import {
  type ConnectorName,
  datagenField,
  namedConnector,
  type OptionTexts,
  ruleOf,
  withCurrentNames,
} from './option-names.ts'
import { shownOptions } from './option-secrets.ts'
import { addressOf, type OwnSystem } from './own-connection.ts'
import { invalid, shown } from './refusal.ts'
import type { Connector, IntegrationKind } from './table.ts'
import type { ConnectorRequest } from './table-service.ts'

export type { OptionTexts }

/** Where the data of a table with options lies. */
export type Connection =
  /** Streams of the namespace, or no data. */
  | { readonly kind: 'built-in' }
  /** An integration of the namespace. */
  | { readonly kind: 'integration'; readonly id: string }
  /** As the options say. Equal addresses are equal systems. */
  | { readonly kind: 'own'; readonly system: OwnSystem; readonly address: string }

/** The options with current names. Throws ServiceError 'invalid_table' for names that the connector does not have. */
export function checkedNames(options: OptionTexts): OptionTexts {
  const current = withCurrentNames(options)
  namedConnector(current)
  return current
}

export function connectionOf(options: OptionTexts): Connection {
  const connector = namedConnector(options)
  const { integration } = options
  if (integration !== undefined) return { kind: 'integration', id: integration }
  const system = SYSTEMS[connector]
  if (system === undefined) return { kind: 'built-in' }
  return { kind: 'own', system, address: addressOf(system, shownOptions(options)) }
}

/** The connector; one of kind unusable with the reason if a value or a column does not fit. */
export function connectorOf(options: OptionTexts, schema: TableSchema, system: IntegrationKind): Connector {
  const name = namedConnector(options)
  try {
    const connector = checkedConnector(
      requestOf(name, options),
      { id: options.integration ?? '', kind: system },
      namedIn(options, name),
    )
    return connectorWithColumns(connector, schema, COLUMNS)
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    return { kind: 'unusable', connector: name, reason: error.message }
  }
}

const SYSTEMS: Readonly<Partial<Record<ConnectorName, OwnSystem>>> = {
  kafka: 'kafka',
  'upsert-kafka': 'kafka',
  jdbc: 'postgres',
}

const COLUMNS: ColumnNaming = {
  schema: 'its columns',
  keyFields: "option 'key.fields'",
  datagenFields: "options 'fields'",
}

/** Of one process; a cluster may make more. */
const DATAGEN_ROWS_PER_SECOND_MAX = 100_000

function requestOf(connector: ConnectorName, options: OptionTexts): ConnectorRequest {
  const members: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(options)) {
    const rule = ruleOf(connector, name)
    if (rule === undefined || rule === 'connection') continue
    if ('only' in rule) assertWithoutEffect(name, value, rule.only)
    else if (Object.hasOwn(members, rule.member))
      throw invalid(`option ${shown(name)} is there under another name too`)
    else members[rule.member] = value
  }
  switch (connector) {
    case 'stream':
    case 'kafka':
      return { kind: 'kafka', options: withKeyFields(members) }
    case 'upsert-kafka':
      return { kind: 'upsert_kafka', options: members }
    case 'datagen':
      return { kind: connector, options: withFields(members) }
    default:
      return { kind: connector, options: members }
  }
}

function assertWithoutEffect(name: string, value: string, values: readonly string[] | undefined): void {
  if (values === undefined || values.includes(value)) return
  const wanted = values.length === 0 ? 'leave it out' : `use ${values.map((one) => `'${one}'`).join(', ')}`
  throw invalid(`option '${name}' is ${shown(value)}, which is not supported; ${wanted}`)
}

/** `key.fields` is a text with semicolons between the columns. */
function withKeyFields({ key_fields: fields, ...members }: Record<string, unknown>): Record<string, unknown> {
  return typeof fields === 'string' ? { ...members, key_fields: fields.split(';') } : members
}

function withFields(members: Record<string, unknown>): Record<string, unknown> {
  const plain: Record<string, unknown> = {}
  const fields = new Map<string, Map<string, unknown>>()
  for (const [name, value] of Object.entries(members)) {
    const field = datagenField(name)
    if (field === undefined) plain[name] = value
    else fields.set(field.column, (fields.get(field.column) ?? new Map()).set(field.member, value))
  }
  const rows = Number(plain.rows_per_second ?? 0)
  if (rows > DATAGEN_ROWS_PER_SECOND_MAX)
    throw invalid(
      `option 'rows-per-second' is ${rows}; use a whole number from 1 to ${DATAGEN_ROWS_PER_SECOND_MAX}`,
    )
  const asObjects = [...fields].map(([column, options]) => [column, Object.fromEntries(options)])
  return { ...plain, fields: Object.fromEntries(asObjects) }
}

/** `option 'value.format'`, by the name that the client used. */
function namedIn(options: OptionTexts, connector: ConnectorName): (member: string) => string {
  const byMember = new Map<string, string>()
  for (const name of [...Object.keys(options), ...ALL_NAMES]) {
    const rule = ruleOf(connector, name)
    if (rule !== undefined && typeof rule === 'object' && 'member' in rule && !byMember.has(rule.member))
      byMember.set(rule.member, name)
  }
  return (member) => `option '${byMember.get(member) ?? member}'`
}

/** Names that a missing option has in an error text. */
const ALL_NAMES = [
  ...['topic', 'stream', 'format', 'key.format', 'key.fields', 'value.fields-include', 'scan.startup.mode'],
  ...['table-name', 'lookup.cache.ttl', 'lookup.cache.max-rows', 'rows-per-second', 'number-of-rows'],
]
