/**
 * Cached queries over PostgreSQL databases: four POSTs that create, delete and check connections and queries, and GETs of what they
 * made. All paths are at the root, on the main port and at that of `--cached-queries-port`.
 */
import type { Api } from '../api.ts'
import { cachedQueriesProblemShape } from './problem-shape.ts'
import { routes } from './routes.ts'

const OWN =
  /^\/(?:createDatabaseConnection|createCachedQuery|deleteDatabaseConnection|checkJobStatus|connections|queries)(?:\/|$)/

export const CACHED_QUERIES: Api = {
  name: 'cached-queries',
  owns: (path) => OWN.test(path),
  routes,
  /** The handler sets the subject as soon as it knows the connection or the query. */
  subjectOf: () => ({ namespace: undefined }),
  problemShape: () => cachedQueriesProblemShape,
  noRoute(target, status) {
    const path = target.replace(/\?.*$/s, '')
    return status === 404 ? `there is nothing at ${path}` : `${path} has other methods; see the header Allow`
  },
}
