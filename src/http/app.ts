/** The Hono application: the routes of every API behind access control, audit and the error shape of their API. */
import { Hono } from 'hono'
import { withoutSecrets } from '../auth/token-hash.ts'
import { AIVEN } from './aiven/api.ts'
import { type Api, type AppOptions, type AppParts, apiOf, problemShapes, type Route } from './api.ts'
import { ApiRouter } from './api-router.ts'
import { CACHED_QUERIES } from './cached-queries/api.ts'
import { CDAP } from './cdap/api.ts'
import { type DashboardFiles, FLINK, flinkPortApis, readDashboard } from './flink/api.ts'
import { problemOfError } from './messages/problems.ts'
import type { Access } from './server/access.ts'
import { audited } from './server/audited.ts'
import type { Handler, HttpContext, HttpEnv } from './server/bindings.ts'
import { answerProblem, type Problem } from './server/problem.ts'
import { VERVERICA } from './ververica/api.ts'

/** One line for each API. Where paths overlap, the first one counts. */
export const APIS: readonly Api[] = [
  FLINK, // before Aiven's, in whose paths it has those of the proxy
  AIVEN,
  CACHED_QUERIES,
  VERVERICA,
  CDAP, // last: it has all paths that no other API owns
]

/** The APIs of `--flink-port`. */
export { type DashboardFiles, flinkPortApis, readDashboard }
/** Those of `--cached-queries-port`. */
export const CACHED_QUERIES_PORT_APIS: readonly Api[] = [CACHED_QUERIES]
/** Those of `--ververica-port`. */
export const VERVERICA_PORT_APIS: readonly Api[] = [VERVERICA]

export function createApp(parts: AppParts, options: AppOptions, apis = APIS): Hono<HttpEnv> {
  // Not strict: as in CDAP, one slash at the end of a path is ignored.
  const app = new Hono<HttpEnv>({ router: new ApiRouter(apis), strict: false })
  const { guard, audit, sharedRequests } = parts
  const { report, problems } = options
  const shapeOf = problemShapes(apis)
  const refuse = (c: HttpContext, problem: Problem) => answerProblem(c, problem, shapeOf)
  const answerError = (error: unknown, c: HttpContext) => refuse(c, problemOfError(error, report, problems))
  const guarded = (access: Access, handle: Handler) =>
    guard === undefined ? handle : guard.around(access, handle, refuse)
  for (const [method, path, access, handle, action] of routesOf(parts, options, apis)) {
    const direct = guarded(access, handle)
    // Guarded also after it has waited for the store: by then the token may be revoked, or its rate used up.
    const handler = sharedRequests ? guarded(access, sharedRequests.around(path, direct)) : direct
    const isAudited = action !== undefined && audit !== undefined
    const whole = isAudited ? audited(action, audit, handler, answerError) : handler
    app.on(method, path, withSubject(apiOf(apis, path), whole))
  }
  app.notFound(guarded('client', (c) => refuse(c, noRoute(app, apis, c))))
  app.onError(answerError)
  return app
}

function withSubject({ subjectOf }: Api, handle: Handler): Handler {
  if (subjectOf === undefined) return handle
  return (c) => {
    c.set('subject', subjectOf(c))
    return handle(c)
  }
}

/** The routes of all APIs. Throws if a route is on a path that another API owns: its errors would have the wrong shape. */
export function routesOf(parts: AppParts, options: AppOptions, apis = APIS): readonly Route[] {
  return apis.flatMap((api) => {
    const routes = api.routes(parts, options)
    for (const [method, path] of routes) {
      const owner = apiOf(apis, path)
      if (owner !== api)
        throw new Error(`${method} ${path} of ${api.name} is on a path that ${owner.name} owns`)
    }
    return routes
  })
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

/** 404 for an unknown path; 405 naming the methods for a path that has routes for others. */
function noRoute(app: Hono<HttpEnv>, apis: readonly Api[], c: HttpContext): Problem {
  const { path } = c.req
  const isTwoSlashes = c.env.incoming.url!.startsWith('//') // of which Hono makes one
  const allowed = METHODS.filter(
    (method) => !isTwoSlashes && app.router.match(method === 'HEAD' ? 'GET' : method, path)[0].length > 0,
  )
  const { pathname, search } = new URL(c.req.url)
  const target = withoutSecrets(pathname + search)
  const text = (status: 404 | 405) => apiOf(apis, path).noRoute(target, status)
  if (allowed.length === 0) return { status: 404, code: 'unknown_path', text: text(404) }
  return { status: 405, code: 'wrong_method', text: text(405), headers: { Allow: allowed.join(', ') } }
}
