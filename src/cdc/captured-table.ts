/** Tables of a database as change data capture sees them. Everything here is JSON. */
import type { DataType } from '../sql/data-types.ts'

export interface TableName {
  readonly schema: string
  readonly table: string
}

/**
 * How a value of PostgreSQL becomes JSON in an event. Values come as PostgreSQL's texts: in the stream of changes, in a
 * snapshot and in the rows that are kept.
 */
export type ValueKind =
  | 'integer' // smallint, integer, bigint, oid: a number with all its digits
  | 'float' // real, double precision: a number; "NaN", "Infinity", "-Infinity" as text
  | 'numeric' // numeric: text, as PostgreSQL prints it
  | 'money' // text: a number without the sign of the currency
  | 'boolean'
  | 'text' // also uuid, xml, inet, bit, enums and every type that is not in this list
  | 'json' // json, jsonb: text
  | 'timestamp' // text with T
  | 'timestamptz' // text with T, in UTC with Z
  | 'date'
  | 'time'
  | 'timetz'
  | 'bytes' // bytea: base64

export interface CapturedColumn {
  readonly name: string
  /** As format_type() prints it, for messages and for comparison: `numeric(10,2)`. */
  readonly databaseType: string
  readonly typeOid: number
  readonly kind: ValueKind
  /** The value is an array whose elements have `kind`. */
  readonly isArray: boolean
  /** In SQL. A numeric of more than 38 digits, or without limits, has the type STRING. */
  readonly type: DataType
  readonly nullable: boolean
}

export interface CapturedTable extends TableName {
  readonly oid: number
  /** Published columns in the order of the table. */
  readonly columns: readonly CapturedColumn[]
  /** Names of the columns of the replica identity, in the order of their index. Never empty. */
  readonly key: readonly string[]
}

/** `public.orders`, for messages. */
export function printedTable({ schema, table }: TableName): string {
  return `${schema}.${table}`
}
