/**
 * The fields of a request body: texts by name, from a form or from JSON. Both forms are read strictly: each name once, UTF-8, no
 * character NUL, which PostgreSQL does not take. No message repeats a value, and a name only where it cannot be a part of a password.
 */
import { ServiceError } from '../../service-error.ts'

export type Fields = ReadonlyMap<string, string>

/** `required` and `optional` are the names that the call knows. */
export interface FieldNames {
  readonly required: readonly string[]
  readonly optional: readonly string[]
}

export function invalidRequest(message: string, cause?: unknown): ServiceError {
  return new ServiceError('invalid_parameter', message, cause === undefined ? undefined : { cause })
}

const SHOWN_CHARACTERS_MAX = 100

/** For a message: the value in quotes, but not one that may be a connection string in the wrong field. */
export function shownValue(text: string): string {
  if (/[:@/%]/.test(text)) return 'no name'
  return text.length > SHOWN_CHARACTERS_MAX ? `'${text.slice(0, SHOWN_CHARACTERS_MAX)}…'` : `'${text}'`
}

const LONE_SURROGATE = /\p{Surrogate}/u

/** Throws ServiceError 'invalid_parameter'. */
export function assertText(name: string, text: string): void {
  if (text.includes('\0'))
    throw invalidRequest(`field ${name} has the character NUL, which is not allowed; leave it out`)
  if (LONE_SURROGATE.test(text))
    throw invalidRequest(`field ${name} has a half of a surrogate pair, which is no character; leave it out`)
}

/** Throws ServiceError 'invalid_parameter' for the first required field that is missing or empty. */
export function assertComplete(fields: Fields, { required }: FieldNames): void {
  const missing = required.filter((name) => (fields.get(name) ?? '') === '')
  if (missing.length === 0) return
  const what = missing.length === 1 ? 'field' : 'fields'
  throw invalidRequest(`${what} ${missing.join(', ')} missing; send ${required.join(', ')}`)
}

export function isKnown({ required, optional }: FieldNames, name: string): boolean {
  return required.includes(name) || optional.includes(name)
}

export function twice(name: string): ServiceError {
  return invalidRequest(`field ${name} is there twice; send it once`)
}
