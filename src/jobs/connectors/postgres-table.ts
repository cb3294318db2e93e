/** What a database table has, compared with what a job needs of it. Run when a connector opens. */
import type { TypedColumn } from '../../sql/data-types.ts'
import { printType } from '../../sql/data-types.ts'
import type { JdbcConnector } from '../../tables/table.ts'
import { ConnectorError } from './connector.ts'
import type { PostgresConnection } from './postgres-connection.ts'
import { fitsColumn, type PostgresColumn, quotedIdentifier } from './postgres-values.ts'

export interface PostgresTable {
  /** Quoted, with its schema if the table was given with one. */
  readonly sql: string
  readonly columns: ReadonlyMap<string, PostgresColumn>
}

export interface TablePlace {
  readonly connector: JdbcConnector
  readonly integrationId: string | undefined
}

/** Rejects with ConnectorError if the relation does not exist, or lacks one of `needed`, or has it with another type. */
export async function describeTable(
  connection: PostgresConnection,
  place: TablePlace,
  needed: readonly TypedColumn[],
): Promise<PostgresTable> {
  const sql = qualifiedName(place.connector)
  const relation = `relation "${place.connector.tableName}"`
  const { rows } = await connection.query(COLUMNS, [sql])
  if (rows.length === 0) {
    const where = place.integrationId === undefined ? '' : ` in integration ${place.integrationId}`
    throw new ConnectorError(`${relation} does not exist${where}`, false)
  }
  const columns = new Map(
    rows.map(([name, type, category, kind]) => [
      name!,
      { name: name!, type: type!, category: category!, isEnum: kind === 'e' },
    ]),
  )
  for (const { name, type } of needed) {
    const column = columns.get(name)
    if (column === undefined) throw new ConnectorError(`${relation} has no column ${name}`, false)
    if (!fitsColumn(type, column)) {
      throw new ConnectorError(
        `column ${name} of ${relation} is ${column.type}, which does not fit ${printType(type)}`,
        false,
      )
    }
  }
  return { sql, columns }
}

/** Rejects with ConnectorError if no unique index has exactly these columns. */
export async function requireUniqueIndex(
  connection: PostgresConnection,
  { connector }: TablePlace,
  key: readonly string[],
): Promise<void> {
  const { rows } = await connection.query(UNIQUE_INDEXES, [qualifiedName(connector)])
  const wanted = JSON.stringify([...key].sort())
  if (rows.some(([columns]) => JSON.stringify((JSON.parse(columns!) as string[]).sort()) === wanted)) return
  throw new ConnectorError(
    `relation "${connector.tableName}" has no unique index for PRIMARY KEY (${key.join(', ')})`,
    false,
  )
}

export function qualifiedName({ schema, table }: JdbcConnector): string {
  return schema === undefined
    ? quotedIdentifier(table)
    : `${quotedIdentifier(schema)}.${quotedIdentifier(table)}`
}

const COLUMNS = `
  SELECT a.attname, format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE a.atttypid END, NULL), t.typcategory, t.typtype
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
  ORDER BY a.attnum`

/** Of the whole table, over plain columns, checked at once: those that ON CONFLICT can name. */
const UNIQUE_INDEXES = `
  SELECT CAST(to_json(array(
    SELECT a.attname FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1]))) AS text)
  FROM pg_index i
  WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indisvalid AND i.indimmediate
    AND i.indpred IS NULL AND i.indexprs IS NULL`
