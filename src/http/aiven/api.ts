/** The API of Aiven for Apache Flink, beta: services, integrations, tables and jobs. Services are namespaces. */
import type { Api } from '../api.ts'
import { namespaceOfService } from '../server/service-names.ts'
import { aivenProblemShape } from './problem-shape.ts'
import { routes } from './routes.ts'

export const AIVEN: Api = {
  name: 'aiven',
  owns: (path) => /^\/v1\/project(?:\/|$)/.test(path),
  routes,
  /** Where the path has no service, the handler sets the subject as soon as it knows the namespace. */
  subjectOf(c) {
    const service = c.req.param('service')
    const namespace = service === undefined ? undefined : namespaceOfService(service)
    return { namespace, id: c.req.param('table') ?? c.req.param('job') ?? c.req.param('integration') }
  },
  problemShape: () => aivenProblemShape,
  noRoute: (_, status) => (status === 404 ? 'Not found' : 'Method not allowed'),
}
