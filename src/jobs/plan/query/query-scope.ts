/** What names of columns mean within a level of a query, as PostgreSQL resolves them. */
import type { QueryTable } from '../query-plan.ts'
import { quoted, type Sql } from './sql-pieces.ts'
import type { Name, Span } from './syntax.ts'

/** A SELECT, for telling its own columns and aggregates from those of the queries around it. */
export interface Level {
  readonly depth: number
}

export interface EntryColumn {
  readonly name: string
  /** Name in DuckDB's relation, without quotes. */
  readonly sql: string
  /** The field of the Prisma model. */
  readonly field?: string | undefined
  /** Added for keys; no name of the user means it. */
  readonly isHidden?: boolean
  readonly use?: () => void
}

/** A relation in FROM. */
export interface Entry {
  /** Its alias, or the name of the table. */
  readonly name: string
  /** Of a table without alias: `public.orders.id` is a name of a column. */
  readonly schema: string | undefined
  /** Alias in DuckDB's SQL, unique in the whole query. */
  readonly sql: string
  readonly columns: readonly EntryColumn[]
  readonly table: QueryTable | undefined
  /** Columns of which no two rows have the same values. Undefined: none are known. */
  readonly keys: readonly EntryColumn[] | undefined
}

/** A column of an expression. */
export interface ColumnUse {
  readonly level: Level
  readonly entry: Entry
  readonly column: EntryColumn
}

/** A column that can be named without its table. Merged ones of USING have several columns, the first that is not NULL. */
export interface VisibleColumn {
  readonly name: string
  readonly uses: readonly { readonly entry: Entry; readonly column: EntryColumn }[]
}

export interface Scope {
  readonly level: Level
  readonly entries: readonly Entry[]
  readonly visible: readonly VisibleColumn[]
  /** Of the same FROM, but not to be named here. */
  readonly others: readonly Entry[]
  readonly outer: Scope | undefined
}

export interface Found {
  readonly level: Level
  readonly uses: VisibleColumn['uses']
  /** How the result calls it if it has no alias. */
  readonly label: string
}

/** A sentence if the names have no meaning. */
export function findColumn(names: readonly Name[], scope: Scope): Found | string {
  if (names.length === 1) return findByName(names[0]!, scope)
  return findInEntry(names, scope)
}

function* levelsOf(scope: Scope): Generator<Scope> {
  for (let one: Scope | undefined = scope; one !== undefined; one = one.outer) yield one
}

function findByName(name: Name, scope: Scope): Found | string {
  for (const one of levelsOf(scope)) {
    const found = one.visible.filter((column) => column.name === name.value)
    if (found.length > 1) return `column reference "${name.value}" is ambiguous`
    if (found[0] !== undefined) return { level: one.level, uses: found[0].uses, label: name.value }
  }
  for (const one of levelsOf(scope)) {
    const found = one.visible.flatMap(({ uses }) => {
      const label = labelOf(name, uses[0]!.column)
      return label === undefined ? [] : [{ level: one.level, uses, label }]
    })
    if (found.length > 1) return `column reference "${name.written}" is ambiguous`
    if (found[0] !== undefined) return found[0]
  }
  const hint = hintOf(name.value, scope.entries)
  return `column "${name.value}" does not exist${hint}`
}

/** A field of a model, exactly or by a name without quotes in other letter case; the same of a column of a table. */
function labelOf(name: Name, { name: column, field, use }: EntryColumn): string | undefined {
  if (use === undefined) return undefined
  if (field !== undefined && (field === name.value || isSame(field, name))) return field
  return isSame(column, name) ? column : undefined
}

function isSame(known: string, name: Name): boolean {
  return !name.isQuoted && known.toLowerCase() === name.written.toLowerCase()
}

function findInEntry(names: readonly Name[], scope: Scope): Found | string {
  const column = names.at(-1)!
  const table = names.at(-2)!
  const written = names.map(({ value }) => value).join('.')
  if (names.length > 3) return `improper qualified name (too many dotted names): ${written}`
  for (const isExact of [true, false]) {
    for (const one of levelsOf(scope)) {
      const entries = one.entries.filter((entry) => isEntry(entry, names, isExact))
      if (entries.length > 1) return `table reference "${table.value}" is ambiguous`
      const entry = entries[0]
      if (entry === undefined) continue
      return inEntry(column, entry, one.level) ?? missing(written, column, entry)
    }
  }
  return missingEntry(table, scope)
}

function isEntry(entry: Entry, names: readonly Name[], isExact: boolean): boolean {
  const table = names.at(-2)!
  if (isExact ? entry.name !== table.value : !isSame(entry.name, table)) return false
  return names.length < 3 || entry.schema === names[0]!.value
}

function inEntry(name: Name, entry: Entry, level: Level): Found | undefined {
  const columns = entry.columns.filter(({ isHidden }) => isHidden !== true)
  const exact = columns.filter((column) => column.name === name.value)
  if (exact.length > 0) {
    return exact.length > 1 ? undefined : { level, uses: [{ entry, column: exact[0]! }], label: name.value }
  }
  const similar = columns.flatMap((column) => {
    const label = labelOf(name, column)
    return label === undefined ? [] : [{ level, uses: [{ entry, column }], label }]
  })
  return similar.length === 1 ? similar[0] : undefined
}

function missing(written: string, { value }: Name, entry: Entry): string {
  if (entry.columns.filter(({ name }) => name === value).length > 1)
    return `column reference "${value}" is ambiguous`
  return `column ${written} does not exist${hintOf(value, [entry])}`
}

function missingEntry({ value }: Name, scope: Scope): string {
  for (const { entries, others } of levelsOf(scope)) {
    if (others.some(({ name }) => name === value))
      return `invalid reference to FROM-clause entry for table "${value}"; it cannot be named in this part of the query`
    const aliased = entries.find(({ table, name }) => table?.table === value && name !== value)
    if (aliased !== undefined)
      return `invalid reference to FROM-clause entry for table "${value}"; write its alias "${aliased.name}"`
  }
  return `missing FROM-clause entry for table "${value}"`
}

/** Only names that differ in few letters, as PostgreSQL does it. */
function hintOf(name: string, entries: readonly Entry[]): string {
  const known = entries.flatMap((entry) =>
    entry.columns
      .filter(({ isHidden }) => isHidden !== true)
      .flatMap(({ name: column, field }) => [column, ...(field === undefined ? [] : [field])])
      .map((column) => ({ entry, column, distance: distanceOf(name, column.toLowerCase()) })),
  )
  const nearest = Math.min(...known.map(({ distance }) => distance))
  if (!(nearest <= Math.max(1, Math.floor(name.length / 3)))) return ''
  const { entry, column } = known.find(({ distance }) => distance === nearest)!
  return `; perhaps you meant "${entry.name}.${column}"`
}

const NAME_CHARACTERS_MAX = 63

function distanceOf(one: string, other: string): number {
  if (Math.abs(one.length - other.length) > 4 || Math.max(one.length, other.length) > NAME_CHARACTERS_MAX)
    return Number.POSITIVE_INFINITY
  let row = Array.from({ length: other.length + 1 }, (_, at) => at)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1)))
    row = next
  }
  return row[other.length]!
}

export function columnSql({ entry, column }: VisibleColumn['uses'][number]): string {
  return `${quoted(entry.sql)}.${quoted(column.sql)}`
}

export function visibleOf(entry: Entry): VisibleColumn[] {
  return entry.columns
    .filter(({ isHidden }) => isHidden !== true)
    .map((column) => ({ name: column.name, uses: [{ entry, column }] }))
}

/** An expression with names resolved. */
export interface Resolved extends Span {
  /** Equal for equal expressions. */
  readonly id: number
  readonly sql: Sql
  readonly kind: 'column' | 'aggregate' | 'window' | 'constant' | 'other'
  /** Operands, and the columns that sub-queries in it take from the queries around them. */
  readonly parts: readonly Resolved[]
  readonly use?: ColumnUse
  /** Taken by a sub-query. */
  readonly isOfSubquery?: boolean
}

/** All expressions within, itself first; not within those for which `stops` is true. */
export function* partsOf(
  root: Resolved,
  stops: (part: Resolved) => boolean = () => false,
): Generator<Resolved> {
  yield root
  if (!stops(root)) for (const part of root.parts) yield* partsOf(part, stops)
}
