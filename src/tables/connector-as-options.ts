/**
 * A table as the options of WITH that create the same table again. A table over an integration has its id in the option 'integration',
 * so that no address or password is needed.
 */
import type { OptionTexts } from './option-names.ts'
import type {
  Connector,
  Integration,
  JdbcConnector,
  Table,
  TopicConnector,
  UpsertTopicConnector,
} from './table.ts'

/** Secrets are `***`. `integration` is that of a table without options of its own. */
export function optionsOf({ own, connector }: Table, integration: Integration | undefined): OptionTexts {
  if (own !== undefined) return own.shown
  const name = nameOf(connector, integration)
  const isOver = integration !== undefined && ['kafka', 'upsert-kafka', 'jdbc'].includes(name)
  return { connector: name, ...(isOver && { integration: integration.id }), ...membersOf(connector, name) }
}

function nameOf(connector: Connector, integration: Integration | undefined): string {
  switch (connector.kind) {
    case 'topic':
      return integration?.isBuiltIn === true ? 'stream' : 'kafka'
    case 'upsert-topic':
      return 'upsert-kafka'
    case 'unusable':
      return connector.connector
    default:
      return connector.kind
  }
}

function membersOf(connector: Connector, name: string): OptionTexts {
  switch (connector.kind) {
    case 'topic':
      return {
        [name === 'stream' ? 'stream' : 'topic']: connector.topic,
        'scan.startup.mode': `${connector.startup}-offset`,
        format: connector.valueFormat,
        ...keyOf(connector),
      }
    case 'upsert-topic':
      return {
        topic: connector.topic,
        'value.format': connector.valueFormat,
        'key.format': connector.keyFormat,
        ...included(connector),
      }
    case 'jdbc':
      return { 'table-name': connector.tableName, ...cacheOf(connector) }
    case 'datagen':
      return {
        'rows-per-second': String(connector.rowsPerSecond),
        ...(connector.rowsMax !== undefined && { 'number-of-rows': String(connector.rowsMax) }),
        ...Object.fromEntries(
          Object.entries(connector.fields).flatMap(([column, field]) =>
            Object.entries(field).map(([member, value]) => [`fields.${column}.${member}`, value]),
          ),
        ),
      }
    default:
      return {}
  }
}

function keyOf(connector: TopicConnector): OptionTexts {
  const { keyFormat, keyFields } = connector
  if (keyFormat === undefined) return {}
  return { 'key.format': keyFormat, 'key.fields': keyFields.join(';'), ...included(connector) }
}

function included({ valueFieldsInclude }: Pick<UpsertTopicConnector, 'valueFieldsInclude'>): OptionTexts {
  return valueFieldsInclude === 'ALL' ? {} : { 'value.fields-include': valueFieldsInclude }
}

function cacheOf({ lookupCacheTtlMs, lookupCacheRowsMax }: JdbcConnector): OptionTexts {
  if (lookupCacheTtlMs === 0) return {}
  return { 'lookup.cache.ttl': `${lookupCacheTtlMs} ms`, 'lookup.cache.max-rows': String(lookupCacheRowsMax) }
}
