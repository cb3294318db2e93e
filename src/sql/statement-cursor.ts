/** Reads the tokens of a part of a statement one after the other. */
import { type FlinkToken, isKeyWord, isOperator } from './flink-tokens.ts'
import { placeOf, SqlProblem, SyntaxProblem } from './sql-problem.ts'

export class StatementCursor {
  readonly text: string
  readonly tokens: readonly FlinkToken[]
  /** Index of the next token. */
  at: number
  /** Index after the last token. */
  readonly to: number

  constructor(text: string, tokens: readonly FlinkToken[], at = 0, to = tokens.length) {
    this.text = text
    this.tokens = tokens
    this.at = at
    this.to = to
  }

  peek(ahead = 0): FlinkToken | undefined {
    const index = this.at + ahead
    return index < this.to ? this.tokens[index] : undefined
  }

  get previous(): FlinkToken | undefined {
    return this.tokens[this.at - 1]
  }

  isWord(word: string, ahead = 0): boolean {
    return isKeyWord(this.peek(ahead), word)
  }

  isWords(...words: readonly string[]): boolean {
    return words.every((word, i) => this.isWord(word, i))
  }

  is(operator: string, ahead = 0): boolean {
    return isOperator(this.peek(ahead), operator)
  }

  /** Reads a token; throws where there is none. */
  next(wanted: string): FlinkToken {
    const token = this.peek()
    if (token === undefined) throw this.unexpected(wanted)
    this.at++
    return token
  }

  skipWord(word: string): boolean {
    if (!this.isWord(word)) return false
    this.at++
    return true
  }

  skip(operator: string): boolean {
    if (!this.is(operator)) return false
    this.at++
    return true
  }

  word(word: string): void {
    if (!this.skipWord(word)) throw this.unexpected(word)
  }

  operator(operator: string): void {
    if (!this.skip(operator)) throw this.unexpected(`'${operator}'`)
  }

  /** A refusal of the next token, or of the last one where the text ends. */
  unexpected(wanted: string): SqlProblem {
    const token = this.peek()
    if (token !== undefined) return this.syntax(`expected ${wanted}, got ${shown(token)}`, token)
    const last = this.tokens[this.to - 1]
    const reason = `expected ${wanted}, but the statement ends`
    return last === undefined ? new SyntaxProblem(reason) : this.syntax(reason, last)
  }

  /** A refusal of what no statement of this kind has. */
  syntax(reason: string, token: FlinkToken): SqlProblem {
    return new SyntaxProblem(reason, placeOf(this.text, token.start, token.end))
  }

  problem(reason: string, first: FlinkToken, last = first): SqlProblem {
    return new SqlProblem(reason, placeOf(this.text, first.start, last.end))
  }
}

const SHOWN_CHARACTERS_MAX = 60

export function shown(token: FlinkToken): string {
  const { text } = token
  const cut = text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text
  return token.kind === 'text' || token.kind === 'quoted-name' ? cut : `'${cut}'`
}
