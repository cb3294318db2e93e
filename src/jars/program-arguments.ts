/** Arguments of a program: a text is cut into them as Flink does, and `--key value` pairs become parameters. */
import { ServiceError } from '../service-error.ts'

/** As in Flink: up to white space, or between quotes of one kind. All quotes are removed. */
const ARGUMENT = /([^"']\S*|".+?"|'.+?')\s*/g

/** Of all arguments of a program together. */
const ARGUMENT_CHARACTERS_MAX = 65_536

/** Throws ServiceError 'invalid_parameter' for a text that is too long. */
export function argumentsIn(text: string): readonly string[] {
  assertLength(text.length)
  return [...text.trim().matchAll(ARGUMENT)].map(([found]) => found.trim().replaceAll(/["']/g, ''))
}

const NUMBER = /^-[0-9.]/
const KEY = /^--?([A-Za-z0-9_][A-Za-z0-9_.-]*)$/

/**
 * `--key value` or `-key value`; a later pair wins. A value begins with a hyphen only if it is a number. Throws ServiceError
 * 'invalid_parameter'.
 */
export function parametersOf(given: readonly string[]): ReadonlyMap<string, string> {
  assertLength(given.reduce((sum, { length }) => sum + length, 0))
  const parameters = new Map<string, string>()
  for (let i = 0; i < given.length; i += 2) {
    const key = KEY.exec(given[i]!)?.[1]
    if (key === undefined) throw refused(`got the argument ${shown(given[i]!)}; write pairs: --key value`)
    const value = given[i + 1]
    if (value === undefined || (value.startsWith('-') && !NUMBER.test(value)))
      throw refused(`the argument --${key} has no value; write --${key} value`)
    parameters.set(key, value)
  }
  return parameters
}

function assertLength(length: number): void {
  if (length > ARGUMENT_CHARACTERS_MAX)
    throw refused(`the program arguments have ${length} characters; use at most ${ARGUMENT_CHARACTERS_MAX}`)
}

const SHOWN_CHARACTERS_MAX = 100

function shown(text: string): string {
  return `'${text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text}'`
}

function refused(message: string): ServiceError {
  return new ServiceError('invalid_parameter', message)
}
