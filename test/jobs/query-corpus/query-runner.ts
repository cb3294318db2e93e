/**
 * Runs statements of PostgreSQL on DuckDB with PostgreSQL's meaning, over tables that are created from their columns in PostgreSQL's
 * types and filled from JSON texts, and returns the JSON texts of the results.
 */
import type { DuckDBConnection } from '@duckdb/node-api'
import type { Bindings } from '../../../src/duckdb/column-buffer.ts'
import { openLocked } from '../../../src/duckdb/locked-instance.ts'
import { registerScalars } from '../../../src/duckdb/scalar-functions.ts'
import { quotedName } from '../../../src/duckdb/sql-text.ts'
import { chunkValues } from '../../../src/duckdb/vector-values.ts'
import type { Planner } from '../../../src/jobs/plan/planner.ts'
import { type DataType, duckdbType } from '../../../src/sql/data-types.ts'
import { decodedName } from '../../../src/sql/encoded-name.ts'
import { POSTGRES_MACROS } from '../../../src/sql/postgres-macros.ts'
import { type PostgresColumn, withPostgresMeaning } from '../../../src/sql/postgres-meaning.ts'
import { resultText } from '../../../src/sql/postgres-results.ts'
import { POSTGRES_SCALARS } from '../../../src/sql/postgres-scalars.ts'
import { columnPgType, dataTypeOf } from '../../../src/sql/postgres-types.ts'
import { type Node, parseTree, printTree } from '../../../src/sql/tree.ts'
import { withPostgresForms } from './postgres-forms.ts'

export interface SampleTable {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  /** JSON texts in the form of captured events; null for NULL. */
  readonly rows: readonly (readonly (string | null)[])[]
}

export interface Answer {
  readonly types: readonly string[]
  /** JSON texts. */
  readonly rows: readonly (readonly string[])[]
}

const SETTINGS = ['SET GLOBAL ieee_floating_point_ops = true', 'SET GLOBAL integer_division = false']

export class QueryRunner {
  readonly #connection: DuckDBConnection
  readonly #bindings: Bindings
  readonly #tables = new Map<string, readonly PostgresColumn[]>()

  private constructor(connection: DuckDBConnection, bindings: Bindings) {
    this.#connection = connection
    this.#bindings = bindings
  }

  static async open(): Promise<QueryRunner> {
    const duckdb = await import('@duckdb/node-api')
    const { default: bindings } = await import('@duckdb/node-bindings')
    const options = { memoryBytes: 1024 ** 3, diskBytes: 0, spillFolder: '' }
    const { connection } = await openLocked(
      duckdb,
      options,
      async (first) => {
        for (const setting of SETTINGS) await first.run(setting)
        registerScalars(duckdb, first, POSTGRES_SCALARS)
      },
      POSTGRES_MACROS,
    )
    return new QueryRunner(connection, bindings)
  }

  close(): void {
    this.#connection.closeSync()
  }

  async create({ name, columns, rows }: SampleTable): Promise<void> {
    const typed = columns.map((column): PostgresColumn => {
      const type = dataTypeOf(columnPgType(column.type))
      return { name: column.name, databaseType: column.type, type, nullable: true }
    })
    this.#tables.set(name, typed)
    const definitions = typed.map((column) => `${quotedName(column.name)} ${duckdbType(column.type)}`)
    await this.#connection.run(`CREATE OR REPLACE TABLE ${quotedName(name)} (${definitions.join(', ')})`)
    for (let at = 0; at < rows.length; at += 200) {
      const values = rows
        .slice(at, at + 200)
        .map((row) => `(${row.map((value, i) => literal(value, duckdbType(typed[i]!.type))).join(', ')})`)
      await this.#connection.run(`INSERT INTO ${quotedName(name)} VALUES ${values.join(', ')}`)
    }
  }

  /** The text for DuckDB. */
  async rewritten(sql: string): Promise<{
    sql: string
    columns: readonly { postgresType: string; type: DataType }[]
  }> {
    const parsed = parseTree(
      await this.#value('SELECT json_serialize_sql($1::VARCHAR)', withPostgresForms.text(sql)),
    )
    const [statement] = (parsed.statements ?? []) as readonly { node: Node }[]
    if (statement === undefined) throw new Error(String(parsed.error_message))
    const { tree, columns } = withPostgresMeaning(withPostgresForms.tree(statement.node), {
      columnsOf: (relation) => this.#tables.get(relation),
    })
    return { sql: await this.#value('SELECT json_deserialize_sql($1::JSON)', printTree(tree)), columns }
  }

  async run(sql: string): Promise<Answer> {
    const { sql: engineSql, columns } = await this.rewritten(sql)
    const types = columns.map(({ type }) => type)
    const cast = columns.map(({ type }, index) => `CAST(c${index} AS ${duckdbType(type)})`)
    const names = columns.map((_, index) => `c${index}`)
    const rows = await this.#rows(
      `SELECT ${cast.join(', ')} FROM (${engineSql}) AS q(${names.join(', ')})`,
      types,
    )
    return { types: columns.map(({ postgresType }) => postgresType), rows }
  }

  /** Through the planner of cached queries: visible columns, rows without order. */
  async runPlanned(sql: string, planner: Planner): Promise<Answer> {
    const tables = [...this.#tables].map(([table, columns]) => ({
      ...{ schema: 'public', table, tableId: table, key: ['id'] },
      columns,
    }))
    const { plan, columns } = await planner.planQuery({ sql, tables, models: [] })
    const [insert] = plan.inserts
    if (insert?.way !== 'refresh') throw new Error('not a refresh')
    for (const { relation, source } of insert.refresh.bases) {
      const { tableId, columns: used } = plan.sources.find((one) => one.relation === source)!
      const items = used.map(({ name }) => `${quotedName(decodedName(name))} AS ${quotedName(name)}`)
      await this.#connection.run(
        `CREATE OR REPLACE TEMP VIEW ${relation} AS SELECT ${items.join(', ')} FROM ${quotedName(tableId)}`,
      )
    }
    const types = insert.sink.columns.slice(0, columns.length).map(({ type }) => type)
    const cast = types.map((type, index) => `CAST(c${index} AS ${duckdbType(type)})`)
    const rows = await this.#rows(`SELECT ${cast.join(', ')} FROM (${insert.refresh.select})`, types)
    return { types: columns.map(({ type }) => type), rows }
  }

  /** Without PostgreSQL's meaning: rows as texts of DuckDB, with the marks of JSON texts. */
  async runPlain(sql: string): Promise<Answer> {
    const reader = await this.#connection.runAndReadAll(sql)
    const isNumber = reader.columnTypes().map((type) => /INT|DOUBLE|FLOAT|BOOL/.test(String(type)))
    const rows = reader
      .getRows()
      .map((row) =>
        row.map((value, i) =>
          value === null || isNumber[i] ? String(value) : JSON.stringify(String(value)),
        ),
      )
    return { types: [], rows }
  }

  async #rows(sql: string, types: readonly DataType[]): Promise<string[][]> {
    const result = await this.#connection.run(sql)
    const rows: string[][] = []
    for (
      let chunk = await result.fetchChunk();
      chunk !== null && chunk.rowCount > 0;
      chunk = await result.fetchChunk()
    ) {
      const values = chunkValues(this.#bindings, chunk, types)
      for (let row = 0; row < chunk.rowCount; row++)
        rows.push(types.map((type, column) => resultText(type, values[column]![row]!)))
    }
    return rows
  }

  async #value(sql: string, argument: string): Promise<string> {
    const reader = await this.#connection.runAndReadAll(sql, [argument])
    return String(reader.getRows()[0]![0])
  }
}

function literal(json: string | null, type: string): string {
  if (json === null) return 'NULL'
  const value = JSON.parse(json) as unknown
  const quoted = (one: unknown): string => `'${String(one).replaceAll("'", "''")}'`
  if (type === 'BLOB') return `from_base64(${quoted(value)})`
  if (Array.isArray(value)) {
    const items = value.map((item) => (item === null ? 'NULL' : quoted(item)))
    return `CAST([${items.join(', ')}] AS ${type})`
  }
  return `CAST(${typeof value === 'string' ? quoted(value) : quoted(json)} AS ${type})`
}
