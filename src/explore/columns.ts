/**
 * The columns of a table: `ts`, `headers`, and the fields of the schema, with their types in DuckDB and in Hive.
 *
 *   boolean BOOLEAN · int INTEGER/INT · long BIGINT · float FLOAT · double DOUBLE · bytes, fixed BLOB/BINARY
 *   string, enum VARCHAR/STRING · array LIST/array<…> · map MAP/map<…> · record STRUCT/struct<…>
 *   decimal DECIMAL(p,s), beyond 38 digits VARCHAR · date DATE · timestamp TIMESTAMP, of nanos TIMESTAMP_NS
 *   time, uuid VARCHAR: Hive and CDAP's JDBC driver have no such types
 *   nullable   the type of the value that is not null
 *
 * Maps, arrays and structs are stored as JSON text; the view of a query converts them.
 */

import type { ColumnType } from '../duckdb/column-types.ts'
import { quotedName } from '../duckdb/sql-text.ts'
import { isText, type LogicalType, logicalType } from '../schemas/logical-type.ts'
import { nonNullable, type RecordSchema, type Schema } from '../schemas/schema.ts'
import { hiveName } from './hive-types.ts'

export interface Column {
  readonly name: string
  /** Index into the fields of the schema; undefined for `ts` and `headers`. */
  readonly field: number | undefined
  /** The name of the column in the decoded table. */
  readonly keptAs: string
  readonly keptType: ColumnType
  /** The type in a query. */
  readonly type: string
  readonly hiveType: string
  /** The value in a query, as an expression over the decoded column. */
  readonly expression: string
}

/** The message has the reason why there is no table. */
export class NoTable extends Error {
  override readonly name = 'NoTable'
}

interface Type {
  readonly kept: ColumnType
  readonly sql: string
  readonly hive: string
  /** For JSON, the type to convert to before `sql`, if DuckDB would not parse it as that type: bytes are a text with \xNN. */
  readonly json?: string
}

const BYTES: Type = { ...scalar('BLOB'), json: 'VARCHAR' }
const LONG = scalar('BIGINT')
const STRING = scalar('VARCHAR')
const SCALARS = {
  null: STRING,
  boolean: scalar('BOOLEAN'),
  int: scalar('INTEGER'),
  long: LONG,
  float: scalar('FLOAT'),
  double: scalar('DOUBLE'),
  bytes: BYTES,
  string: STRING,
  enum: STRING,
  fixed: BYTES,
} satisfies Record<Exclude<Schema['type'], 'union' | 'array' | 'map' | 'record'>, Type>

/** A struct needs at least one part, so a record without fields is its JSON text. */
const EMPTY_RECORD: Type = { kept: 'JSON', sql: 'VARCHAR', hive: 'string' }

/** Throws NoTable for a schema that no table can have. */
export function columnsOf(schema: RecordSchema): readonly Column[] {
  const headers = mapType(STRING, STRING)
  const columns: Column[] = [
    column('ts', undefined, 'ts', LONG),
    column('headers', undefined, 'headers', headers),
    ...schema.fields.map(({ name, schema: field }, index) =>
      column(name, index, `f${index}`, typeOf(field, name, new Set([schema]))),
    ),
  ]
  const seen = new Set<string>()
  for (const { name } of columns) {
    const lower = name.toLowerCase()
    if (name === '') throw new NoTable('a field has no name, and a column needs one')
    if (seen.has(lower))
      throw new NoTable(`there are two columns ${lower}: case does not count, and ts and headers are taken`)
    seen.add(lower)
  }
  return columns
}

function column(name: string, field: number | undefined, keptAs: string, type: Type): Column {
  const isNested = type.kept === 'JSON'
  return {
    name,
    field,
    keptAs,
    keptType: type.kept,
    type: type.sql,
    hiveType: isNested ? type.hive : type.hive.toUpperCase(),
    expression: isNested ? fromJson(keptAs, type) : keptAs,
  }
}

function typeOf(schema: Schema, name: string, within: ReadonlySet<Schema>): Type {
  const inner = nonNullable(schema) ?? schema
  switch (inner.type) {
    case 'union':
      throw new NoTable(`field ${name} is a union of more than a type and null, which no column can be`)
    case 'array': {
      const items = typeOf(inner.items, name, within)
      return {
        kept: 'JSON',
        sql: `${items.sql}[]`,
        hive: `array<${items.hive}>`,
        json: `${jsonType(items)}[]`,
      }
    }
    case 'map':
      return mapType(typeOf(inner.keys, name, within), typeOf(inner.values, name, within))
    case 'record': {
      const names = inner.fields.map((field) => field.name.toLowerCase())
      if (new Set(names).size < names.length || names.includes(''))
        throw new NoTable(`field ${name} has parts that have the same name, or none; case does not count`)
      if (names.length === 0) return EMPTY_RECORD
      if (within.has(inner)) throw new NoTable(`field ${name} holds itself, which no column can`)
      const fields = inner.fields.map((field) => ({
        name: field.name,
        type: typeOf(field.schema, name, new Set([...within, inner])),
      }))
      return {
        kept: 'JSON',
        sql: structOf(fields.map(({ name, type }) => [name, type.sql])),
        json: structOf(fields.map(({ name, type }) => [name, jsonType(type)])),
        hive: `struct<${fields.map((field) => `${field.name}:${field.type.hive}`).join(',')}>`,
      }
    }
    default:
      return logicalColumn(inner) ?? SCALARS[inner.type]
  }
}

/** Undefined for a schema without a logical type, whose values are those of its underlying type. */
function logicalColumn(schema: Schema): Type | undefined {
  if (!('logical' in schema)) return undefined
  const size = schema.type === 'fixed' ? schema.size : undefined
  const type = logicalType(schema.type, size, schema.logical)
  return type && scalar(isText(type) ? 'VARCHAR' : logicalColumnType(type))
}

function logicalColumnType(type: LogicalType): ColumnType {
  switch (type.kind) {
    case 'decimal':
      return `DECIMAL(${type.precision},${type.scale})`
    case 'date':
      return 'DATE'
    case 'timestamp':
      return type.digits === 9 ? 'TIMESTAMP_NS' : 'TIMESTAMP'
    case 'time':
    case 'uuid':
      return 'VARCHAR'
  }
}

function mapType(keys: Type, values: Type): Type {
  return {
    kept: 'JSON',
    sql: `MAP(${keys.sql}, ${values.sql})`,
    json: `MAP(${jsonType(keys)}, ${jsonType(values)})`,
    hive: `map<${keys.hive},${values.hive}>`,
  }
}

function scalar(type: ColumnType): Type {
  return { kept: type, sql: type, hive: hiveName(type) }
}

function fromJson(keptAs: string, type: Type): string {
  const read = `${keptAs}::JSON::${jsonType(type)}`
  return jsonType(type) === type.sql ? read : `${read}::${type.sql}`
}

function structOf(parts: readonly (readonly [name: string, type: string])[]): string {
  return `STRUCT(${parts.map(([name, type]) => `${quotedName(name)} ${type}`).join(', ')})`
}

function jsonType({ json, sql }: Type): string {
  return json ?? sql
}
