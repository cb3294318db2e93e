/**
 * The columns of a table from `schema_sql` and LIKE. The columns of LIKE are printed before those of the client into one text,
 * the definition. Places of problems are those of the client's text.
 */
import type { TypedColumn } from '../sql/data-types.ts'
import { printSchema } from '../sql/flink-ddl.ts'
import { SQL_CHARACTERS_MAX } from '../sql/flink-tokens.ts'
import { type Place, SqlProblem } from '../sql/sql-problem.ts'
import {
  isProcessingTime,
  parseTableSchema,
  type TableSchema,
  watermarkProblem,
} from '../sql/table-schema.ts'
import { TokenCursor } from '../sql/token-cursor.ts'
import type { NamespaceName } from '../streams/names.ts'
import { invalid } from './refusal.ts'
import type { ExpressionTyper, Table } from './table.ts'

export interface Definition {
  readonly definitionSql: string
  readonly schema: TableSchema
}

/** The table that `[LIKE] <table>` names. Throws ServiceError 'invalid_table'. */
export function likedTable(likeOptions: string, find: (name: string) => Table | undefined): Table {
  const name = nameIn(likeOptions)
  const table = find(name)
  if (table === undefined) throw invalid(`like_options: table ${name} does not exist`)
  return table
}

/** Throws SqlProblem. */
export function parseDefinition(schemaSql: string, like: Table | undefined): Definition {
  if (schemaSql.length > SQL_CHARACTERS_MAX) {
    throw new SqlProblem(`the text has ${schemaSql.length} characters; use at most ${SQL_CHARACTERS_MAX}`)
  }
  if (like === undefined) return { definitionSql: schemaSql, schema: parseTableSchema(schemaSql) }
  const added = prefixOf(like)
  const definitionSql = schemaSql.trim() === '' ? printSchema(like.schema) : added + schemaSql
  try {
    return { definitionSql, schema: parseTableSchema(definitionSql) }
  } catch (error) {
    throw withOwnPlace(error, like)
  }
}

/** The types of all columns. Rejects with SqlProblem. */
export async function typedColumns(
  { definitionSql, schema }: Definition,
  like: Table | undefined,
  typer: ExpressionTyper,
  namespace: NamespaceName,
): Promise<readonly TypedColumn[]> {
  try {
    const hasExpressions =
      schema.watermark !== undefined || schema.columns.some(({ kind }) => kind === 'computed')
    const columns = hasExpressions
      ? await typer.typesOf(definitionSql, schema, namespace)
      : storedColumns(schema)
    assertWatermark(schema, columns)
    const neverNull = new Set(schema.columns.filter(isProcessingTime).map(({ name }) => name))
    return columns.map(({ name, type, nullable }) => ({
      name,
      type,
      nullable: nullable && !neverNull.has(name),
    }))
  } catch (error) {
    throw withOwnPlace(error, like)
  }
}

/** All but computed columns, whose types the planner knows. */
export function storedColumns({ columns }: TableSchema): TypedColumn[] {
  return columns.flatMap((column) => (column.kind === 'computed' ? [] : [column]))
}

function assertWatermark({ watermark }: TableSchema, columns: readonly TypedColumn[]): void {
  const column = columns.find(({ name }) => name === watermark?.column)
  const problem = column && watermarkProblem(column.name, column.type)
  if (problem !== undefined) throw new SqlProblem(problem, watermark?.columnPlace)
}

function prefixOf(like: Table): string {
  return `${printSchema(like.schema)},\n`
}

/** Moves the place of a problem up by the lines that LIKE added; a problem in those has no place. */
function withOwnPlace(error: unknown, like: Table | undefined): unknown {
  if (like === undefined || !(error instanceof SqlProblem) || error.place === undefined) return error
  const lines = prefixOf(like).split('\n').length - 1
  const { line, endLine, ...columns } = error.place
  const place: Place | undefined =
    line > lines ? { line: line - lines, endLine: endLine - lines, ...columns } : undefined
  return new SqlProblem(error.reason, place, { cause: error })
}

function nameIn(likeOptions: string): string {
  try {
    const cursor = new TokenCursor(likeOptions)
    cursor.takeWords('LIKE')
    const { name } = cursor.takeName('the name of a table')
    if (cursor.peek() !== undefined) throw cursor.unexpected('the end')
    return name
  } catch (error) {
    if (error instanceof SqlProblem) throw invalid(`like_options: ${error.reason}; use [LIKE] <table>`)
    throw error
  }
}
