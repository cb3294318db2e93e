/** What names mean within a level of a query: relations with their columns, and columns by name. */
import { decodedName } from '../../sql/encoded-name.ts'
import type { Node } from '../../sql/tree.ts'

export type Kind =
  | 'fixed' // read once, and values
  | 'append' // rows of streams, as they arrive
  | 'window' // rows of windows that close
  | 'running' // updates of groups
  | 'changing' // tables that change

export interface ScopeColumn {
  /** How the query names it, encoded. */
  readonly name: string
  /** Its name in the relation. */
  readonly sql: string
  /** It is a watermark column, or PROCTIME(), unchanged. */
  readonly time?: 'rowtime' | 'proctime' | undefined
  /** It is the start or the end of the window of its row, unchanged. */
  readonly bound?: 'start' | 'end' | undefined
  /** Called when the query uses the column. */
  readonly use?: () => void
}

/** A relation in FROM. */
export interface Entry {
  /** Encoded. */
  readonly alias: string
  readonly columns: readonly ScopeColumn[]
  readonly kind: Kind | 'lookup'
  /** Columns that USING has merged into those of another relation. */
  readonly merged: Set<string>
}

export interface Scope {
  readonly entries: readonly Entry[]
  /** The level around a sub-query in an expression. */
  readonly outer: Scope | undefined
}

/** What a reference to a column has been resolved to. */
export interface Found {
  readonly entry: Entry
  readonly column: ScopeColumn
  /** Names after that of the column: fields of a row. */
  readonly fields: readonly string[]
  readonly isOuter: boolean
  /** Number of names that the user wrote. */
  readonly written: number
}

/** A sentence if the names have no meaning here. */
export function findColumn(names: readonly string[], scope: Scope): Found | string {
  let isOuter = false
  for (let level: Scope | undefined = scope; level !== undefined; level = level.outer) {
    const found = findHere(names, level, isOuter)
    if (found !== undefined) return found
    isOuter = true
  }
  return unknown(names, scope)
}

function findHere(
  names: readonly string[],
  { entries }: Scope,
  isOuter: boolean,
): Found | string | undefined {
  const [first, second] = names as [string, string | undefined]
  const entry = second === undefined ? undefined : entries.find(({ alias }) => alias === first)
  const inEntry = entry?.columns.find(({ name }) => name === second)
  if (entry !== undefined && inEntry !== undefined) {
    return { entry, column: inEntry, fields: names.slice(2), isOuter, written: names.length }
  }
  const found = entries.flatMap((one) =>
    one.columns
      .filter(({ name }) => name === first && !one.merged.has(name))
      .map((column) => ({ entry: one, column, fields: names.slice(1), isOuter, written: names.length })),
  )
  if (found.length > 1) {
    const shown = decodedName(first)
    const [a, b] = found.map(({ entry: { alias } }) => decodedName(alias))
    return a === b
      ? `column '${shown}' is ambiguous: ${a} has several of this name`
      : `column '${shown}' is ambiguous; write ${a}.${shown} or ${b}.${shown}`
  }
  return found[0]
}

const NAMES_SHOWN_MAX = 20

function unknown(names: readonly string[], { entries }: Scope): string {
  const written = names.map(decodedName).join('.')
  const entry = names.length > 1 ? entries.find(({ alias }) => alias === names[0]) : undefined
  const columns = (entry === undefined ? entries : [entry]).flatMap((one) =>
    one.columns.map(({ name }) => decodedName(name)),
  )
  if (names.length > 1 && entry === undefined && entries.length > 0) {
    return `column '${written}' does not exist; the tables here are ${entries.map(({ alias }) => decodedName(alias)).join(', ')}`
  }
  const shown = columns.slice(0, NAMES_SHOWN_MAX).join(', ')
  const more = columns.length > NAMES_SHOWN_MAX ? ', …' : ''
  return columns.length === 0
    ? `column '${written}' does not exist`
    : `column '${written}' does not exist; the columns are ${shown}${more}`
}

/** What a resolved reference means. Nodes are keys, so a copy of a node has no meaning. */
export type Meanings = WeakMap<Node, Found>
