/**
 * Resources as GET prints them, members in the order of the API's documentation. What is stored for the service alone, such as owners,
 * ids of operations and sealed secrets, is left out.
 */
import type {
  Condition,
  Deployment,
  DeploymentDefaults,
  DeploymentTarget,
  EventResource,
  Failure,
  JobResource,
  JsonObject,
  Metadata,
  SavepointResource,
  SecretValue,
} from './resources.ts'

export const API_VERSION = 'v1'

export function deploymentJson({ metadata, spec, status }: Deployment): JsonObject {
  const { running } = status
  return resource('Deployment', namedMetadata(metadata), spec as unknown as JsonObject, {
    state: status.state,
    ...(running && {
      running: {
        jobId: running.jobId,
        transitionTime: timeText(running.transitionMs),
        conditions: running.conditions.map(conditionJson),
      },
    }),
  })
}

export function targetJson({ metadata, spec }: DeploymentTarget): JsonObject {
  return resource('DeploymentTarget', namedMetadata(metadata), spec as unknown as JsonObject)
}

export function defaultsJson({ metadata, spec }: DeploymentDefaults): JsonObject {
  const { id, namespace } = metadata
  return resource('DeploymentDefaults', { id, namespace, ...commonMetadata(metadata) }, spec)
}

/** Those of all namespaces. */
export function globalDefaultsJson(spec: JsonObject): JsonObject {
  return resource('GlobalDeploymentDefaults', {}, spec)
}

export function jobJson({ metadata, spec, status }: JobResource): JsonObject {
  const { id, namespace, deploymentId, deploymentName, terminatedMs } = metadata
  const { started, failure } = status
  const shown = {
    ...{ id, namespace, deploymentId, deploymentName },
    ...commonMetadata(metadata),
    ...(terminatedMs !== undefined && { terminatedAt: timeText(terminatedMs) }),
  }
  return resource('Job', shown, spec as unknown as JsonObject, {
    state: status.state,
    ...(started && {
      started: {
        flinkJobId: started.jid,
        startedAt: timeText(started.startedMs),
        lastUpdateTime: timeText(started.lastUpdateMs),
        observedFlinkJobStatus: started.observedFlinkJobStatus,
        observedFlinkJobRestarts: started.observedFlinkJobRestarts,
      },
    }),
    ...(failure && { failure: failureJson(failure) }),
  })
}

export function savepointJson({ metadata, spec, status }: SavepointResource): JsonObject {
  const { id, namespace, deploymentId, jobId, origin } = metadata
  const shown = {
    ...{ id, namespace, deploymentId },
    ...(jobId !== undefined && { jobId }),
    origin,
    ...commonMetadata(metadata),
  }
  return resource('Savepoint', shown, spec as JsonObject, {
    state: status.state,
    ...(status.failure && { failure: failureJson(status.failure) }),
  })
}

export function eventJson({ metadata, message }: EventResource): JsonObject {
  const { id, name, namespace, deploymentId, jobId, createdUs, resourceVersion } = metadata
  return resource(
    'Event',
    {
      ...{ id, name, namespace, deploymentId },
      ...(jobId !== undefined && { jobId }),
      createdAt: microsecondsText(createdUs),
      resourceVersion,
    },
    { message },
  )
}

export function secretJson({ metadata, spec }: SecretValue): JsonObject {
  return resource('SecretValue', namedMetadata(metadata), { kind: spec.kind })
}

/** `2019-10-07T11:07:12.667Z` */
export function timeText(ms: number): string {
  return new Date(ms).toISOString()
}

/** `2019-10-07T11:07:12.667123Z` */
export function microsecondsText(us: number): string {
  const ms = Math.floor(us / 1000)
  return `${timeText(ms).slice(0, -1)}${String(us - ms * 1000).padStart(3, '0')}Z`
}

function resource(kind: string, metadata: JsonObject, spec: JsonObject, status?: JsonObject): JsonObject {
  return { kind, apiVersion: API_VERSION, metadata, spec, ...(status && { status }) }
}

function namedMetadata(metadata: Metadata & { readonly name: string }): JsonObject {
  const { id, name, namespace } = metadata
  return { id, name, namespace, ...commonMetadata(metadata) }
}

function commonMetadata({
  createdMs,
  modifiedMs,
  labels,
  annotations,
  resourceVersion,
}: Metadata): JsonObject {
  return {
    createdAt: timeText(createdMs),
    modifiedAt: timeText(modifiedMs),
    ...{ labels, annotations, resourceVersion },
  }
}

function conditionJson({ lastTransitionMs, lastUpdateMs, ...condition }: Condition): JsonObject {
  return {
    ...condition,
    lastTransitionTime: timeText(lastTransitionMs),
    lastUpdateTime: timeText(lastUpdateMs),
  }
}

function failureJson({ reason, message, failedMs }: Failure): JsonObject {
  return { reason, message, failedAt: timeText(failedMs) }
}
