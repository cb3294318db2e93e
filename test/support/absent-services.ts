/** Services that are not there: every call throws DeploymentError 'NotImplemented', which clients see as 501. */

import { DeploymentError } from '../../src/deployments/deployment-error.ts'
import type { DeploymentService } from '../../src/deployments/deployment-service.ts'
import type { SqlScriptService } from '../../src/sql-scripts/sql-script-service.ts'

export const ABSENT_DEPLOYMENTS = absent<DeploymentService>('deployments')
export const ABSENT_SCRIPTS = absent<SqlScriptService>('SQL scripts')

export function absent<T extends object>(what: string): T {
  return new Proxy({} as T, {
    get: () => () => {
      throw new DeploymentError('NotImplemented', `this service has no ${what} yet`)
    },
  })
}
