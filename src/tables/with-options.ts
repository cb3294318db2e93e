/**
 * The options of `CREATE TABLE … WITH (…)`: the connector of a table, and how its system is reached. A table of such options needs no
 * integration. Values may have `${…}`: secrets that are filled in when a job starts.
 *
 *   'connector' = 'stream' · 'datagen' · 'print' · 'blackhole'
 */

import type { TableSchema } from '../sql/table-schema.ts'
import { connectorWithColumns } from './connector-columns.ts'
import { checkedConnector } from './connector-options.ts'
import { invalid, shown } from './refusal.ts'
import type { Connector, Integration } from './table.ts'
import type { ConnectorRequest } from './table-service.ts'
import type { UserConfig } from './user-config.ts'

export interface WithOptions {
  readonly connector: Connector
  /** Undefined: streams of the namespace. Secrets are those of the options. */
  readonly connection: { readonly kind: 'kafka' | 'postgres'; readonly config: UserConfig } | undefined
}

/** By lower-case name. */
export type OptionTexts = Readonly<Record<string, string>>

/** Throws ServiceError 'invalid_table', 'unsupported'. */
export function readWithOptions(options: OptionTexts, schema: TableSchema): WithOptions {
  const { connector, ...rest } = options
  if (connector === undefined) throw invalid("the option 'connector' is missing; give one, such as 'stream'")
  const request = requestOf(connector, rest)
  const streams = { id: 'streams', kind: 'stream' } as Integration
  return {
    connector: connectorWithColumns(checkedConnector(request, streams), schema),
    connection: undefined,
  }
}

function requestOf(connector: string, options: OptionTexts): ConnectorRequest {
  switch (connector) {
    case 'stream': {
      const { stream, format, ...rest } = options
      const topic = { topic: stream, value_format: format }
      return { kind: 'kafka', options: { ...topic, ...withUnderscores(rest) } }
    }
    case 'datagen':
      return { kind: connector, options: datagenOptions(options) }
    case 'print':
    case 'blackhole':
      return { kind: connector, options }
    default:
      throw invalid(`unknown connector ${shown(connector)}`)
  }
}

function withUnderscores(options: OptionTexts): OptionTexts {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => [name.replace(/[.-]/g, '_'), value]),
  )
}

const FIELD = /^fields\.(.+)\.([^.]+)$/

function datagenOptions(options: OptionTexts): Readonly<Record<string, unknown>> {
  const members: Record<string, unknown> = {}
  const fields: Record<string, Record<string, string>> = {}
  for (const [name, value] of Object.entries(options)) {
    const [, field, member] = FIELD.exec(name) ?? []
    if (field === undefined || member === undefined) members[name.replaceAll('-', '_')] = value
    else fields[field] = { ...fields[field], [member]: value }
  }
  return { ...members, fields }
}
