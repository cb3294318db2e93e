/**
 * Names of tables: the stream or view that a name in SQL refers to, for one reader.
 *
 * A stream `a-b` is table `stream_a_b`, and its view `v` table `stream_a_b_v`; case is ignored. If several claim one
 * name:
 *
 *   a stream has priority over a view, then the older over the younger; a view is as old as the streams created just before it
 *   claims of streams without a grant for the reader are ignored, so that a name does not reveal which other streams exist
 *
 * A name that begins with `stream_` belongs to the stream that it spells, so a client cannot choose it for a view. The
 * default name of a view has that form, but the stream has priority. A stream whose own table is disabled claims no
 * name.
 */

import type { FormatSpecification } from '../formats/format-specification.ts'
import type { NamespaceName, StreamId, StreamName, ViewName } from './names.ts'
import type { Registry, Stream } from './registry.ts'
import type { View } from './view.ts'

/** A stream or view that has a table, or would have it if no other claimed the name first. */
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

/** Whether the reader has a grant for a stream. Claims of streams without one are ignored. */
export type MayKnow = (id: StreamId) => boolean

const KNOWS_ALL: MayKnow = () => true

/** All tables of a namespace that a reader may know, in the order of their streams. */
export function tablesOf(
  registry: Registry,
  namespace: NamespaceName,
  mayKnow: MayKnow = KNOWS_ALL,
): ReadonlyMap<string, TableClaim> {
  const claims = registry
    .streamsOf(namespace)
    .flatMap((stream) => (mayKnow(stream.id) ? tablesOfStream(registry, stream, mayKnow) : []))
  return new Map(claims.map((claim) => [claim.table, claim]))
}

/** The tables of one stream and its views. */
export function tablesOfStream(
  registry: Registry,
  stream: Stream,
  mayKnow: MayKnow = KNOWS_ALL,
): TableClaim[] {
  return claimsOf(stream).flatMap(({ table, view }) => {
    const owner = tableOf(registry, stream.id.namespace, table, mayKnow)
    return owner?.stream === stream && owner.view === view ? [owner] : []
  })
}

/** The table of this name, in any case. Uses an index and does not iterate over the streams. */
export function tableOf(
  registry: Registry,
  namespace: NamespaceName,
  name: string,
  mayKnow: MayKnow = KNOWS_ALL,
): TableClaim | undefined {
  const claims = indexOf(registry).of(namespace).get(name.toLowerCase())
  return claims?.find(({ stream: { id } }) => mayKnow(id))
}

/** The index of a registry, created at the first lookup of a table and then kept up to date. */
const INDEXES = new WeakMap<Registry, TableIndex>()

function indexOf(registry: Registry): TableIndex {
  const known = INDEXES.get(registry)
  if (known !== undefined) return known
  const index = new TableIndex(registry)
  INDEXES.set(registry, index)
  return index
}

class TableIndex {
  readonly #byNamespace = new Map<NamespaceName, ClaimedTables>()

  constructor(registry: Registry) {
    for (const stream of registry.allStreams()) this.of(stream.id.namespace).add(stream)
    registry.watch((before, now) => {
      if (before !== undefined && now !== undefined && sameClaims(before, now)) {
        this.of(now.id.namespace).replace(before, now)
        return
      }
      if (before !== undefined) this.of(before.id.namespace).remove(before)
      if (now !== undefined) this.of(now.id.namespace).add(now)
    })
  }

  of(namespace: NamespaceName): ClaimedTables {
    let tables = this.#byNamespace.get(namespace)
    if (tables === undefined) {
      tables = new ClaimedTables()
      this.#byNamespace.set(namespace, tables)
    }
    return tables
  }
}

class ClaimedTables {
  /** The claims of each name. The claim that has the table is the first. */
  readonly #claims = new Map<string, readonly TableClaim[]>()

  get(table: string): readonly TableClaim[] | undefined {
    return this.#claims.get(table)
  }

  add(stream: Stream): void {
    for (const claim of claimsOf(stream)) {
      const others = this.#claims.get(claim.table)
      this.#claims.set(claim.table, others === undefined ? [claim] : [...others, claim].sort(byPrecedence))
    }
  }

  remove(stream: Stream): void {
    for (const { table } of claimsOf(stream)) {
      const others = this.#claims.get(table)?.filter((claim) => claim.stream !== stream) ?? []
      if (others.length === 0) this.#claims.delete(table)
      else this.#claims.set(table, others)
    }
  }

  /** For a stream with new properties or a new log, but the same tables. */
  replace(before: Stream, now: Stream): void {
    for (const claim of claimsOf(now)) {
      const claims = this.#claims.get(claim.table) ?? []
      this.#claims.set(
        claim.table,
        claims.map((one) => (one.stream === before && one.view === claim.view ? claim : one)),
      )
    }
  }
}

function sameClaims(before: Stream, now: Stream): boolean {
  return (
    before.views === now.views &&
    before.tableDisabled === now.tableDisabled &&
    before.firstLog === now.firstLog
  )
}

/** Whether the name has the form of a stream's table, whether or not the stream exists. */
export function isStreamTableName(name: string): boolean {
  return name.toLowerCase().startsWith(STREAM_PREFIX)
}

const STREAM_PREFIX = 'stream_'

/** The claim of the stream itself, even while its table is disabled. */
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
