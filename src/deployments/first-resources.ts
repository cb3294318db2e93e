/** What every namespace has from the start: a target that runs jobs in this service, and defaults that name it. Not stored until changed. */
import type { NamespaceName } from '../streams/names.ts'
import { derivedUuid } from './resource-ids.ts'
import type { DeploymentDefaults, DeploymentTarget } from './resources.ts'

export const EMBEDDED_TARGET = 'embedded'

export function embeddedTarget(namespace: NamespaceName): DeploymentTarget {
  return {
    metadata: { ...firstMetadata(targetId(namespace), namespace), name: EMBEDDED_TARGET },
    spec: { embedded: {} },
  }
}

export function firstDefaults(namespace: NamespaceName): DeploymentDefaults {
  return {
    metadata: firstMetadata(derivedUuid('deployment-defaults', namespace), namespace),
    spec: { deploymentTargetId: targetId(namespace) },
  }
}

function targetId(namespace: NamespaceName): string {
  return derivedUuid('deployment-target', namespace, EMBEDDED_TARGET)
}

function firstMetadata(id: string, namespace: NamespaceName) {
  return { id, namespace, createdMs: 0, modifiedMs: 0, labels: {}, annotations: {}, resourceVersion: 1 }
}
