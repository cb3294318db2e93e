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
const DIGITS = '[0-9]{1,2}'
const TWO_DIGITS = '[0-9]{2}'
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
const oneOf = (names: readonly string[]): string => `(?:${names.join('|')})`
/** Those that strptime reads, with what Java takes for them. strptime alone also takes one digit where Java wants two. */
const READ: Readonly<Record<string, string>> = {
  yyyy: '[0-9]{4}',
  uuuu: '[0-9]{4}',
  yy: TWO_DIGITS,
  uu: TWO_DIGITS,
  MM: TWO_DIGITS,
  M: DIGITS,
  MMM: oneOf(MONTHS.map((name) => name.slice(0, 3))),
  MMMM: oneOf(MONTHS),
  dd: TWO_DIGITS,
  d: DIGITS,
  HH: TWO_DIGITS,
  H: DIGITS,
  hh: TWO_DIGITS,
  h: DIGITS,
  mm: TWO_DIGITS,
  m: DIGITS,
  ss: TWO_DIGITS,
  s: DIGITS,
  SSS: '[0-9]{3}',
  SSSSSS: '[0-9]{6}',
  a: '[AP]M',
}

/** The format for strftime. Throws TreeProblem for letters that it does not have. */
export function strftimeFormat(pattern: string, place: Node): string {
  return piecesOf(pattern)
    .map(({ letters, text }) =>
      letters === undefined ? literal(text) : known(WRITTEN[letters], letters, pattern, place),
    )
    .join('')
}

export interface ReadFormat {
  /** For strptime. Texts without a year are of 1970, as in Flink: `prefix` is put before text and format. */
  readonly format: string
  readonly prefix: string
  /** What Java takes, for RE2. */
  readonly regex: string
}

/** Throws TreeProblem for letters that strptime does not have. */
export function readFormat(pattern: string, place: Node): ReadFormat {
  const pieces = piecesOf(pattern)
  const read = pieces.map(({ letters, text }) =>
    letters === undefined ? escaped(text) : known(READ[letters], letters, pattern, place),
  )
  const format = pieces.map(({ letters, text }) =>
    letters === undefined ? literal(text) : WRITTEN[letters]!,
  )
  const hasYear = pieces.some(({ letters }) => letters !== undefined && /^[yu]/.test(letters))
  return {
    ...(hasYear
      ? { prefix: '', format: format.join('') }
      : { prefix: '1970 ', format: `%Y ${format.join('')}` }),
    regex: read.join(''),
  }
}

/** Letters of a pattern, or text that stands for itself. */
interface Piece {
  readonly letters: string | undefined
  readonly text: string
}

function piecesOf(pattern: string): Piece[] {
  return [...pattern.matchAll(/'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'/g)].map(([piece, quoted]) => {
    if (quoted !== undefined)
      return { letters: undefined, text: quoted === '' ? "'" : quoted.replaceAll("''", "'") }
    return /^[A-Za-z]/.test(piece) ? { letters: piece, text: '' } : { letters: undefined, text: piece }
  })
}

function known(found: string | undefined, letters: string, pattern: string, place: Node): string {
  if (found !== undefined) return found
  throw new TreeProblem(
    `the letters '${letters}' of the pattern '${pattern}' are not supported here; use yyyy, MM, dd, HH, hh, mm, ss, SSS, SSSSSS, a`,
    place,
  )
}

const escaped = (characters: string): string => characters.replaceAll(/[^A-Za-z0-9\s]/g, '\\$&')

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
