/**
 * The type of each column of an answer: its name in Hive, and the SQL that converts its values to that type.
 *
 * CDAP's JDBC driver recognizes a type by the beginning of its name, and rejects an answer with an unknown type. It
 * knows boolean, tinyint, smallint, int, bigint, float, double, decimal, string, binary, date, timestamp, array, map,
 * struct. So every type of DuckDB becomes one of these:
 *
 *   HUGEINT                              BIGINT, as Hive's sum of whole numbers; a larger value is an error
 *   UTINYINT · USMALLINT · UINTEGER      SMALLINT · INT · BIGINT
 *   UBIGINT · UHUGEINT                   DECIMAL(20,0) · DECIMAL(38,0)
 *   TIMESTAMP of any precision           TIMESTAMP; one with a time zone in UTC
 *   JSON, ENUM                           STRING
 *   TIME, INTERVAL, UUID, BIT, UNION, …  STRING, DuckDB's text of the value
 *   LIST, ARRAY · MAP · STRUCT           array<…> · map<…> · struct<…>, of the types above
 */
import type { DuckDBType } from '@duckdb/node-api'
import { quotedName } from '../duckdb/sql-text.ts'
import type { HiveType } from './hive-types.ts'

export interface AnswerType {
  /** Scalar types are in capitals, nested types in lower case. */
  readonly name: string
  /** The same type in DuckDB. */
  readonly sql: string
  /** Whether the values have another type in DuckDB and must be cast. */
  readonly isCast: boolean
}

/** Types that need no cast, by DuckDB's name. */
const KEPT: Readonly<Record<string, HiveType>> = {
  BOOLEAN: 'BOOLEAN',
  TINYINT: 'TINYINT',
  SMALLINT: 'SMALLINT',
  INTEGER: 'INT',
  BIGINT: 'BIGINT',
  UTINYINT: 'SMALLINT',
  USMALLINT: 'INT',
  UINTEGER: 'BIGINT',
  FLOAT: 'FLOAT',
  DOUBLE: 'DOUBLE',
  VARCHAR: 'STRING',
  JSON: 'STRING',
  BLOB: 'BINARY',
  DATE: 'DATE',
  TIMESTAMP: 'TIMESTAMP',
  TIMESTAMP_S: 'TIMESTAMP',
  TIMESTAMP_MS: 'TIMESTAMP',
  TIMESTAMP_NS: 'TIMESTAMP',
}

const CAST: Readonly<Record<string, AnswerType>> = {
  HUGEINT: { name: 'BIGINT', sql: 'BIGINT', isCast: true },
  UBIGINT: { name: 'DECIMAL(20,0)', sql: 'DECIMAL(20,0)', isCast: true },
  UHUGEINT: { name: 'DECIMAL(38,0)', sql: 'DECIMAL(38,0)', isCast: true },
  'TIMESTAMP WITH TIME ZONE': { name: 'TIMESTAMP', sql: 'TIMESTAMP', isCast: true },
}
const AS_TEXT: AnswerType = { name: 'STRING', sql: 'VARCHAR', isCast: true }

/** The members of DuckDB's nested types. */
interface NestedType {
  readonly valueType?: DuckDBType
  readonly keyType?: DuckDBType
  readonly entryNames?: readonly string[]
  readonly entryTypes?: readonly DuckDBType[]
}

export function answerType(type: DuckDBType): AnswerType {
  const { valueType, keyType, entryNames, entryTypes } = type as unknown as NestedType
  if (keyType !== undefined && valueType !== undefined) {
    const [key, value] = [partType(keyType), partType(valueType)]
    return {
      name: `map<${key.name},${value.name}>`,
      sql: `MAP(${key.sql}, ${value.sql})`,
      isCast: key.isCast || value.isCast,
    }
  }
  if (valueType !== undefined) {
    const value = partType(valueType)
    return { name: `array<${value.name}>`, sql: `${value.sql}[]`, isCast: value.isCast }
  }
  if (entryNames !== undefined && entryTypes !== undefined) return struct(entryNames, entryTypes)
  return scalar(String(type))
}

/** DuckDB does not name the parts of `row(…)`, and a table column needs names. The parts get the names of Hive's struct(…). */
function struct(entryNames: readonly string[], entryTypes: readonly DuckDBType[]): AnswerType {
  const isUnnamed = entryNames.every((name) => name === '')
  const parts = entryTypes.map((type, i) => ({
    ...partType(type),
    partName: isUnnamed ? `col${i + 1}` : entryNames[i]!,
  }))
  return {
    name: `struct<${parts.map(({ partName, name }) => `${partName}:${name}`).join(',')}>`,
    sql: `STRUCT(${parts.map(({ partName, sql }) => `${quotedName(partName)} ${sql}`).join(', ')})`,
    isCast: isUnnamed || parts.some(({ isCast }) => isCast),
  }
}

/** Names of types within others are in lower case. */
function partType(type: DuckDBType): AnswerType {
  const part = answerType(type)
  return { ...part, name: part.name.toLowerCase() }
}

function scalar(type: string): AnswerType {
  const kept = KEPT[type] ?? (type.startsWith('DECIMAL(') ? type : undefined)
  if (kept !== undefined) return { name: kept, sql: type, isCast: false }
  if (type.startsWith('ENUM(')) return { name: 'STRING', sql: 'VARCHAR', isCast: false }
  return CAST[type] ?? AS_TEXT
}

/** The SQL that converts `value`, of DuckDB's type `type`, to the type of the answer. */
export function answerValue(value: string, type: DuckDBType): string {
  const { sql, isCast } = answerType(type)
  if (!isCast) return value
  if (String(type) !== 'HUGEINT') return `CAST(${value} AS ${sql})`
  return `coalesce(TRY_CAST(${value} AS BIGINT), CASE WHEN ${value} IS NOT NULL THEN error(${tooLarge(value)}) END)`
}

function tooLarge(value: string): string {
  return `${value} || ' is beyond a BIGINT, which sums and other whole numbers are; cast it, as in sum(n)::DECIMAL(38,0)'`
}
