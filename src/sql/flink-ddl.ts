/** Renders tables as Flink DDL, for a cluster. A primary key gets the NOT ENFORCED that Flink needs. */
import { printType, quotedName } from './data-types.ts'
import type { SchemaColumn, TableSchema } from './table-schema.ts'

/** CREATE TABLE without a semicolon at the end. `options` are the keys and values of WITH. */
export function printFlinkTable(
  name: string,
  schema: TableSchema,
  options: Readonly<Record<string, string>>,
): string {
  const settings = Object.entries(options).map(
    ([key, value]) => `  ${quotedText(key)} = ${quotedText(value)}`,
  )
  return `CREATE TABLE ${quotedName(name)} (\n${printSchema(schema)}\n) WITH (\n${settings.join(',\n')}\n)`
}

/** The inside of the parentheses. Parsing it gives the same schema again, but for the places. */
export function printSchema({ columns, primaryKey, watermark }: TableSchema): string {
  const elements = columns.map(printColumn)
  if (watermark !== undefined) {
    elements.push(`WATERMARK FOR ${quotedName(watermark.column)} AS ${watermark.expression}`)
  }
  if (primaryKey.length > 0) {
    elements.push(`PRIMARY KEY (${primaryKey.map(quotedName).join(', ')}) NOT ENFORCED`)
  }
  return elements.map((element) => `  ${element}`).join(',\n')
}

function printColumn(column: SchemaColumn): string {
  const comment = column.comment === undefined ? '' : ` COMMENT ${quotedText(column.comment)}`
  return `${quotedName(column.name)} ${printDefinition(column)}${comment}`
}

function printDefinition(column: SchemaColumn): string {
  if (column.kind === 'computed') return `AS ${column.expression}`
  const type = `${printType(column.type)}${column.nullable ? '' : ' NOT NULL'}`
  if (column.kind === 'physical') return type
  return `${type} METADATA FROM ${quotedText(column.key)}${column.isVirtual ? ' VIRTUAL' : ''}`
}

function quotedText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
