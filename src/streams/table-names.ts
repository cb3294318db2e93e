/**
 * Names of tables: which stream or view a name in SQL means.
 *
 * A stream `a-b` is table `stream_a_b`, its view `v` table `stream_a_b_v`; case does not count. So two can claim one name:
 * then the older one has it, and the other has no table, whatever either was emptied or changed to since. A view is as old
 * as the streams made just before it. A stream whose own table is disabled claims no name.
 */
import type { NamespaceName, StreamName, ViewName } from './names.ts'
import type { FormatSpecification } from './properties.ts'
import type { Registry, Stream } from './registry.ts'
import type { View } from './view.ts'

/** Something that has, or would have, a table. */
export interface TableClaim {
  readonly table: string
  readonly stream: Stream
  /** Undefined: the stream itself. */
  readonly view: View | undefined
  readonly format: FormatSpecification
}

export function tableOfStream(stream: StreamName): string {
  return cleaned(`stream_${stream}`)
}

export function defaultTableOfView(stream: StreamName, view: ViewName): string {
  return cleaned(`stream_${stream}_${view}`)
}

function cleaned(name: string): string {
  return name.replaceAll(/[-.]/g, '_').toLowerCase()
}

/** All tables of a namespace by their names. */
export function tablesOf(registry: Registry, namespace: NamespaceName): ReadonlyMap<string, TableClaim> {
  const tables = new Map<string, TableClaim>()
  for (const claim of registry.streamsOf(namespace).flatMap(claimsOf).sort(byAge)) {
    if (!tables.has(claim.table)) tables.set(claim.table, claim)
  }
  return tables
}

/** Of the stream itself, also while its table is disabled. */
export function ownClaim(stream: Stream): TableClaim {
  const { format } = stream.properties
  return { table: tableOfStream(stream.id.stream), stream, view: undefined, format }
}

/** `stream a-b`, or `view v of stream a-b`. */
export function describeClaim({ stream, view }: TableClaim): string {
  const name = `stream ${stream.id.stream}`
  return view === undefined ? name : `view ${view.name} of ${name}`
}

function claimsOf(stream: Stream): TableClaim[] {
  const ofViews = [...stream.views.values()].map((view) => ({
    table: view.tableName.toLowerCase(),
    stream,
    view,
    format: view.format,
  }))
  return stream.tableDisabled ? ofViews : [ownClaim(stream), ...ofViews]
}

function byAge(a: TableClaim, b: TableClaim): number {
  return (
    (a.view?.afterLog ?? a.stream.firstLog) - (b.view?.afterLog ?? b.stream.firstLog) ||
    Number(a.view !== undefined) - Number(b.view !== undefined)
  )
}
