/**
 * Every path of this API: its method, the access it needs, its handler, and the audit action of a change. Paths name no namespace and
 * no stream, so the guard checks the token alone, and `access.ts` the grants.
 */
import type { AppOptions, AppParts, Route } from '../api.ts'
import type { HttpContext } from '../server/bindings.ts'
import { callRoutes } from './calls.ts'
import { changesRoute } from './changes-answer.ts'
import type { Worker } from './connection-json.ts'
import { readRoutes } from './read-routes.ts'
import { rowsRoute } from './rows-answer.ts'

export function routes(parts: AppParts, options: AppOptions): readonly Route[] {
  const { cachedQueries, namespaces, address, process } = parts
  const workerOf = (c: HttpContext): Worker => ({
    id: address(c.env.incoming.socket).replace(/^[a-z]+:\/\//, ''),
    version: process.build.version,
  })
  const call = callRoutes(cachedQueries, namespaces, workerOf, options)
  const read = readRoutes(cachedQueries, workerOf, options)
  return [
    ['POST', '/createDatabaseConnection', 'client', call.createConnection, 'connection.create'],
    ['POST', '/createCachedQuery', 'client', call.createQuery, 'query.create'],
    ['POST', '/deleteDatabaseConnection', 'client', call.deleteConnection, 'connection.delete'],
    ['POST', '/checkJobStatus', 'client', call.check],

    ['GET', '/connections', 'client', read.connections],
    ['GET', '/connections/:connection', 'client', read.connection],
    ['GET', '/queries', 'client', read.queries],
    ['GET', '/queries/:query', 'client', read.query],
    ['DELETE', '/queries/:query', 'client', read.deleteQuery, 'query.delete'],
    ['GET', '/queries/:query/rows', 'client', rowsRoute(cachedQueries, options)],
    ['GET', '/queries/:query/changes', 'client', changesRoute(cachedQueries, options)],
  ]
}
