/** What a message of the stream of changes says about a table that is captured: which columns are new, wider, gone or of another type. */
import type { CapturedColumn, CapturedTable } from '../captured-table.ts'

export interface SchemaChange {
  /** As they are from now on. */
  readonly columns: readonly CapturedColumn[]
  /** Dropped or renamed. */
  readonly gone: readonly string[]
  /** The values that are kept do not fit the new type. */
  readonly retyped: readonly { readonly name: string; readonly from: string; readonly to: string }[]
}

/** Undefined if nothing has changed. `sent`: columns as they are now; they may be null. */
export function schemaChange(
  table: CapturedTable,
  sent: readonly CapturedColumn[],
): SchemaChange | undefined {
  const known = new Map(table.columns.map((column) => [column.name, column]))
  const columns = sent.map((column) => ({ ...column, nullable: known.get(column.name)?.nullable ?? true }))
  const isSame =
    columns.length === table.columns.length &&
    columns.every(({ name, typeOid, databaseType }, i) => {
      const before = table.columns[i]!
      return before.name === name && before.typeOid === typeOid && before.databaseType === databaseType
    })
  if (isSame) return undefined
  const names = new Set(columns.map(({ name }) => name))
  return {
    columns,
    gone: table.columns.map(({ name }) => name).filter((name) => !names.has(name)),
    retyped: columns.flatMap((column) => {
      const before = known.get(column.name)
      if (before === undefined || isTakenOver(before, column)) return []
      return [{ name: column.name, from: before.databaseType, to: column.databaseType }]
    }),
  }
}

const INTEGERS = ['SMALLINT', 'INT', 'BIGINT']
/** text, varchar */
const TEXTS: ReadonlySet<number> = new Set([25, 1043])

/** Whether all values keep their texts and fit into the new type. */
function isTakenOver(before: CapturedColumn, after: CapturedColumn): boolean {
  if (before.databaseType === after.databaseType && before.typeOid === after.typeOid) return true
  if (before.isArray || after.isArray) return false
  if (TEXTS.has(before.typeOid) && TEXTS.has(after.typeOid)) return true
  if (before.kind !== after.kind) return false
  const [from, to] = [before.type, after.type]
  switch (before.kind) {
    case 'integer':
      return INTEGERS.indexOf(from.kind) <= INTEGERS.indexOf(to.kind)
    case 'numeric':
      return (
        from.kind === 'DECIMAL' &&
        to.kind === 'DECIMAL' &&
        from.scale === to.scale &&
        from.precision <= to.precision
      )
    case 'timestamp':
    case 'timestamptz':
      return 'precision' in from && 'precision' in to && from.precision <= to.precision
    default:
      return false
  }
}
