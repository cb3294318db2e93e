/** Reads the tokens of a text from left to right. Problems name the token that did not fit. */
import {
  DOUBLE_QUOTES,
  type FlinkToken,
  isKeyWord,
  isOperator,
  SQL_CHARACTERS_MAX,
  tokensOf,
} from './flink-tokens.ts'
import { isReservedWord } from './reserved-words.ts'
import { type Place, placesIn, SqlProblem, SyntaxProblem } from './sql-problem.ts'

/** As the name of a table has. */
export const NAME_CHARACTERS_MAX = 256
/** Of a token in an error text. */
const SHOWN_CHARACTERS_MAX = 60

export class TokenCursor {
  readonly sql: string
  readonly #tokens: readonly FlinkToken[]
  readonly #placeOf: (start: number, end: number) => Place
  #index = 0

  /** Throws SqlProblem for a text that is too long, has no tokens, or has double quotes or hints. */
  constructor(sql: string) {
    if (sql.length > SQL_CHARACTERS_MAX) {
      throw new SqlProblem(`the text has ${sql.length} characters; use at most ${SQL_CHARACTERS_MAX}`)
    }
    this.sql = sql
    this.#tokens = tokensOf(sql)
    this.#placeOf = placesIn(sql)
    for (const token of this.#tokens) {
      if (token.kind === 'double-quoted') throw this.problem(DOUBLE_QUOTES, token)
      if (token.kind === 'hint') throw this.problem('hints are not supported here; remove it', token)
    }
  }

  /** The next token, or the one `ahead` of it. */
  peek(ahead = 0): FlinkToken | undefined {
    return this.#tokens[this.#index + ahead]
  }

  /** Takes the next token. There must be one. */
  next(): FlinkToken {
    const token = this.#tokens[this.#index]
    if (token === undefined) throw this.problem('the text ends too early')
    this.#index++
    return token
  }

  /** Takes the key words if all of them come next, one after the other. */
  takeWords(...keyWords: string[]): boolean {
    const all = keyWords.every((keyWord, ahead) => isKeyWord(this.peek(ahead), keyWord))
    if (all) this.#index += keyWords.length
    return all
  }

  takeOperator(operator: string): boolean {
    const taken = isOperator(this.peek(), operator)
    if (taken) this.#index++
    return taken
  }

  expectOperator(operator: string): void {
    if (!this.takeOperator(operator)) throw this.unexpected(`'${operator}'`)
  }

  expectWord(keyWord: string): void {
    if (!this.takeWords(keyWord)) throw this.unexpected(keyWord)
  }

  /** Takes a name: a word that is not reserved, or a name in back-ticks. */
  takeName(what: string): { readonly name: string; readonly token: FlinkToken } {
    const token = this.peek()
    if (token?.kind !== 'word' && token?.kind !== 'quoted-name') throw this.unexpected(what)
    if (token.kind === 'word' && isReservedWord(token.text)) {
      throw this.syntaxProblem(
        `'${token.text}' is a reserved word; write \`${token.text}\` in back-ticks`,
        token,
      )
    }
    const { value: name } = token
    if (name.length > NAME_CHARACTERS_MAX) {
      throw this.problem(`a name has ${name.length} characters; use at most ${NAME_CHARACTERS_MAX}`, token)
    }
    if (/[\p{Cc}\p{Cs}]/u.test(name)) throw this.problem('a name has a control character; remove it', token)
    this.#index++
    return { name, token }
  }

  takeText(what: string): FlinkToken {
    if (this.peek()?.kind !== 'text') throw this.unexpected(`${what} in single quotes`)
    return this.next()
  }

  /** A problem at these tokens; without tokens at the end of the text. */
  problem(reason: string, from?: FlinkToken, to: FlinkToken | undefined = from): SqlProblem {
    return new SqlProblem(reason, this.#placeAt(from, to))
  }

  /** The problem that the next token is not what is wanted. */
  unexpected(wanted: string): SqlProblem {
    const token = this.peek()
    if (token === undefined) return this.syntaxProblem(`${wanted} is missing at the end`)
    const { length } = token.text
    const shown = length > SHOWN_CHARACTERS_MAX ? `${token.text.slice(0, SHOWN_CHARACTERS_MAX)}…` : token.text
    const quoted = token.kind === 'text' ? shown : `'${shown}'`
    return this.syntaxProblem(`unexpected ${quoted}; ${wanted} is wanted`, token)
  }

  /** As `problem`, of a text that is no statement. */
  syntaxProblem(reason: string, from?: FlinkToken, to: FlinkToken | undefined = from): SyntaxProblem {
    return new SyntaxProblem(reason, this.#placeAt(from, to))
  }

  place(from: FlinkToken, to: FlinkToken): Place {
    return this.#placeOf(from.start, to.end)
  }

  #placeAt(from: FlinkToken | undefined, to: FlinkToken | undefined): Place {
    const last = this.#tokens.at(-1)?.end ?? 1
    return this.#placeOf(from?.start ?? last - 1, to?.end ?? last)
  }
}
