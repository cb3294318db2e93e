/**
 * Reads a script: statements with semicolons between them.
 *
 *   INSERT INTO …;                                       any number, one job
 *   EXECUTE STATEMENT SET BEGIN INSERT INTO …; END;      the same
 *   BEGIN STATEMENT SET; INSERT INTO …; END;             the same
 *   SET 'pipeline.name' = '…';                           the name of the job
 *   CREATE TEMPORARY TABLE …;  CREATE TEMPORARY VIEW …;  of this script alone
 *   SELECT …;                                            a query
 *   CREATE, DROP, ALTER, SHOW, DESCRIBE, USE, EXPLAIN    statements about the catalog
 */

import type { TemporaryDefinition } from '../jobs/temporary-definition.ts'
import { type FlinkToken, isKeyWord, isOperator, SQL_CHARACTERS_MAX, tokensOf } from '../sql/flink-tokens.ts'
import { ofPart, placeInWhole } from '../sql/inner-place.ts'
import { type Place, placesIn, SqlProblem, SyntaxProblem } from '../sql/sql-problem.ts'
import { parseCatalogStatement } from './ddl-parser.ts'
import { plainName } from './object-names.ts'
import type { CatalogStatement, CreateTable, CreateView, TextPart } from './statements.ts'

export interface NamedScript {
  /** For error texts. Undefined: the only one. */
  readonly name: string | undefined
  readonly text: string
}

/** A statement of a script, without the semicolon. */
export interface ScriptPart {
  /** Name of its script. */
  readonly script: string | undefined
  readonly text: string
  /** Where it is in the script. */
  readonly place: Place
}

export interface ScriptDefinition extends ScriptPart {
  readonly definition: TemporaryDefinition
}

export interface CatalogPart extends ScriptPart {
  readonly statement: CatalogStatement
}

export interface ScriptContents {
  readonly inserts: readonly ScriptPart[]
  /** `text` and `place` are those of the schema or the query. */
  readonly temporary: readonly ScriptDefinition[]
  readonly queries: readonly ScriptPart[]
  readonly catalog: readonly CatalogPart[]
  /** Of SET; undefined without it. */
  readonly jobName: string | undefined
}

const NAME_SETTING = 'pipeline.name'
const DEFINITIONS_MAX = 200

/** Throws SqlProblem, whose place is in the script. */
export function readScript(script: NamedScript): ScriptContents {
  try {
    return new ScriptReader(script).read()
  } catch (error) {
    throw error instanceof SqlProblem ? inNamed(script.name, error) : error
  }
}

/** Adds the name of a script to a problem of it. */
export function inNamed(script: string | undefined, problem: SqlProblem): SqlProblem {
  return script === undefined ? problem : problem.at(problem.place, `${script}: ${problem.reason}`)
}

class ScriptReader {
  readonly #script: NamedScript
  readonly #tokens: readonly FlinkToken[]
  readonly #placeOf: (start: number, end: number) => Place
  readonly #inserts: ScriptPart[] = []
  readonly #temporary: ScriptDefinition[] = []
  readonly #queries: ScriptPart[] = []
  readonly #catalog: CatalogPart[] = []
  #jobName: string | undefined
  #isSet = false

  constructor(script: NamedScript) {
    this.#script = script
    const { text } = script
    if (text.length > SQL_CHARACTERS_MAX)
      throw new SqlProblem(
        `the script has ${text.length} characters; at most ${SQL_CHARACTERS_MAX} are possible`,
      )
    this.#placeOf = placesIn(text)
    this.#tokens = tokensOf(text)
  }

  read(): ScriptContents {
    for (const tokens of this.#statements()) this.#take(tokens)
    if (this.#isSet) throw this.#syntax('the statement set does not end; add END;', this.#tokens.at(-1)!)
    const [inserts, temporary, queries] = [this.#inserts, this.#temporary, this.#queries]
    return { inserts, temporary, queries, catalog: this.#catalog, jobName: this.#jobName }
  }

  /** The tokens between semicolons. */
  #statements(): FlinkToken[][] {
    const statements: FlinkToken[][] = [[]]
    for (const token of this.#tokens) {
      if (isOperator(token, ';')) statements.push([])
      else statements.at(-1)!.push(token)
    }
    return statements.filter((tokens) => tokens.length > 0)
  }

  #take(tokens: readonly FlinkToken[]): void {
    const [first] = tokens
    if (first === undefined) return
    if (begins(tokens, 'EXECUTE', 'STATEMENT', 'SET', 'BEGIN')) this.#beginSet(tokens, 4)
    else if (begins(tokens, 'BEGIN', 'STATEMENT', 'SET')) this.#beginSet(tokens, 3)
    else if (this.#isSet && begins(tokens, 'END')) this.#endSet(tokens)
    else if (begins(tokens, 'EXECUTE', 'INSERT')) this.#inserts.push(this.#part(tokens.slice(1)))
    else if (begins(tokens, 'INSERT')) this.#inserts.push(this.#part(tokens))
    else if (this.#isSet) throw this.#syntax(`expected INSERT INTO or END, got ${shown(first)}`, first)
    else if (begins(tokens, 'SET')) this.#set(tokens)
    else if (isQueryStart(first)) this.#queries.push(this.#part(tokens))
    else this.#other(tokens, first)
  }

  #beginSet(tokens: readonly FlinkToken[], words: number): void {
    if (this.#isSet) throw this.#syntax('a statement set begins within another; end it first', tokens[0]!)
    this.#isSet = true
    this.#take(tokens.slice(words))
  }

  #endSet(tokens: readonly FlinkToken[]): void {
    this.#isSet = false
    this.#take(tokens.slice(1))
  }

  #part(tokens: readonly FlinkToken[]): ScriptPart {
    const [{ start }, { end }] = [tokens[0]!, tokens.at(-1)!]
    const { name: script, text } = this.#script
    return { script, text: text.slice(start, end), place: this.#placeOf(start, end) }
  }

  #set(tokens: readonly FlinkToken[]): void {
    const [, key, sign, value] = tokens
    const isName = key?.kind === 'text' && key.value === NAME_SETTING
    if (isName && isOperator(sign, '=') && value?.kind === 'text' && tokens.length === 4) {
      this.#jobName = value.value
      return
    }
    const { place } = this.#part(tokens)
    throw new SqlProblem(`only SET '${NAME_SETTING}' = 'name of the job' is possible in a script`, place)
  }

  #other(tokens: readonly FlinkToken[], first: FlinkToken): void {
    const part = this.#part(tokens)
    const statement = ofPart(part.place, () => parseCatalogStatement(part.text))
    if (statement === undefined) throw this.#syntax(`expected a statement, got ${shown(first)}`, first)
    if ('isTemporary' in statement && statement.isTemporary && statement.kind !== 'drop')
      this.#define(statement, part)
    else this.#catalog.push({ ...part, statement })
  }

  #define(statement: CreateTable | CreateView, part: ScriptPart): void {
    const { script, place } = part
    const name = ofPart(place, () => plainName(statement.name))
    const problem = (reason: string) => new SqlProblem(reason, placeInWhole(statement.name.place, place))
    if (this.#temporary.some(({ definition }) => definition.name === name)) {
      if (statement.ifNotExists) return
      throw problem(
        `${statement.kind === 'create-table' ? 'Table' : 'View'} default.default.${name} already exists.`,
      )
    }
    if (this.#temporary.length >= DEFINITIONS_MAX)
      throw problem(`a script has at most ${DEFINITIONS_MAX} temporary tables and views`)
    const { definition, text } = ofPart(place, () => definitionOf(statement, name))
    this.#temporary.push({ definition, script, text: text.text, place: placeInWhole(text.place, place) })
  }

  #syntax(reason: string, token: FlinkToken): SqlProblem {
    return new SyntaxProblem(reason, this.#placeOf(token.start, token.end))
  }
}

function definitionOf(
  statement: CreateTable | CreateView,
  name: string,
): { readonly definition: TemporaryDefinition; readonly text: TextPart } {
  if (statement.kind === 'create-view') {
    const { columns, query: text } = statement
    return { definition: { kind: 'view', name, ...(columns && { columns }), query: text.text }, text }
  }
  const { schema: text, options, like } = statement
  if (like !== undefined || text === undefined)
    throw new SqlProblem('a temporary table takes no LIKE; write its columns', statement.name.place)
  if (options === undefined)
    throw new SqlProblem("a temporary table needs WITH ('connector' = '…')", statement.name.place)
  const texts = Object.fromEntries(options.map(({ key, value }) => [key, value]))
  return { definition: { kind: 'table', name, schemaSql: text.text, options: texts }, text }
}

const QUERY_WORDS = ['SELECT', 'WITH', 'VALUES', 'TABLE']

function isQueryStart(token: FlinkToken): boolean {
  return isOperator(token, '(') || QUERY_WORDS.some((word) => isKeyWord(token, word))
}

function begins(tokens: readonly FlinkToken[], ...words: readonly string[]): boolean {
  return words.every((word, i) => isKeyWord(tokens[i], word))
}

function shown({ text }: FlinkToken): string {
  return text.length > 60 ? `'${text.slice(0, 60)}…'` : `'${text}'`
}
