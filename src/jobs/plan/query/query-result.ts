/** What readers need to know of a result: its columns, the key of a row, the order of rows. */
import type { DataType } from '../../../sql/data-types.ts'
import type { MeantPostgresColumn } from '../../../sql/postgres-meaning.ts'
import type { QueryPlan, ResultColumn, ResultOrder } from '../query-plan.ts'
import type { QueryKey, ResolvedQuery } from './resolved-query.ts'

export interface QueryResult extends Pick<QueryPlan, 'columns' | 'key' | 'keyIsRow' | 'order' | 'warnings'> {
  /** Names of the columns of the sink, unique: visible, then hidden. */
  readonly names: readonly string[]
}

export function resultOf(query: ResolvedQuery, typed: readonly MeantPostgresColumn[]): QueryResult {
  const shown = uniqueNames(query.columns.slice(0, query.visible))
  const columns = shown.map(
    (name, at): ResultColumn => ({ name, type: typed[at]!.postgresType, nullable: typed[at]!.nullable }),
  )
  const hidden = query.columns.slice(query.visible).map((_, at) => `__hidden${at}`)
  const key = query.keyIsRow ? [] : keyOf(query.keys ?? [], shown)
  return {
    names: uniqueNames([...shown, ...hidden]),
    columns,
    key,
    keyIsRow: query.keyIsRow,
    order: orderOf(query, typed),
    warnings: warningsOf(query.columns.slice(0, query.visible), shown),
  }
}

/** Rows are objects with a member for each column, so a second column of a name gets a number: `id`, `id_2`. */
function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>()
  const all = new Set(names)
  return names.map((name) => {
    let free = name
    for (let number = 2; taken.has(free) || (free !== name && all.has(free)); number++)
      free = `${name}_${number}`
    taken.add(free)
    return free
  })
}

/** The key of a table that is not selected has the name of its column, with that of its table if there are several. */
function keyOf(keys: readonly QueryKey[], shown: readonly string[]): QueryPlan['key'] {
  const plain = keys.map(({ column, name }) => shown[column] ?? name)
  const named = keys.map(({ column, table }, at) => {
    const name = plain[at]!
    const isAlone = plain.filter((other) => other === name).length === 1
    return isAlone || column < shown.length || table === undefined ? name : `${table}_${name}`
  })
  return uniqueNames(named).map((name, at) => ({ column: keys[at]!.column, name }))
}

/** The query's ORDER BY, then the key: so the order is that of all rows. */
function orderOf(
  { order, keys, keyIsRow, visible }: ResolvedQuery,
  typed: readonly MeantPostgresColumn[],
): ResultOrder[] {
  const rest = keyIsRow || keys === undefined ? [...Array(visible).keys()] : keys.map(({ column }) => column)
  const more = rest
    .filter((column) => !order.some((one) => one.column === column))
    .map((column) => ({ column, isDescending: false, nullsFirst: false }))
  return [...order, ...more].map(({ column, isDescending, nullsFirst }) => ({
    column,
    descending: isDescending,
    nullsFirst,
    compare: comparedAs(typed[column]!.type, typed[column]!.postgresType),
  }))
}

const NUMBERS = new Set(['TINYINT', 'SMALLINT', 'INT', 'BIGINT', 'FLOAT', 'DOUBLE', 'DECIMAL'])

function comparedAs({ kind }: DataType, postgresType: string): ResultOrder['compare'] {
  if (kind === 'BOOLEAN') return 'boolean'
  return NUMBERS.has(kind) || postgresType === 'numeric' ? 'number' : 'text'
}

function warningsOf(names: readonly string[], shown: readonly string[]): readonly string[] {
  return shown.flatMap((name, at) =>
    name === names[at] ? [] : [`several columns have the name ${names[at]}: column ${at + 1} is ${name}`],
  )
}
