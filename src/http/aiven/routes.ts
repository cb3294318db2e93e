/**
 * Every path of this API: its method, the access it needs, its handler, and the audit action of a change. The documentation of
 * the time has `/test` after the project, the clients do not, so each path is there in both forms.
 */
import type { AppOptions, AppParts, Route } from '../api.ts'
import { integrationRoutes } from './integration-routes.ts'
import { jobRoutes } from './job-routes.ts'
import { serviceRoutes } from './service-routes.ts'
import { tableRoutes } from './table-routes.ts'

export const PROJECT = '/v1/project/:project'

export function routes(parts: AppParts, options: AppOptions): readonly Route[] {
  const { tables, jobs, namespaces } = parts
  const service = serviceRoutes(namespaces, options)
  const integration = integrationRoutes(tables, namespaces, options)
  const table = tableRoutes(tables, namespaces, options)
  const job = jobRoutes(jobs, namespaces, options)

  const routesOf = (P: string): readonly Route[] => {
    const F = `${P}/service/:service/flink`
    return [
      ['GET', `${P}/service`, 'client', service.list],
      ['POST', `${P}/service`, 'client', service.create],
      ['GET', `${P}/service/:service`, 'in-namespace', service.get],
      // What the command line asks for before it creates a service.
      ['GET', `${P}/service_types`, 'client', service.create],
      ['GET', `${P}/vpcs`, 'client', service.create],

      ['GET', `${P}/service/:service/integration`, 'in-namespace', integration.list],
      ['POST', `${P}/integration`, 'client', integration.create, 'integration.create'],
      ['GET', `${P}/integration/:integration`, 'client', integration.get],
      ['PUT', `${P}/integration/:integration`, 'client', integration.update, 'integration.update'],
      ['DELETE', `${P}/integration/:integration`, 'client', integration.delete, 'integration.delete'],

      ['POST', `${F}/table`, 'jobs', table.create, 'table.create'],
      ['GET', `${F}/table`, 'in-namespace', table.list],
      ['POST', `${F}/table/validate`, 'jobs', table.validate],
      ['GET', `${F}/table/:table`, 'in-namespace', table.get],
      ['DELETE', `${F}/table/:table`, 'jobs', table.delete, 'table.delete'],

      ['POST', `${F}/job`, 'jobs', job.create, 'job.create'],
      ['GET', `${F}/job`, 'in-namespace', job.list],
      ['POST', `${F}/job/validate`, 'jobs', job.validate],
      ['GET', `${F}/job/:job`, 'in-namespace', job.get],
      ['POST', `${F}/job/:job/cancel`, 'jobs', job.cancel, 'job.cancel'],
    ]
  }
  return [...routesOf(PROJECT), ...routesOf(`${PROJECT}/test`)]
}
