/** Renders tables and views as Flink DDL. A primary key gets the NOT ENFORCED that Flink needs. */
import { printType, quotedName } from './data-types.ts'
import type { SchemaColumn, TableSchema } from './table-schema.ts'

export interface TableExtras {
  readonly comment?: string | undefined
  readonly partitionedBy?: readonly string[] | undefined
}

/** CREATE TABLE without a semicolon at the end. `path` is the name, perhaps behind its catalog and database. */
export function printFlinkTable(
  path: readonly string[],
  schema: TableSchema,
  options: Readonly<Record<string, string>>,
  { comment, partitionedBy = [] }: TableExtras = {},
): string {
  const settings = Object.entries(options).map(
    ([key, value]) => `  ${quotedText(key)} = ${quotedText(value)}`,
  )
  const columns = partitionedBy.map(quotedName).join(', ')
  return [
    `CREATE TABLE ${path.map(quotedName).join('.')} (\n${printSchema(schema)}\n)${commentOf(comment)}`,
    ...(columns === '' ? [] : [`PARTITIONED BY (${columns})`]),
    `WITH (\n${settings.join(',\n')}\n)`,
  ].join(comment === undefined && columns === '' ? ' ' : '\n')
}

/** CREATE VIEW without a semicolon at the end. */
export function printFlinkView(
  path: readonly string[],
  columns: readonly string[] | undefined,
  query: string,
  comment?: string,
): string {
  const list = columns === undefined ? '' : ` (${columns.map(quotedName).join(', ')})`
  return `CREATE VIEW ${path.map(quotedName).join('.')}${list}${commentOf(comment)} AS\n${query}`
}

function commentOf(comment: string | undefined): string {
  return comment === undefined ? '' : ` COMMENT ${quotedText(comment)}`
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
