/**
 * Runs statements of the corpus on DuckDB with the meaning of Flink, without a planner: what DuckDB's parser does not take
 * is replaced in the text, and windows over streams become tables.
 */
import { DuckDBBlobValue, type DuckDBConnection, type DuckDBResultReader } from '@duckdb/node-api'
import { openLocked } from '../../../src/duckdb/locked-instance.ts'
import { type DataType, duckdbType, printType, type TypedColumn } from '../../../src/sql/data-types.ts'
import { FLINK_MACROS } from '../../../src/sql/flink-macros.ts'
import { withFlinkMeaning } from '../../../src/sql/meaning-flink.ts'
import { type Node, parseTree, printTree } from '../../../src/sql/tree.ts'
import type { CorpusAnswer, Stream } from './corpus.ts'

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`
const TIME: DataType = { kind: 'TIMESTAMP', precision: 3 }

export class DirectRunner {
  readonly #connection: DuckDBConnection
  readonly #relations = new Map<string, readonly TypedColumn[]>()
  readonly #withMeaning: boolean
  #windows = 0

  private constructor(connection: DuckDBConnection, withMeaning: boolean) {
    this.#connection = connection
    this.#withMeaning = withMeaning
  }

  static async open(streams: Readonly<Record<string, Stream>>, withMeaning = true): Promise<DirectRunner> {
    const duckdb = await import('@duckdb/node-api')
    const options = { memoryBytes: 512 * 2 ** 20, diskBytes: 0, spillFolder: '' }
    const { connection } = await openLocked(duckdb, options, async () => {}, FLINK_MACROS)
    const runner = new DirectRunner(connection, withMeaning)
    for (const [name, stream] of Object.entries(streams)) await runner.#createStream(name, stream)
    return runner
  }

  close(): void {
    this.#connection.closeSync()
  }

  async run(sql: string): Promise<CorpusAnswer> {
    try {
      const parsed = await this.#parse(await this.#withWindows(parsable(sql)))
      const query = this.#withMeaning
        ? withFlinkMeaning(parsed, { columnsOf: (name) => this.#relations.get(name) })
        : { tree: parsed, columns: undefined }
      const text = await this.#value(`json_deserialize_sql(${quoted(printTree(query.tree))}::JSON)`)
      const answer = await this.#connection.runAndReadAll(text)
      const types = answer.columnTypes().map(String)
      const columns = query.columns?.map(({ type }) => type)
      const wrong =
        columns?.findIndex(
          (type, index) => duckdbType(type).replaceAll(' ', '') !== engineName(types[index]!),
        ) ?? -1
      if (wrong !== -1)
        return {
          error: `the engine's type ${types[wrong]} is not that of ${printType(columns![wrong]!)}: ${text}`,
        }
      return {
        types: columns?.map(corpusType) ?? types.map(withoutMeaning),
        rows: rowsOf(answer),
      }
    } catch (error) {
      return { error: (error as Error).message }
    }
  }

  async #parse(sql: string): Promise<Node> {
    const answer = parseTree(await this.#value(`json_serialize_sql(${quoted(sql)}::VARCHAR)`))
    if (answer.error === true) throw new Error(String(answer.error_message))
    return (answer.statements as readonly { node: Node }[])[0]!.node
  }

  async #value(expression: string): Promise<string> {
    const answer = await this.#connection.runAndReadAll(`SELECT ${expression}`)
    return String(answer.getRows()[0]![0])
  }

  async #createStream(name: string, { columns, rows }: Stream): Promise<void> {
    const types = [
      ...columns.matchAll(/(\w+) (STRING|INT|DOUBLE|DECIMAL\(10, 2\)|TIMESTAMP\(3\))(?:,|$)/g),
    ].map(([, column, type]) => ({ name: column!, type: streamType(type!), nullable: true }))
    const list = types.map(({ name: column, type }) => `"${column}" ${duckdbType(type)}`)
    const values = rows.map(
      (row) => `(${row.split(',').map((one) => (one === 'NULL' ? 'NULL' : quoted(one)))})`,
    )
    await this.#connection.run(`CREATE TEMP TABLE ${name} (${list}); INSERT INTO ${name} VALUES ${values}`)
    this.#relations.set(name, types)
  }

  /** Each window function becomes a table that holds its rows. */
  async #withWindows(sql: string): Promise<string> {
    let rest = sql
    for (;;) {
      const found =
        /TABLE\((TUMBLE|HOP|CUMULATE)\((?:DATA => )?TABLE (\w+), (?:TIMECOL => )?DESCRIPTOR\((\w+)\), (?:SIZE => )?((?:INTERVAL '\d+' MINUTES(?:, )?)+)\)\)/.exec(
          rest,
        )
      if (found === null) return rest
      const [whole, kind, table, column, intervals] = found as unknown as [
        string,
        string,
        string,
        string,
        string,
      ]
      const minutes = [...intervals.matchAll(/\d+/g)].map(Number)
      const relation = `w${this.#windows++}`
      await this.#connection.run(
        `CREATE TEMP TABLE ${relation} AS ${windowRows(kind, table, column, minutes)}`,
      )
      const added = ['window_start', 'window_end', 'window_time'].map((name) => ({
        name,
        type: TIME,
        nullable: true,
      }))
      this.#relations.set(relation, [...this.#relations.get(table)!, ...added])
      rest = rest.replace(whole, relation)
    }
  }
}

/** Values as JSON; BLOB in base64, as Flink writes it. */
function rowsOf(answer: DuckDBResultReader): unknown[][] {
  const rows = answer.getRows()
  return answer.getRowsJson().map((row, at) =>
    row.map((value, index) => {
      const raw = rows[at]![index]
      return raw instanceof DuckDBBlobValue ? Buffer.from(raw.bytes).toString('base64') : value
    }),
  )
}

function windowRows(kind: string, table: string, column: string, minutes: readonly number[]): string {
  const [size, slide, offset] =
    kind === 'TUMBLE' ? [minutes[0]!, minutes[0]!, minutes[1] ?? 0] : [minutes[1]!, minutes[0]!, 0]
  const start =
    kind === 'HOP'
      ? `time_bucket(INTERVAL ${slide} MINUTE, ${column}) - __n * INTERVAL ${slide} MINUTE`
      : `time_bucket(INTERVAL ${size} MINUTE, ${column}, INTERVAL ${offset} MINUTE)`
  const end =
    kind === 'CUMULATE'
      ? `window_start + (__n + 1) * INTERVAL ${slide} MINUTE`
      : `window_start + INTERVAL ${size} MINUTE`
  const count = kind === 'TUMBLE' ? 1 : size / slide
  return `SELECT * EXCLUDE __n, window_end - INTERVAL 1 MILLISECOND AS window_time FROM (
    SELECT *, ${end} AS window_end FROM (SELECT t.*, __n, ${start} AS window_start FROM ${table} t, range(${count}) r(__n)))
    WHERE ${column} < window_end AND ${column} >= window_start ORDER BY ${column}, window_start`
}

function streamType(type: string): DataType {
  if (type.startsWith('DECIMAL')) return { kind: 'DECIMAL', precision: 10, scale: 2 }
  return type.startsWith('TIMESTAMP') ? TIME : { kind: type as 'STRING' }
}

/** Flink's text as one that DuckDB's parser takes. */
function parsable(sql: string): string {
  return sql
    .replace(/\b(FLOOR|CEIL)\((\w+|TIMESTAMP '[^']*') TO (\w+)\)/g, "$1($2, '$3')")
    .replace(/\bAS TIMESTAMP\((\d)\)/g, 'AS __timestamp($1)')
    .replace(/\bAS (CHAR|VARCHAR)\((\d+)\)/g, (_, type: string, n) => `AS __${type.toLowerCase()}(${n})`)
    .replace(/JSON_VALUE\((.*) RETURNING (\w+)\)/g, "__json_value($1, '$2')")
}

const engineName = (type: string) =>
  type.replace('TIMESTAMP WITH TIME ZONE', 'TIMESTAMPTZ').replaceAll(' ', '')

/** The name of a type as record.ts writes it. */
function corpusType(type: DataType): string {
  switch (type.kind) {
    case 'INT':
      return 'INTEGER'
    case 'STRING':
    case 'VARCHAR':
      return 'VARCHAR'
    case 'CHAR':
      return 'CHAR'
    case 'TIME':
      return 'TIME'
    case 'BYTES':
      return 'VARBINARY'
    default:
      return printType(type)
  }
}

/** The same for what DuckDB gives without the meaning of Flink. */
function withoutMeaning(type: string): string {
  return type.replace(/^DECIMAL\((\d+),(\d+)\)$/, 'DECIMAL($1, $2)').replace(/^TIMESTAMP$/, 'TIMESTAMP(3)')
}
