/** Changes by requests that a page of another site can send from a browser without asking: by GET, and by POST of a form. */
import { ServiceError } from '../../service-error.ts'
import type { HttpContext } from '../server/bindings.ts'

/** Throws ServiceError 'cross_site' if a browser says that a page of another site sends the request. */
export function assertSameSite(c: HttpContext): void {
  if (isForeign(c))
    throw new ServiceError('cross_site', 'a page of another site asks for this change; send it from this one')
}

/** Likewise, but JSON passes: the browser asks the service before it sends that (server/cors.ts). Throws ServiceError 'cross_site'. */
export function assertNoForeignForm(c: HttpContext): void {
  const isJson = /^\s*application\/json\s*(?:;|$)/i.test(c.req.header('content-type') ?? '')
  if (!isJson && isForeign(c))
    throw new ServiceError('cross_site', 'a page of another site sends this form; send JSON')
}

function isForeign(c: HttpContext): boolean {
  const site = c.req.header('sec-fetch-site')
  const origin = c.req.header('origin')
  return (
    (site !== undefined && site !== 'same-origin' && site !== 'none') ||
    (origin !== undefined && hostOf(origin) !== c.req.header('host')?.toLowerCase())
  )
}

/** Undefined for `null` and all that is no URL. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
