/** The defaults of a namespace: a part of a spec, which new deployments get where their request has nothing. */
import type { NamespaceName } from '../streams/names.ts'
import type { AttributeError } from './deployment-error.ts'
import { targetOf, withTargetId } from './deployment-spec.ts'
import { defaultsJson } from './resource-json.ts'
import { assertValid, bodyObject, patched } from './resource-request.ts'
import { defaultsSchema } from './resource-schemas.ts'
import type { ResourceStore } from './resource-store.ts'
import type { DeploymentDefaults, Json, JsonObject } from './resources.ts'
import { check } from './schema-check.ts'

/** Throws ValidationError for what is wrong in the result. Deployments that exist stay as they are. */
export function patchDefaults(
  store: ResourceStore,
  namespace: NamespaceName,
  patch: Json,
): Promise<DeploymentDefaults> {
  return store.change(namespace, (change) => {
    const errors: AttributeError[] = []
    const before = change.defaults(namespace)
    const body = withTargetId(bodyObject(patch), change.targets(namespace), errors)
    const whole = patched(defaultsJson(before), body, errors)
    const checked = check(defaultsSchema, whole, errors, '', { isPartial: true }) as JsonObject
    const spec = (checked.spec ?? {}) as JsonObject
    const { deploymentTargetId } = spec
    if (typeof deploymentTargetId === 'string') targetOf({ deploymentTargetId }, namespace, change, errors)
    assertValid(errors)
    const { labels = {}, annotations = {} } = (checked.metadata ?? {}) as {
      readonly labels?: Record<string, string>
      readonly annotations?: Record<string, string>
    }
    return change.putDefaults({ metadata: { ...before.metadata, labels, annotations }, spec })
  })
}
