/**
 * The rows of a cached query at one moment: JSON, one object a line, or CSV. The position of the moment is the ETag; a further page
 * names it, so that pages belong together.
 */

import type { QueryService, RowsPage, RowsRequest } from '../../cached-queries/query-service.ts'
import { printedLsn } from '../../cdc/lsn.ts'
import { ServiceError } from '../../service-error.ts'
import type { AppOptions } from '../api.ts'
import { preference } from '../messages/accept.ts'
import { ALREADY_SENT } from '../messages/long-answer.ts'
import { arrayParts, sendParts } from '../messages/sliced-answer.ts'
import type { HttpContext } from '../server/bindings.ts'
import { mayRead } from './access.ts'
import { truthOf } from './call-bodies.ts'
import { untilClosed } from './client-signal.ts'
import { invalidRequest } from './fields.ts'
import { columnOf, momentOf } from './query-json.ts'
import { readableQuery } from './query-of.ts'
import { lsnOf, shown, wholeNumberOf } from './query-values.ts'
import { asArray, asCsv, asObject, csvHeader } from './row-texts.ts'

const LIMIT = { least: 1, most: 100_000, fallback: 10_000 }
const OFFSET = { least: 0, most: 999_999_999_999_999, fallback: 0 }

type Print = (page: RowsPage) => Iterable<string | undefined>

/** In the order of preference where a client wants several alike. */
const TYPES = ['application/json', 'application/x-ndjson', 'text/csv'] as const
type RowsType = (typeof TYPES)[number]

const CONTENT_TYPES = {
  'application/json': 'application/json',
  'application/x-ndjson': 'application/x-ndjson',
  'text/csv': 'text/csv; charset=utf-8; header=present',
} as const satisfies Record<RowsType, string>

export function rowsRoute(service: QueryService, options: AppOptions) {
  return async (c: HttpContext): Promise<Response> => {
    const query = readableQuery(c, service)
    const request = requestOf(c)
    const type = typeFor(c.req.header('accept'))
    const objects = truthOf('objects', c.req.query('objects'))
    const { signal, forget } = untilClosed(c.env.outgoing)
    let page: RowsPage
    try {
      page = await service.rows(query.id, { ...request, signal })
    } catch (error) {
      if (signal.aborted) return ALREADY_SENT
      throw error
    } finally {
      forget()
    }
    const headers = {
      ETag: `"${printedLsn(page.asOf.lsn)}"`,
      Vary: 'Accept',
      ...(page.next !== undefined && { Link: linkTo(c, page.next, request.limit) }),
    }
    if (isKnown(c.req.header('if-none-match'), headers.ETag)) return c.body(null, 304, headers)
    const all = { ...headers, 'Content-Type': CONTENT_TYPES[type] }
    if (c.req.method === 'HEAD') return c.body(null, 200, all)
    const print = printerOf(type, objects)
    return sendParts(
      c,
      async () => print(page),
      options,
      all,
      (client) => mayRead(client, query),
    )
  }
}

/** Throws ServiceError 'invalid_parameter'. */
function requestOf(c: HttpContext): Omit<RowsRequest, 'signal'> {
  const limit = wholeNumberOf('limit', c.req.query('limit'), LIMIT)
  const offset = wholeNumberOf('offset', c.req.query('offset'), OFFSET)
  const lsn = lsnOf('lsn', c.req.query('lsn'))
  const atLeast = lsnOf('atLeast', c.req.query('atLeast'))
  if (lsn !== undefined && atLeast !== undefined)
    throw invalidRequest('use lsn or atLeast, not both: lsn is of a page that was answered already')
  return { limit, offset, ...(lsn !== undefined && { lsn }), ...(atLeast !== undefined && { atLeast }) }
}

/** Throws ServiceError 'not_acceptable'. */
function typeFor(accept: string | undefined): RowsType {
  let best: RowsType | undefined
  let quality = 0
  for (const type of TYPES) {
    const wanted = preference(accept, type).quality
    if (wanted <= quality) continue
    best = type
    quality = wanted
  }
  if (best !== undefined) return best
  throw new ServiceError('not_acceptable', `Accept is '${shown(accept!)}'; there is ${TYPES.join(', ')}`)
}

function printerOf(type: RowsType, objects: boolean): Print {
  if (type === 'text/csv') return csvParts
  return type === 'application/json' ? (page) => jsonParts(page, objects) : lineParts
}

function* jsonParts({ query, rows, asOf }: RowsPage, objects: boolean): Generator<string | undefined> {
  const { id, name, status } = query
  const columns = query.columns.map(columnOf)
  const head = JSON.stringify({ id, name, status, columns })
  yield `${head.slice(0, -1)},"rows":`
  yield* arrayParts(rows, objects ? asObject(columns) : asArray)
  yield `,"asOf":${JSON.stringify(momentOf(asOf))}}`
}

function* lineParts({ query, rows }: RowsPage): Generator<string> {
  const print = asObject(query.columns)
  for (const row of rows) yield `${print(row)}\n`
}

function* csvParts({ query, rows }: RowsPage): Generator<string> {
  yield csvHeader(query.columns)
  for (const row of rows) yield asCsv(row)
}

/** With the other parameters of the request that choose the form. */
function linkTo(c: HttpContext, { lsn, offset }: NonNullable<RowsPage['next']>, limit: number): string {
  const objects = c.req.query('objects')
  const query = [
    ...(objects === undefined ? [] : [`objects=${objects}`]),
    ...[`limit=${limit}`, `offset=${offset}`, `lsn=${printedLsn(lsn)}`],
  ]
  return `<${c.req.path.replace(/\/$/, '')}?${query.join('&')}>; rel="next"`
}

/** As RFC 9110 compares tags of a GET: weakly. */
function isKnown(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false
  return header.trim() === '*' || [...header.matchAll(/"[^"]*"/g)].some(([one]) => one === tag)
}
