/**
 * The types of Flink SQL that columns of tables have, and their names in Flink, DuckDB and PostgreSQL. Lengths of CHAR,
 * VARCHAR, BINARY and VARBINARY are kept for display only.
 *
 * Values of columns, as readers return them and as writers take them (`Value` of formats/record-reader.ts):
 *
 *   BOOLEAN                          boolean
 *   TINYINT SMALLINT INT             number
 *   BIGINT                           number within ±(2^53-1), bigint beyond
 *   FLOAT DOUBLE                     number
 *   DECIMAL(p, s)                    the unscaled number: number within ±(2^53-1), bigint beyond
 *   CHAR VARCHAR STRING              string
 *   BINARY VARBINARY BYTES           Uint8Array
 *   DATE                             days since 1970, number
 *   TIME                             microseconds since midnight, number
 *   TIMESTAMP(p) TIMESTAMP_LTZ(p)    microseconds since 1970 in UTC, number or bigint as BIGINT
 *   ARRAY                            array
 *   MAP                              Map; keys are strings
 *   ROW                              Map with the fields in their order
 */

export type SimpleKind =
  | ('BOOLEAN' | 'TINYINT' | 'SMALLINT' | 'INT' | 'BIGINT' | 'FLOAT' | 'DOUBLE')
  | ('STRING' | 'BYTES' | 'DATE' | 'TIME')

export type DataType =
  | { readonly kind: SimpleKind }
  | { readonly kind: 'DECIMAL'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'CHAR' | 'VARCHAR' | 'BINARY' | 'VARBINARY'; readonly length: number }
  | { readonly kind: 'TIMESTAMP' | 'TIMESTAMP_LTZ'; readonly precision: number }
  | { readonly kind: 'ARRAY'; readonly element: DataType }
  | { readonly kind: 'MAP'; readonly key: DataType; readonly value: DataType }
  | { readonly kind: 'ROW'; readonly fields: readonly RowField[] }

export interface RowField {
  readonly name: string
  readonly type: DataType
}

/** A name with the type that a column, a field of a row or a result has. */
export interface TypedColumn {
  readonly name: string
  readonly type: DataType
  readonly nullable: boolean
}

/** As the API shows it: `INT`, `DECIMAL(10, 2)`, `TIMESTAMP_LTZ(3)`, `ARRAY<INT>`, ``ROW<`a` INT>``. */
export function printType(type: DataType): string {
  switch (type.kind) {
    case 'DECIMAL':
      return `DECIMAL(${type.precision}, ${type.scale})`
    case 'CHAR':
    case 'VARCHAR':
    case 'BINARY':
    case 'VARBINARY':
      return `${type.kind}(${type.length})`
    case 'TIMESTAMP':
    case 'TIMESTAMP_LTZ':
      return `${type.kind}(${type.precision})`
    case 'ARRAY':
      return `ARRAY<${printType(type.element)}>`
    case 'MAP':
      return `MAP<${printType(type.key)}, ${printType(type.value)}>`
    case 'ROW':
      return `ROW<${type.fields.map(({ name, type: inner }) => `${quotedName(name)} ${printType(inner)}`).join(', ')}>`
    case 'TIME':
      return 'TIME(0)'
    default:
      return type.kind
  }
}

/** A name in back-ticks, as Flink writes it. */
export function quotedName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

/** The type of a column of this type in DuckDB. TIMESTAMP_LTZ is a point in time, shown in UTC. */
export function duckdbType(type: DataType): string {
  switch (type.kind) {
    case 'INT':
      return 'INTEGER'
    case 'STRING':
    case 'CHAR':
    case 'VARCHAR':
      return 'VARCHAR'
    case 'BYTES':
    case 'BINARY':
    case 'VARBINARY':
      return 'BLOB'
    case 'DECIMAL':
      return `DECIMAL(${type.precision},${type.scale})`
    case 'TIMESTAMP':
      return 'TIMESTAMP'
    case 'TIMESTAMP_LTZ':
      return 'TIMESTAMPTZ'
    case 'ARRAY':
      return `${duckdbType(type.element)}[]`
    case 'MAP':
      return `MAP(${duckdbType(type.key)}, ${duckdbType(type.value)})`
    case 'ROW':
      return `STRUCT(${type.fields.map(({ name, type: inner }) => `"${name.replaceAll('"', '""')}" ${duckdbType(inner)}`).join(', ')})`
    default:
      return type.kind
  }
}
