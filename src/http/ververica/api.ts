/**
 * The APIs of Ververica Platform: deployments and what belongs to them (`/api/v1`), SQL scripts (`/sql/v1beta1`), namespaces and API tokens.
 * On the main port, and alone at that of `--ververica-port`.
 */
import type { Api } from '../api.ts'
import { namespaceOfService } from '../server/service-names.ts'
import { ververicaProblemShape } from './problem-shape.ts'
import { routes } from './routes.ts'

const OWN = /^\/(?:api|sql|namespaces|apitokens|swagger|swagger\.json)(?:\/|$)/

export const VERVERICA: Api = {
  name: 'ververica',
  owns: (path) => OWN.test(path),
  routes,
  /** Routes without a namespace in their path are about none. A new resource sets the subject again. */
  subjectOf(c) {
    const namespace = c.req.param('namespace')
    return {
      namespace: namespace === undefined ? undefined : namespaceOfService(namespace),
      id: c.req.param('id') ?? c.req.param('name'),
    }
  },
  problemShape: ververicaProblemShape,
  noRoute(target, status) {
    const path = target.replace(/\?.*$/s, '')
    return status === 404 ? `there is nothing at ${path}` : `${path} has other methods; see the header Allow`
  },
}
