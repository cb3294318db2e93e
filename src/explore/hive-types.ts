/**
 * The types of answers, by the names that CDAP's clients know from Hive, and everything that depends on a type: how a
 * cell is written, the facts for JDBC drivers, the size of a value. A type without an entry does not compile.
 */
import type { DuckDBValue } from '@duckdb/node-api'
import { baseType, type ColumnType } from '../duckdb/column-types.ts'
import { binaryCell, decimalCell, floatCell, nestedCell, plainCell } from './cells.ts'

export type HiveType =
  | ('BOOLEAN' | 'TINYINT' | 'SMALLINT' | 'INT' | 'BIGINT' | 'FLOAT' | 'DOUBLE' | 'DECIMAL')
  | ('STRING' | 'BINARY' | 'DATE' | 'TIMESTAMP' | 'ARRAY' | 'MAP' | 'STRUCT' | 'VOID')

export interface ResultColumn {
  readonly name: string
  /** A HiveType, with its parameters: `BIGINT`, `DECIMAL(10,2)`, `map<string,string>`. */
  readonly type: string
}

/** The facts that `DatabaseMetaData` reports about a type. The values are Hive's. */
interface JdbcFacts {
  /** The number in java.sql.Types. */
  readonly number: number
  /** Digits, for numbers. */
  readonly precision?: number
  readonly radix?: number
  readonly caseSensitive?: boolean
  /** Whether a WHERE condition can use the type. */
  readonly searchable?: boolean
  /** For a column of this type; if absent, the precision is used. */
  readonly columnSize?: number
  readonly decimalDigits?: number
}

export interface JdbcType extends JdbcFacts {
  readonly name: string
}

interface TypeFacts {
  readonly cell: (value: DuckDBValue) => string
  /** 'fixed': a value has few bytes. 'text': as many as its text. 'bytes': as many as the value itself. */
  readonly size: 'fixed' | 'text' | 'bytes'
  readonly jdbc: JdbcFacts
}

const TEXT_SIZE = 2_147_483_647

/** JDBC drivers list the types in this order. */
const HIVE_TYPES = {
  VOID: { cell: plainCell, size: 'fixed', jdbc: { number: 0 } },
  BOOLEAN: { cell: plainCell, size: 'fixed', jdbc: { number: 16, decimalDigits: 0 } },
  TINYINT: { cell: plainCell, size: 'fixed', jdbc: whole(-6, 3) },
  SMALLINT: { cell: plainCell, size: 'fixed', jdbc: whole(5, 5) },
  INT: { cell: plainCell, size: 'fixed', jdbc: whole(4, 10) },
  BIGINT: { cell: plainCell, size: 'fixed', jdbc: whole(-5, 19) },
  FLOAT: { cell: floatCell, size: 'fixed', jdbc: { number: 6, precision: 7, radix: 2, decimalDigits: 7 } },
  DOUBLE: { cell: plainCell, size: 'fixed', jdbc: { number: 8, precision: 15, radix: 2, decimalDigits: 15 } },
  STRING: { cell: plainCell, size: 'text', jdbc: { number: 12, caseSensitive: true, columnSize: TEXT_SIZE } },
  DATE: { cell: plainCell, size: 'fixed', jdbc: { number: 91, columnSize: 10 } },
  TIMESTAMP: { cell: plainCell, size: 'fixed', jdbc: { number: 93, columnSize: 29 } },
  BINARY: { cell: binaryCell, size: 'bytes', jdbc: { number: -2, columnSize: TEXT_SIZE } },
  DECIMAL: {
    cell: decimalCell,
    size: 'fixed',
    jdbc: { number: 3, precision: 38, radix: 10, decimalDigits: 38 },
  },
  ARRAY: { cell: nestedCell, size: 'text', jdbc: { number: 2003, searchable: false } },
  MAP: { cell: nestedCell, size: 'text', jdbc: { number: 2000, searchable: false } },
  STRUCT: { cell: nestedCell, size: 'text', jdbc: { number: 2002, searchable: false } },
} satisfies Record<HiveType, TypeFacts>

function whole(number: number, precision: number): JdbcFacts {
  return { number, precision, radix: 10, decimalDigits: 0 }
}

const BY_NAME: ReadonlyMap<string, TypeFacts> = new Map(Object.entries(HIVE_TYPES))

/** The facts of a type with its parameters; undefined for a name that is not a HiveType. */
function factsOf(type: string): TypeFacts | undefined {
  return BY_NAME.get(/^[A-Za-z]*/.exec(type)![0].toUpperCase())
}

export function sizeOf({ type }: ResultColumn): TypeFacts['size'] {
  return factsOf(type)?.size ?? 'text'
}

/** Writes rows of these columns as cells. Each cell is JSON. */
export function rowWriter(
  columns: readonly ResultColumn[],
): (values: readonly DuckDBValue[]) => readonly string[] {
  const cells = columns.map(({ type }) => factsOf(type)?.cell ?? plainCell)
  return (values) => cells.map((cell, i) => cell(values[i]!))
}

export const JDBC_TYPES: readonly JdbcType[] = Object.entries(HIVE_TYPES).map(
  ([name, { jdbc }]: [string, TypeFacts]) => ({ name, ...jdbc }),
)

const OTHER: JdbcFacts = { number: 1111, searchable: false }
const DECIMAL = /^DECIMAL\((\d+),\s*(\d+)\)$/i

/** The JDBC facts of a column whose type has this name. */
export function jdbcFactsOf(type: string): JdbcFacts {
  const facts = factsOf(type)?.jdbc ?? OTHER
  const decimal = DECIMAL.exec(type)
  if (decimal === null) return facts
  return { ...facts, precision: Number(decimal[1]), decimalDigits: Number(decimal[2]) }
}

export function isUnsigned({ name, precision }: JdbcType): boolean {
  return precision === undefined && name !== 'DECIMAL'
}

/** The type of a column for CDAP's clients. For JSON: the type when nothing more exact is known. */
const OF_COLUMN = {
  BOOLEAN: 'BOOLEAN',
  TINYINT: 'TINYINT',
  SMALLINT: 'SMALLINT',
  INTEGER: 'INT',
  BIGINT: 'BIGINT',
  FLOAT: 'FLOAT',
  DOUBLE: 'DOUBLE',
  DECIMAL: 'DECIMAL',
  VARCHAR: 'STRING',
  BLOB: 'BINARY',
  DATE: 'DATE',
  TIME: 'STRING',
  TIMESTAMP: 'TIMESTAMP',
  TIMESTAMP_NS: 'TIMESTAMP',
  TIMESTAMPTZ: 'TIMESTAMP',
  JSON: 'STRING',
} satisfies Record<ReturnType<typeof baseType>, HiveType>

/** In lower case, with parameters: `int`, `decimal(10,2)`. */
export function hiveName(type: ColumnType): string {
  const base = baseType(type)
  return base === 'DECIMAL' ? type.toLowerCase() : OF_COLUMN[base].toLowerCase()
}
