/** JSON merge patch, RFC 7386. A member of any name is data, `__proto__` as well. */
import type { Json, JsonObject } from './resources.ts'

/** Parts of the result are shared with `target` and `patch`. Both have few levels: they are documents of requests. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch
  const members = new Map(isObject(target) ? Object.entries(target) : [])
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) members.delete(name)
    else members.set(name, mergePatch(members.get(name), value))
  }
  return Object.fromEntries(members)
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The member of an object; undefined if it has none, or the value is no object. */
export function memberOf(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let present = value
  for (const name of path) {
    if (!isObject(present) || !Object.hasOwn(present, name)) return undefined
    present = present[name]
  }
  return present
}
