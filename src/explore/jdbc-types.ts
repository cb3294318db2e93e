/** Types as JDBC drivers are told of them: numbers of java.sql.Types, digits. Values are those of Hive. */

export interface JdbcType {
  readonly name: string
  /** Of java.sql.Types. */
  readonly number: number
  /** Digits, of numbers. */
  readonly precision?: number
  readonly radix?: number
  readonly caseSensitive?: boolean
  /** Whether a condition can be about it. */
  readonly searchable?: boolean
  /** What a column of it tells, where that is not the precision. */
  readonly columnSize?: number
  readonly decimalDigits?: number
}

const TEXT_SIZE = 2_147_483_647

export const JDBC_TYPES: readonly JdbcType[] = [
  { name: 'VOID', number: 0 },
  { name: 'BOOLEAN', number: 16, decimalDigits: 0 },
  { name: 'TINYINT', number: -6, precision: 3, radix: 10, decimalDigits: 0 },
  { name: 'SMALLINT', number: 5, precision: 5, radix: 10, decimalDigits: 0 },
  { name: 'INT', number: 4, precision: 10, radix: 10, decimalDigits: 0 },
  { name: 'BIGINT', number: -5, precision: 19, radix: 10, decimalDigits: 0 },
  { name: 'FLOAT', number: 6, precision: 7, radix: 2, decimalDigits: 7 },
  { name: 'DOUBLE', number: 8, precision: 15, radix: 2, decimalDigits: 15 },
  { name: 'STRING', number: 12, caseSensitive: true, columnSize: TEXT_SIZE },
  { name: 'DATE', number: 91, columnSize: 10 },
  { name: 'TIMESTAMP', number: 93, columnSize: 29 },
  { name: 'BINARY', number: -2, columnSize: TEXT_SIZE },
  { name: 'DECIMAL', number: 3, precision: 38, radix: 10, decimalDigits: 38 },
  { name: 'ARRAY', number: 2003, searchable: false },
  { name: 'MAP', number: 2000, searchable: false },
  { name: 'STRUCT', number: 2002, searchable: false },
]

const OTHER: JdbcType = { name: 'OTHER', number: 1111, searchable: false }
const BY_NAME: ReadonlyMap<string, JdbcType> = new Map(JDBC_TYPES.map((type) => [type.name, type]))
const DECIMAL = /^DECIMAL\((\d+),\s*(\d+)\)$/i

/** The type of a column whose type has this name: `BIGINT`, `map<string,string>`, `DECIMAL(10,2)`. */
export function jdbcTypeOf(hiveType: string): JdbcType {
  const decimal = DECIMAL.exec(hiveType)
  const word = /^[A-Za-z]*/.exec(hiveType)![0].toUpperCase()
  const type = BY_NAME.get(word) ?? OTHER
  if (decimal === null) return type
  return { ...type, precision: Number(decimal[1]), decimalDigits: Number(decimal[2]) }
}

export function isUnsigned({ name, precision }: JdbcType): boolean {
  return precision === undefined && name !== 'DECIMAL'
}
