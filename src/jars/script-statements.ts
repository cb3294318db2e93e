/**
 * Scripts as one statement: the INSERT INTO of all scripts, in order. A single one stays as it is, several become a statement set.
 *
 *   INSERT INTO …;                                       any number
 *   EXECUTE STATEMENT SET BEGIN INSERT INTO …; END;      the same
 *   BEGIN STATEMENT SET; INSERT INTO …; END;             the same
 *   SET 'pipeline.name' = '…';                           the name of the job
 *
 * Everything else is refused.
 */
import { type FlinkToken, isKeyWord, isOperator, SQL_CHARACTERS_MAX, tokensOf } from '../sql/flink-tokens.ts'
import { type Place, placesIn, SqlProblem } from '../sql/sql-problem.ts'
import type { Script } from './jar-contents.ts'

export interface ScriptStatement {
  readonly statement: string
  /** Undefined if no script sets it. */
  readonly jobName: string | undefined
  /** A problem with its place in the script, for a problem with a place in `statement`. */
  readonly inScript: (problem: SqlProblem) => SqlProblem
}

/** An INSERT INTO of a script, without the semicolon. */
interface Insert {
  readonly script: string
  readonly text: string
  /** Where it begins in the script. */
  readonly place: Place
}

const SET_BEGINS = 'EXECUTE STATEMENT SET\nBEGIN\n'
const SET_ENDS = 'END;'
/** Between two INSERT INTO. A comment to the end of the line may be before it. */
const INSERT_ENDS = '\n;\n'
const NAME_SETTING = 'pipeline.name'

/** Throws SqlProblem, which names the script. */
export function statementOf(scripts: readonly Script[]): ScriptStatement {
  const inserts: Insert[] = []
  let jobName: string | undefined
  for (const script of scripts) {
    const reader = new ScriptReader(script)
    inserts.push(...reader.read())
    jobName = reader.jobName ?? jobName
  }
  const [first] = inserts
  if (first === undefined) {
    const names = scripts.map(({ name }) => name).join(', ')
    throw new SqlProblem(`${names}: there is no INSERT INTO; a job needs one`)
  }
  const statement =
    inserts.length === 1
      ? first.text
      : `${SET_BEGINS}${inserts.map(({ text }) => text + INSERT_ENDS).join('')}${SET_ENDS}`
  return { statement, jobName, inScript: placeInScript(inserts) }
}

/** The statements of one script. */
class ScriptReader {
  readonly #script: Script
  readonly #tokens: readonly FlinkToken[]
  readonly #placeOf: (start: number, end: number) => Place
  #isSet = false
  jobName: string | undefined

  constructor(script: Script) {
    this.#script = script
    const { name, text } = script
    if (text.length > SQL_CHARACTERS_MAX)
      throw new SqlProblem(
        `${name}: the script has ${text.length} characters; at most ${SQL_CHARACTERS_MAX} are possible`,
      )
    this.#placeOf = placesIn(text)
    this.#tokens = named(name, () => tokensOf(text))
  }

  read(): readonly Insert[] {
    const inserts = this.#statements().flatMap((tokens) => this.#insertsOf(tokens))
    if (this.#isSet) throw this.#problem('the statement set does not end; add END;', this.#tokens.at(-1)!)
    return inserts
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

  #insertsOf(tokens: readonly FlinkToken[]): readonly Insert[] {
    const [first] = tokens
    if (first === undefined) return []
    if (begins(tokens, 'EXECUTE', 'STATEMENT', 'SET', 'BEGIN')) return this.#beginSet(tokens, 4)
    if (begins(tokens, 'BEGIN', 'STATEMENT', 'SET')) return this.#beginSet(tokens, 3)
    if (this.#isSet && begins(tokens, 'END')) {
      this.#isSet = false
      return this.#insertsOf(tokens.slice(1))
    }
    if (begins(tokens, 'EXECUTE', 'INSERT')) return this.#insertsOf(tokens.slice(1))
    if (begins(tokens, 'SET')) this.#set(tokens)
    else if (begins(tokens, 'INSERT')) return [this.#insert(tokens)]
    else throw this.#problem(reasonAgainst(tokens), first)
    return []
  }

  #beginSet(tokens: readonly FlinkToken[], words: number): readonly Insert[] {
    if (this.#isSet) throw this.#problem('a statement set begins within another; end it first', tokens[0]!)
    this.#isSet = true
    return this.#insertsOf(tokens.slice(words))
  }

  #insert(tokens: readonly FlinkToken[]): Insert {
    const [{ start }, { end }] = [tokens[0]!, tokens.at(-1)!]
    const { name: script, text } = this.#script
    return { script, text: text.slice(start, end), place: this.#placeOf(start, end) }
  }

  #set(tokens: readonly FlinkToken[]): void {
    const [first, key, sign, value] = tokens
    const isName = key?.kind === 'text' && key.value === NAME_SETTING
    if (isName && isOperator(sign, '=') && value?.kind === 'text' && tokens.length === 4) {
      this.jobName = value.value
      return
    }
    throw this.#problem(
      `only SET '${NAME_SETTING}' = 'name of the job' is possible in a script`,
      first!,
      tokens.at(-1)!,
    )
  }

  #problem(reason: string, first: FlinkToken, last = first): SqlProblem {
    return new SqlProblem(`${this.#script.name}: ${reason}`, this.#placeOf(first.start, last.end))
  }
}

function begins(tokens: readonly FlinkToken[], ...words: readonly string[]): boolean {
  return words.every((word, i) => isKeyWord(tokens[i], word))
}

const DEFINES: readonly string[] = ['TABLE', 'TEMPORARY', 'VIEW']

function reasonAgainst([first, second]: readonly FlinkToken[]): string {
  if (isKeyWord(first, 'CREATE') && DEFINES.some((word) => isKeyWord(second, word))) {
    return (
      'a script cannot create tables and views; create the table before ' +
      '(POST /v1/project/PROJECT/service/NAMESPACE/flink/table), and the script can name it'
    )
  }
  const { text } = first!
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text
  return `expected INSERT INTO, got '${shown}'; a script has INSERT INTO statements`
}

/** Adds the name of the script to a SqlProblem. */
function named<T>(script: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof SqlProblem ? renamed(error, script, error.place) : error
  }
}

function renamed(problem: SqlProblem, script: string, place: Place | undefined): SqlProblem {
  return new SqlProblem(`${script}: ${problem.reason}`, place, { cause: problem })
}

function placeInScript(inserts: readonly Insert[]): ScriptStatement['inScript'] {
  /** Line of the statement at which each begins. */
  const lines: number[] = []
  let line = inserts.length === 1 ? 1 : 3
  for (const { text } of inserts) {
    lines.push(line)
    line += text.split('\n').length + 1
  }
  return (problem) => {
    const { place } = problem
    if (place === undefined) return problem
    const index = lines.findLastIndex((start) => start <= place.line)
    const insert = inserts[index]
    if (insert === undefined) return problem
    const at = (inner: number, column: number): readonly [number, number] => [
      insert.place.line + inner - lines[index]!,
      inner === lines[index] ? insert.place.column + column - 1 : column,
    ]
    const [startLine, column] = at(place.line, place.column)
    const [endLine, endColumn] = at(place.endLine, place.endColumn)
    return renamed(problem, insert.script, { line: startLine, column, endLine, endColumn })
  }
}
