/**
 * The planner's engine: a locked instance of DuckDB without data. Every call has a connection of its own, whose relations are
 * temporary.
 */
import type { DuckDBConnection } from '@duckdb/node-api'
import { openLocked } from '../../duckdb/locked-instance.ts'
import { onlyRow } from '../../duckdb/only-row.ts'
import type { OpenInstance } from '../../duckdb/open-instance.ts'
import { registerScalars } from '../../duckdb/scalar-functions.ts'
import { sqlErrorOf } from '../../duckdb/sql-error.ts'
import type { TypedColumn } from '../../sql/data-types.ts'
import { decodedName, withDecodedNames } from '../../sql/encoded-name.ts'
import { FLINK_MACROS } from '../../sql/flink-macros.ts'
import { SQL_CHARACTERS_MAX, tokensOf } from '../../sql/flink-tokens.ts'
import { type FlinkQuery, withFlinkMeaning } from '../../sql/meaning-flink.ts'
import { POSTGRES_MACROS } from '../../sql/postgres-macros.ts'
import { POSTGRES_SCALARS } from '../../sql/postgres-scalars.ts'
import { SqlProblem } from '../../sql/sql-problem.ts'
import { parseTableSchema, type TableSchema } from '../../sql/table-schema.ts'
import { type Node, parseTree, printTree } from '../../sql/tree.ts'
import { describeQuery } from './describe-query.ts'
import type { PlannedTable, PlannedView } from './job-plan.ts'
import { createTable, EngineProblem, type PlanEngine } from './plan-engine.ts'
import { planStatement } from './plan-statement.ts'
import type { DescribedQuery, PlannedJob, StatementPlanning } from './planner-protocol.ts'
import type { PlannerTable } from './planner-table.ts'
import { planWithSchema, type SchemaPlan, type SchemaSource } from './prisma/plan-with-schema.ts'
import { planQuery } from './query/plan-query.ts'
import type { QueryPlan, QuerySource } from './query-plan.ts'
import type { Catalog } from './resolution.ts'
import { typesOfSchema } from './schema-types.ts'
import { viewTrees } from './view-trees.ts'

/** No data is read. Trees and plans of large statements need memory: 60,000 values of IN about 100 MiB. */
const MEMORY_BYTES = 256 * 1024 * 1024

export class Planner implements StatementPlanning {
  readonly #instance: OpenInstance
  readonly #own: DuckDBConnection

  private constructor(instance: OpenInstance, own: DuckDBConnection) {
    this.#instance = instance
    this.#own = own
  }

  static async open(duckdb: typeof import('@duckdb/node-api')): Promise<Planner> {
    const options = { memoryBytes: MEMORY_BYTES, diskBytes: 0, spillFolder: '' }
    const { instance, connection } = await openLocked(
      duckdb,
      options,
      async (first) => registerScalars(duckdb, first, POSTGRES_SCALARS),
      [...FLINK_MACROS, ...POSTGRES_MACROS],
    )
    return new Planner(instance, connection)
  }

  /** Rejects with SqlProblem, whose place is in the statement. */
  async plan(
    statement: string,
    tables: readonly PlannedTable[],
    otherNames: readonly string[] = [],
    views: readonly PlannedView[] = [],
  ): Promise<PlannedJob> {
    const {
      plan,
      warnings,
      views: named,
    } = await this.#withCatalog({ text: statement, tables, otherNames, views }, (engine, catalog) =>
      planStatement(engine, statement, catalog),
    )
    return { ...plan, warnings, views: named }
  }

  /** Rejects with SqlProblem, whose place is in the query. */
  describe(
    query: string,
    tables: readonly PlannedTable[],
    otherNames: readonly string[] = [],
    views: readonly PlannedView[] = [],
  ): Promise<DescribedQuery> {
    return this.#withCatalog({ text: query, tables, otherNames, views }, (engine, catalog) =>
      describeQuery(engine, query, catalog),
    )
  }

  /** Rejects with SqlProblem, whose place is in the schema. */
  typesOf(schemaSql: string, schema: TableSchema): Promise<readonly TypedColumn[]> {
    return this.#with((engine) => typesOfSchema(engine, schemaSql, schema))
  }

  /** Rejects with QueryProblem, whose place is in the SQL of the query. */
  planQuery(source: QuerySource): Promise<QueryPlan> {
    return this.#with((engine) => planQuery(engine, source))
  }

  /** Rejects with QueryProblem, whose place is in the schema if its code is 'invalid_schema'. */
  planWithSchema(source: SchemaSource): Promise<SchemaPlan> {
    return this.#with((engine) => planWithSchema(engine, source))
  }

  async close(): Promise<void> {
    this.#own.closeSync()
    await this.#instance.close()
  }

  /** The schema of a table was checked when the table was created. */
  async #typed(table: PlannedTable): Promise<PlannerTable> {
    try {
      const schema = parseTableSchema(table.schemaSql)
      return { ...table, schema, columns: await this.typesOf(table.schemaSql, schema) }
    } catch (error) {
      if (!(error instanceof SqlProblem)) throw error
      if (table.isTemporary) throw error.of(table.name)
      throw new SqlProblem(`table ${table.name}: ${error.message}`, undefined, { cause: error })
    }
  }

  /** `text` may name the tables and views. */
  async #withCatalog<T>(
    { text, tables, otherNames, views }: NamingText,
    work: (engine: PlanEngine, catalog: Catalog) => Promise<T>,
  ): Promise<T> {
    const named = namesIn(text)
    const namedViews: PlannedView[] = []
    const left = new Set(views)
    for (let found = true; found; ) {
      found = false
      for (const view of left) {
        if (!named.has(view.name)) continue
        found = left.delete(view)
        namedViews.push(view)
        for (const name of namesIn(view.query)) named.add(name)
      }
    }
    const known = new Map<string, PlannerTable>()
    for (const table of tables) if (named.has(table.name)) known.set(table.name, await this.#typed(table))
    return this.#with(async (engine) =>
      work(engine, {
        tables: known,
        otherNames: new Set(otherNames),
        views: await viewTrees(engine, namedViews),
      }),
    )
  }

  async #with<T>(work: (engine: PlanEngine) => Promise<T>): Promise<T> {
    const connection = await this.#instance.connect()
    try {
      return await work(new ConnectionEngine(connection))
    } finally {
      connection.closeSync()
    }
  }
}

interface NamingText {
  readonly text: string
  readonly tables: readonly PlannedTable[]
  readonly otherNames: readonly string[]
  readonly views: readonly PlannedView[]
}

/** Every name that the statement could mean. */
function namesIn(statement: string): Set<string> {
  if (statement.length > SQL_CHARACTERS_MAX) return new Set() // refused later
  return new Set(tokensOf(statement).map(({ value }) => value))
}

interface ParserError {
  readonly error?: boolean
  readonly error_message?: string
  readonly position?: string
  readonly statements?: readonly { readonly node: Node }[]
}

class ConnectionEngine implements PlanEngine {
  readonly #connection: DuckDBConnection
  readonly #relations = new Map<string, readonly TypedColumn[]>()

  constructor(connection: DuckDBConnection) {
    this.#connection = connection
  }

  async parse(sql: string): Promise<Node> {
    const json = await this.#value('SELECT json_serialize_sql($1::VARCHAR)', sql)
    const answer = readTree(json)
    const [statement, ...others] = answer.statements ?? []
    if (answer.error !== true && statement !== undefined && others.length === 0) return statement.node
    const position = Number(answer.position)
    throw new EngineProblem(
      parserReason(answer.error_message ?? 'expected a query'),
      Number.isInteger(position) ? position : undefined,
      { isSyntax: true },
    )
  }

  print(query: Node): Promise<string> {
    return this.#value('SELECT json_deserialize_sql($1::JSON)', printTree(query))
  }

  async withMeaning(query: Node): Promise<FlinkQuery> {
    return withFlinkMeaning(query, { columnsOf: (relation) => this.#relations.get(relation) })
  }

  async declare(relation: string, columns: readonly TypedColumn[]): Promise<void> {
    this.#relations.set(relation, columns)
    await this.#run(createTable(relation, columns))
  }

  async bind(sql: string): Promise<void> {
    await this.#run(`DESCRIBE ${sql}`)
  }

  evaluate(sql: string): Promise<void> {
    return this.#run(sql)
  }

  async #run(sql: string): Promise<void> {
    try {
      await this.#connection.run(sql)
    } catch (error) {
      throw engineProblem(error)
    }
  }

  async #value(sql: string, argument: string): Promise<string> {
    try {
      return String(onlyRow(await this.#connection.runAndReadAll(sql, [argument]))[0])
    } catch (error) {
      throw engineProblem(error)
    }
  }
}

/** A name next to a syntax error has quotes in the rewritten text; the user wrote none. */
function parserReason(message: string): string {
  const near = /^(?:Parser Error: )?syntax error at or near ""((?:[^"]|"")+)""(?:\n|$)/.exec(message)
  if (near === null) return reasonOf(message)
  return `syntax error at or near "${decodedName(near[1]!.replaceAll('""', '"'))}"`
}

function readTree(json: string): ParserError {
  try {
    return parseTree(json) as ParserError
  } catch (error) {
    throw new EngineProblem('the statement has a value that is too large', undefined, { cause: error })
  }
}

function engineProblem(error: unknown): EngineProblem {
  return new EngineProblem(reasonOf(sqlErrorOf(error).message), undefined, { cause: error })
}

/** Limits of the engine, in words that do not name its settings. */
const LIMITS: readonly (readonly [begins: string, reason: string])[] = [
  ['Max expression depth', 'the query is nested too deeply; make it simpler'],
  ['memory exhausted', 'the query is nested too deeply; make it simpler'],
  ['Out of Memory Error', 'the statement takes too much memory to check; make it simpler'],
]

/** The first line of the message: the lines after it show the rewritten text. */
function reasonOf(message: string): string {
  const reason = message.replace(/^(?:Binder|Parser|Catalog|Invalid Input) Error: /, '')
  const known = LIMITS.find(([begins]) => reason.startsWith(begins))
  if (known !== undefined) return known[1]
  return withDecodedNames(reason).split('\n')[0]!
}
