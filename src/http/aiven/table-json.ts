/**
 * A table as clients of Aiven read it:
 *
 *   {"table_id","table_name","integration_id","schema_sql","columns":[…],"kafka":{…}}
 *
 * with `upsert_kafka`, `jdbc` or another connector in place of `kafka`. A column is `{"name","data_type","nullable"}`, and where
 * they apply `"primary_key":true`, `"computed"`, `"metadata"`, `"watermark"`.
 */
import { printType } from '../../sql/data-types.ts'
import type { SchemaColumn, TableSchema } from '../../sql/table-schema.ts'
import type {
  Connector,
  JdbcConnector,
  Table,
  TopicConnector,
  TypedColumn,
  UpsertTopicConnector,
} from '../../tables/table.ts'

export function printTable(table: Table): string {
  const { id, name, integrationId, schemaSql, schema, columns, connector, likeOptions, partitionedBy } = table
  return JSON.stringify({
    table_id: id,
    table_name: name,
    integration_id: integrationId,
    schema_sql: schemaSql,
    columns: columns.map((column) => columnOf(column, schema)),
    ...connectorOf(connector),
    ...(likeOptions !== undefined && { like_options: likeOptions }),
    ...(partitionedBy !== undefined && { partitioned_by: partitionedBy }),
  })
}

function columnOf({ name, type, nullable }: TypedColumn, schema: TableSchema): object {
  const { primaryKey, watermark } = schema
  return {
    name,
    data_type: printType(type),
    nullable,
    ...(primaryKey.includes(name) && { primary_key: true }),
    ...originOf(schema.columns.find((column) => column.name === name)),
    ...(watermark?.column === name && { watermark: watermark.expression }),
  }
}

function originOf(column: SchemaColumn | undefined): object {
  if (column?.kind === 'computed') return { computed: column.expression }
  return column?.kind === 'metadata' ? { metadata: column.key } : {}
}

function connectorOf(connector: Connector): object {
  switch (connector.kind) {
    case 'topic':
      return { kafka: topicOf(connector, `${connector.startup}-offset`) }
    case 'upsert-topic':
      return { upsert_kafka: topicOf(connector, 'earliest-offset') }
    case 'jdbc':
      return { jdbc: jdbcOf(connector) }
    case 'datagen': {
      const { rowsPerSecond, rowsMax, fields } = connector
      return { datagen: { rows_per_second: rowsPerSecond, number_of_rows: rowsMax ?? null, fields } }
    }
    case 'unusable':
      return { [connector.connector]: {} }
    default:
      return { [connector.kind]: {} }
  }
}

function jdbcOf({ tableName, lookupCacheTtlMs, lookupCacheRowsMax }: JdbcConnector): object {
  if (lookupCacheTtlMs === 0) return { table_name: tableName }
  return {
    table_name: tableName,
    lookup_cache_ttl: `${lookupCacheTtlMs} ms`,
    lookup_cache_max_rows: lookupCacheRowsMax,
  }
}

function topicOf(topic: Omit<TopicConnector | UpsertTopicConnector, 'kind'>, startup: string): object {
  return {
    topic: topic.topic,
    scan_startup_mode: startup,
    value_format: topic.valueFormat,
    key_format: topic.keyFormat ?? null,
    key_fields: topic.keyFields,
    value_fields_include: topic.valueFieldsInclude,
  }
}
