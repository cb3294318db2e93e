/**
 * The types in which columns of streams are stored in DuckDB, and everything that depends on such a type. A type without an
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
} from './column-buffer.ts'
import type { HiveType } from './hive-types.ts'

type DuckDB = typeof import('@duckdb/node-api')

type SimpleType =
  | ('BOOLEAN' | 'INTEGER' | 'BIGINT' | 'FLOAT' | 'DOUBLE' | 'VARCHAR' | 'BLOB')
  | ('DATE' | 'TIMESTAMP' | 'TIMESTAMP_NS')
  | 'JSON' // arrays, maps and structs, as text

export type ColumnType = SimpleType | `DECIMAL(${number},${number})`

interface TypeFacts {
  /** The column type in DuckDB. */
  readonly stored: (duckdb: DuckDB, digits: Digits) => DuckDBType
  /** Collects values for DuckDB. */
  readonly buffer: (digits: Digits) => ColumnBuffer
  /** The type for CDAP's clients. For JSON: the type when nothing more exact is known. */
  readonly hive: HiveType
}

/** Precision and scale of a decimal; 0 for other types. */
interface Digits {
  readonly precision: number
  readonly scale: number
}

const COLUMN_TYPES = {
  BOOLEAN: { stored: ({ BOOLEAN }) => BOOLEAN, buffer: () => new BooleanBuffer(), hive: 'BOOLEAN' },
  INTEGER: { stored: ({ INTEGER }) => INTEGER, buffer: intBuffer, hive: 'INT' },
  BIGINT: { stored: ({ BIGINT }) => BIGINT, buffer: () => new LongBuffer(), hive: 'BIGINT' },
  FLOAT: { stored: ({ FLOAT }) => FLOAT, buffer: floatBuffer, hive: 'FLOAT' },
  DOUBLE: { stored: ({ DOUBLE }) => DOUBLE, buffer: doubleBuffer, hive: 'DOUBLE' },
  VARCHAR: { stored: ({ VARCHAR }) => VARCHAR, buffer: () => new TextBuffer(false), hive: 'STRING' },
  BLOB: { stored: ({ BLOB }) => BLOB, buffer: () => new BytesBuffer(), hive: 'BINARY' },
  /** Days since 1970. */
  DATE: { stored: ({ DATE }) => DATE, buffer: intBuffer, hive: 'DATE' },
  /** Microseconds since 1970. */
  TIMESTAMP: { stored: ({ TIMESTAMP }) => TIMESTAMP, buffer: () => new LongBuffer(), hive: 'TIMESTAMP' },
  /** Nanoseconds since 1970. */
  TIMESTAMP_NS: {
    stored: ({ TIMESTAMP_NS }) => TIMESTAMP_NS,
    buffer: () => new LongBuffer(),
    hive: 'TIMESTAMP',
  },
  /** Unscaled. */
  DECIMAL: {
    stored: ({ DECIMAL }, { precision, scale }) => DECIMAL(precision, scale),
    buffer: decimalBuffer,
    hive: 'DECIMAL',
  },
  JSON: { stored: ({ VARCHAR }) => VARCHAR, buffer: () => new TextBuffer(true), hive: 'STRING' },
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
  return { facts: COLUMN_TYPES[digits.precision === 0 ? (type as SimpleType) : 'DECIMAL'], digits }
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

/** In lower case, with parameters: `int`, `decimal(10,2)`. */
export function hiveName(type: ColumnType): string {
  const { facts, digits } = factsOf(type)
  return digits.precision === 0 ? facts.hive.toLowerCase() : type.toLowerCase()
}
