/**
 * Every path of this API: its method, the access it needs, its handler, and the audit action of a change. A hyphen in the name of a
 * namespace stands for `_`.
 */
import type { AppOptions, AppParts, Route } from '../api.ts'
import { deploymentRoutes } from './deployment-routes.ts'
import { namespaceRoutes } from './namespace-routes.ts'
import { scriptRoutes } from './script-routes.ts'
import { statusRoutes } from './status-routes.ts'
import { swaggerRoutes } from './swagger-routes.ts'
import { tokenRoutes } from './token-routes.ts'

const N = '/api/v1/namespaces/:namespace'
const P = '/namespaces/v1/namespaces'
const T = '/apitokens/v1/namespaces/:namespace/apitokens'

export function routes(parts: AppParts, options: AppOptions): readonly Route[] {
  const { deployments, targets, defaults, jobs, savepoints, events, secrets } = deploymentRoutes(
    parts,
    options,
  )
  const script = scriptRoutes(parts, options)
  const namespace = namespaceRoutes(parts, options)
  const token = tokenRoutes(parts, options)
  const { status, systemInfo } = statusRoutes(parts)
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

    ['GET', P, 'client', namespace.list],
    ['POST', P, 'operator', namespace.create, 'namespace.create'],
    ['GET', `${P}/:namespace`, 'namespace', namespace.get],
    ['PUT', `${P}/:namespace`, 'namespace', namespace.put, 'namespace.properties'],
    ['DELETE', `${P}/:namespace`, 'operator', namespace.delete, 'namespace.delete'],

    ['GET', T, 'namespace', token.list],
    ['POST', T, 'namespace', token.create, 'token.create'],
    ['GET', `${T}/:name`, 'namespace', token.get],
    ['DELETE', `${T}/:name`, 'namespace', token.delete, 'token.delete'],

    ['GET', '/api/v1/status', 'client', status],
    ['GET', '/api/v1/status/system-info', 'client', systemInfo],

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
