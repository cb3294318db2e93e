/** The spec of a deployment, from what a request gives: names of targets, defaults, kinds of artifacts. */
import type { NamespaceName } from '../streams/names.ts'
import { type AttributeError, DeploymentError } from './deployment-error.ts'
import { memberOf, mergePatch } from './merge-patch.ts'
import { deploymentSpec, TARGET_NAME } from './resource-schemas.ts'
import type { StoredResources } from './resource-store.ts'
import type { Artifact, DeploymentSpec, DeploymentTarget, JsonObject } from './resources.ts'
import { defaultsOf } from './schema-check.ts'

const TARGET_ID = 'deploymentTargetId'
const ARTIFACT = 'spec.template.spec.artifact'
const SHOWN_CHARACTERS_MAX = 100

/** What a deployment has where neither its request nor the defaults of the namespace say anything. */
export const GLOBAL_DEFAULTS = defaultsOf(deploymentSpec) as JsonObject

/**
 * The body with the name of its target replaced by the id. An unknown name is an error. Throws DeploymentError 'NotImplemented' for
 * sessions.
 */
export function withTargetId(
  body: JsonObject,
  targets: readonly DeploymentTarget[],
  errors: AttributeError[],
): JsonObject {
  const session = memberOf(body, 'spec', 'sessionClusterName')
  if (session !== undefined && session !== null)
    throw new DeploymentError(
      'NotImplemented',
      'sessionClusterName is not supported; leave it out, and name a deployment target',
    )
  const name = memberOf(body, 'spec', TARGET_NAME)
  if (name === undefined) return body
  const id = memberOf(body, 'spec', TARGET_ID)
  const target = targets.find(({ metadata }) => metadata.name === name)
  const wrong = (message: string) => errors.push({ attribute: `spec.${TARGET_NAME}`, message })
  if (name !== null && typeof name !== 'string') wrong('must be a text')
  else if (name !== null && target === undefined) wrong(unknownTarget(name))
  else if (target !== undefined && typeof id === 'string' && id !== target.metadata.id)
    wrong(`is the name of another deployment target than ${TARGET_ID}`)
  const { [TARGET_NAME]: _, ...spec } = body.spec as JsonObject
  return { ...body, spec: target === undefined ? spec : { ...spec, [TARGET_ID]: target.metadata.id } }
}

/** A POST with what the defaults give. Null counts as absent there. */
export function withDefaults(body: JsonObject, defaults: JsonObject): JsonObject {
  const given = mergePatch({}, body.spec ?? {})
  return { ...body, spec: mergePatch(mergePatch(GLOBAL_DEFAULTS, defaults), given) }
}

/** A checked spec as it is stored: the artifact has the members of its kind. `undefined` if the artifact is wrong. */
export function specOf(spec: JsonObject, errors: AttributeError[]): DeploymentSpec {
  const artifact = artifactOf(
    memberOf(spec, 'template', 'spec', 'artifact') as JsonObject | undefined,
    errors,
  )
  if (artifact === undefined) return spec as unknown as DeploymentSpec
  const template = spec.template as JsonObject
  const { artifact: _, ...templateSpec } = template.spec as JsonObject
  return {
    ...spec,
    template: { ...template, spec: { artifact, ...templateSpec } },
  } as unknown as DeploymentSpec
}

/** The target of a spec. One that does not exist is an error. */
export function targetOf(
  { deploymentTargetId: id }: Pick<DeploymentSpec, 'deploymentTargetId'>,
  namespace: NamespaceName,
  stored: Pick<StoredResources, 'targets'>,
  errors: AttributeError[],
): DeploymentTarget | undefined {
  if (id === undefined) return undefined
  const target = stored.targets(namespace).find(({ metadata }) => metadata.id === id)
  if (target === undefined) errors.push({ attribute: `spec.${TARGET_ID}`, message: unknownTarget(id) })
  return target
}

function unknownTarget(idOrName: string): string {
  return `deployment target ${shown(idOrName)} does not exist`
}

function artifactOf(artifact: JsonObject | undefined, errors: AttributeError[]): Artifact | undefined {
  if (artifact === undefined) return undefined
  const { kind, sqlScript, jarUri, mainArgs, entryClass, ...flink } = artifact
  const required = (name: string) =>
    errors.push({ attribute: `${ARTIFACT}.${name}`, message: 'must not be null' })
  if (kind === 'SQLSCRIPT') {
    if (sqlScript === undefined && !hasError(errors, 'sqlScript')) required('sqlScript')
    return { kind, sqlScript, ...flink } as unknown as Artifact
  }
  if (kind !== 'JAR') return undefined
  if (jarUri === undefined && !hasError(errors, 'jarUri')) required('jarUri')
  const { sqlScript: _, ...jar } = artifact
  return jar as unknown as Artifact
}

function hasError(errors: readonly AttributeError[], name: string): boolean {
  return errors.some(({ attribute }) => attribute === `${ARTIFACT}.${name}`)
}

function shown(text: string): string {
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text
}
