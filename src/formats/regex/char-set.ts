/**
 * Sets of UTF-16 code units, for the character classes of regular expressions: ranges `[low, high]`, ascending,
 * separated by gaps.
 */

export type CharSet = readonly (readonly [low: number, high: number])[]

const UNIT_MAX = 0xffff

export const NO_CHARS: CharSet = []
export const ALL_CHARS: CharSet = [[0, UNIT_MAX]]

export function charSet(...ranges: readonly (readonly [low: number, high: number])[]): CharSet {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0])
  const joined: [number, number][] = []
  for (const [low, high] of sorted) {
    const last = joined.at(-1)
    if (last !== undefined && low <= last[1] + 1) last[1] = Math.max(last[1], high)
    else joined.push([low, high])
  }
  return joined
}

export function oneChar(unit: number): CharSet {
  return [[unit, unit]]
}

export function charsOf(text: string): CharSet {
  return charSet(...Array.from(text, (char) => [char.charCodeAt(0), char.charCodeAt(0)] as const))
}

export function unite(...sets: readonly CharSet[]): CharSet {
  return charSet(...sets.flat())
}

export function negate(set: CharSet): CharSet {
  const gaps: [number, number][] = []
  let next = 0
  for (const [low, high] of set) {
    if (low > next) gaps.push([next, low - 1])
    next = high + 1
  }
  if (next <= UNIT_MAX) gaps.push([next, UNIT_MAX])
  return gaps
}

export function intersect(a: CharSet, b: CharSet): CharSet {
  return negate(unite(negate(a), negate(b)))
}

export function isEmpty(set: CharSet): boolean {
  return set.length === 0
}

/** Adds the other case of every ASCII letter, as Java does. */
export function foldCase(set: CharSet): CharSet {
  const lower = intersect(set, [[0x61, 0x7a]]).map(([low, high]) => [low - 32, high - 32] as const)
  const upper = intersect(set, [[0x41, 0x5a]]).map(([low, high]) => [low + 32, high + 32] as const)
  return unite(set, lower, upper)
}

/** Adds all letters of the Basic Multilingual Plane that differ only in case. */
export function foldUnicodeCase(set: CharSet): CharSet {
  const others: (readonly [number, number])[] = []
  for (const [unit, other] of casePairs()) {
    if (holds(set, unit) && !holds(set, other)) others.push([other, other])
  }
  return unite(set, others)
}

function holds(set: CharSet, unit: number): boolean {
  return set.some(([low, high]) => low <= unit && unit <= high)
}

let pairs: readonly (readonly [unit: number, other: number])[] | undefined

/** Each letter with each of its other cases: [e, E], [E, e]. Letters whose other case has several code units are left out. */
function casePairs(): readonly (readonly [unit: number, other: number])[] {
  if (pairs !== undefined) return pairs
  const found: [number, number][] = []
  for (let unit = 0; unit <= UNIT_MAX; unit++) {
    const letter = String.fromCharCode(unit)
    for (const other of [letter.toLowerCase(), letter.toUpperCase()]) {
      if (other.length === 1 && other !== letter) {
        found.push([unit, other.charCodeAt(0)], [other.charCodeAt(0), unit])
      }
    }
  }
  pairs = found
  return pairs
}

export const DIGITS: CharSet = [[0x30, 0x39]]
export const WORD_CHARS: CharSet = unite(DIGITS, [[0x41, 0x5a]], [[0x5f, 0x5f]], [[0x61, 0x7a]])
export const SPACES: CharSet = unite([[0x09, 0x0d]], [[0x20, 0x20]])
export const HEX_DIGITS: CharSet = unite(DIGITS, [[0x41, 0x46]], [[0x61, 0x66]])
/** The line terminators of Java. `.` does not match them. */
export const LINE_ENDS: CharSet = charsOf('\n\r\u0085\u2028\u2029')
export const VERTICAL_SPACES: CharSet = unite(LINE_ENDS, [[0x0b, 0x0c]])

const POSIX: ReadonlyMap<string, CharSet> = new Map([
  ['lower', [[0x61, 0x7a]]],
  ['upper', [[0x41, 0x5a]]],
  ['alpha', charSet([0x41, 0x5a], [0x61, 0x7a])],
  ['digit', DIGITS],
  ['alnum', charSet([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a])],
  ['punct', charSet([0x21, 0x2f], [0x3a, 0x40], [0x5b, 0x60], [0x7b, 0x7e])],
  ['graph', [[0x21, 0x7e]]],
  ['print', [[0x20, 0x7e]]],
  ['blank', charsOf(' \t')],
  ['cntrl', charSet([0, 0x1f], [0x7f, 0x7f])],
  ['xdigit', HEX_DIGITS],
  ['space', SPACES],
  ['word', WORD_CHARS],
  ['ascii', [[0, 0x7f]]],
])

/** The class `alpha` of `[[:alpha:]]` and of `\p{Alpha}`. */
export function posixClass(name: string): CharSet | undefined {
  return POSIX.get(name.toLowerCase())
}

/** The properties of Unicode that the classes mean under Java's UNICODE_CHARACTER_CLASS (Technical Standard 18, annex C). */
const UNICODE_CLASSES: ReadonlyMap<string, () => CharSet> = new Map([
  ['lower', () => property('Lowercase')],
  ['upper', () => property('Uppercase')],
  ['alpha', () => property('Alphabetic')],
  ['digit', () => property('Nd')],
  ['alnum', () => unite(property('Alphabetic'), property('Nd'))],
  ['punct', () => property('P')],
  ['graph', () => negate(unite(...['White_Space', 'Cc', 'Cs', 'Cn'].map(property)))],
  [
    'print',
    () => negate(unite(property('Cc'), property('Cs'), property('Cn'), property('Zl'), property('Zp'))),
  ],
  ['blank', () => unite(property('Zs'), oneChar(0x09))],
  ['cntrl', () => property('Cc')],
  ['xdigit', () => unite(property('Nd'), property('Hex_Digit'))],
  ['space', () => property('White_Space')],
  ['word', () => unite(...['Alphabetic', 'M', 'Nd', 'Pc', 'Join_Control'].map(property))],
])

const unicodeClasses = new Map<string, CharSet>()

/** Like `posixClass`, for the whole Basic Multilingual Plane. */
export function unicodeClass(name: string): CharSet | undefined {
  const key = name.toLowerCase()
  const make = UNICODE_CLASSES.get(key)
  if (make === undefined) return posixClass(name)
  const set = unicodeClasses.get(key) ?? make()
  unicodeClasses.set(key, set)
  return set
}

function property(name: string): CharSet {
  return unicodeProperty(name)!
}

/** The class `L` of `\p{L}`: any property that the platform knows by that name. */
export function unicodeProperty(name: string): CharSet | undefined {
  if (!/^[A-Za-z0-9_=]{1,40}$/.test(name)) return undefined
  let pattern: RegExp
  try {
    pattern = new RegExp(`\\p{${name}}`, 'u')
  } catch {
    return undefined
  }
  const ranges: [number, number][] = []
  for (let unit = 0; unit <= UNIT_MAX; unit++) {
    if (!pattern.test(String.fromCharCode(unit))) continue
    const last = ranges.at(-1)
    if (last !== undefined && last[1] === unit - 1) last[1] = unit
    else ranges.push([unit, unit])
  }
  return ranges
}
