/**
 * Names of tables: which stream or view a name in SQL means, for one reader.
 *
 * A stream `a-b` is table `stream_a_b`, its view `v` table `stream_a_b_v`; case does not count. Several can claim one name:
 *
 *   a stream before a view, then the older before the younger; a view is as old as the streams made just before it
 *   claims of streams that the reader has no grant for do not count: a name never tells what else exists
 *
 * A name that begins with `stream_` belongs to the stream it spells, so a view cannot choose one; its default name has that
 * form, and gives way to the stream. A stream whose own table is disabled claims no name.
 */
import type { NamespaceName, StreamId, StreamName, ViewName } from './names.ts'
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
  return cleaned(`${STREAM_PREFIX}${stream}`)
}

export function defaultTableOfView(stream: StreamName, view: ViewName): string {
  return cleaned(`${STREAM_PREFIX}${stream}_${view}`)
}

function cleaned(name: string): string {
  return name.replaceAll(/[-.]/g, '_').toLowerCase()
}

/** Whether a reader has to do with a stream at all. */
export type MayKnow = (id: StreamId) => boolean

const KNOWS_ALL: MayKnow = () => true

/** All tables of a namespace that a reader may know, by their names. */
export function tablesOf(
  registry: Registry,
  namespace: NamespaceName,
  mayKnow: MayKnow = KNOWS_ALL,
): ReadonlyMap<string, TableClaim> {
  const tables = new Map<string, TableClaim>()
  const known = registry.streamsOf(namespace).filter(({ id }) => mayKnow(id))
  for (const claim of known.flatMap(claimsOf).sort(byPrecedence)) {
    if (!tables.has(claim.table)) tables.set(claim.table, claim)
  }
  return tables
}

/** The table of this name, in any case, as `tablesOf` has it; one pass without sorting. */
export function tableOf(
  registry: Registry,
  namespace: NamespaceName,
  name: string,
  mayKnow: MayKnow = KNOWS_ALL,
): TableClaim | undefined {
  const table = name.toLowerCase()
  let found: TableClaim | undefined
  for (const stream of registry.eachStreamOf(namespace)) {
    if (!mayClaim(stream, table) || !mayKnow(stream.id)) continue
    for (const claim of claimsOf(stream)) {
      if (claim.table === table && (found === undefined || byPrecedence(claim, found) < 0)) found = claim
    }
  }
  return found
}

/** Whether a name spells a stream, whether or not there is one. */
export function isStreamTableName(name: string): boolean {
  return name.toLowerCase().startsWith(STREAM_PREFIX)
}

const STREAM_PREFIX = 'stream_'

/** By lengths alone, which is enough for nearly all of ten thousand streams. */
function mayClaim({ id, views }: Stream, table: string): boolean {
  return views.size > 0 || id.stream.length + STREAM_PREFIX.length === table.length
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

function byPrecedence(a: TableClaim, b: TableClaim): number {
  return Number(a.view !== undefined) - Number(b.view !== undefined) || ageOf(a) - ageOf(b)
}

function ageOf({ view, stream }: TableClaim): number {
  return view?.afterLog ?? stream.firstLog
}
