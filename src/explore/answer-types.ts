/**
 * The type of each column of an answer: its name as Hive calls it, and the SQL that makes its values ones of that type.
 *
 * CDAP's JDBC driver knows a type by how its name begins, and refuses the whole answer if it knows none: boolean, tinyint,
 * smallint, int, bigint, float, double, decimal, string, binary, date, timestamp, array, map, struct. So every type of DuckDB
 * becomes one of these:
 *
 *   HUGEINT                              BIGINT, as Hive's sum of whole numbers; a value beyond it is an error
 *   UTINYINT · USMALLINT · UINTEGER      SMALLINT · INT · BIGINT
 *   UBIGINT · UHUGEINT                   DECIMAL(20,0) · DECIMAL(38,0)
 *   TIMESTAMP of any precision           TIMESTAMP; one with a time zone in UTC
 *   JSON, ENUM                           STRING
 *   TIME, INTERVAL, UUID, BIT, UNION, …  STRING, the text that DuckDB makes of it
 *   LIST, ARRAY · MAP · STRUCT           array<…> · map<…> · struct<…>, of these types
 */
import type { DuckDBType } from '@duckdb/node-api'
import type { HiveType } from './hive-types.ts'
import { quotedName } from './sql-text.ts'

export interface AnswerType {
  /** Scalar types are in capitals, nested ones not. */
  readonly name: string
  /** In DuckDB, for a value of this type. */
  readonly sql: string
  /** Whether DuckDB's own type is another one. */
  readonly isCast: boolean
}

/** Types that stay, by DuckDB's name. */
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

/** Nested types of DuckDB's, by what they have. */
interface NestedType {
  readonly valueType?: DuckDBType
  readonly keyType?: DuckDBType
  readonly entryNames?: readonly string[]
  readonly entryTypes?: readonly DuckDBType[]
}

export function answerType(type: DuckDBType): AnswerType {
  const { valueType, keyType, entryNames, entryTypes } = type as unknown as NestedType
  if (keyType !== undefined && valueType !== undefined) {
    return nested([keyType, valueType], ([key, value]) => ({
      name: `map<${key.name},${value.name}>`,
      sql: `MAP(${key.sql}, ${value.sql})`,
    }))
  }
  if (valueType !== undefined) {
    return nested([valueType], ([value]) => ({ name: `array<${value.name}>`, sql: `${value.sql}[]` }))
  }
  if (entryNames !== undefined && entryTypes !== undefined) return struct(entryNames, entryTypes)
  return scalar(String(type))
}

/** Parts that `row(…)` makes have no names in DuckDB, and no table can have them; they are called as those of Hive's struct(…). */
function struct(entryNames: readonly string[], entryTypes: readonly DuckDBType[]): AnswerType {
  const isUnnamed = entryNames.every((name) => name === '')
  const names = isUnnamed ? entryNames.map((_, i) => `col${i + 1}`) : entryNames
  const type = nested(entryTypes, (types) => ({
    name: `struct<${types.map((part, i) => `${names[i]}:${part.name}`).join(',')}>`,
    sql: `STRUCT(${types.map((part, i) => `${quotedName(names[i])} ${part.sql}`).join(', ')})`,
  }))
  return { ...type, isCast: type.isCast || isUnnamed }
}

function nested(
  parts: readonly DuckDBType[],
  of: (parts: readonly AnswerType[]) => Omit<AnswerType, 'isCast'>,
): AnswerType {
  const types = parts.map(answerType).map((type) => ({ ...type, name: type.name.toLowerCase() }))
  return { ...of(types), isCast: types.some(({ isCast }) => isCast) }
}

function scalar(type: string): AnswerType {
  const kept = KEPT[type] ?? (type.startsWith('DECIMAL(') ? type : undefined)
  if (kept !== undefined) return { name: kept, sql: type, isCast: false }
  if (type.startsWith('ENUM(')) return { name: 'STRING', sql: 'VARCHAR', isCast: false }
  return CAST[type] ?? AS_TEXT
}

/** What makes a value of DuckDB's type `type`, called `value`, one of the answer's. */
export function answerValue(value: string, type: DuckDBType): string {
  const { sql, isCast } = answerType(type)
  if (!isCast) return value
  if (String(type) !== 'HUGEINT') return `CAST(${value} AS ${sql})`
  return `coalesce(TRY_CAST(${value} AS BIGINT), CASE WHEN ${value} IS NOT NULL THEN error(${tooLarge(value)}) END)`
}

function tooLarge(value: string): string {
  return `${value} || ' is beyond a BIGINT, which sums and other whole numbers are; cast it, as in sum(n)::DECIMAL(38,0)'`
}
