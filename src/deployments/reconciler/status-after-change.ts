/** The status that a deployment has in the answer to the request that changed it. It is written with the change. */
import { isDeepStrictEqual } from 'node:util'
import type { Deployment, DeploymentSpec, DeploymentStatus, JsonObject } from '../resources.ts'
import { progressDocument, progressOf } from './progress.ts'

export interface StatusAfterChange {
  readonly status: DeploymentStatus
  /** Replaces that of the deployment. */
  readonly progress: JsonObject
  /** Written in the same change, in this order. */
  readonly events: readonly NewEvent[]
}

export interface NewEvent {
  readonly name: string
  readonly message: string
}

/** `before`: the deployment as it is stored, undefined for a new one. `spec`: the wanted one. */
export function statusAfterChange(before: Deployment | undefined, spec: DeploymentSpec): StatusAfterChange {
  if (before === undefined)
    return spec.state === 'RUNNING' ? begins('CREATED', spec, {}) : rests(spec, [], {})
  const { suspensionFailed, ...progress } = progressOf(before)
  const { status } = before
  const changes = !isDeepStrictEqual(before.spec, spec)
  if (!changes && suspensionFailed === undefined)
    return { status, progress: before.progress ?? {}, events: [] }
  switch (status.state) {
    case 'TRANSITIONING':
      return { status, progress: { ...again(progress), ...upgradeOf(before.spec, spec) }, events: [] }
    case 'RUNNING': {
      const upgrade = upgradeOf(before.spec, spec)
      if (spec.state === 'RUNNING' && upgrade.upgrade === undefined)
        return { status, progress: progressDocument(progress), events: [] }
      return begins(status.state, spec, { ...again(progress), ...upgrade })
    }
    default:
      if (spec.state === 'RUNNING') return begins(status.state, spec, {})
      if (spec.state === status.state) return { status, progress: {}, events: [] }
      return rests(spec, restEvents(status.state, spec), {})
  }
}

/** Whether another job is needed for the new spec. */
export function isOtherJob(before: DeploymentSpec, spec: DeploymentSpec): boolean {
  return (
    before.deploymentTargetId !== spec.deploymentTargetId ||
    !isDeepStrictEqual(before.template.spec, spec.template.spec)
  )
}

function upgradeOf(before: DeploymentSpec, spec: DeploymentSpec): { upgrade?: 'STATEFUL' | 'STATELESS' } {
  const { kind } = spec.upgradeStrategy
  if (spec.state !== 'RUNNING' || kind === 'NONE' || !isOtherJob(before, spec)) return {}
  return { upgrade: kind }
}

/** The next attempts are the first ones. */
function again(progress: ReturnType<typeof progressOf>): JsonObject {
  const { upgrade } = progress
  return progressDocument({ ...(upgrade && { upgrade }) })
}

function begins(from: string, spec: DeploymentSpec, progress: JsonObject): StatusAfterChange {
  return { status: { state: 'TRANSITIONING' }, progress, events: [needed(from, spec)] }
}

function rests(
  { state }: DeploymentSpec,
  events: readonly NewEvent[],
  progress: JsonObject,
): StatusAfterChange {
  return { status: { state }, progress, events }
}

function restEvents(from: string, spec: DeploymentSpec): readonly NewEvent[] {
  const nothing = {
    name: 'COULD_NOT_FIND_A_JOB_TO_SUSPEND',
    message: `The deployment is ${from} and has no job that could be suspended.`,
  }
  return [needed(from, spec), ...(spec.state === 'SUSPENDED' ? [nothing] : []), completed(spec.state)]
}

function needed(from: string, { state }: DeploymentSpec): NewEvent {
  const message =
    from === state
      ? `The deployment is ${from} and its template or target was changed.`
      : `The deployment is ${from}; it is to be ${state}.`
  return { name: 'STATE_TRANSITION_IS_NEEDED', message }
}

export function completed(state: string): NewEvent {
  return { name: 'STATE_TRANSITION_IS_COMPLETED', message: `The deployment is ${state}.` }
}
