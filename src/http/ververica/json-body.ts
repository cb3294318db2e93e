/** A body as strict JSON. Members named `__proto__` are data like any other. */
import type { Json } from '../../deployments/resources.ts'
import { ServiceError } from '../../service-error.ts'

/** Throws ServiceError 'malformed_body'. */
export function parseJsonBody(body: Uint8Array, depthMax: number): Json {
  let value: Json
  try {
    value = JSON.parse(utf8Text(body))
  } catch (cause) {
    if (cause instanceof ServiceError) throw cause
    throw malformedBody(`the body is no JSON: ${messageOf(cause)}`, cause)
  }
  assertPlain(value, depthMax)
  return value
}

/** Without a byte order mark. Throws ServiceError 'malformed_body'. */
export function utf8Text(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch (cause) {
    throw malformedBody('the body is not UTF-8', cause)
  }
}

export function malformedBody(message: string, cause?: unknown): ServiceError {
  return new ServiceError('malformed_body', message, cause === undefined ? undefined : { cause })
}

export function tooDeep(depthMax: number): ServiceError {
  return malformedBody(`the body has more than ${depthMax} levels of nesting; at most ${depthMax} are taken`)
}

function assertPlain(value: Json, levelsLeft: number, depthMax = levelsLeft): void {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw malformedBody('the body has a number that is too large; use one below 1.8e308')
  if (typeof value !== 'object' || value === null) return
  if (levelsLeft === 0) throw tooDeep(depthMax)
  for (const member of Object.values(value)) assertPlain(member, levelsLeft - 1, depthMax)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, MESSAGE_CHARACTERS_MAX) : String(error)
}

const MESSAGE_CHARACTERS_MAX = 200
