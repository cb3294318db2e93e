/**
 * The rows of database tables that a tick joins: those for its keys (`FOR SYSTEM_TIME AS OF`), and tables that are read once
 * when the job starts. Both are temporary tables of the job's connection.
 */
import { chunkValues } from '../../duckdb/vector-values.ts'
import type { Value } from '../../formats/record-reader.ts'
import type { DataType } from '../../sql/data-types.ts'
import type { Lookup, Scan } from '../connectors/connector.ts'
import type { FixedPlan, LookupPlan } from '../plan/job-plan.ts'
import type { BufferedTable } from './buffered-table.ts'
import type { JobConnection } from './job-connection.ts'
import type { JobDatabase } from './job-database.ts'
import { JobError } from './job-error.ts'

/** Keys of one statement to the database. */
const FETCH_KEYS_MAX = 10_000

export interface CacheOptions {
  /** 0: no cache. */
  readonly ttlMs: number
  readonly rowsMax: number
}

type Row = readonly Value[]

export class LookupTable {
  readonly #plan: LookupPlan
  readonly #lookup: Lookup
  readonly #table: BufferedTable
  readonly #cache: LookupCache
  readonly #keyColumns: readonly number[]
  readonly #keyTypes: readonly DataType[]
  readonly #keysSql: string

  constructor(
    plan: LookupPlan,
    lookup: Lookup,
    table: BufferedTable,
    cache: CacheOptions,
    nowMs: () => number,
  ) {
    this.#plan = plan
    this.#lookup = lookup
    this.#table = table
    this.#cache = new LookupCache(cache, nowMs)
    this.#keyColumns = plan.keyColumns.map((name) => plan.columns.findIndex((column) => column.name === name))
    this.#keyTypes = this.#keyColumns.map((index) => plan.columns[index]!.type)
    const keys = plan.keyColumns.map((_, index) => `k${index}`)
    const present = keys.map((key) => `${key} IS NOT NULL`).join(' AND ')
    this.#keysSql = `SELECT DISTINCT ${keys.join(', ')} FROM (${plan.keys}) WHERE ${present}`
  }

  get keys(): string {
    return this.#plan.keys
  }

  /** `engine` runs work in turn with other jobs; requests to the database do not hold it. */
  async load(
    database: JobDatabase,
    connection: JobConnection,
    engine: <T>(work: () => Promise<T>) => Promise<T>,
  ): Promise<void> {
    const keys = await engine(() => this.#keysOfTick(database, connection))
    const rows: Row[] = []
    const missing: Row[] = []
    for (const key of keys) {
      const cached = this.#cache.get(keyText(key))
      if (cached === undefined) missing.push(key)
      else for (const row of cached) rows.push(row)
    }
    for (let at = 0; at < missing.length; at += FETCH_KEYS_MAX) {
      const part = missing.slice(at, at + FETCH_KEYS_MAX)
      const found = await this.#lookup.fetch(part)
      this.#remember(part, found)
      for (const row of found) rows.push(row)
    }
    await engine(() => fill(this.#table, [rows]))
  }

  clear(): Promise<void> {
    return this.#table.clear()
  }

  close(): Promise<void> {
    this.#table.close()
    return this.#lookup.close()
  }

  async #keysOfTick(database: JobDatabase, connection: JobConnection): Promise<Row[]> {
    const result = await connection.result(this.#keysSql)
    const keys: Row[] = []
    for (
      let chunk = await result.fetchChunk();
      chunk !== null && chunk.rowCount > 0;
      chunk = await result.fetchChunk()
    ) {
      const columns = chunkValues(database.bindings, chunk, this.#keyTypes)
      for (let row = 0; row < chunk.rowCount; row++) keys.push(columns.map((values) => values[row]!))
    }
    return keys
  }

  #remember(keys: readonly Row[], rows: readonly Row[]): void {
    if (!this.#cache.isOn) return
    const byKey = new Map<string, Row[]>(keys.map((key) => [keyText(key), []]))
    for (const row of rows) {
      // A row whose key is written differently (a text of type char, for example) is found by the database only.
      byKey.get(keyText(this.#keyColumns.map((index) => row[index]!)))?.push(row)
    }
    const found = [...byKey.values()].reduce((sum, { length }) => sum + length, 0)
    if (found !== rows.length) return
    for (const [key, ofKey] of byKey) this.#cache.set(key, ofKey)
  }
}

function keyText(key: Row): string {
  return JSON.stringify(key, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
}

/** Rows by key; the least recently used keys leave first. Keys without rows count as one row. */
class LookupCache {
  readonly #options: CacheOptions
  readonly #nowMs: () => number
  readonly #rows = new Map<string, { readonly rows: readonly Row[]; readonly untilMs: number }>()
  #size = 0

  constructor(options: CacheOptions, nowMs: () => number) {
    this.#options = options
    this.#nowMs = nowMs
  }

  get isOn(): boolean {
    return this.#options.ttlMs > 0 && this.#options.rowsMax > 0
  }

  get(key: string): readonly Row[] | undefined {
    const entry = this.#rows.get(key)
    if (entry === undefined) return undefined
    this.#delete(key)
    if (entry.untilMs <= this.#nowMs()) return undefined
    this.#add(key, entry)
    return entry.rows
  }

  set(key: string, rows: readonly Row[]): void {
    this.#delete(key)
    this.#add(key, { rows, untilMs: this.#nowMs() + this.#options.ttlMs })
    for (const oldest of this.#rows.keys()) {
      if (this.#size <= this.#options.rowsMax) return
      this.#delete(oldest)
    }
  }

  #add(key: string, entry: { readonly rows: readonly Row[]; readonly untilMs: number }): void {
    this.#rows.set(key, entry)
    this.#size += Math.max(1, entry.rows.length)
  }

  #delete(key: string): void {
    const entry = this.#rows.get(key)
    if (entry === undefined) return
    this.#rows.delete(key)
    this.#size -= Math.max(1, entry.rows.length)
  }
}

/** Reads a fixed table when the job starts. Rejects with JobError if it is larger than the engine's memory takes. */
export async function loadFixed(plan: FixedPlan, scan: Scan, table: BufferedTable): Promise<void> {
  try {
    await fill(table, scan.rows())
    if (table.rows > FIXED_ROWS_MAX) {
      const text = `table ${plan.tableName} has more than ${FIXED_ROWS_MAX} rows; join it with FOR SYSTEM_TIME AS OF`
      throw new JobError(text, 'lasting')
    }
  } finally {
    await scan.close()
  }
}

/** A table that is read whole is in memory, or in the spill folder. */
export const FIXED_ROWS_MAX = 20_000_000

async function fill(
  table: BufferedTable,
  parts: AsyncIterable<readonly Row[]> | Iterable<readonly Row[]>,
): Promise<void> {
  await table.begin()
  for await (const rows of parts) {
    for (const row of rows) {
      for (const [column, value] of row.entries()) table.set(column, value)
      table.endRow()
    }
    if (table.rows > FIXED_ROWS_MAX) break
  }
  table.flush()
}
