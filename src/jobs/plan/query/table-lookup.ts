/** Finds the captured table that a name in FROM means: a table, or a model of the Prisma schema. */
import { encodedName } from '../../../sql/encoded-name.ts'
import type { QueryTable } from '../query-plan.ts'
import type { QueryContext } from './query-context.ts'
import type { Entry } from './query-scope.ts'
import type { Alias, Name, Span } from './syntax.ts'

const SCHEMA = 'public'

export function tableEntry(
  context: QueryContext,
  names: readonly Name[],
  alias: Alias | undefined,
): { readonly entry: Entry; readonly base: string } {
  const at: Span = { start: names[0]!.start, end: names.at(-1)!.end }
  const table = findTable(context, names, at)
  const used = context.use(table)
  const fields = new Map(
    context.source.models
      .filter((model) => model.schema === table.schema && model.table === table.table)
      .flatMap(({ fields: all }) => all.map(({ field, column }) => [column, field])),
  )
  const columns = table.columns.map(({ name }) => ({
    name,
    sql: encodedName(name),
    field: fields.get(name),
    use: () => void used.columns.add(name),
  }))
  const keys = table.key.map((key) => columns.find(({ name }) => name === key)!)
  const named = names.at(-1)!
  const entry: Entry = {
    name: alias?.name.value ?? named.value,
    schema: alias === undefined ? table.schema : undefined,
    sql: context.name('r'),
    columns: renamed(context, columns, alias),
    table,
    keys: keys.includes(undefined as never) ? undefined : keys,
  }
  return { entry, base: used.base }
}

export function renamed<T extends { readonly name: string }>(
  context: QueryContext,
  columns: readonly T[],
  alias: Alias | undefined,
): readonly T[] {
  if (alias === undefined || alias.columns.length === 0) return columns
  if (alias.columns.length > columns.length) {
    throw context.invalid(
      `table "${alias.name.value}" has ${columns.length} columns available but ${alias.columns.length} columns specified`,
      alias.columns[columns.length]!,
    )
  }
  return columns.map((column, at) => {
    const name = alias.columns[at]?.value
    return name === undefined ? column : { ...column, name, field: undefined }
  })
}

function findTable(context: QueryContext, names: readonly Name[], at: Span): QueryTable {
  const { tables, models } = context.source
  const name = names.at(-1)!
  const schema = names.length === 2 ? names[0]!.value : undefined
  const written = names.map(({ value }) => value).join('.')
  if (names.length > 2)
    throw context.unsupported(`"${written}" names another database; write schema.table`, at)
  const isHere = (one: { readonly schema: string }) => schema === undefined || one.schema === schema
  const modelled = (found: typeof models) =>
    found.flatMap((model) =>
      tables.filter((table) => table.schema === model.schema && table.table === model.table),
    )
  const isLike = (known: string) => !name.isQuoted && known.toLowerCase() === name.written.toLowerCase()
  const exact = tables.filter((table) => table.table === name.value && isHere(table))
  const found = [
    exact.filter((table) => table.schema === (schema ?? SCHEMA)),
    modelled(models.filter((model) => model.model === name.value && isHere(model))),
    exact,
    unique([
      ...tables.filter((table) => isLike(table.table) && isHere(table)),
      ...modelled(models.filter((model) => isLike(model.model) && isHere(model))),
    ]),
  ].find((list) => list.length > 0)
  if (found === undefined) throw context.invalid(`relation "${written}" does not exist${known(context)}`, at)
  if (found.length === 1) return found[0]!
  const all = found.map((table) => `${table.schema}.${table.table}`).join(', ')
  throw context.invalid(
    `relation "${written}" is ambiguous: it may be ${all}; write one of them in double quotes`,
    at,
  )
}

function unique<T>(list: readonly T[]): readonly T[] {
  return [...new Set(list)]
}

const SHOWN_MAX = 20

function known({ source: { tables } }: QueryContext): string {
  if (tables.length === 0) return ''
  const names = tables
    .slice(0, SHOWN_MAX)
    .map(({ schema, table }) => (schema === SCHEMA ? table : `${schema}.${table}`))
  return `; the schema has ${names.join(', ')}${tables.length > SHOWN_MAX ? ', …' : ''}`
}
