/**
 * Answers the questions of JDBC drivers about the database: schemas (which are namespaces), tables, columns, types and
 * functions. Columns and values are those that CDAP returned from Hive. A reader sees only what it may know.
 */
import { setImmediate } from 'node:timers/promises'
import type { NamespaceName } from '../streams/names.ts'
import type { Registry } from '../streams/registry.ts'
import type { MayKnow, TableClaim } from '../streams/table-names.ts'
import { type Column, NoTable } from './columns.ts'
import { isUnsigned, JDBC_TYPES, type JdbcType, jdbcFactsOf, type ResultColumn } from './hive-types.ts'
import { namePattern } from './jdbc-patterns.ts'
import type { Result } from './result.ts'
import { columnsOrReason, type Tables } from './tables.ts'

/** Patterns are those of JDBC; undefined matches every name. */
export type MetadataQuestion =
  | { readonly about: 'catalogs' | 'tableTypes' | 'types' }
  | { readonly about: 'schemas'; readonly schema: string | undefined }
  | {
      readonly about: 'tables'
      readonly schema: string | undefined
      readonly table: string | undefined
      /** Undefined means all types. */
      readonly types: readonly string[] | undefined
    }
  | {
      readonly about: 'columns'
      readonly schema: string | undefined
      readonly table: string | undefined
      readonly column: string | undefined
    }
  | { readonly about: 'functions'; readonly function: string | undefined }

/** The names that the reader may know. */
export interface CatalogReader {
  readonly mayKnow: MayKnow
  mayKnowPartOf(namespace: NamespaceName): boolean
}

export interface Catalog {
  /** `reader` is undefined if no tokens are required. */
  answer(question: MetadataQuestion, reader: CatalogReader | undefined): Promise<Result>
}

type Cell = string | number | boolean | null

/** After this many tables the event loop may handle other work. */
const SLICE_TABLES = 50

export class JdbcCatalog implements Catalog {
  readonly #registry: Registry
  readonly #tables: Tables

  constructor(registry: Registry, tables: Tables) {
    this.#registry = registry
    this.#tables = tables
  }

  async answer(question: MetadataQuestion, reader: CatalogReader | undefined): Promise<Result> {
    switch (question.about) {
      case 'catalogs':
        return rows(CATALOGS, [], () => [])
      case 'tableTypes':
        return rows(TABLE_TYPES, [TABLE, VIEW], (type) => [type])
      case 'types':
        return rows(TYPES, JDBC_TYPES, typeRow)
      case 'schemas':
        return rows(SCHEMAS, this.#namespaces(question.schema, reader), (namespace) => [namespace, ''])
      case 'tables': {
        const wanted =
          question.types === undefined || question.types.some((type) => type.toUpperCase() === TABLE)
        const claims = wanted ? await this.#claims(question, reader) : []
        return rows(TABLES, claims, ({ stream, table }) => [
          '',
          stream.id.namespace,
          table,
          TABLE,
          'CDAP Stream',
        ])
      }
      case 'columns':
        return rows(COLUMNS, await this.#columns(question, reader), columnRow)
      case 'functions': {
        const fits = namePattern(question.function, { ignoreCase: true })
        return rows(FUNCTIONS, FUNCTION_NAMES.filter(fits), (name) => [null, null, name, '', NO_TABLE, name])
      }
    }
  }

  #namespaces(schema: string | undefined, reader: CatalogReader | undefined): readonly NamespaceName[] {
    const fits = namePattern(schema)
    return this.#registry
      .namespaceNames()
      .filter((name) => fits(name) && (reader?.mayKnowPartOf(name) ?? true))
      .sort()
  }

  async #claims(
    { schema, table }: { readonly schema: string | undefined; readonly table: string | undefined },
    reader: CatalogReader | undefined,
  ): Promise<readonly TableClaim[]> {
    const fits = namePattern(table, { ignoreCase: true })
    const claims: TableClaim[] = []
    for (const namespace of this.#namespaces(schema, reader)) {
      const found = this.#tables.list(namespace, reader?.mayKnow).filter((claim) => fits(claim.table))
      claims.push(...found.sort((a, b) => (a.table < b.table ? -1 : 1)))
      await setImmediate()
    }
    return claims
  }

  async #columns(
    question: MetadataQuestion & { readonly about: 'columns' },
    reader: CatalogReader | undefined,
  ): Promise<readonly TableColumn[]> {
    const fits = namePattern(question.column, { ignoreCase: true })
    const found: TableColumn[] = []
    for (const [i, claim] of (await this.#claims(question, reader)).entries()) {
      if (i % SLICE_TABLES === SLICE_TABLES - 1) await setImmediate()
      const columns = columnsOrReason(claim)
      if (columns instanceof NoTable) continue
      columns.forEach((column, index) => {
        if (fits(column.name)) found.push({ claim, column, position: index + 1 })
      })
    }
    return found
  }
}

interface TableColumn {
  readonly claim: TableClaim
  readonly column: Column
  readonly position: number
}

/** Rows are computed when a page is read, because there may be many columns. */
function rows<T>(
  columns: readonly ResultColumn[],
  items: readonly T[],
  cellsOf: (item: T) => readonly Cell[],
): Result {
  return {
    columns,
    rowCount: items.length,
    page: async (from, count) =>
      items.slice(from, from + count).map((item) => cellsOf(item).map((cell) => JSON.stringify(cell))),
    close() {},
  }
}

const TABLE = 'TABLE'
const VIEW = 'VIEW'
/** `functionNoTable` of java.sql.DatabaseMetaData. */
const NO_TABLE = 1
/** `columnNullable`, and `typeNullable`. */
const NULLABLE = 1
/** `typeSearchable` and `typePredNone`. */
const SEARCHABLE = 3
const NOT_SEARCHABLE = 0

function typeRow(type: JdbcType): readonly Cell[] {
  const { name, number, precision, radix, caseSensitive = false, searchable = true } = type
  const isDecimal = name === 'DECIMAL'
  return [
    name,
    number,
    precision ?? null,
    null,
    null,
    isDecimal ? 'precision,scale' : null,
    NULLABLE,
    caseSensitive,
    searchable ? SEARCHABLE : NOT_SEARCHABLE,
    isUnsigned(type),
    false,
    false,
    null,
    0,
    isDecimal ? 38 : 0,
    null,
    null,
    radix ?? null,
  ]
}

function columnRow({
  claim: { stream, table },
  column: { name, hiveType },
  position,
}: TableColumn): readonly Cell[] {
  const { number, precision, columnSize = precision, decimalDigits, radix } = jdbcFactsOf(hiveType)
  const nothing = null
  return [
    null,
    stream.id.namespace,
    table,
    name,
    number,
    hiveType,
    columnSize ?? null,
    nothing,
    decimalDigits ?? null,
    radix ?? null,
    NULLABLE,
    'from deserializer',
    nothing,
    nothing,
    nothing,
    nothing,
    position,
    'YES',
    nothing,
    nothing,
    nothing,
    nothing,
    'NO',
  ]
}

/** `NAME TYPE, …` */
function columnsNamed(text: string): readonly ResultColumn[] {
  return text
    .trim()
    .split(/\s*,\s*/)
    .map((column) => {
      const [name = '', type = ''] = column.split(' ')
      return { name, type }
    })
}

const CATALOGS = columnsNamed('TABLE_CAT STRING')
const TABLE_TYPES = columnsNamed('TABLE_TYPE STRING')
const SCHEMAS = columnsNamed('TABLE_SCHEM STRING, TABLE_CATALOG STRING')
const TABLES = columnsNamed(
  'TABLE_CAT STRING, TABLE_SCHEM STRING, TABLE_NAME STRING, TABLE_TYPE STRING, REMARKS STRING',
)
const COLUMNS = columnsNamed(`
  TABLE_CAT STRING, TABLE_SCHEM STRING, TABLE_NAME STRING, COLUMN_NAME STRING, DATA_TYPE INT, TYPE_NAME STRING,
  COLUMN_SIZE INT, BUFFER_LENGTH TINYINT, DECIMAL_DIGITS INT, NUM_PREC_RADIX INT, NULLABLE INT, REMARKS STRING,
  COLUMN_DEF STRING, SQL_DATA_TYPE INT, SQL_DATETIME_SUB INT, CHAR_OCTET_LENGTH INT, ORDINAL_POSITION INT,
  IS_NULLABLE STRING, SCOPE_CATALOG STRING, SCOPE_SCHEMA STRING, SCOPE_TABLE STRING, SOURCE_DATA_TYPE SMALLINT,
  IS_AUTO_INCREMENT STRING`)
const FUNCTIONS = columnsNamed(
  'FUNCTION_CAT STRING, FUNCTION_SCHEM STRING, FUNCTION_NAME STRING, REMARKS STRING, FUNCTION_TYPE INT, SPECIFIC_NAME STRING',
)
const TYPES = columnsNamed(`
  TYPE_NAME STRING, DATA_TYPE INT, PRECISION INT, LITERAL_PREFIX STRING, LITERAL_SUFFIX STRING, CREATE_PARAMS STRING,
  NULLABLE SMALLINT, CASE_SENSITIVE BOOLEAN, SEARCHABLE SMALLINT, UNSIGNED_ATTRIBUTE BOOLEAN, FIXED_PREC_SCALE BOOLEAN,
  AUTO_INCREMENT BOOLEAN, LOCAL_TYPE_NAME STRING, MINIMUM_SCALE SMALLINT, MAXIMUM_SCALE SMALLINT, SQL_DATA_TYPE INT,
  SQL_DATETIME_SUB INT, NUM_PREC_RADIX INT`)

/** The most common functions; sql-functions.ts has all. */
const FUNCTION_NAMES: readonly string[] =
  `abs acos array_agg ascii asin atan atan2 avg bool_and bool_or cardinality ceil chr coalesce concat concat_ws contains corr cos
  count covar_pop covar_samp date_diff date_part date_trunc degrees dense_rank ends_with epoch_ms exp first_value floor format
  from_base64 greatest hash histogram hour ifnull json_extract json_extract_string lag last_value lead least left length list
  list_contains ln log log10 log2 lower lpad ltrim map_keys map_values max md5 median min minute mod month ntile nullif
  percent_rank pi power quantile_cont quarter radians random rank regexp_extract regexp_full_match regexp_matches regexp_replace
  repeat replace reverse right round row_number rpad rtrim second sha256 sign sin split_part sqrt starts_with stddev_pop
  stddev_samp strftime string_agg strpos strptime substr substring sum tan to_base64 translate trim trunc unnest upper var_pop
  var_samp week year`.split(/\s+/)

/** CDAP's answers to the methods of `DatabaseMetaData` that return no rows. Other names are unknown, as in Hive. */
export const JDBC_INFO: ReadonlyMap<string, string | number> = new Map<string, string | number>([
  ['DBMS_NAME', 'CDAP'],
  ['DBMS_VER', '2.4.0'],
  ['SERVER_NAME', 'Hive'],
  ['MAX_COLUMN_NAME_LEN', 128],
  ['MAX_SCHEMA_NAME_LEN', 128],
  ['MAX_TABLE_NAME_LEN', 128],
  ['TXN_CAPABLE', 0],
])
