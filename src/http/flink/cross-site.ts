/** Changes by GET, which a page of another site can send from a browser without asking. */
import { ServiceError } from '../../service-error.ts'
import type { HttpContext } from '../server/bindings.ts'

/** Throws ServiceError 'cross_site' if a browser says that a page of another site sends the request. */
export function assertSameSite(c: HttpContext): void {
  const site = c.req.header('sec-fetch-site')
  const origin = c.req.header('origin')
  const isForeign =
    (site !== undefined && site !== 'same-origin' && site !== 'none') ||
    (origin !== undefined && hostOf(origin) !== c.req.header('host')?.toLowerCase())
  if (isForeign)
    throw new ServiceError('cross_site', 'a page of another site asks for this change; send it from this one')
}

/** Undefined for `null` and all that is no URL. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
