/**
 * Columns of logical types. Those that Hive and the JDBC driver of CDAP do not have are texts (schemas/logical-type.ts):
 *
 *   decimal    DECIMAL(p,s), kept unscaled in 16, 32, 64 or 128 bits; beyond 38 digits a text
 *   date       DATE, kept as days
 *   timestamp  TIMESTAMP, kept as micros; those of nanos as nanos
 *   time, uuid VARCHAR
 */
import { isText, logicalType } from '../schemas/logical-type.ts'
import type { Schema } from '../schemas/schema.ts'

export type LogicalKeptType = 'DATE' | 'TIMESTAMP' | 'TIMESTAMP_NS' | `DECIMAL(${number},${number})`

export interface LogicalColumnType {
  readonly kept: LogicalKeptType | 'VARCHAR'
  readonly sql: string
  readonly hive: string
}

/** Undefined for a schema whose values are what their underlying type says. */
export function logicalColumnType(schema: Schema): LogicalColumnType | undefined {
  if (!('logical' in schema)) return undefined
  const size = schema.type === 'fixed' ? schema.size : undefined
  const type = logicalType(schema.type, size, schema.logical)
  if (type === undefined) return undefined
  if (isText(type)) return { kept: 'VARCHAR', sql: 'VARCHAR', hive: 'string' }
  if (type.kind === 'decimal') {
    const kept = `DECIMAL(${type.precision},${type.scale})` as const
    return { kept, sql: kept, hive: kept.toLowerCase() }
  }
  if (type.kind === 'date') return { kept: 'DATE', sql: 'DATE', hive: 'date' }
  const kept = type.kind === 'timestamp' && type.digits === 9 ? 'TIMESTAMP_NS' : 'TIMESTAMP'
  return { kept, sql: kept, hive: 'timestamp' }
}
