/**
 * Every path of this API: its method, the access it needs, its handler, and the audit action of a change. A hyphen in the name of a
 * namespace stands for `_`.
 */
import type { AppOptions, AppParts, Route } from '../api.ts'
import { deploymentRoutes } from './deployment-routes.ts'
import { scriptRoutes } from './script-routes.ts'
import { swaggerRoutes } from './swagger-routes.ts'

const N = '/api/v1/namespaces/:namespace'

export function routes(parts: AppParts, options: AppOptions): readonly Route[] {
  const { deployments, targets, defaults, jobs, savepoints, events, secrets } = deploymentRoutes(
    parts,
    options,
  )
  const script = scriptRoutes(parts, options)
  return [
    ['GET', `${N}/deployments`, 'in-namespace', deployments.list],
    ['POST', `${N}/deployments`, 'jobs', deployments.create, 'deployment.create'],
    ['GET', `${N}/deployments/:id`, 'in-namespace', deployments.get],
    ['PATCH', `${N}/deployments/:id`, 'jobs', deployments.patch, 'deployment.update'],
    ['DELETE', `${N}/deployments/:id`, 'jobs', deployments.delete, 'deployment.delete'],

    ['GET', `${N}/deployment-targets`, 'in-namespace', targets.list],
    ['POST', `${N}/deployment-targets`, 'namespace', targets.create, 'target.create'],
    ['GET', `${N}/deployment-targets/:name`, 'in-namespace', targets.get],
    ['DELETE', `${N}/deployment-targets/:name`, 'namespace', targets.delete, 'target.delete'],

    ['GET', `${N}/deployment-defaults`, 'in-namespace', defaults.get],
    ['PATCH', `${N}/deployment-defaults`, 'namespace', defaults.patch, 'defaults.update'],
    ['GET', '/api/v1/global-deployment-defaults', 'client', defaults.global],

    ['GET', `${N}/jobs`, 'in-namespace', jobs.list],
    ['GET', `${N}/jobs/:id`, 'in-namespace', jobs.get],

    ['GET', `${N}/savepoints`, 'in-namespace', savepoints.list],
    ['POST', `${N}/savepoints`, 'jobs', savepoints.create, 'savepoint.create'],
    ['GET', `${N}/savepoints/:id`, 'in-namespace', savepoints.get],
    ['DELETE', `${N}/savepoints/:id`, 'jobs', savepoints.delete, 'savepoint.delete'],

    ['GET', `${N}/events`, 'in-namespace', events.list],

    ['GET', `${N}/secret-values`, 'jobs', secrets.list],
    ['POST', `${N}/secret-values`, 'jobs', secrets.create, 'secret.create'],
    ['GET', `${N}/secret-values/:name`, 'jobs', secrets.get],
    ['PATCH', `${N}/secret-values/:name`, 'jobs', secrets.patch, 'secret.update'],
    ['DELETE', `${N}/secret-values/:name`, 'jobs', secrets.delete, 'secret.delete'],

    ...COLONS.flatMap((colon): Route[] => {
      const S = `/sql/v1beta1/namespaces/:namespace/sqlscripts${colon}`
      return [
        ['POST', `${S}validate`, 'jobs', script.validate],
        ['POST', `${S}execute`, 'jobs', script.execute, 'script.execute'],
        ['POST', `${S}suggest`, 'jobs', script.suggest],
      ]
    }),

    ...swaggerRoutes(parts, options),
  ]
}

/** As clients write it in a path; the router decodes no reserved character. */
const COLONS = [':', '%3A', '%3a']
