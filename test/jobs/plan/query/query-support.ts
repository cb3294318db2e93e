/** Plans queries over tables that are declared in short form. */
import duckdb from '@duckdb/node-api'
import { Planner } from '../../../../src/jobs/plan/planner.ts'
import {
  type QueryPlan,
  QueryProblem,
  type QuerySource,
  type QueryTable,
} from '../../../../src/jobs/plan/query-plan.ts'
import type { DataType } from '../../../../src/sql/data-types.ts'

/** `{ 'orders': 'id integer key, amount numeric(10,2)?' }`: a question mark stands for NULL values. */
export type Declarations = Readonly<Record<string, string>>

export function tablesOf(declarations: Declarations): QueryTable[] {
  return Object.entries(declarations).map(([name, columns]) => {
    const [schema, table] = name.includes('.') ? (name.split('.') as [string, string]) : ['public', name]
    const declared = columns.split(/,(?![0-9])/).map((column) => {
      const [, column_, type, mark, key] = /^\s*("[^"]+"|\S+) (.+?)(\?)?( key)?$/.exec(
        column,
      ) as unknown as string[]
      const databaseType = type!
      return {
        name: column_!.replaceAll('"', ''),
        databaseType,
        type: dataType(databaseType),
        nullable: mark !== undefined,
        isKey: key !== undefined,
      }
    })
    return {
      schema,
      table,
      tableId: `id-of-${name}`,
      columns: declared.map(({ isKey: _, ...column }) => column),
      key: declared.filter(({ isKey }) => isKey).map((column) => column.name),
    }
  })
}

export function dataType(databaseType: string): DataType {
  if (databaseType.endsWith('[]')) return { kind: 'ARRAY', element: dataType(databaseType.slice(0, -2)) }
  const numeric = /^numeric\((\d+),(\d+)\)$/.exec(databaseType)
  if (numeric !== null) return { kind: 'DECIMAL', precision: Number(numeric[1]), scale: Number(numeric[2]) }
  const kinds: Readonly<Record<string, DataType>> = {
    smallint: { kind: 'SMALLINT' },
    integer: { kind: 'INT' },
    bigint: { kind: 'BIGINT' },
    real: { kind: 'FLOAT' },
    'double precision': { kind: 'DOUBLE' },
    boolean: { kind: 'BOOLEAN' },
    date: { kind: 'DATE' },
    bytea: { kind: 'BYTES' },
    'timestamp without time zone': { kind: 'TIMESTAMP', precision: 6 },
    'timestamp with time zone': { kind: 'TIMESTAMP_LTZ', precision: 6 },
  }
  return kinds[databaseType] ?? { kind: 'STRING' }
}

export class TestQueries {
  readonly planner: Planner
  readonly tables: readonly QueryTable[]
  readonly models: QuerySource['models']

  private constructor(planner: Planner, tables: readonly QueryTable[], models: QuerySource['models']) {
    this.planner = planner
    this.tables = tables
    this.models = models
  }

  static async open(declarations: Declarations, models: QuerySource['models'] = []): Promise<TestQueries> {
    return new TestQueries(await Planner.open(duckdb), tablesOf(declarations), models)
  }

  plan(sql: string): Promise<QueryPlan> {
    return this.planner.planQuery({ sql, tables: this.tables, models: this.models })
  }

  /** `invalid_sql: reason [marked part]`; 'planned' if there is none. */
  async refusal(sql: string): Promise<string> {
    try {
      await this.plan(sql)
      return 'planned'
    } catch (error) {
      if (!(error instanceof QueryProblem)) throw error
      return `${error.code}: ${error.message} [${marked(sql, error)}]`
    }
  }

  close(): Promise<void> {
    return this.planner.close()
  }
}

function marked(sql: string, { place }: QueryProblem): string {
  if (place === undefined) return ''
  const lines = sql.split('\n')
  if (place.line !== place.endLine) return `${lines[place.line - 1]!.slice(place.column - 1)}…`
  return lines[place.line - 1]!.slice(place.column - 1, place.endColumn)
}

export const SHOP: Declarations = {
  customers: 'id integer key, name text, region_code text',
  orders: 'id integer key, customer_id integer, amount numeric(10,2), created_at timestamp with time zone',
}
