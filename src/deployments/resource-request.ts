/** A request body as the part of a resource that clients set: name, labels, annotations and spec. */
import { ServiceError } from '../service-error.ts'
import type { NamespaceName } from '../streams/names.ts'
import { type AttributeError, ValidationError } from './deployment-error.ts'
import { isObject, memberOf, mergePatch } from './merge-patch.ts'
import type { Json, JsonObject } from './resources.ts'
import type { Schema } from './schema.ts'
import { check } from './schema-check.ts'

export interface Given {
  readonly metadata: JsonObject & {
    readonly name: string
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
  }
  readonly spec: JsonObject
}

/** Throws ServiceError 'malformed_body'. */
export function bodyObject(body: Json): JsonObject {
  if (isObject(body)) return body
  const got = body === null ? 'null' : Array.isArray(body) ? 'a list' : `a ${typeof body}`
  throw new ServiceError('malformed_body', `the body is ${got}; send an object`)
}

/**
 * The body of a POST. What is wrong is added to `errors`; the result is only complete if there are none. Throws ServiceError
 * 'malformed_body'.
 */
export function givenIn(
  schema: Schema,
  body: Json,
  namespace: NamespaceName,
  errors: AttributeError[],
): Given {
  const whole = bodyObject(body)
  const named = memberOf(whole, 'metadata', 'namespace') ?? namespace
  if (typeof named !== 'string' || named.replaceAll('-', '_') !== namespace)
    // a hyphen stands for _
    errors.push({ attribute: 'metadata.namespace', message: `must be ${namespace}, as in the path` })
  const { metadata = {}, spec = {} } = check(schema, whole, errors) as {
    metadata?: JsonObject
    spec?: JsonObject
  }
  return { metadata: metadata as Given['metadata'], spec }
}

/** In a patch these mean nothing, and may be anything. */
const IGNORED = ['status', 'kind', 'apiVersion']
const IGNORED_METADATA = ['id', 'namespace', 'createdAt', 'modifiedAt', 'resourceVersion']

/** `printed`, the resource as GET shows it, with the patch merged. Throws ServiceError 'malformed_body'. */
export function patched(printed: JsonObject, patch: Json, errors: AttributeError[]): JsonObject {
  const given = without(bodyObject(patch), IGNORED)
  const metadata = given.metadata
  const taken = isObject(metadata) ? { ...given, metadata: without(metadata, IGNORED_METADATA) } : given
  const name = memberOf(printed, 'metadata', 'name')
  const newName = memberOf(taken, 'metadata', 'name')
  if (newName !== undefined && newName !== name)
    errors.push({ attribute: 'metadata.name', message: 'is immutable' })
  const merged = mergePatch(printed, taken) as JsonObject
  if (name === undefined || newName === undefined || newName === name) return merged
  return mergePatch(merged, { metadata: { name } }) as JsonObject
}

/** Throws ValidationError if there are errors. */
export function assertValid(errors: readonly AttributeError[]): void {
  if (errors.length > 0) throw new ValidationError(errors)
}

/** Of a new resource. */
export function newMetadata(id: string, namespace: NamespaceName, nowMs: number, { metadata }: Given) {
  const { labels, annotations } = metadata
  return { id, namespace, createdMs: nowMs, modifiedMs: nowMs, labels, annotations, resourceVersion: 1 }
}

function without(object: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !names.includes(name)))
}
