/** Reads the tokens of a query from left to right. Problems name the token that did not fit. */
import { placeOf } from '../../../sql/sql-problem.ts'
import { QueryProblem } from '../query-plan.ts'
import { type QueryToken, tokensOfQuery } from './query-tokens.ts'
import { COLUMN_OR_TABLE, FUNCTION_OR_TYPE, LABEL_NEEDS_AS, RESERVED } from './query-words.ts'
import type { Expression, Name, Order, Query, Span } from './syntax.ts'

/** Of parentheses, sub-queries and operators within each other. */
const DEPTH_MAX = 300

/** The parts of the grammar that contain each other. */
export interface Grammar {
  readonly expression: (cursor: QueryCursor) => Expression
  readonly query: (cursor: QueryCursor) => Query
  readonly orders: (cursor: QueryCursor) => Order[]
}

export class QueryCursor {
  readonly sql: string
  readonly #grammar: Grammar
  readonly #tokens: readonly QueryToken[]
  #at = 0
  #depth = 0

  /** Throws QueryProblem. */
  constructor(sql: string, grammar: Grammar) {
    this.sql = sql
    this.#grammar = grammar
    this.#tokens = tokensOfQuery(sql)
  }

  expression(): Expression {
    return this.#grammar.expression(this)
  }

  query(): Query {
    return this.#grammar.query(this)
  }

  /** `ORDER BY …` */
  orders(): Order[] {
    return this.#grammar.orders(this)
  }

  peek(ahead = 0): QueryToken {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)]!
  }

  get previous(): QueryToken {
    return this.#tokens[Math.max(this.#at - 1, 0)]!
  }

  next(): QueryToken {
    const token = this.peek()
    if (token.kind === 'end') throw this.unexpected()
    this.#at++
    return token
  }

  /** Whether these key words come next. A quoted name is no key word. */
  isWord(...words: readonly string[]): boolean {
    return words.every((word, ahead) => this.isWordAt(ahead, word))
  }

  isWordAt(ahead: number, ...words: readonly string[]): boolean {
    const token = this.peek(ahead)
    return token.kind === 'word' && words.includes(token.value)
  }

  is(operator: string, ahead = 0): boolean {
    const token = this.peek(ahead)
    return token.kind === 'operator' && token.text === operator
  }

  skipWord(...words: readonly string[]): boolean {
    if (!this.isWord(...words)) return false
    this.#at += words.length
    return true
  }

  skip(operator: string): boolean {
    if (!this.is(operator)) return false
    this.#at++
    return true
  }

  word(...words: readonly string[]): void {
    for (const word of words) if (!this.skipWord(word)) throw this.unexpected()
  }

  operator(operator: string): QueryToken {
    if (!this.is(operator)) throw this.unexpected()
    return this.next()
  }

  /** A name of a table, a column or an alias. */
  name(): Name {
    if (!this.isName()) throw this.unexpected()
    return nameOf(this.next())
  }

  isName(ahead = 0): boolean {
    const { kind, value } = this.peek(ahead)
    return kind === 'name' || (kind === 'word' && !RESERVED.has(value) && !FUNCTION_OR_TYPE.has(value))
  }

  /** A name behind a dot or AS, which may be any key word. */
  label(): Name {
    const { kind } = this.peek()
    if (kind !== 'name' && kind !== 'word') throw this.unexpected()
    return nameOf(this.next())
  }

  isBareLabel(): boolean {
    const { kind, value } = this.peek()
    return kind === 'name' || (kind === 'word' && !LABEL_NEEDS_AS.has(value))
  }

  /** A name that may stand before the parenthesis of a call. */
  isFunctionName(ahead = 0): boolean {
    const { kind, value } = this.peek(ahead)
    return kind === 'name' || (kind === 'word' && !RESERVED.has(value) && !COLUMN_OR_TABLE.has(value))
  }

  names<T>(read: () => T): T[] {
    const list = [read()]
    while (this.skip(',')) list.push(read())
    return list
  }

  /** The place of what was read since the token `from`. */
  since(from: { readonly start: number }): Span {
    return { start: from.start, end: Math.max(this.previous.end, from.start + 1) }
  }

  within<T>(read: () => T): T {
    if (this.#depth === DEPTH_MAX) {
      throw this.unsupported(`the query is nested deeper than ${DEPTH_MAX} levels; make it simpler`)
    }
    this.#depth++
    const value = read()
    this.#depth--
    return value
  }

  /** PostgreSQL's refusal of the next token. */
  unexpected(): QueryProblem {
    const token = this.peek()
    if (token.kind !== 'end') return this.invalid(`syntax error at or near "${shown(token)}"`, token)
    return this.invalid('syntax error at end of input', { start: token.start, end: token.start + 1 })
  }

  invalid(reason: string, at: Span = this.peek()): QueryProblem {
    return new QueryProblem('invalid_sql', reason, placeOf(this.sql, at.start, at.end))
  }

  unsupported(reason: string, at: Span = this.peek()): QueryProblem {
    return new QueryProblem('unsupported_sql', reason, placeOf(this.sql, at.start, at.end))
  }
}

const SHOWN_CHARACTERS_MAX = 60

function shown({ text }: QueryToken): string {
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text
}

function nameOf({ kind, text, value, start, end }: QueryToken): Name {
  const isQuoted = kind === 'name'
  return { value, isQuoted, written: isQuoted ? value : text, start, end }
}
