/**
 * Searches of metadata: their query, and the two forms of the answer.
 *
 *   array   CDAP 3:       [{"entityId":…,"metadata":…},…]
 *   object  CDAP 4 and 5: {"sort","offset","limit","numCursors","total","results":[…],"cursors":[…],"showHidden","entityScope"}
 *
 * Clients do not name a version. Those of CDAP 4 and 5 always send `offset`, `limit` and `numCursors`, those of CDAP 3 none
 * of the parameters below: a request with any of them is answered with the object. `responseFormat` asks for either.
 */
import { type MetadataOf, SCOPES } from '../../metadata/metadata.ts'
import { ServiceError } from '../../service-error.ts'
import type { EntityId } from '../../streams/existing.ts'

/** Targets of CDAP; only streams and views exist here. */
const TARGETS = ['all', 'artifact', 'app', 'dataset', 'program', 'stream', 'view']
/** Of CDAP 4.3 and 5. */
const LATER_TARGETS = ['namespace', 'schedule']
const SORT_KEYS = ['entity-name', 'creation-time'] as const
const ENTITY_SCOPES = ['USER', 'SYSTEM'] as const
/** Only clients of CDAP 4 and 5 send these. */
const PAGE_PARAMETERS = ['sort', 'offset', 'limit', 'numCursors', 'cursor', 'showHidden', 'entityScope']
const INT32_MAX = 2_147_483_647
const INT64_DIGITS = 19
const SYSTEM = SCOPES.indexOf('SYSTEM')

export interface Sort {
  readonly key: (typeof SORT_KEYS)[number]
  readonly isDescending: boolean
}

export interface Page {
  /** Undefined: by weight, the heaviest first. */
  readonly sort: Sort | undefined
  readonly offset: number
  readonly limit: number
  readonly numCursors: number
  /** Undefined: from the beginning. */
  readonly cursor: string | undefined
  readonly showHidden: boolean
  readonly entityScopes: readonly (typeof ENTITY_SCOPES)[number][]
}

/** A stream or view that matches, and the keys of its order. */
export interface Found {
  readonly id: EntityId
  readonly weight: number
  /** The value that the page sorts by; empty if the entity has none. */
  readonly sortKey: string
}

/** Names of the targets, in lower case. Throws ServiceError 'invalid_parameter'. */
export function parseTargets(query: URLSearchParams): ReadonlySet<string> {
  const targets = query.has('target') ? query.getAll('target') : ['all']
  const wrong = targets.find((target) => ![...TARGETS, ...LATER_TARGETS].includes(target.toLowerCase()))
  if (wrong !== undefined) throw invalid(`target is '${wrong}'; use ${TARGETS.join(', ')}`)
  return new Set(targets.map((target) => target.toLowerCase()))
}

/** Undefined: the answer is an array. Throws ServiceError 'invalid_parameter'. */
export function parsePage(query: URLSearchParams): Page | undefined {
  const form = query.get('responseFormat') ?? undefined
  if (form !== undefined && !['v3', 'v4', 'v5'].includes(form)) {
    throw invalid(`responseFormat is '${form}'; use v3 for an array, v4 or v5 for an object`)
  }
  if (form === 'v3' || (form === undefined && !PAGE_PARAMETERS.some((name) => query.has(name)))) {
    return undefined
  }
  const sort = parseSort(query.get('sort') ?? '')
  const numCursors = parseCount(query, 'numCursors', 0)
  const cursor = query.get('cursor') || undefined
  if (sort === undefined && (numCursors > 0 || cursor !== undefined)) {
    throw invalid('Cursors are not supported when sort info is not specified.')
  }
  return {
    sort,
    offset: parseCount(query, 'offset', 0),
    limit: parseCount(query, 'limit', INT32_MAX),
    numCursors,
    cursor,
    showHidden: parseFlag(query, 'showHidden'),
    entityScopes: parseEntityScopes(query.get('entityScope') ?? undefined),
  }
}

/** Undefined if the page omits the entity: its name begins with `_`, or it has no value to sort by. */
export function foundOf(
  id: EntityId,
  weight: number,
  known: readonly MetadataOf[],
  { sort, showHidden }: Page,
): Found | undefined {
  if (!showHidden && (id.view ?? id.stream).startsWith('_')) return undefined
  const sortKey = sort === undefined ? '' : sortKeyOf(known, sort.key)
  return sort !== undefined && sortKey === '' ? undefined : { id, weight, sortKey }
}

export interface Paged {
  readonly total: number
  readonly results: readonly EntityId[]
  readonly cursors: readonly string[]
}

/** The entities of one page. */
export function paged(found: readonly Found[], page: Page): Paged {
  const { sort, offset, limit, numCursors, cursor } = page
  const ordered = sort === undefined ? byWeight(found) : bySortKey(found, sort)
  const begin = (sort && cursor !== undefined ? placeOf(cursor, ordered, sort) : 0) + offset
  const cursors: string[] = []
  for (let i = 1; i <= numCursors && limit > 0 && begin + i * limit < ordered.length; i++) {
    cursors.push(cursorOf(ordered[begin + i * limit]!))
  }
  const results = ordered.slice(begin, begin + limit).map(({ id }) => id)
  return { total: ordered.length, results, cursors }
}

/** The part of the answer before the results. */
export function pageOpening({ sort, offset, limit, numCursors }: Page, total: number): string {
  const order = sort === undefined ? 'null WEIGHTED' : `${sort.key} ${sort.isDescending ? 'DESC' : 'ASC'}` // as CDAP prints it
  return `{"sort":"${order}","offset":${offset},"limit":${limit},"numCursors":${numCursors},"total":${total},"results":`
}

export function pageEnding({ showHidden, entityScopes }: Page, cursors: readonly string[]): string {
  return `,"cursors":${JSON.stringify(cursors)},"showHidden":${showHidden},"entityScope":${JSON.stringify(entityScopes)}}`
}

/** The heaviest first, else in the order found. Needs linear time, because there may be ten thousand. */
function byWeight(found: readonly Found[]): Found[] {
  const groups = new Map<number, Found[]>()
  for (const one of found) {
    const group = groups.get(one.weight)
    if (group === undefined) groups.set(one.weight, [one])
    else group.push(one)
  }
  return [...groups].sort(([a], [b]) => b - a).flatMap(([, group]) => group)
}

function bySortKey(found: readonly Found[], { isDescending }: Sort): Found[] {
  return [...found].sort((a, b) => compare(a.sortKey, textOf(a.id), b.sortKey, textOf(b.id), isDescending))
}

/** `<sort key>:<stream>[:<view>]` -> its index, also if the entity was deleted. A sort key alone is valid, as in CDAP. */
function placeOf(cursor: string, ordered: readonly Found[], { isDescending }: Sort): number {
  const colon = cursor.indexOf(':')
  const key = (colon === -1 ? cursor : cursor.slice(0, colon)).toLowerCase()
  const text = colon === -1 ? '' : cursor.slice(colon + 1)
  const place = ordered.findIndex(
    ({ sortKey, id }) => compare(sortKey, textOf(id), key, text, isDescending) >= 0,
  )
  return place === -1 ? ordered.length : place
}

function cursorOf({ sortKey, id }: Found): string {
  return `${sortKey}:${textOf(id)}`
}

/** By the key in its direction, then by the text upwards. */
function compare(keyA: string, textA: string, keyB: string, textB: string, isDescending: boolean): number {
  if (keyA !== keyB) return keyA < keyB === isDescending ? 1 : -1
  return textA === textB ? 0 : textA < textB ? -1 : 1
}

function textOf({ stream, view }: EntityId): string {
  return view === undefined ? stream : `${stream}:${view}`
}

function sortKeyOf(known: readonly MetadataOf[], key: Sort['key']): string {
  const value = known.map(({ properties }) => properties.get(key)).at(SYSTEM) ?? ''
  return key === 'creation-time' && value !== '' ? value.padStart(INT64_DIGITS, '0') : value.toLowerCase()
}

function parseSort(text: string): Sort | undefined {
  const words = text.split(/\s+/).filter((word) => word !== '')
  if (words.length === 0) return undefined
  const key = SORT_KEYS.find((one) => one === words[0]!.toLowerCase())
  const order = words[1]?.toLowerCase()
  if (words.length !== 2 || key === undefined || (order !== 'asc' && order !== 'desc')) {
    throw invalid(`sort is '${text}'; use ${SORT_KEYS.join(' or ')}, a space, and asc or desc`)
  }
  return { key, isDescending: order === 'desc' }
}

function parseCount(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name)
  if (text === null) return otherwise
  if (/^-[0-9]+$/.test(text)) throw invalid(`${name} must not be negative`)
  const count = /^\+?[0-9]+$/.test(text) ? Number(text) : Number.NaN
  if (count <= INT32_MAX) return count
  throw invalid(`${name} is '${text}'; use a whole number from 0 to ${INT32_MAX}`)
}

function parseFlag(query: URLSearchParams, name: string): boolean {
  const text = query.get(name)?.toLowerCase() ?? 'false'
  if (text !== 'true' && text !== 'false') throw invalid(`${name} is '${text}'; use true or false`)
  return text === 'true'
}

function parseEntityScopes(text: string | undefined): Page['entityScopes'] {
  if (text === undefined) return ENTITY_SCOPES
  const scope = ENTITY_SCOPES.find((one) => one === text.toUpperCase())
  if (scope !== undefined) return [scope]
  throw invalid(
    `Invalid entity scope '${text}'. Expected 'USER' or 'SYSTEM' for entities from specified scope, or just omit the parameter to get entities from both scopes`,
  )
}

function invalid(message: string): ServiceError {
  return new ServiceError('invalid_parameter', message)
}
