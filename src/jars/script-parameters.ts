/** Replaces `${key}` in a script, also in texts and names, but not in comments. */

import { ServiceError } from '../service-error.ts'
import { SQL_CHARACTERS_MAX } from '../sql/flink-tokens.ts'
import type { Script } from './jar-contents.ts'

/** Where a comment, a text or a name in back-ticks begins. */
const BEGINS = /--|\/\/|\/\*|'|`/g
const PARAMETER = /\$\{([^{}]*)\}/g

/** Throws ServiceError 'invalid_parameter' for a key without a value, and for values that make the script too long. */
export function withParameters({ name, text }: Script, parameters: ReadonlyMap<string, string>): string {
  let added = 0
  const replaced = (part: string) =>
    part.replaceAll(PARAMETER, (_, key: string) => {
      const value = parameters.get(key)
      if (value === undefined) throw missing(name, key)
      added += value.length
      if (added > SQL_CHARACTERS_MAX) throw tooLong(name)
      return value
    })
  let result = ''
  let done = 0
  for (const [start, end] of commentsIn(text)) {
    result += replaced(text.slice(done, start)) + text.slice(start, end)
    done = end
  }
  return result + replaced(text.slice(done))
}

function* commentsIn(text: string): Generator<readonly [start: number, end: number]> {
  let at = 0
  for (;;) {
    BEGINS.lastIndex = at
    const found = BEGINS.exec(text)
    if (found === null) return
    const [sign] = found
    const isQuote = sign === "'" || sign === '`'
    const close = isQuote ? sign : sign === '/*' ? '*/' : '\n'
    const closed = text.indexOf(close, found.index + sign.length)
    const end = closed === -1 ? text.length : closed + close.length
    if (!isQuote) yield [found.index, end]
    if (closed === -1) return
    at = end
  }
}

function missing(script: string, key: string): ServiceError {
  return new ServiceError(
    'invalid_parameter',
    `${script} has \${${key}}, and there is no argument --${key}; add --${key} VALUE to the program arguments`,
  )
}

function tooLong(script: string): ServiceError {
  return new ServiceError(
    'invalid_parameter',
    `the arguments add more than ${SQL_CHARACTERS_MAX} characters to ${script}; use shorter ones`,
  )
}
