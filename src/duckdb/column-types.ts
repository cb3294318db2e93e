/**
 * The types in which columns of events are stored in DuckDB, and everything that depends on such a type. A type without an
 * entry does not compile.
 */
import type { DuckDBType } from '@duckdb/node-api'
import {
  BooleanBuffer,
  BytesBuffer,
  type ColumnBuffer,
  doubleBuffer,
  floatBuffer,
  HugeBuffer,
  intBuffer,
  LongBuffer,
  smallBuffer,
  TextBuffer,
  tinyBuffer,
} from './column-buffer.ts'
import type { DuckDB } from './load-duckdb.ts'

export type SimpleType =
  | ('BOOLEAN' | 'INTEGER' | 'BIGINT' | 'FLOAT' | 'DOUBLE' | 'VARCHAR' | 'BLOB')
  | ('TINYINT' | 'SMALLINT') // of tables, not of streams
  | ('DATE' | 'TIME' | 'TIMESTAMP' | 'TIMESTAMP_NS' | 'TIMESTAMPTZ')
  | 'JSON' // arrays, maps and structs, as text

export type ColumnType = SimpleType | `DECIMAL(${number},${number})`

interface TypeFacts {
  /** The column type in DuckDB. */
  readonly stored: (duckdb: DuckDB, digits: Digits) => DuckDBType
  /** Collects values for DuckDB. */
  readonly buffer: (digits: Digits) => ColumnBuffer
}

/** Precision and scale of a decimal; 0 for other types. */
interface Digits {
  readonly precision: number
  readonly scale: number
}

const COLUMN_TYPES = {
  BOOLEAN: { stored: ({ BOOLEAN }) => BOOLEAN, buffer: () => new BooleanBuffer() },
  TINYINT: { stored: ({ TINYINT }) => TINYINT, buffer: tinyBuffer },
  SMALLINT: { stored: ({ SMALLINT }) => SMALLINT, buffer: smallBuffer },
  INTEGER: { stored: ({ INTEGER }) => INTEGER, buffer: intBuffer },
  BIGINT: { stored: ({ BIGINT }) => BIGINT, buffer: () => new LongBuffer() },
  FLOAT: { stored: ({ FLOAT }) => FLOAT, buffer: floatBuffer },
  DOUBLE: { stored: ({ DOUBLE }) => DOUBLE, buffer: doubleBuffer },
  VARCHAR: { stored: ({ VARCHAR }) => VARCHAR, buffer: () => new TextBuffer(false) },
  BLOB: { stored: ({ BLOB }) => BLOB, buffer: () => new BytesBuffer() },
  /** Days since 1970. */
  DATE: { stored: ({ DATE }) => DATE, buffer: intBuffer },
  /** Microseconds since midnight. */
  TIME: { stored: ({ TIME }) => TIME, buffer: () => new LongBuffer() },
  /** Microseconds since 1970. */
  TIMESTAMPTZ: { stored: ({ TIMESTAMPTZ }) => TIMESTAMPTZ, buffer: () => new LongBuffer() },
  /** Microseconds since 1970. */
  TIMESTAMP: { stored: ({ TIMESTAMP }) => TIMESTAMP, buffer: () => new LongBuffer() },
  /** Nanoseconds since 1970. */
  TIMESTAMP_NS: {
    stored: ({ TIMESTAMP_NS }) => TIMESTAMP_NS,
    buffer: () => new LongBuffer(),
  },
  /** Unscaled. */
  DECIMAL: {
    stored: ({ DECIMAL }, { precision, scale }) => DECIMAL(precision, scale),
    buffer: decimalBuffer,
  },
  JSON: { stored: ({ VARCHAR }) => VARCHAR, buffer: () => new TextBuffer(true) },
} satisfies Record<SimpleType | 'DECIMAL', TypeFacts>

/** Uses as few bits as DuckDB: 16, 32, 64 or 128. */
function decimalBuffer({ precision }: Digits): ColumnBuffer {
  if (precision <= 4) return smallBuffer()
  if (precision <= 9) return intBuffer()
  return precision <= 18 ? new LongBuffer() : new HugeBuffer()
}

const DECIMAL = /^DECIMAL\((\d+),(\d+)\)$/

function factsOf(type: ColumnType): { readonly facts: TypeFacts; readonly digits: Digits } {
  const [, precision = 0, scale = 0] = DECIMAL.exec(type) ?? []
  const digits = { precision: Number(precision), scale: Number(scale) }
  return { facts: COLUMN_TYPES[baseType(type)], digits }
}

export function storedType(duckdb: DuckDB, type: ColumnType): DuckDBType {
  const { facts, digits } = factsOf(type)
  return facts.stored(duckdb, digits)
}

/** The type as in CREATE TABLE. */
export function storedName(type: ColumnType): string {
  return type === 'JSON' ? 'VARCHAR' : type
}

export function columnBuffer(type: ColumnType): ColumnBuffer {
  const { facts, digits } = factsOf(type)
  return facts.buffer(digits)
}

/** The name of a type without its parameters. */
export function baseType(type: ColumnType): SimpleType | 'DECIMAL' {
  return type.startsWith('DECIMAL') ? 'DECIMAL' : (type as SimpleType)
}
