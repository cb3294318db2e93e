/**
 * The parts of a job's statement: `INSERT INTO t [(columns)] query`, or several of them in `EXECUTE STATEMENT SET BEGIN …; END`.
 * The queries are rewritten for DuckDB's parser (query-rewriter.ts).
 */
import { withoutDatabases } from './database-prefix.ts'
import { type FlinkToken, SQL_CHARACTERS_MAX, tokensOf } from './flink-tokens.ts'
import { QueryRewriter, type RewrittenQuery } from './query-rewriter.ts'
import { type Place, placeOf, SqlProblem } from './sql-problem.ts'
import { StatementCursor } from './statement-cursor.ts'

export interface NamedPlace {
  readonly name: string
  readonly place: Place
}

export interface RewrittenInsert {
  readonly sink: NamedPlace
  /** Undefined without a list of columns. */
  readonly columns: readonly NamedPlace[] | undefined
  readonly query: RewrittenQuery
}

const INSERTS_MAX = 64

/** Throws SqlProblem for a statement that is no INSERT INTO, and for parts of queries that are refused by their tokens. */
export function rewriteStatement(statement: string): readonly RewrittenInsert[] {
  if (statement.length > SQL_CHARACTERS_MAX) {
    throw new SqlProblem(
      `the statement has ${statement.length} characters; at most ${SQL_CHARACTERS_MAX} are possible`,
    )
  }
  const cursor = new StatementCursor(statement, withoutDatabases(tokensOf(statement)))
  const inserts = cursor.isWord('EXECUTE') ? readSet(cursor) : [readInsert(cursor)]
  const rest = cursor.peek()
  if (rest !== undefined)
    throw cursor.problem('a job has one statement; use EXECUTE STATEMENT SET for several', rest)
  return inserts
}

/** A query without INSERT INTO, such as that of a view. Throws SqlProblem as `rewriteStatement`. */
export function rewriteQuery(query: string): RewrittenQuery {
  if (query.length > SQL_CHARACTERS_MAX)
    throw new SqlProblem(
      `the query has ${query.length} characters; at most ${SQL_CHARACTERS_MAX} are possible`,
    )
  const cursor = new StatementCursor(query, withoutDatabases(tokensOf(query)))
  const end = queryEnd(cursor)
  if (end === cursor.at) throw cursor.unexpected('a query')
  const rewritten = new QueryRewriter(new StatementCursor(query, cursor.tokens, cursor.at, end)).rewrite()
  cursor.at = end
  cursor.skip(';')
  const rest = cursor.peek()
  if (rest !== undefined) throw cursor.syntax('there is another statement behind the query; remove it', rest)
  return rewritten
}

function readSet(cursor: StatementCursor): RewrittenInsert[] {
  const first = cursor.next('EXECUTE')
  cursor.word('STATEMENT')
  cursor.word('SET')
  cursor.word('BEGIN')
  const inserts: RewrittenInsert[] = []
  while (!cursor.skipWord('END')) {
    inserts.push(readInsert(cursor))
    if (inserts.length > INSERTS_MAX)
      throw cursor.problem(`a statement set has at most ${INSERTS_MAX} INSERT INTO`, first)
  }
  cursor.skip(';')
  if (inserts.length === 0) throw cursor.problem('a job needs INSERT INTO', first)
  return inserts
}

function readInsert(cursor: StatementCursor): RewrittenInsert {
  const first = cursor.peek()
  if (first === undefined) throw new SqlProblem('a job needs INSERT INTO')
  if (!cursor.skipWord('INSERT')) throw cursor.problem('a job needs INSERT INTO', first)
  cursor.word('INTO')
  const sink = readName(cursor, 'the name of a table')
  if (cursor.is('.'))
    throw cursor.problem('tables have names without a catalog and a database', cursor.peek()!)
  if (cursor.isWord('PARTITION')) throw cursor.unexpected('a query')
  const columns = startsColumns(cursor) ? readColumns(cursor) : undefined
  const end = queryEnd(cursor)
  if (end === cursor.at) throw cursor.unexpected('a query')
  const query = new QueryRewriter(new StatementCursor(cursor.text, cursor.tokens, cursor.at, end)).rewrite()
  cursor.at = end
  cursor.skip(';')
  return { sink, columns, query }
}

/** `(a, b) SELECT …` is a list of columns, `(SELECT …)` and `((SELECT …) …)` are not. */
function startsColumns(cursor: StatementCursor): boolean {
  if (!cursor.is('(')) return false
  return !['SELECT', 'WITH', 'VALUES', 'TABLE'].some((word) => cursor.isWord(word, 1)) && !cursor.is('(', 1)
}

function readColumns(cursor: StatementCursor): NamedPlace[] {
  cursor.operator('(')
  const columns: NamedPlace[] = []
  do columns.push(readName(cursor, 'the name of a column'))
  while (cursor.skip(','))
  cursor.operator(')')
  return columns
}

function readName(cursor: StatementCursor, wanted: string): NamedPlace {
  const token: FlinkToken = cursor.next(wanted)
  if (token.kind === 'word' || token.kind === 'quoted-name') {
    return { name: token.value, place: placeOf(cursor.text, token.start, token.end) }
  }
  cursor.at--
  throw cursor.unexpected(wanted)
}

function queryEnd(cursor: StatementCursor): number {
  for (let ahead = 0; ; ahead++) {
    if (cursor.peek(ahead) === undefined || cursor.is(';', ahead)) return cursor.at + ahead
  }
}
