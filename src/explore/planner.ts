/**
 * The columns of a query's answer, and the columns that the query reads of its tables, both by the engine itself.
 *
 * An instance of its own binds the query to empty tables of full width, and plans it with one optimizer only:
 * `unused_columns`, which removes from scans the columns that nothing above them refers to. That depends on the query alone,
 * never on data, so a column that no scan of the plan has cannot influence the answer. EXPLAIN lists the columns of scans.
 * If the plan cannot be understood, all columns count as read.
 */
import type { DuckDBConnection, DuckDBInstance, DuckDBType } from '@duckdb/node-api'
import type { Column } from './columns.ts'
import { openLocked } from './locked-instance.ts'
import { viewOf } from './table-view.ts'

export interface PlannedTable {
  readonly name: string
  readonly columns: readonly Column[]
}

export interface PlannedQuery {
  readonly tables: readonly PlannedTable[]
  /** The same for the same tables with the same columns. */
  readonly tablesKey: string
  /** What is run: EXPLAIN or nothing, and the query. */
  readonly sql: string
  readonly select: string
  /** It reads all columns of its tables: nothing is to be found out. */
  readonly readsAll: boolean
}

/** Of a prepared statement, by position. */
export interface AnswerColumn {
  readonly name: string
  readonly type: DuckDBType
}

/** By the name of the table: what its columns are kept as. Undefined: all columns are read. */
export type ReadColumns = ReadonlyMap<string, ReadonlySet<string>> | undefined

export interface Plan {
  readonly answer: readonly AnswerColumn[]
  readonly read: ReadColumns
}

/** Plans are not counted in it; nothing is read or sorted. */
const MEMORY_BYTES = 64 * 1024 * 1024
const OPTIMIZER = 'unused_columns'
/** With tables that have been queried lately: the next query over these finds them made. */
const IDLE_MAX = 8
/** Of queries that have been planned lately. */
const PLANS_MAX = 100
/** Of the names of columns and the text, together: so much is kept of each at most. */
const PLAN_KEY_CHARS_MAX = 32_768

export class Planner {
  readonly #instance: DuckDBInstance
  readonly #own: DuckDBConnection
  /** The one used last is at the end. */
  readonly #idle: TablesConnection[] = []
  readonly #plans = new Map<string, Plan>()

  private constructor(instance: DuckDBInstance, own: DuckDBConnection) {
    this.#instance = instance
    this.#own = own
  }

  static async open(duckdb: typeof import('@duckdb/node-api')): Promise<Planner> {
    const options = { memoryBytes: MEMORY_BYTES, diskBytes: 0, spillFolder: '' }
    const { instance, connection } = await openLocked(duckdb, options, disableOptimizers)
    return new Planner(instance, connection)
  }

  /** The plan of a query that was planned before, with tables of the same columns. */
  known(query: PlannedQuery): Plan | undefined {
    return this.#plans.get(planKey(query))
  }

  /** For one query at a time; give it back or close it. */
  async connect({ tables, tablesKey }: PlannedQuery): Promise<DuckDBConnection> {
    const at = this.#idle.findLastIndex((idle) => idle.tablesKey === tablesKey)
    if (at !== -1) return this.#idle.splice(at, 1)[0].connection
    const connection = await this.#instance.connect()
    try {
      await createTables(connection, tables)
      return connection
    } catch (error) {
      connection.closeSync()
      throw error
    }
  }

  giveBack(connection: DuckDBConnection, { tablesKey }: PlannedQuery): void {
    this.#idle.push({ tablesKey, connection })
    if (this.#idle.length > IDLE_MAX) this.#idle.shift()!.connection.closeSync()
  }

  async plan(connection: DuckDBConnection, query: PlannedQuery): Promise<Plan> {
    const answer = await answerColumns(connection, query.sql)
    const isClear = query.readsAll || query.tables.length === 0
    const plan = { answer, read: isClear ? undefined : await readColumns(connection, query) }
    const key = planKey(query)
    if (key.length <= PLAN_KEY_CHARS_MAX) this.#remember(key, plan)
    return plan
  }

  close(): void {
    for (const { connection } of this.#idle) connection.closeSync()
    this.#own.closeSync()
    this.#instance.closeSync()
  }

  #remember(key: string, plan: Plan): void {
    this.#plans.set(key, plan)
    if (this.#plans.size > PLANS_MAX) this.#plans.delete(this.#plans.keys().next().value!)
  }
}

/** A connection that has these tables. */
interface TablesConnection {
  readonly tablesKey: string
  readonly connection: DuckDBConnection
}

export function plannedQuery(
  sql: string,
  select: string,
  tables: readonly PlannedTable[],
  readsAll: boolean,
): PlannedQuery {
  const names = tables.map(({ name, columns }) => [
    name,
    columns.map((column) => [column.name, column.keptAs, column.type]),
  ])
  return { sql, select, tables, tablesKey: JSON.stringify(names), readsAll }
}

function planKey({ sql, tablesKey }: PlannedQuery): string {
  return `${tablesKey}\n${sql}`
}

async function disableOptimizers(connection: DuckDBConnection): Promise<void> {
  const reader = await connection.runAndReadAll(
    `SELECT name FROM duckdb_optimizers() WHERE name <> '${OPTIMIZER}'`,
  )
  await connection.run(`SET disabled_optimizers = '${reader.getRows().flat().join(',')}'`)
}

/** Empty tables of full width, in the connection's own schema. */
export async function createTables(
  connection: DuckDBConnection,
  tables: readonly PlannedTable[],
): Promise<void> {
  for (const [i, { name, columns }] of tables.entries()) {
    const list = columns.map(
      ({ keptAs, keptType }) => `${keptAs} ${keptType === 'JSON' ? 'VARCHAR' : keptType}`,
    )
    await connection.run(`CREATE TEMP TABLE "${baseName(i)}" (${list.join(', ')})`)
    await connection.run(viewOf(name, columns, `"${baseName(i)}"`))
  }
}

/** No table of a stream has such a name. */
function baseName(index: number): string {
  return `(${index})`
}

/** `sql` may be any statement; the columns are those of its answer. */
export async function answerColumns(
  connection: DuckDBConnection,
  sql: string,
): Promise<readonly AnswerColumn[]> {
  const prepared = await connection.prepare(sql)
  try {
    return Array.from({ length: prepared.columnCount }, (_, i) => ({
      name: prepared.columnName(i),
      type: prepared.columnType(i),
    }))
  } finally {
    prepared.destroySync()
  }
}

/** What `select` reads of the tables that `createTables` made. */
async function readColumns(
  connection: DuckDBConnection,
  { tables, select }: PlannedQuery,
): Promise<ReadColumns> {
  const reader = await connection.runAndReadAll(`EXPLAIN (FORMAT json) ${select}`)
  return columnsOfScans(JSON.parse(String(reader.getRows()[0][1])) as readonly PlanNode[], tables)
}

interface PlanNode {
  readonly name: string
  readonly children: readonly PlanNode[]
  readonly extra_info: { readonly Table?: unknown; readonly Projections?: unknown }
}

/** Leaves of a plan that are no tables. */
const OTHER_SOURCES: ReadonlySet<string> = new Set([
  'COLUMN_DATA_SCAN',
  'CTE_SCAN',
  'DELIM_SCAN',
  'REC_CTE_SCAN',
  'REC_REC_CTE_SCAN',
  'DUMMY_SCAN',
  'EMPTY_RESULT',
])

function columnsOfScans(plan: readonly PlanNode[], tables: readonly PlannedTable[]): ReadColumns {
  const byBase = new Map(tables.map(({ name, columns }, i) => [`."${baseName(i)}"`, { name, columns }]))
  const read = new Map(tables.map(({ name }) => [name, new Set<string>()]))
  const left = [...plan]
  for (let node = left.pop(); node !== undefined; node = left.pop()) {
    left.push(...node.children)
    const name = node.name.trim()
    const { Table: source, Projections: projections } = node.extra_info
    if (!name.includes('SCAN') || OTHER_SOURCES.has(name)) {
      if (source !== undefined) return undefined
      continue
    }
    const text = String(source)
    const table = byBase.get(text.slice(text.lastIndexOf('.')))
    const columns = listed(projections)
    if (table === undefined || columns === undefined) return undefined
    for (const column of columns) {
      if (!table.columns.some(({ keptAs }) => keptAs === column)) return undefined
      read.get(table.name)!.add(column)
    }
  }
  return read
}

function listed(projections: unknown): readonly string[] | undefined {
  if (Array.isArray(projections)) return projections.map(String)
  if (typeof projections !== 'string') return undefined
  return projections === '' ? [] : [projections]
}
