/**
 * Writes rows into a database table, exactly once: the rows of an outbox and the epoch are one transaction. The epoch
 * stands in the table `millrace_positions`:
 *
 *   job text, sink integer, epoch bigint      PRIMARY KEY (job, sink)
 *
 * The transaction writes it first. So two transactions for one sink wait for each other, and the second one finds the epoch
 * of the first: a commit whose outcome was unknown cannot be followed by a second one of the same rows.
 *
 * With a PRIMARY KEY rows are inserted or updated, and deleted by key; of several changes of one key the last counts.
 * Without it rows are inserted. Where `millrace_positions` cannot be created, the sink keeps no record: rows with a key are
 * then idempotent, others may be written twice after a failure.
 */
import type { Value } from '../../formats/record-reader.ts'
import type { TypedColumn } from '../../sql/data-types.ts'
import type { PostgresAccess } from '../../tables/table.ts'
import {
  ConnectorError,
  type Emitted,
  type Outbox,
  type RecordedEpoch,
  type RowChunk,
  type Sink,
} from './connector.ts'
import { POSTGRES_LIMITS, PostgresConnection, type PostgresLimits } from './postgres-connection.ts'
import { describeTable, type PostgresTable, requireUniqueIndex, type TablePlace } from './postgres-table.ts'
import { quotedIdentifier, TextWriter, writtenType } from './postgres-values.ts'

const POSITIONS = 'millrace_positions'

export interface SinkOptions extends TablePlace {
  readonly access: PostgresAccess
  /** Written columns, in the order of the outbox. */
  readonly columns: readonly TypedColumn[]
  /** Empty: rows are inserted only. */
  readonly primaryKey: readonly string[]
  readonly job: string
  readonly sink: number
  readonly limits?: PostgresLimits
}

type Query = PostgresConnection['query']

export class PostgresSink implements Sink {
  /** What the guarantee of the sink lacks, for the client that creates the job. */
  readonly warnings: readonly string[]
  readonly #connection: PostgresConnection
  readonly #keepsRecord: boolean
  readonly #job: string
  readonly #sink: number
  readonly #statements: Statements
  readonly #writers: readonly TextWriter[]
  /** Indexes of the columns of the key. */
  readonly #key: readonly number[]

  private constructor(
    connection: PostgresConnection,
    table: PostgresTable,
    keepsRecord: boolean,
    options: SinkOptions,
  ) {
    const { columns, primaryKey } = options
    this.#connection = connection
    this.#keepsRecord = keepsRecord
    this.#job = options.job
    this.#sink = options.sink
    this.#statements = statements(table, columns, primaryKey)
    this.#writers = columns.map(({ name, type }) => new TextWriter(name, type, table.columns.get(name)!))
    this.#key = primaryKey.map((name) => columns.findIndex((column) => column.name === name))
    this.warnings = keepsRecord ? [] : [withoutRecord(options)]
  }

  static async open(options: SinkOptions): Promise<PostgresSink> {
    const { access, limits = POSTGRES_LIMITS, integrationId } = options
    const connection = new PostgresConnection(access, limits, integrationId)
    try {
      const table = await describeTable(connection, options, options.columns)
      if (options.primaryKey.length > 0) await requireUniqueIndex(connection, options, options.primaryKey)
      return new PostgresSink(connection, table, await hasPositions(connection), options)
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  async recorded(): Promise<RecordedEpoch> {
    if (!this.#keepsRecord) return 'unknowable'
    const sql = `SELECT epoch FROM ${POSITIONS} WHERE job = $1 AND sink = $2`
    const { rows } = await this.#connection.query(sql, [this.#job, this.#sink])
    return rows.length === 0 ? 'none' : Number(rows[0]![0])
  }

  emit(epoch: number, outbox: Outbox): Promise<Emitted> {
    return this.#connection.transaction(async (query) => {
      if (this.#keepsRecord) await this.#record(query, epoch)
      return this.#writeAll(query, outbox)
    })
  }

  sizeOf(outbox: Outbox): Promise<Emitted> {
    return this.#writeAll(async () => ({ rows: [], rowCount: 0 }), outbox)
  }

  close(): Promise<void> {
    return this.#connection.close()
  }

  async #record(query: Query, epoch: number): Promise<void> {
    const { rowCount } = await query(
      `INSERT INTO ${POSITIONS} AS p (job, sink, epoch) VALUES ($1, $2, $3)
       ON CONFLICT (job, sink) DO UPDATE SET epoch = EXCLUDED.epoch WHERE p.epoch < EXCLUDED.epoch`,
      [this.#job, this.#sink, epoch],
    )
    // The caller reads `recorded` again and finds that the rows are written.
    if (rowCount === 0) throw new ConnectorError(`the sink has recorded epoch ${epoch} already`, true)
  }

  async #writeAll(query: Query, outbox: Outbox): Promise<Emitted> {
    let records = 0
    let bytes = 0
    for await (const chunk of outbox.chunks()) {
      const written = await this.#write(query, chunk)
      records += written.records
      bytes += written.bytes
    }
    return { records, bytes }
  }

  async #write(query: Query, chunk: RowChunk): Promise<Emitted> {
    if (this.#key.length === 0) {
      const rows = everyRow(chunk)
      const bytes = await this.#run(query, this.#statements.insert, chunk, rows, this.#writers.keys())
      return { records: rows.length, bytes }
    }
    const { upserts, deletes } = this.#lastByKey(chunk)
    // Deletes first: a row may take the place of a deleted one in another unique index.
    const bytes = await this.#run(query, this.#statements.remove, chunk, deletes, this.#key)
    const inserted = await this.#run(query, this.#statements.insert, chunk, upserts, this.#writers.keys())
    return { records: deletes.length + upserts.length, bytes: bytes + inserted }
  }

  async #run(
    query: Query,
    sql: string,
    chunk: RowChunk,
    rows: readonly number[],
    columns: Iterable<number>,
  ): Promise<number> {
    if (rows.length === 0) return 0
    let bytes = 0
    const parameters = [...columns].map((column) => {
      const values = chunk.columns[column]!
      const writer = this.#writers[column]!
      return rows.map((row) => {
        const text = writer.write(values[row]!)
        bytes += text === null ? 0 : text.length
        return text
      })
    })
    await query(sql, parameters)
    return bytes
  }

  /** Row numbers of the last change of each key. */
  #lastByKey({ ops, columns, rowCount }: RowChunk): { upserts: number[]; deletes: number[] } {
    const last = new Map<string, number>()
    for (let row = 0; row < rowCount; row++) {
      if (ops[row] === 'b') continue
      const key = this.#keyText(columns, row)
      last.delete(key) // so that the order is that of the last changes
      last.set(key, row)
    }
    const upserts: number[] = []
    const deletes: number[] = []
    for (const row of last.values()) (ops[row] === 'd' ? deletes : upserts).push(row)
    return { upserts, deletes }
  }

  #keyText(columns: RowChunk['columns'], row: number): string {
    if (this.#key.length === 1)
      return String(this.#writers[this.#key[0]!]!.write(columns[this.#key[0]!]![row]!))
    return JSON.stringify(
      this.#key.map((column) => this.#writers[column]!.write(columns[column]![row] as Value)),
    )
  }
}

function everyRow({ ops, rowCount }: RowChunk): number[] {
  const rows: number[] = []
  for (let row = 0; row < rowCount; row++) {
    if (ops[row] !== 'c')
      throw new ConnectorError('a table without PRIMARY KEY takes inserted rows only', false)
    rows.push(row)
  }
  return rows
}

interface Statements {
  readonly insert: string
  readonly remove: string
}

function statements(
  table: PostgresTable,
  columns: readonly TypedColumn[],
  primaryKey: readonly string[],
): Statements {
  const names = columns.map(({ name }) => quotedIdentifier(name))
  const casts = columns.map(
    ({ name }, index) => `CAST(u.c${index} AS ${writtenType(table.columns.get(name)!)})`,
  )
  const insert = `INSERT INTO ${table.sql} (${names.join(', ')}) SELECT ${casts.join(', ')} FROM ${unnested(columns.length)}`
  if (primaryKey.length === 0) return { insert, remove: '' }
  const key = primaryKey.map(quotedIdentifier)
  const others = names.filter((name) => !key.includes(name))
  const action =
    others.length === 0
      ? 'DO NOTHING'
      : `DO UPDATE SET ${others.map((name) => `${name} = EXCLUDED.${name}`).join(', ')}`
  const equal = primaryKey.map(
    (name, index) =>
      `t.${quotedIdentifier(name)} = CAST(u.c${index} AS ${writtenType(table.columns.get(name)!)})`,
  )
  return {
    insert: `${insert} ON CONFLICT (${key.join(', ')}) ${action}`,
    remove: `DELETE FROM ${table.sql} AS t USING ${unnested(key.length)} WHERE ${equal.join(' AND ')}`,
  }
}

function unnested(count: number): string {
  const indexes = Array.from({ length: count }, (_, index) => index)
  return `unnest(${indexes.map((index) => `$${index + 1}::text[]`).join(', ')}) AS u(${indexes.map((index) => `c${index}`).join(', ')})`
}

/** Creates the table of epochs if it is missing. False: the user may not create it. */
async function hasPositions(connection: PostgresConnection): Promise<boolean> {
  const usable = `SELECT to_regclass('${POSITIONS}') IS NOT NULL
    AND has_table_privilege(to_regclass('${POSITIONS}'), 'SELECT')
    AND has_table_privilege(to_regclass('${POSITIONS}'), 'INSERT')
    AND has_table_privilege(to_regclass('${POSITIONS}'), 'UPDATE')`
  const isUsable = async () => (await connection.query(usable)).rows[0]![0] === 't'
  if (await isUsable()) return true
  try {
    await connection.query(
      `CREATE TABLE IF NOT EXISTS ${POSITIONS} (job text, sink integer, epoch bigint NOT NULL, PRIMARY KEY (job, sink))`,
    )
  } catch (error) {
    if (!(error instanceof ConnectorError) || error.passing) throw error
    // No right, no schema; or another job has created it at the same moment.
  }
  return isUsable()
}

function withoutRecord({ connector, primaryKey }: SinkOptions): string {
  const effect =
    primaryKey.length > 0
      ? 'rows with the same key are written again after a failure, with the same result'
      : 'rows may be written twice after a failure'
  return `table ${connector.tableName}: the database user cannot create the table ${POSITIONS}, so ${effect}`
}
