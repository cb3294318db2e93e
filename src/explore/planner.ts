/**
 * Finds the columns that a query reads of its tables, with the engine's own plan.
 *
 * A separate instance binds the query to empty tables with all columns, and plans it with only one optimizer,
 * `unused_columns`. It removes from scans the columns that are not used above them. The result depends only on the
 * query, not on data. So a column that is in no scan of the plan cannot influence the answer. EXPLAIN lists the columns
 * of scans. If the plan has an unknown form, all columns count as read.
 */
import type { DuckDBConnection, DuckDBType } from '@duckdb/node-api'
import { openLocked } from '../duckdb/locked-instance.ts'
import { onlyRow } from '../duckdb/only-row.ts'
import type { OpenInstance } from '../duckdb/open-instance.ts'
import { BoundConnections, type BoundTable, type BoundTables, baseName } from './bound-tables.ts'
import { HIVE_FUNCTIONS } from './hive-functions.ts'

/** A column of a prepared statement, by position. */
export interface AnswerColumn {
  readonly name: string
  readonly type: DuckDBType
}

/** Names of decoded columns (`keptAs`), by table. Undefined means that all columns are read. */
export type ReadColumns = ReadonlyMap<string, ReadonlySet<string>> | undefined

export interface Plan {
  readonly answer: readonly AnswerColumn[]
  readonly read: ReadColumns
}

/** DuckDB does not count the memory of plans; nothing is read or sorted here. */
const MEMORY_BYTES = 64 * 1024 * 1024
const OPTIMIZER = 'unused_columns'

export class Planner {
  readonly connections: BoundConnections
  readonly #instance: OpenInstance
  readonly #own: DuckDBConnection

  private constructor(instance: OpenInstance, own: DuckDBConnection) {
    this.#instance = instance
    this.#own = own
    this.connections = new BoundConnections(() => instance.connect())
  }

  static async open(duckdb: typeof import('@duckdb/node-api')): Promise<Planner> {
    const options = { memoryBytes: MEMORY_BYTES, diskBytes: 0, spillFolder: '' }
    const { instance, connection } = await openLocked(duckdb, options, disableOptimizers, HIVE_FUNCTIONS)
    return new Planner(instance, connection)
  }

  async close(): Promise<void> {
    this.connections.close()
    this.#own.closeSync()
    await this.#instance.close()
  }
}

async function disableOptimizers(connection: DuckDBConnection): Promise<void> {
  const reader = await connection.runAndReadAll(
    `SELECT name FROM duckdb_optimizers() WHERE name <> '${OPTIMIZER}'`,
  )
  await connection.run(`SET disabled_optimizers = '${reader.getRows().flat().join(',')}'`)
}

const PLANS_MAX = 100
/** A plan is cached only if the names of its columns and its text together are not longer. */
const PLAN_KEY_CHARS_MAX = 32_768

/** Plans of recent queries. They depend only on the text and on the columns of the tables. */
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

/** The columns of the answer of any statement. */
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

/** The columns that `select` reads of these tables. `connection` belongs to the planner and has the tables. */
export async function readColumns(
  connection: DuckDBConnection,
  { tables }: BoundTables,
  select: string,
): Promise<ReadColumns> {
  const reader = await connection.runAndReadAll(`EXPLAIN (FORMAT json) ${select}`)
  return columnsOfScans(JSON.parse(String(onlyRow(reader)[1])) as readonly PlanNode[], tables)
}

interface PlanNode {
  readonly name: string
  readonly children: readonly PlanNode[]
  readonly extra_info: { readonly Table?: unknown; readonly Projections?: unknown }
}

/** Leaves of a plan that are not tables. */
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
