/**
 * Patterns of Java's DateTimeFormatter as the pieces that DuckDB's strftime and strptime take, and regular expressions of Java
 * that RE2 does not have.
 */
import { type Node, TreeProblem } from './tree.ts'

/** Letters of a pattern with their number, as in `yyyy`: what strftime writes the same way. */
const WRITTEN: Readonly<Record<string, string>> = {
  yyyy: '%Y',
  uuuu: '%Y',
  yy: '%y',
  uu: '%y',
  MM: '%m',
  M: '%-m',
  MMM: '%b',
  MMMM: '%B',
  dd: '%d',
  d: '%-d',
  DDD: '%j',
  D: '%-j',
  HH: '%H',
  H: '%-H',
  hh: '%I',
  h: '%-I',
  mm: '%M',
  m: '%-M',
  ss: '%S',
  s: '%-S',
  SSS: '%g',
  SSSSSS: '%f',
  a: '%p',
  E: '%a',
  EE: '%a',
  EEE: '%a',
  EEEE: '%A',
}
/** Those that strptime reads as Java does. */
const READ = new Set([
  'yyyy',
  'uuuu',
  'MM',
  'M',
  'MMM',
  'MMMM',
  'dd',
  'd',
  'HH',
  'H',
  'mm',
  'm',
  'ss',
  's',
  'SSS',
  'SSSSSS',
  'hh',
  'h',
  'a',
  'yy',
  'uu',
])

/** The format for strftime or strptime. Throws TreeProblem for letters that they do not have. */
export function strftimeFormat(pattern: string, use: 'write' | 'read', place: Node): string {
  let format = ''
  for (const [piece, quoted] of pattern.matchAll(/'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'/g)) {
    if (quoted !== undefined) format += literal(quoted === '' ? "'" : quoted.replaceAll("''", "'"))
    else if (!/^[A-Za-z]/.test(piece)) format += literal(piece)
    else {
      const written = WRITTEN[piece]
      if (written === undefined || (use === 'read' && !READ.has(piece)))
        throw new TreeProblem(
          `the letters '${piece}' of the pattern '${pattern}' are not supported here; use yyyy, MM, dd, HH, hh, mm, ss, SSS, SSSSSS, a`,
          place,
        )
      format += written
    }
  }
  return format
}

const literal = (characters: string): string => characters.replaceAll('%', '%%')

/** What Java's regular expressions have and RE2 does not: look-around, back references, possessive and atomic groups. */
const NOT_IN_RE2 = /\(\?(?:=|!|<=|<!|>)|\\[1-9k]|[*+?}]\+|\\[GRXhHvVZ]|&&/

/** Throws TreeProblem for a constant pattern that RE2 cannot run. */
export function checkRegex(pattern: string, place: Node): void {
  if (NOT_IN_RE2.test(pattern))
    throw new TreeProblem(
      `the regular expression '${pattern}' needs look-around, back references or possessive quantifiers, which are not supported here`,
      place,
    )
}
