/**
 * Flink's REST API over SQL jobs: at the root and under /v1 for the jobs of all namespaces, and for those of one at
 * /v3/namespaces/:namespace/flink and at the proxy path of Aiven's API, each also with /v1 behind it.
 */
import type { Api } from '../api.ts'
import { namespaceOfService } from '../server/service-names.ts'
import { type DashboardFiles, dashboardApi, readDashboard } from './dashboard.ts'
import { flinkProblemShape } from './problem-shape.ts'
import { routes } from './routes.ts'

const FIRST_WORDS = 'overview|config|jobs|taskmanagers|jobmanager|jars|cluster|datasets|savepoint-disposal'
/** In this order: the root, /v1 but for Aiven's API, one namespace, Aiven's proxy path. */
const OWN = new RegExp(
  `^/(?:(?:${FIRST_WORDS})(?:/|$)|v1(?:/(?!project(?:/|$))|$)|v3/namespaces/[^/]+/flink(?:/|$)` +
    '|v1/project/[^/]+(?:/test)?/service/[^/]+/flink/proxy(?:/|$))',
)

export const FLINK: Api = {
  name: 'flink',
  owns: (path) => OWN.test(path),
  routes,
  /** Where the path names no namespace, the handler sets the subject as soon as it knows the job. */
  subjectOf(c) {
    const service = c.req.param('service')
    const namespace = service === undefined ? c.req.param('namespace') : namespaceOfService(service)
    return { namespace, id: c.req.param('job') }
  },
  problemShape: () => flinkProblemShape,
  noRoute(target, status) {
    const path = target.replace(/\?.*$/s, '')
    return status === 404 ? `Not found: ${path}` : `Method not allowed: ${path}`
  },
}

/** What a port of its own has: this API, and the dashboard on all other paths. */
export function flinkPortApis(files: DashboardFiles | undefined): readonly Api[] {
  return [FLINK, dashboardApi(files)]
}

export { type DashboardFiles, readDashboard }
