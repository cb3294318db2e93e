/** A reconciler that starts nothing: deployments stay as they are. */
import { DeploymentError } from '../deployment-error.ts'
import type { DeploymentReconciler } from './reconciler.ts'

export const RESTING_RECONCILER: DeploymentReconciler = {
  changed() {},
  async checkUpgrade() {},
  async startSavepoint({ metadata: { id, namespace } }) {
    throw new DeploymentError('NoRunningJob', `Deployment ${id} has no job that runs.`, { namespace, id })
  },
  start() {},
  async close() {},
}
