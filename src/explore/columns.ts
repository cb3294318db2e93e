/**
 * The columns of a table: `ts`, `headers`, and the fields of the schema, with their types in words of DuckDB and of Hive.
 *
 *   boolean BOOLEAN · int INTEGER/INT · long BIGINT · float FLOAT · double DOUBLE · bytes BLOB/BINARY
 *   string, enum VARCHAR/STRING · array LIST/array<…> · map MAP/map<…> · record STRUCT/struct<…>
 *   nullable   as what it is when it is not null
 *
 * Maps, arrays and structs are kept as JSON text and become what they are when a query asks for them.
 */
import { nonNullable, type RecordSchema, type Schema } from '../schemas/schema.ts'
import { quotedName } from './sql-text.ts'

export interface Column {
  readonly name: string
  /** Index into the fields of the schema; undefined for `ts` and `headers`. */
  readonly field: number | undefined
  /** In the table where values are kept. */
  readonly keptAs: string
  readonly keptType: KeptType
  /** The type in a query. */
  readonly type: string
  readonly hiveType: string
  /** The value in a query, made of the kept one. */
  readonly expression: string
}

export type KeptType = 'BIGINT' | 'BOOLEAN' | 'INTEGER' | 'FLOAT' | 'DOUBLE' | 'BLOB' | 'VARCHAR' | 'JSON'

/** Why there is no table: for people. */
export class NoTable extends Error {
  override readonly name = 'NoTable'
}

interface Type {
  readonly kept: KeptType
  readonly sql: string
  /** The same with texts where bytes are: JSON has them as texts with \xNN, which become bytes by a cast of their own. */
  readonly jsonSql: string
  readonly hive: string
}

const STRING: Type = { kept: 'VARCHAR', sql: 'VARCHAR', jsonSql: 'VARCHAR', hive: 'string' }
const SCALARS: Readonly<Record<string, Type>> = {
  null: STRING,
  boolean: scalar('BOOLEAN', 'boolean'),
  int: scalar('INTEGER', 'int'),
  long: scalar('BIGINT', 'bigint'),
  float: scalar('FLOAT', 'float'),
  double: scalar('DOUBLE', 'double'),
  bytes: { kept: 'BLOB', sql: 'BLOB', jsonSql: 'VARCHAR', hive: 'binary' },
  string: STRING,
  enum: STRING,
}

/** Throws NoTable for a schema that no table can have. */
export function columnsOf(schema: RecordSchema): readonly Column[] {
  const headers = mapType(STRING, STRING)
  const columns: Column[] = [
    column('ts', undefined, 'ts', scalar('BIGINT', 'bigint')),
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

function fromJson(text: string, { sql, jsonSql }: Type): string {
  const value = `${text}::JSON::${jsonSql}`
  return jsonSql === sql ? value : `${value}::${sql}`
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
        jsonSql: `${items.jsonSql}[]`,
        hive: `array<${items.hive}>`,
      }
    }
    case 'map':
      return mapType(typeOf(inner.keys, name, within), typeOf(inner.values, name, within))
    case 'record': {
      const names = inner.fields.map((field) => field.name.toLowerCase())
      if (new Set(names).size < names.length || names.includes(''))
        throw new NoTable(`field ${name} has parts that have the same name, or none; case does not count`)
      if (within.has(inner)) throw new NoTable(`field ${name} holds itself, which no column can`)
      const fields = inner.fields.map((field) => ({
        name: field.name,
        type: typeOf(field.schema, name, new Set([...within, inner])),
      }))
      const struct = (of: 'sql' | 'jsonSql') =>
        `STRUCT(${fields.map(({ name, type }) => `${quotedName(name)} ${type[of]}`).join(', ')})`
      return {
        kept: 'JSON',
        sql: struct('sql'),
        jsonSql: struct('jsonSql'),
        hive: `struct<${fields.map((field) => `${field.name}:${field.type.hive}`).join(',')}>`,
      }
    }
    default:
      return SCALARS[inner.type]
  }
}

function mapType(keys: Type, values: Type): Type {
  return {
    kept: 'JSON',
    sql: `MAP(${keys.sql}, ${values.sql})`,
    jsonSql: `MAP(${keys.jsonSql}, ${values.jsonSql})`,
    hive: `map<${keys.hive},${values.hive}>`,
  }
}

function scalar(type: KeptType, hive: string): Type {
  return { kept: type, sql: type, jsonSql: type, hive }
}
