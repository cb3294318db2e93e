/** The query that a path names by its id, for a client that may know of it. */
import type { QueryService, QueryView } from '../../cached-queries/query-service.ts'
import type { HttpContext } from '../server/bindings.ts'
import { assertMayRead, noQuery } from './access.ts'

/** Throws CaptureError 'not_found', and as `assertMayRead`. */
export function readableQuery(c: HttpContext, service: QueryService): QueryView {
  const query = someQuery(c, service)
  assertMayRead(c, query)
  return query
}

/** Access is not checked. Throws CaptureError 'not_found'. */
export function someQuery(c: HttpContext, service: QueryService): QueryView {
  const text = c.req.param('query') ?? ''
  const id = idOf(text)
  if (id === undefined) throw noQuery(text.slice(0, 20))
  return service.query(id)
}

/** Undefined for a text that is no id, which no query and no connection has. */
export function idOf(text: string): number | undefined {
  return /^[1-9][0-9]{0,14}$/.test(text) ? Number(text) : undefined
}
