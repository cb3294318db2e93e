/**
 * Grok patterns: regular expressions in which `%{…}` stands for a pattern of the library.
 *
 *   reference:  %{NAME}  %{NAME:field}  %{NAME:field:type}  each also with its own definition, %{NAME:field=regex}
 *   NAME:       letters, digits, _
 *
 * A group `(?<field>regex)` is a capture with the name of the field too.
 */
import { regexProblem } from './regex/syntax.ts'

/** Name -> definition. A definition may contain references. */
export type GrokLibrary = ReadonlyMap<string, string>

/** Far longer than any pattern in use. It bounds the cost of compiling a pattern. */
export const GROK_PATTERN_CHARS_MAX = 16_384

export interface GrokReference {
  readonly pattern: string
  /** The name of the capture. A type after a colon is part of it, as in CDAP. */
  readonly field?: string
  readonly definition?: string
}

/** A part of a pattern: a piece of regular expression, or a reference. */
export type GrokPart = string | GrokReference

const REFERENCE = /%\{([A-Za-z0-9_]+)(?::([\w:;/\s.@\-[\]]+))?(?:=([^{}]+))?\}/g
const STICKY_REFERENCE = new RegExp(REFERENCE.source, 'y')

/** The reference that begins at `at`, with its length in the pattern; undefined if there is none. */
export function matchReference(
  pattern: string,
  at: number,
): (GrokReference & { readonly length: number }) | undefined {
  STICKY_REFERENCE.lastIndex = at
  const match = STICKY_REFERENCE.exec(pattern)
  return match === null ? undefined : { ...referenceOf(match), length: match[0].length }
}

export function parseGrokPattern(pattern: string): readonly GrokPart[] {
  const parts: GrokPart[] = []
  let end = 0
  for (const match of pattern.matchAll(REFERENCE)) {
    if (match.index > end) parts.push(pattern.slice(end, match.index))
    parts.push(referenceOf(match))
    end = match.index + match[0].length
  }
  if (end < pattern.length) parts.push(pattern.slice(end))
  return parts
}

function referenceOf([, name, field, definition]: RegExpExecArray): GrokReference {
  return {
    pattern: name!,
    ...(field !== undefined && { field }),
    ...(definition !== undefined && { definition }),
  }
}

/**
 * Why a pattern can never compile; undefined if it may. Without a library, every name is assumed to be a pattern of it.
 * With a library, a name that is not in it is a problem, unless the reference defines it.
 */
export function grokPatternProblem(pattern: string, library?: GrokLibrary): string | undefined {
  if (pattern === '') return 'the pattern is empty'
  if (pattern.length > GROK_PATTERN_CHARS_MAX) {
    return `the pattern has ${pattern.length} characters; use at most ${GROK_PATTERN_CHARS_MAX}`
  }
  let outline = '' // the pattern with a group in place of every reference
  for (const part of parseGrokPattern(pattern)) {
    if (typeof part === 'string') {
      const broken = part.indexOf('%{')
      if (broken >= 0) return `'${part.slice(broken, broken + 40)}' is not a reference; use %{NAME:field}`
      outline += part
    } else if (part.definition === undefined && library !== undefined && !library.has(part.pattern)) {
      return `there is no pattern ${part.pattern}`
    } else {
      outline += `(?:${part.definition ?? ''})`
    }
  }
  return regexProblem(outline)
}
