/** Plans statements over tables that are declared in short form, and runs plans on a bare DuckDB. */
import duckdb, { type DuckDBConnection } from '@duckdb/node-api'
import type { JobPlan, PlannedTable, PlannedView, WindowPlan } from '../../../src/jobs/plan/job-plan.ts'
import { Planner } from '../../../src/jobs/plan/planner.ts'
import type { DescribedQuery } from '../../../src/jobs/plan/planner-protocol.ts'
import { type DataType, duckdbType } from '../../../src/sql/data-types.ts'
import { encodedName } from '../../../src/sql/encoded-name.ts'
import { FLINK_MACROS } from '../../../src/sql/flink-macros.ts'

type ConnectorKind = PlannedTable['connectorKind']

/** `[schema]`, `[schema, 'jdbc']`, `[schema, 'topic', 'debezium-json']`; the topic has the name of the table, if none is given. */
export type TableDeclaration = readonly [
  schemaSql: string,
  kind?: ConnectorKind,
  valueFormat?: string,
  topic?: string,
]

export function declared(tables: Readonly<Record<string, TableDeclaration>>): PlannedTable[] {
  return Object.entries(tables).map(
    ([name, [schemaSql, connectorKind = 'topic', valueFormat = 'json', topic = name]]) => ({
      id: `id-of-${name}`,
      name,
      schemaSql,
      connectorKind,
      valueFormat: connectorKind.endsWith('topic') ? valueFormat : undefined,
      identity: `integration/${topic}`,
    }),
  )
}

export class TestPlanner {
  readonly planner: Planner
  readonly tables: readonly PlannedTable[]

  private constructor(planner: Planner, tables: readonly PlannedTable[]) {
    this.planner = planner
    this.tables = tables
  }

  static async open(tables: Readonly<Record<string, TableDeclaration>>): Promise<TestPlanner> {
    return new TestPlanner(await Planner.open(duckdb), declared(tables))
  }

  plan(
    statement: string,
    otherNames: readonly string[] = [],
    views: readonly PlannedView[] = [],
  ): Promise<JobPlan> {
    return this.planner.plan(statement, this.tables, otherNames, views)
  }

  describe(query: string, views: readonly PlannedView[] = []): Promise<DescribedQuery> {
    return this.planner.describe(query, this.tables, [], views)
  }

  close(): void {
    this.planner.close()
  }
}

/** Rows as tuples of SQL, by table and its columns: `{'t(a, b)': ["(1, 'x')"]}`. */
export type Rows = Readonly<Record<string, readonly string[]>>

/** Runs the first insert of a plan over rows of its tables, by name; all windows close. The rows without __ord and __end. */
export async function run(plan: JobPlan, rows: Rows): Promise<unknown[][]> {
  const instance = await duckdb.DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  try {
    await connection.run("SET GLOBAL TimeZone = 'UTC'")
    for (const macro of FLINK_MACROS) await connection.run(macro)
    await fill(connection, plan, rows)
    const insert = plan.inserts[0]!
    if (insert.way === 'window') for (const window of insert.windows) await materialize(connection, window)
    if (!('select' in insert)) throw new Error(`way ${insert.way}`)
    const width = insert.sink.columns.map((_, i) => `c${i}`).join(', ')
    const order = insert.way === 'window' ? 'ORDER BY ALL' : 'ORDER BY __ord'
    const reader = await connection.runAndReadAll(`SELECT ${width} FROM (${insert.select}) ${order}`)
    return reader.getRowsJson() as unknown[][]
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

async function fill(connection: DuckDBConnection, plan: JobPlan, rows: Rows): Promise<void> {
  for (const { relation, decoded, view, tableName } of plan.sources) {
    await create(connection, `in_${relation}`, [
      { name: '__seq', type: { kind: 'BIGINT' } },
      ...encoded(decoded),
    ])
    await insert(
      connection,
      `in_${relation}`,
      ['__seq', ...decoded.map(({ name }) => quotedEncoded(name))],
      rowsOf(rows, tableName),
    )
    await connection.run(`CREATE VIEW ${relation} AS SELECT __seq AS __ord, ${view.slice('SELECT '.length)}`)
  }
  for (const { relation, columns, tableName } of [...plan.fixed, ...plan.lookups]) {
    await create(connection, relation, encoded(columns))
    await insert(
      connection,
      relation,
      columns.map(({ name }) => quotedEncoded(name)),
      rowsOf(rows, tableName),
    )
  }
  for (const { keys } of plan.lookups) await connection.run(keys)
}

/** A SELECT of the rows with all their columns and __seq. */
function rowsOf(rows: Rows, table: string): string | undefined {
  const [key, tuples] = Object.entries(rows).find(([name]) => name.startsWith(`${table}(`)) ?? []
  if (key === undefined || tuples === undefined) return undefined
  const numbered = tuples.map((tuple, i) => `(${i}, ${tuple.slice(1)}`)
  const names = key
    .slice(table.length + 1, -1)
    .split(', ')
    .map(quotedEncoded)
  return `FROM (VALUES ${numbered.join(', ')}) AS v(__seq, ${names.join(', ')})`
}

async function insert(
  connection: DuckDBConnection,
  relation: string,
  columns: readonly string[],
  from: string | undefined,
): Promise<void> {
  if (from === undefined) return
  const list = columns.map((name) => `v.${name}`).join(', ')
  await connection.run(`INSERT INTO ${relation} SELECT ${list} ${from} ORDER BY v.__seq`)
}

function quotedEncoded(name: string): string {
  return `"${encodedName(name)}"`
}

/** Columns of a table as plans name them. */
export function encoded<T extends { readonly name: string }>(columns: readonly T[]): readonly T[] {
  return columns.map((column) => ({ ...column, name: encodedName(column.name) }))
}

function create(
  connection: DuckDBConnection,
  relation: string,
  columns: readonly { readonly name: string; readonly type: DataType }[],
): Promise<unknown> {
  const definitions = columns.map(({ name, type }) => `"${name.replaceAll('"', '""')}" ${duckdbType(type)}`)
  return connection.run(`CREATE TABLE ${relation} (${definitions.join(', ')})`)
}

async function materialize(
  connection: DuckDBConnection,
  { relation, kind, sizeMs, slideMs, offsetMs, input, timeColumn }: WindowPlan,
): Promise<void> {
  const ms = `epoch_ms("${timeColumn}")`
  const floor = (unit: number) => `(${ms} - (((${ms} - ${offsetMs}) % ${unit}) + ${unit}) % ${unit})`
  const bounds = {
    TUMBLE: `[{'s': ${floor(sizeMs)}, 'e': ${floor(sizeMs)} + ${sizeMs}}]`,
    HOP: `[{'s': ${floor(slideMs)} - x * ${slideMs}, 'e': ${floor(slideMs)} - x * ${slideMs} + ${sizeMs}} FOR x IN range(${sizeMs / slideMs})]`,
    CUMULATE: `[{'s': ${floor(sizeMs)}, 'e': ${floor(sizeMs)} + x * ${slideMs}} FOR x IN range(1, ${sizeMs / slideMs + 1}) IF ${floor(sizeMs)} + x * ${slideMs} > ${ms}]`,
  }[kind]
  const time = (expression: string) => `make_timestamp((${expression}) * 1000)`
  await connection.run(
    `CREATE TABLE ${relation} AS SELECT * EXCLUDE (__ord, __b), ${time('__b.s')} AS window_start, ${time('__b.e')} AS window_end,
     ${time('__b.e - 1')} AS window_time, __b.e AS __end FROM (SELECT *, unnest(${bounds}) AS __b FROM (${input})) WHERE "${timeColumn}" IS NOT NULL`,
  )
}
