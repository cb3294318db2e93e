/**
 * Words that may stand at a place of a script that is being typed. The script need not be complete or right. Only the text around the
 * place is read, so the time does not grow with the length of the script.
 */
import { type FlinkToken, isKeyWord, isOperator, tokensOf } from '../sql/flink-tokens.ts'
import { isReservedWord } from '../sql/reserved-words.ts'
import { SyntaxProblem } from '../sql/sql-problem.ts'
import type { NamespaceName } from '../streams/names.ts'
import { type Expected, expectedAt } from './expected-words.ts'
import { type Relation, relationsOf } from './named-relations.ts'

/** The tables and views of a namespace. */
export interface CatalogWords {
  /** Names of tables, and of views. */
  readonly tables: readonly string[]
  readonly views: readonly string[]
  /** Of a table or a view; empty if there is none of this name. */
  columnsOf(name: string): readonly string[]
}

export type SuggestionSource = (namespace: NamespaceName) => CatalogWords

const COMPLETIONS_MAX = 100
/** Characters before the place that are read, and characters after it. */
const BEFORE_CHARACTERS_MAX = 16_384
const AFTER_CHARACTERS_MAX = 4_096
const PLAIN_NAME = /^[\p{L}_][\p{L}\p{Nd}_$]*$/u

/** `position`: characters before the place. The words that may be there, those first that are likely. */
export function suggestions(script: string, position: number, catalog: CatalogWords): readonly string[] {
  const at = Math.min(Math.max(0, Math.trunc(position) || 0), script.length)
  const before = textBefore(script.slice(Math.max(0, at - BEFORE_CHARACTERS_MAX), at), at)
  const tokens = tokensBefore(before)
  if (tokens === undefined) return []
  const after = tokensAfter(script.slice(at, at + AFTER_CHARACTERS_MAX))
  const { prefix, rest } = typedPart(tokens, before)
  const earlier = statementsOf(rest)
  const statement = earlier.pop()!
  const relations = relationsOf(earlier, statement, after, catalog)
  const expected = expectedAt(statement)
  return chosen(wordsOf(expected, relations, catalog), prefix)
}

/** A long script is cut; then the text begins behind a semicolon, if there is one. */
function textBefore(text: string, at: number): string {
  if (at <= BEFORE_CHARACTERS_MAX) return text
  return text.slice(text.indexOf(';') + 1)
}

/** Undefined within a text or a comment. A name in back-ticks need not end. */
function tokensBefore(text: string): readonly FlinkToken[] | undefined {
  try {
    return tokensOf(text)
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error
    const tick = text.lastIndexOf('`')
    if (tick === -1 || text.indexOf('\n', tick) !== -1) return undefined
    return closedName(text, tick)
  }
}

function closedName(text: string, tick: number): readonly FlinkToken[] | undefined {
  try {
    const start = tick
    const value = text.slice(tick + 1)
    const open: FlinkToken = { kind: 'quoted-name', text: text.slice(tick), start, end: text.length, value }
    return [...tokensOf(text.slice(0, tick)), open]
  } catch {
    return undefined
  }
}

/** Tokens of the present statement; none if they cannot be read. */
function tokensAfter(text: string): readonly FlinkToken[] {
  const end = text.indexOf(';')
  try {
    return tokensOf(end === -1 ? text : text.slice(0, end))
  } catch {
    return []
  }
}

/** The word that is being typed, and the tokens before it. */
function typedPart(
  tokens: readonly FlinkToken[],
  text: string,
): { readonly prefix: string; readonly rest: readonly FlinkToken[] } {
  const last = tokens.at(-1)
  const isTyped =
    last !== undefined && last.end === text.length && (last.kind === 'word' || last.kind === 'quoted-name')
  if (!isTyped || (last.kind === 'quoted-name' && last.text.endsWith('`') && last.text.length > 1))
    return { prefix: '', rest: tokens }
  return { prefix: last.value, rest: tokens.slice(0, -1) }
}

/** At least one, the last of which is not complete. */
function statementsOf(tokens: readonly FlinkToken[]): FlinkToken[][] {
  const statements: FlinkToken[][] = [[]]
  for (const token of tokens) {
    const statement = statements.at(-1)!
    const isSetStart = isKeyWord(token, 'BEGIN') && isKeyWord(statement.at(-1), 'SET')
    const isOldSet = isOperator(token, ';') && isKeyWord(statement[0], 'BEGIN')
    if (isOperator(token, ';') || isSetStart || isOldSet) statements.push([])
    else statement.push(token)
  }
  return statements
}

function wordsOf(
  { words, tables, views, columns, qualifier, functions }: Expected,
  relations: readonly Relation[],
  catalog: CatalogWords,
): string[] {
  const list: string[] = []
  if (qualifier !== undefined) {
    const named = relations.filter(({ alias }) => alias === qualifier)
    return named.flatMap((one) => one.columns).map(shownName)
  }
  if (columns === 'all')
    list.push(
      ...relations
        .filter((one) => one.isRead)
        .flatMap((one) => one.columns)
        .map(shownName),
    )
  else if (columns !== undefined)
    list.push(
      ...(relations.find(({ name }) => name === columns)?.columns ?? catalog.columnsOf(columns)).map(
        shownName,
      ),
    )
  if (columns === 'all')
    list.push(...relations.filter((one) => one.isRead).map(({ alias }) => shownName(alias)))
  if (tables)
    list.push(...relations.filter((one) => one.isDefined && !one.isView).map(({ name }) => shownName(name)))
  if (views)
    list.push(...relations.filter((one) => one.isDefined && one.isView).map(({ name }) => shownName(name)))
  if (tables) list.push(...catalog.tables.map(shownName))
  if (views) list.push(...catalog.views.map(shownName))
  return [...list, ...words, ...(functions ?? [])]
}

function shownName(name: string): string {
  return PLAIN_NAME.test(name) && !isReservedWord(name) ? name : `\`${name.replaceAll('`', '``')}\``
}

function chosen(words: readonly string[], prefix: string): readonly string[] {
  const wanted = prefix.toLowerCase()
  const found = new Set<string>()
  for (const word of words) {
    if (found.size === COMPLETIONS_MAX) break
    const bare = word.startsWith('`') ? word.slice(1) : word
    if (bare.toLowerCase().startsWith(wanted)) found.add(word)
  }
  return [...found]
}
