/** From which savepoint a new job of a deployment starts, and whether the present one was made from the template of now. */
import { isDeepStrictEqual } from 'node:util'
import type { Deployment, JobResource, SavepointResource } from '../resources.ts'

/** Of flinkConfiguration: where a job starts for which the restore strategy finds no savepoint. */
const SAVEPOINT_PATH = 'execution.savepoint.path'

/** `savepoints`: those of the deployment, oldest first. Undefined: the job begins with empty state. */
export function restoreLocation(
  { spec }: Deployment,
  savepoints: readonly SavepointResource[],
): string | undefined {
  const { kind } = spec.restoreStrategy
  const usable = savepoints.filter(
    ({ status, spec: { savepointLocation }, metadata: { origin } }) =>
      status.state === 'COMPLETED' &&
      savepointLocation !== undefined &&
      (kind === 'LATEST_STATE' || origin !== 'RETAINED_CHECKPOINT'),
  )
  const found = kind === 'NONE' ? undefined : usable.at(-1)?.spec.savepointLocation
  return found ?? spec.template.spec.flinkConfiguration[SAVEPOINT_PATH]
}

/** Whether the deployment has another template or target now than the job was made from. */
export function isOtherTemplate({ spec }: Deployment, job: JobResource): boolean {
  const { deploymentTarget, allowNonRestoredState: _, savepointLocation: __, ...template } = job.spec
  return deploymentTarget.id !== spec.deploymentTargetId || !isDeepStrictEqual(template, spec.template.spec)
}
