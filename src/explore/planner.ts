/**
 * The columns that a query reads of its tables, by the engine's own plan.
 *
 * An instance of its own binds the query to empty tables of full width, and plans it with one optimizer only:
 * `unused_columns`, which removes from scans the columns that nothing above them refers to. That depends on the query alone,
 * never on data, so a column that no scan of the plan has cannot influence the answer. EXPLAIN lists the columns of scans.
 * If the plan cannot be understood, all columns count as read.
 */
import type { DuckDBConnection, DuckDBInstance, DuckDBType } from '@duckdb/node-api'
import { BoundConnections, type BoundTable, type BoundTables, baseName } from './bound-tables.ts'
import { openLocked } from './locked-instance.ts'

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

export class Planner {
  readonly connections: BoundConnections
  readonly #instance: DuckDBInstance
  readonly #own: DuckDBConnection

  private constructor(instance: DuckDBInstance, own: DuckDBConnection) {
    this.#instance = instance
    this.#own = own
    this.connections = new BoundConnections(() => instance.connect())
  }

  static async open(duckdb: typeof import('@duckdb/node-api')): Promise<Planner> {
    const options = { memoryBytes: MEMORY_BYTES, diskBytes: 0, spillFolder: '' }
    const { instance, connection } = await openLocked(duckdb, options, disableOptimizers)
    return new Planner(instance, connection)
  }

  close(): void {
    this.connections.close()
    this.#own.closeSync()
    this.#instance.closeSync()
  }
}

async function disableOptimizers(connection: DuckDBConnection): Promise<void> {
  const reader = await connection.runAndReadAll(
    `SELECT name FROM duckdb_optimizers() WHERE name <> '${OPTIMIZER}'`,
  )
  await connection.run(`SET disabled_optimizers = '${reader.getRows().flat().join(',')}'`)
}

const PLANS_MAX = 100
/** Of the names of columns and the text, together: so much is kept of each at most. */
const PLAN_KEY_CHARS_MAX = 32_768

/** Plans of queries that have been asked lately: they hang on the text and the columns of the tables alone. */
export class KnownPlans {
  readonly #plans = new Map<string, Plan>()

  find(sql: string, { key }: BoundTables): Plan | undefined {
    return this.#plans.get(planKey(sql, key))
  }

  add(sql: string, { key }: BoundTables, plan: Plan): void {
    if (sql.length + key.length > PLAN_KEY_CHARS_MAX) return
    this.#plans.set(planKey(sql, key), plan)
    if (this.#plans.size > PLANS_MAX) this.#plans.delete(this.#plans.keys().next().value!)
  }
}

function planKey(sql: string, tablesKey: string): string {
  return `${tablesKey}\n${sql}`
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

/** What `select` reads of these tables, on a connection of the planner that has them. */
export async function readColumns(
  connection: DuckDBConnection,
  { tables }: BoundTables,
  select: string,
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

function columnsOfScans(plan: readonly PlanNode[], tables: readonly BoundTable[]): ReadColumns {
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
